"""SIGINT, SIGTERM and SIGHUP ask for a stop at the next safe point; a second one acts at once."""

import signal
from types import FrameType, TracebackType
from typing import Self

from voiceconv.signals import ending_signals, note_hang_up


class StopSignals:
    """A context in which the first signal sets `received`, and a second one acts at once.

    A second SIGHUP does nothing, because a lost terminal sends two.
    """

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> Self:
        """Install the handlers."""
        numbers = [signal.SIGINT, *ending_signals()]
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        signal.signal(number, self._previous[signal.Signals(number)])
        note_hang_up(number)
