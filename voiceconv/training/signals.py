"""SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 ask for a stop at the next safe point.

Slurm sends the last two, as it is told to, before a job's time is over.
"""

import signal
from types import FrameType, TracebackType
from typing import Self

from voiceconv.signals import ending_signals, note_hang_up


class StopSignals:
    """A context in which the first signal sets `received`, and a second one acts at once.

    A second SIGHUP does nothing, because a lost terminal sends two. A launcher that had a handler
    of SIGUSR1 or SIGUSR2, to put a job back into its queue, gets the signal when the context ends
    without an error.
    """

    def __init__(self) -> None:
        self.received = False
        self._warnings: list[int] = []  # those that a launcher waits for

    def __enter__(self) -> Self:
        """Install the handlers."""
        numbers = [signal.SIGINT, *ending_signals(), *_warning_signals()]
        self._previous = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the former handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if kind is None:
            for warning in self._warnings:
                signal.raise_signal(warning)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        previous = self._previous[signal.Signals(number)]
        signal.signal(number, previous)
        note_hang_up(number)
        if number in _warning_signals() and callable(previous):
            self._warnings.append(number)


def _warning_signals() -> list[signal.Signals]:
    """SIGUSR1 and SIGUSR2; Windows has neither."""
    names = ("SIGUSR1", "SIGUSR2")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]
