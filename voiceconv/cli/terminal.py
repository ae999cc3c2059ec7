"""Output of the command line: tables, lines, logging."""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOG_FORMAT = "voiceconv: %(message)s"
MOST = 10  # warnings of a kind
_OF_FILES = ("voiceconv.audio", "voiceconv.converter")  # what warns of one file among many
log = logging.getLogger(__name__)


def show_summary(summary: Any) -> None:
    """Print a table of the splits of `prepare`, and its notes to stderr."""
    from rich.console import Console  # `voiceconv --help` does without
    from rich.table import Table
    from rich.text import Text

    table = Table("split", "domain", "utterances", "minutes", "Hz")
    for row in summary.rows:
        rates = ", ".join(map(str, row.sample_rates))
        table.add_row(
            row.split, Text(row.domain), str(row.n_utterances), f"{row.minutes:.1f}", rates
        )
    Console().print(table)
    for note in summary.notes:
        print(f"voiceconv: {escaped(note)}", file=sys.stderr)


@contextmanager
def logging_to_stderr(verbose: bool = False) -> Iterator[None]:
    """Log messages above a progress bar; with `verbose` what voiceconv notes at level INFO, too."""
    from voiceconv.progress import StderrHandler  # rich, again

    root, ours = logging.getLogger(), logging.getLogger("voiceconv")
    plain = [one for one in root.handlers if type(one) is logging.StreamHandler]
    above, level = StderrHandler(), ours.level
    above.setFormatter(OneLine(LOG_FORMAT))
    above.addFilter(FewOfAKind())
    root.handlers = [above, *(one for one in root.handlers if one not in plain)]
    ours.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        root.handlers = [*plain, *(one for one in root.handlers if one is not above)]
        ours.setLevel(level)


def as_lines(shown: dict[str, Any], indent: str = "") -> str:
    """`key: value` lines; a nested mapping is indented below its key."""
    lines = []
    for key, value in shown.items():
        if isinstance(value, dict):
            lines += [f"{indent}{escaped(str(key))}:", as_lines(value, indent + "  ")]
        else:
            words = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
            lines.append(f"{indent}{escaped(str(key))}: {escaped(str(words))}")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text on one line, for any file name: what is not printable is escaped."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class OneLine(logging.Formatter):
    """Formats each message on one line, for any file name in it."""

    def format(self, record: logging.LogRecord) -> str:
        """See Formatter."""
        return escaped(super().format(record))


class FewOfAKind(logging.Filter):
    """Of the warnings of files that differ only in their values, shows MOST, then says so."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """See Filter."""
        if record.levelno < logging.WARNING or not record.name.startswith(_OF_FILES):
            return True
        self._counts[record.msg] += 1
        if self._counts[record.msg] == MOST + 1:
            log.warning("further warnings like this one are not shown: %s", record.getMessage())
        return self._counts[record.msg] <= MOST
