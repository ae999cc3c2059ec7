"""What `voiceconv serve` was told, and limits that nobody has to set."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CONVERTING = (sys.executable, "-m", "voiceconv.serve.converting")
STREAMING = (sys.executable, "-m", "voiceconv.serve.streaming")


class Settings(NamedTuple):
    """The options, and the programs, which tests replace.

    given: models beside the bundled ones. keep: seconds that a finished job is kept.
    """

    folder: Path
    given: tuple[str, ...] = ()
    n_workers: int = 1
    most_seconds: float = 600.0
    most_bytes: int = 100_000_000
    most_jobs: int = 100
    most_live: int = 4
    keep: float = 3600.0
    converting: Sequence[str] = CONVERTING
    streaming: Sequence[str] = STREAMING

    @property
    def for_programs(self) -> dict[str, object]:
        """The first message to each program."""
        return {"given": list(self.given), "most_seconds": self.most_seconds}

    @property
    def most_work(self) -> float:
        """Seconds that one conversion may take: a slow core needs half as long as the sound."""
        return 60.0 + self.most_seconds
