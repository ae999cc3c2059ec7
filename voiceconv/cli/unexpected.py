"""What is said of an exception that nobody expected: one sentence, all else in a file."""

import os
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from voiceconv.cli.terminal import as_lines, escaped

TRACEBACK = "VOICECONV_TRACEBACK"  # set to 1, it shows the traceback on the terminal
EXIT_CODE = 3
MOST = 300  # characters of a message


def report_unexpected(error: Exception, command: str) -> None:
    """Say on stderr what happened, and where the traceback lies; show it, if it can lie nowhere.

    command: the line that the user gave.
    """
    trace = "".join(traceback.format_exception(error))
    path = None
    if os.environ.get(TRACEBACK, "0") in ("", "0"):
        path = _write(f"{command}\n\n{_environment()}\n\n{trace}")
    if path is None:
        print(printable_lines(trace), file=sys.stderr)
    where = f"the traceback is in {path}: send it" if path else "send the traceback"
    print(
        f"voiceconv: error: unexpected {_sentence(error)}; {where} with what `voiceconv info "
        "--environment` says",
        file=sys.stderr,
    )


def printable_lines(text: str) -> str:
    """The same lines, each of them escaped, as a terminal shows them."""
    return "\n".join(escaped(line) for line in text.splitlines())


def _sentence(error: Exception) -> str:
    text = escaped(" ".join(str(error).split()))
    text = text if len(text) <= MOST else text[:MOST] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _environment() -> str:
    """What `voiceconv info --environment` says; why not, where that fails, too."""
    try:
        from voiceconv.commands.environment import environment

        return as_lines(environment())
    except Exception as error:
        return f"no environment: {_sentence(error)}"


def _write(text: str) -> Path | None:
    """The file that holds it now, in the user's own folder or the temporary one."""
    state = Path(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"))
    for folder in (state / "voiceconv", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            prefix = f"voiceconv-{datetime.now():%Y%m%d-%H%M%S}-"
            handle, name = tempfile.mkstemp(".log", prefix, folder)  # for the user's eyes alone
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(_without_home(text) + "\n")
            return Path(name)
        except OSError:
            continue
    return None


def _without_home(text: str) -> str:
    """The file is for sending: the folder that has the user's name is ~."""
    home = os.path.expanduser("~").rstrip("/")
    return text.replace(home, "~") if home else text
