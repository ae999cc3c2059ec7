"""`voiceconv report`: one page about a run directory of `recipes/vc.sh`."""

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

    n_utterances: number of utterances per direction with pictures and players, at most. The page
    names the missing parts of the run. Raises InputError for a folder without any part of a run,
    and without the extra `report`.
    """
    page = load("voiceconv.report.page", "a report", extra="report")
    page.write_report(run, output, n_utterances, on_progress)
