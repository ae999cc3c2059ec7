"""The one writer and the one reader of CSV; answers as a table, one row for each rated stimulus."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import Test

# Where a cell may begin, whatever separates cells where the file is opened, and what a spreadsheet
# takes for the beginning of a formula; the wide signs count in East Asian ones.
_FORMULA = r"(^|[;\t\r\n]){quote}(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_UNQUOTED, _QUOTED = (re.compile(_FORMULA.format(quote=quote)) for quote in ("", "'"))
_SEPARATOR = re.compile(r'"?sep=(.)"?\n', re.IGNORECASE)  # Excel's line before the header
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
    return csv_text([COLUMNS, *rows])


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV that a spreadsheet opens as it is.

    Text that it would run as a formula gets a quote in front (`plain` takes it away). Text beyond
    ASCII starts with a byte order mark, without which Excel takes UTF-8 for another encoding.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    content = text.getvalue()
    return content if content.isascii() else f"\ufeff{content}"


def read_csv(text: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line that is not empty; quotes of `csv_text` are removed.

    The separator is that of a first line `sep=;`, or else the most frequent of comma, semicolon and
    tab in the first line. Raises csv.Error.
    """
    named = _SEPARATOR.match(text)
    separator = named[1] if named else max(",;\t", key=text.partition("\n")[0].count)
    rest = text[named.end() :] if named else text
    reader = csv.reader(io.StringIO(rest, newline=""), delimiter=separator)
    for row in reader:
        if any(row):
            yield reader.line_num + bool(named), [plain(cell) for cell in row]


def harmless(text: str) -> str:
    """Text with a quote before each part that a spreadsheet would run as a formula."""
    return text if _is_number(text) else _UNQUOTED.sub(r"\1'", text)


def plain(text: str) -> str:
    """The text of which `harmless` made this one."""
    return _QUOTED.sub(r"\1", text)


def _cell(cell: object) -> object:
    """Numbers without .0, safe text whose lines end in a line feed."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if not isinstance(cell, str):
        return cell
    return harmless(cell.replace("\r\n", "\n").replace("\r", "\n"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
