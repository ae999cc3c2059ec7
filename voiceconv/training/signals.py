"""SIGINT and SIGTERM request a stop at the next safe point; a second signal acts at once."""

import signal
from types import FrameType, TracebackType
from typing import Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """A context in which the first signal sets `received`, and a second one acts at once."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> Self:
        """Install the handlers."""
        self._previous = {number: signal.getsignal(number) for number in NUMBERS}
        for number in NUMBERS:
            signal.signal(number, self._note)
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
