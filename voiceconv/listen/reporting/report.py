"""`voiceconv listen report`: a test's answers as a page, a table or a figure."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from voiceconv.errors import InputError
from voiceconv.files import replace_text, replacing, unwritable
from voiceconv.listen.analysis.analyse import Analysis, Estimate, analyse
from voiceconv.listen.answers import Answer, read_store
from voiceconv.listen.manifest import FILE, read_test
from voiceconv.listen.reporting.words import is_tested, listed
from voiceconv.listen.spreadsheet import csv_text
from voiceconv.optional import load

COLUMNS = {  # columns of the table -> contents; one row for each system and each comparison
    "method": "mos, similarity, ab, abx or mushra",
    "measure": "mean, strength (log odds), difference (of ratings: second less first), share "
    "preferring second, share correct",
    "direction": "of the items; empty: all of them",
    "system": "rated; empty in a comparison",
    "first": "of a comparison",
    "second": "of a comparison",
    "estimate": "the figure",
    "low": "end of its 95% interval; empty where there is none",
    "high": "likewise",
    "n": "ratings or choices",
    "n_listeners": "who gave them",
    "n_items": "that they are of",
    "test": "of a comparison",
    "p": "of that test",
    "p_holm": "after Holm's correction over all comparisons",
}
MEASURES = {"ab": ("strength", "share preferring second"), "abx": ("", "share correct")}
FIGURES = (".png", ".svg", ".pdf")


def write_report(
    folder: Path,
    outputs: Sequence[Path],
    *,
    wanted: float | None = None,
    screen: bool = True,
    seed: int = 0,
) -> Analysis:
    """Analyse the answers and write each output in the format of its extension.

    `.html` is a self-contained page, `.csv` a table with COLUMNS, `.png`, `.svg` and `.pdf` the
    figure for a paper. wanted: effect size, for the number of listeners. screen: whether
    inattentive listeners are excluded. Raises InputError for other extensions, and if there is no
    test or no answer that counts.
    """
    writers = [_writer(output) for output in outputs]
    test, (listeners, answers) = read_test(folder), read_store(folder)
    analysis = analyse(test, listeners, answers, wanted=wanted, screen=screen, seed=seed)
    made = {
        "seed of the bootstrap": str(seed),
        "SHA-256 of manifest.json": hashlib.sha256((folder / FILE).read_bytes()).hexdigest(),
        "SHA-256 of the answers": answers_digest(answers),
    }
    for output, write in zip(outputs, writers, strict=True):
        try:
            write(output, analysis, made)
        except OSError as error:
            raise unwritable(output, error) from None
    return analysis


def rows(analysis: Analysis) -> Iterator[dict[str, str]]:
    """The table: systems over all items and by direction, then comparisons."""
    of_systems, of_contrasts = MEASURES.get(analysis.method, ("mean", "difference"))
    for direction, systems in [("", analysis.systems), *analysis.directions.items()]:
        for name, estimate in systems.items():
            what = {"measure": of_systems, "direction": direction, "system": name}
            yield {"method": analysis.method, **what, **_cells(estimate)}
    for one in analysis.contrasts:
        what = {"measure": of_contrasts, "first": one.first, "second": one.second}
        tested = {"test": one.test, "p": _text(one.p), "p_holm": _text(one.p_holm)}
        row = {"method": analysis.method, **what, **_cells(one.difference)}
        yield {**row, **tested} if is_tested(one) else row


def answers_digest(answers: Sequence[Answer]) -> str:
    """The SHA-256 of all answers, independent of their order."""
    said = sorted(
        json.dumps([one.listener, one.trial, dict(sorted(one.values.items()))]) for one in answers
    )
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _writer(output: Path) -> Callable[[Path, Analysis, dict[str, str]], None]:
    ending = output.suffix.lower()
    known = {".html": _write_page, ".csv": _write_table, **dict.fromkeys(FIGURES, _write_figure)}
    if ending not in known:
        raise InputError(f"{output} ends in none of {listed(list(known))}; choose one of these")
    return known[ending]


def _write_page(output: Path, analysis: Analysis, made: dict[str, str]) -> None:
    page = load("voiceconv.listen.reporting.page", "a report", extra="listen")
    replace_text(output, page.render(analysis, made))


def _write_table(output: Path, analysis: Analysis, made: dict[str, str]) -> None:
    table = [[row.get(column, "") for column in COLUMNS] for row in rows(analysis)]
    replace_text(output, csv_text([COLUMNS, *table]))


def _write_figure(output: Path, analysis: Analysis, made: dict[str, str]) -> None:
    figures = load("voiceconv.listen.reporting.figures", "a figure", extra="listen")
    with replacing(output) as temporary:
        figures.save(analysis, temporary)


def _cells(estimate: Estimate) -> dict[str, str]:
    mean, low, high, n, n_listeners, n_items = estimate
    counts = {"n": str(n), "n_listeners": str(n_listeners), "n_items": str(n_items)}
    return {"estimate": _text(mean), "low": _text(low), "high": _text(high), **counts}


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
