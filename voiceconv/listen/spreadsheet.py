"""Answers as CSV, one row for each rated stimulus."""

import csv
import io
from collections.abc import Iterable, Sequence

from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import Test

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of a formula in a spreadsheet
COLUMNS = (
    "test",
    "method",
    "listener",
    "participant",
    "origin",
    "device",
    "finished",
    "code",
    "list",
    "place",
    "trial",
    "kind",
    "direction",
    "item",
    "stimulus",
    "system",
    "x_system",
    "value",
    "heard",
    "seconds",
    "comment",
    "answered",
)


def answers_csv(test: Test, listeners: Sequence[Listener], answers: Iterable[Answer]) -> str:
    """Rows with COLUMNS. `place`: number of the answer, from 1; `x_system`: system of X in ABX."""
    known = {one.id: one for one in listeners}
    places: dict[str, int] = {}
    rows = []
    for answer in answers:
        one, trial = known[answer.listener], test.trials[answer.trial]
        places[one.id] = places.get(one.id, 0) + 1
        for stimulus in trial.shown:
            rows.append(
                [
                    test.id,
                    test.method_name,
                    one.id,
                    one.participant,
                    one.origin,
                    one.setup.get("device"),
                    one.finished,
                    one.code,
                    one.list + 1,
                    places[one.id],
                    trial.id,
                    trial.kind,
                    trial.direction,
                    trial.item,
                    stimulus,
                    test.stimuli[stimulus].system,
                    trial.x and test.stimuli[trial.x].system,
                    answer.values[stimulus],
                    answer.heard.get(stimulus),
                    answer.seconds,
                    answer.comment,
                    answer.answered,
                ]
            )
    return _csv(COLUMNS, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(cell: object) -> object:
    """Numbers without .0, safe text."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return harmless(cell) if isinstance(cell, str) else cell


def harmless(text: str) -> str:
    """Add a quote in front if a spreadsheet would run the text as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
