"""The output of a run: progress bar, log and TensorBoard."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from voiceconv.signals import drop_lost_output

log = logging.getLogger(__name__)


class Tracker:
    """Progress bar with losses and time left; scalars in `<folder>/tensorboard` and the log.

    Ranks other than the main one are silent.
    """

    def __init__(self, folder: Path, first_step: int, n_steps: int, silent: bool = False) -> None:
        # What was written of first_step itself stays: it is not done again.
        self.writer = (
            None
            if silent
            else SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)
        )
        self._n_steps = n_steps
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[losses]}"),
            console=console,
            disable=silent or not console.is_terminal,  # it would be drawn once, at the end
        )
        self._task = self._progress.add_task(
            "training", total=n_steps, completed=first_step, losses=""
        )

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away and close the event file."""
        self._progress.stop()
        if self.writer is not None:
            self.writer.close()

    def advance(self, step: int) -> None:
        """`step` steps are done."""
        drop_lost_output()  # under nohup, no signal says that the terminal is gone
        self._progress.update(self._task, completed=step)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """`group/name` -> value; the losses among them are shown beside the bar."""
        if self.writer is None:
            return
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        losses = " ".join(
            f"{name.removeprefix('generator/')} {value:.3f}"
            for name, value in values.items()
            if name.startswith("generator/")
        )
        self._progress.update(self._task, losses=losses)
        log.info("step %d: %s", step, losses)
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"step {step}/{self._n_steps}: {losses}", soft_wrap=True)

    def warn(self, step: int, text: str) -> None:
        """Write a warning to the terminal, the log and TensorBoard."""
        if self.writer is None:
            return
        self.writer.add_text("health", text, step)
        log.info("step %d: health: %s", step, text)  # a warning would be on the terminal twice
        self._progress.console.print(
            f"step {step}: {text}", soft_wrap=True, markup=False, style="bold yellow"
        )
