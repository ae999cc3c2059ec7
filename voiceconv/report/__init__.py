"""`voiceconv report`: a run directory, as `recipes/vc.sh` leaves it, as one page."""

from collections.abc import Callable
from pathlib import Path

from voiceconv.optional import load


def write_report(
    run: Path,
    output: Path,
    n_utterances: int = 6,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a run directory's report to `output`, whole or not at all.

    n_utterances: at most so many of each direction get pictures and players. What the run lacks is
    named in the page. Raises InputError for a folder that holds no part of a run, and without the
    extra `report`.
    """
    page = load("voiceconv.report.page", "a report", extra="report")
    page.write_report(run, output, n_utterances, on_progress)
