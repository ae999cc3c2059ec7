"""How a run, or a folder of converted files, was made: version, commit, command, seed."""

import json
import logging
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

from voiceconv import __version__
from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text

CONVERSION = "conversion.json"  # beside converted files
log = logging.getLogger(__name__)


def provenance(seed: int | None = None) -> dict[str, object]:
    """The facts that a repetition needs; only the command may name this machine's paths."""
    words = sys.argv[0].split() if sys.argv[0].startswith("voiceconv ") else []  # `voiceconv train`
    return {
        "voiceconv": __version__,
        "commit": commit(),
        "command": shlex.join(["voiceconv", *words[1:], *sys.argv[1:]]),
        **({} if seed is None else {"seed": seed}),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_provenance(path: Path, seed: int) -> None:
    """A JSON list with one entry for each start of the run, the first one first.

    Raises InputError where the file holds no such list.
    """
    try:
        entries = json.loads(read_text(path)) if path.exists() else []
    except (OSError, InputError, ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise InputError(f"{path} is damaged; delete it: its list of starts begins anew")
    replace_text(path, json.dumps([*entries, provenance(seed)], indent=2) + "\n")


def read_conversions(folder: Path) -> list[dict[str, object]]:
    """Read the notes of `write_conversion` in a folder; empty if there is no such file.

    What is none is named in the log.
    """
    path = folder / CONVERSION
    try:
        entries = json.loads(read_text(path))
    except FileNotFoundError:
        return []
    except (OSError, InputError, ValueError, RecursionError):
        entries = None
    is_ours = isinstance(entries, list) and all(
        isinstance(entry, dict) and "voiceconv" in entry for entry in entries
    )
    if not is_ours:
        log.warning(
            "%s is damaged, or of another program: how the recordings were made is not known; "
            "delete it to begin it anew",
            path,
        )
    return entries if is_ours else []


def write_conversion(folder: Path, made: Mapping[str, object]) -> None:
    """Note in a folder of converted files what made them; equal calls make one entry.

    A foreign file of that name stays unchanged.
    """
    known = read_conversions(folder)
    if not known and (folder / CONVERSION).exists():
        return
    entry = {**made, **provenance()}
    alike = {*made, "voiceconv", "commit", "torch"}
    others = [one for one in known if any(one.get(key) != entry[key] for key in alike)]
    replace_text(folder / CONVERSION, json.dumps([*others, entry], indent=2) + "\n")


def commit() -> str | None:
    """The source tree's commit, with a + if it has changes; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if dirty.stdout.strip() else "")
