"""The validation scores of a run, with step and rule, in its folder."""

import json
from pathlib import Path
from typing import Any

from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text

HISTORY = "validation.json"


class History:
    """`<folder>/validation.json`.

    rule: None where a run has no score.

    Raises InputError where the file is damaged, or where its scores are of another rule: they would
    not compare.
    """

    def __init__(self, folder: Path, rule: str | None) -> None:
        self.path = folder / HISTORY
        self.rule = rule
        self.entries = read_history(self.path)
        if rule and self.entries and self.entries[-1].get("rule") != rule:
            raise InputError(
                f"{folder} was validated by another rule ({self.entries[-1].get('rule')}) than now "
                f"({rule}): scores do not compare; give another run_dir, or the dump and "
                "validation.n_scored of before"
            )

    def record(self, step: int, measures: dict[str, float]) -> None:
        """Add to it; what a run that was set back had written of later steps goes."""
        self.entries = [entry for entry in self.entries if entry["step"] < step]
        self.entries.append({"step": step, "rule": self.rule, "measures": measures})
        replace_text(self.path, json.dumps(self.entries, indent=1) + "\n")


def read_history(path: Path) -> list[dict[str, Any]]:
    """The scores of a run so far; InputError for a file that holds none."""
    try:
        history = json.loads(read_text(path))
    except FileNotFoundError:
        return []
    except (OSError, InputError, ValueError, RecursionError):
        history = None
    entry = {"step": int, "measures": dict}
    if isinstance(history, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(k), kind) for k, kind in entry.items())
        for one in history
    ):
        return history
    raise InputError(f"{path} is damaged; delete it: training goes on, its scores begin anew")
