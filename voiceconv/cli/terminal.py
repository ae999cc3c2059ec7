"""Output of the command line: tables, lines, logging."""

import logging
import sys
from typing import Any, TextIO


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr, which may be above a progress bar."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        logging.Handler.__init__(self, level)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """See StreamHandler."""
        return sys.stderr


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
        print(f"voiceconv: {printable(note)}", file=sys.stderr)


def as_lines(shown: dict[str, Any], indent: str = "") -> str:
    """`key: value` lines; a nested mapping is indented below its key."""
    lines = []
    for key, value in shown.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", as_lines(value, indent + "  ")]
        else:
            lines.append(
                f"{indent}{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
            )
    return "\n".join(lines)


def printable(text: str) -> str:
    """Text on one line, for any file name."""
    return text.replace("\n", "\\n").encode("utf-8", "backslashreplace").decode()
