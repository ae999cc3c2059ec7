"""SIGINT and SIGTERM let what is going on come to a good end."""

import signal
from types import FrameType, TracebackType
from typing import Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Within it, the first of them is noted in `received`; a second one acts at once."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> Self:
        """Take the signals."""
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
        """Give them back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        signal.signal(number, self._previous[signal.Signals(number)])
