"""scores.json: written whole or not at all, and checked when read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text, unwritable
from voiceconv.metrics import MEASURES

FORMAT = 3
# by unit; others: 2
DECIMALS = {"cents": 0, "ms": 0, "%": 1, "LUFS": 1, "dBFS": 1, "cosine": 3, "": 3}
NOT_ASKED = "not asked for"  # the reason of measures that were not requested


def make_place(path: Path | str) -> None:
    """Make the folder of scores.json before the evaluation, which may take hours."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def write_scores(path: Path | str, scores: dict[str, Any]) -> None:
    """Write scores as JSON."""
    make_place(path)
    try:
        replace_text(path, json.dumps(scores, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise unwritable(path, error) from None


def read_scores(path: Path | str) -> dict[str, Any]:
    """Read scores. Raises InputError for a file that is no scores.json, or of another format."""
    try:
        scores = json.loads(read_text(path))
        form = scores.get("format", 1)
        parts = [scores[key] for key in ("protocol", "metrics", "not_run", "utterances")]
        if form == FORMAT:
            parts += [parts[0][key] for key in ("common", "inputs", *parts[1])]
    except FileNotFoundError:
        raise InputError(f"there is no {path}; make it with `voiceconv evaluate`") from None
    except (
        OSError,
        InputError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        raise InputError(f"{path} holds no scores; make it with `voiceconv evaluate`") from None
    if form != FORMAT or not all(isinstance(part, dict) for part in parts):
        raise InputError(
            f"{path} has scores of format {form}, not {FORMAT}: this voiceconv treats "
            "offset, level, silence, lag, bandwidth and text in another way; evaluate again"
        )
    return scores


def figures(name: str, found: Mapping[str, float], sign: str = "") -> str:
    """`mean [low, high]`, with decimals by unit; sign "+": for a difference."""
    n = DECIMALS.get(MEASURES[name].unit, 2)
    mean, low, high = (f"{found[key]:{sign}.{n}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def count(n: int, n_all: int) -> str:
    """`20`, the n of a mean; `19 of 20` if utterances have no value."""
    return str(n) if n == n_all else f"{n} of {n_all}"


def gaps(scores: Mapping[str, Any]) -> list[str]:
    """A sentence for each group of utterances that lack the same values for the same reason.

    Measures without any value are left out: `not_run` has them.
    """
    rows, run = scores["utterances"], scores["metrics"]
    stems: dict[tuple[str, str], list[str]] = {}
    for stem, row in rows.items():
        names: dict[str, list[str]] = {}
        for name, reason in row.get("missing", {}).items():
            if name in run:
                names.setdefault(reason, []).append(name)
        for reason, of in names.items():
            titles = ", ".join(MEASURES[name].title for name in of)
            stems.setdefault(("any measure" if len(of) == len(run) else titles, reason), []).append(
                stem
            )
    return [
        f"{len(group)} of {len(rows)} utterances without value in {titles} ({reason}): "
        f"{', '.join(group)}"
        for (titles, reason), group in stems.items()
    ]


def remarks(scores: Mapping[str, Any]) -> list[str]:
    """A sentence for each kind of remark, with the first of its utterances."""
    rows = scores["utterances"]
    found: dict[str, dict[str, str]] = {}
    for stem, row in rows.items():
        for kind, text in row.get("remarks", {}).items():
            found.setdefault(kind, {})[stem] = text
    return [
        f"{kind} of {len(of)} of {len(rows)} utterances, the first {stem}: {text}"
        for kind, of in found.items()
        for stem, text in [next(iter(of.items()))]
    ]


def as_lines(scores: dict[str, Any]) -> str:
    """The output of `voiceconv evaluate`: a line for each measure, and the reason for each
    requested measure without a value.
    """
    n_all = len(scores["utterances"])
    lines = [
        f"{name}: {found['mean']:.3f} {found['unit']}".rstrip()
        + f" [{found['low']:.3f}, {found['high']:.3f}], n={count(found['n'], n_all)}"
        for name, found in scores["metrics"].items()
    ]
    why: dict[str, list[str]] = {}
    for name, reason in scores["not_run"].items():
        why.setdefault(reason, []).append(name)
    why.pop(NOT_ASKED, None)
    return "\n".join(lines + [f"not run: {', '.join(why[r])} ({r})" for r in why])
