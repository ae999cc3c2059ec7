"""What long work shows on stderr: a progress bar, and log messages above it."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Progress = Callable[[int, int], None]  # items done, items in all
Share = Callable[[float], None]  # what is done of one item, from 0 to 1


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


class StderrHandler(logging.StreamHandler[TextIO]):
    """To what sys.stderr is at the time: above a progress bar, where there is one."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        logging.Handler.__init__(self, level)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """See StreamHandler."""
        return sys.stderr
