"""Progress of long work: the callback that reports it, and the bar that shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Progress = Callable[[int, int], None]  # items done, items in all


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """Give a callback that draws a bar with the time left on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    # without a terminal the bar would leave a line in front of an error message
    quiet = not console.is_terminal
    with Bar(*columns, TimeRemainingColumn(), console=console, disable=quiet) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
