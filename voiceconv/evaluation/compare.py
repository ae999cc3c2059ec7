"""Compare several scores.json, only if their protocols are equal."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from voiceconv.errors import InputError
from voiceconv.evaluation.bootstrap import difference
from voiceconv.evaluation.protocol import noted, unlike
from voiceconv.evaluation.scores import count, figures, gaps, read_scores
from voiceconv.metrics import MEASURES, WEIGHTS
from voiceconv.metrics.bandwidth import are_unlike

Scores = dict[str, Any]


def compare(paths: Sequence[Path | str], names: Sequence[str] = (), seed: int = 0) -> Scores:
    """Compare files with the first one by the measures `names` (default: all common ones).

    Returns {"files": [...], "notes": [...], "n_utterances": n, "measures": {name: {"unit",
    "better", "systems": [{"mean", "low", "high", "n", "difference"}, ...]}}}; a difference is
    paired over the utterances that have a value in both, second minus first; it has a "verdict"
    ("better", "worse" or "differs") if its interval excludes 0. Notes name the utterances without
    value, and unlike sample rates and bandwidths. Raises InputError if protocols differ.
    """
    files = [str(path) for path in paths]
    if len(files) < 2:
        raise InputError("give two files or more to compare")
    scores = [read_scores(path) for path in files]
    shared = _shared(files, scores, names)
    for file, other in zip(files[1:], scores[1:], strict=True):
        require_alike(files[0], scores[0], file, other, shared)
    notes = [f"{file}: {gap}" for file, one in zip(files, scores, strict=True) for gap in gaps(one)]
    notes += [
        f"{file}: {note}"
        for file, other in zip(files[1:], scores[1:], strict=True)
        for note in (
            *_unlike_sound(scores[0], other),
            *noted(scores[0]["protocol"], other["protocol"]),
        )
    ]
    return {
        "files": files,
        "notes": notes,
        "n_utterances": len(scores[0]["utterances"]),
        "measures": {name: _measure(name, scores, seed) for name in shared},
    }


def require_alike(
    file: Path | str, scores: Scores, other_file: Path | str, other: Scores, names: Iterable[str]
) -> None:
    """Raise InputError unless the measures `names` have equal protocols and utterances."""
    reason = _stems_differ(scores, other) or unlike(scores["protocol"], other["protocol"], names)
    if reason:
        raise InputError(f"{other_file} was not made as {file} was: {reason}; evaluate both alike")


def table(compared: Scores) -> Table:
    """The result of `compare` as a table for the terminal: a block of lines per measure."""
    shown = Table("measure", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("scores", overflow="fold")
    for heading in ("mean [95% interval]", "less the first", "", "n"):
        shown.add_column(heading, no_wrap=True)
    labels = _labels(compared["files"])
    for name, measure in compared["measures"].items():
        title = MEASURES[name].title + (f", {measure['unit']}" if measure["unit"] else "")
        for label, system in zip(labels, measure["systems"], strict=True):
            change = system.get("difference")
            shown.add_row(
                title,
                Text(label),
                figures(name, system),
                figures(name, change, "+") if change else "",
                (change or {}).get("verdict") or "",
                count(system["n"], compared["n_utterances"]),
            )
            title = ""
        shown.add_section()
    return shown


def paired(name: str, first: Scores, second: Scores, seed: int = 0) -> dict[str, Any] | None:
    """Second minus first over the utterances with a value in both; None if there are none."""
    rows = [
        (row, second["utterances"][stem])
        for stem, row in first["utterances"].items()
        if name in row and name in second["utterances"][stem]
    ]
    if not rows:
        return None
    weights = [row[WEIGHTS[name]] for row, _ in rows] if name in WEIGHTS else None
    found: dict[str, Any] = difference(
        [row[name] for row, _ in rows], [row[name] for _, row in rows], seed, weights
    )
    found["verdict"] = _verdict(found, MEASURES[name].better)
    return found


def _verdict(change: dict[str, Any], better: str) -> str | None:
    """The verdict of an interval that excludes 0; one utterance gives no verdict."""
    if change["n"] < 2 or change["low"] <= 0 <= change["high"]:
        return None
    if better == "none":
        return "differs"
    return "better" if (change["mean"] > 0) == (better == "higher") else "worse"


def _measure(name: str, scores: Sequence[Scores], seed: int) -> Scores:
    systems = [
        {key: one["metrics"][name][key] for key in ("mean", "low", "high", "n")} for one in scores
    ]
    for system, other in zip(systems[1:], scores[1:], strict=True):
        system["difference"] = paired(name, scores[0], other, seed)
    return {"unit": MEASURES[name].unit, "better": MEASURES[name].better, "systems": systems}


def _unlike_sound(first: Scores, second: Scores) -> list[str]:
    """What differs in the sound of two systems' recordings, whatever the systems do."""
    rates, widths = (
        [[row[key] for row in one["utterances"].values() if key in row] for one in (first, second)]
        for key in ("sample_rate", "bandwidth")
    )
    notes = []
    if all(rates) and set(rates[0]) != set(rates[1]):
        there, here = (", ".join(map(str, sorted(set(one)))) for one in rates)
        notes.append(f"its files are at {here} Hz, not {there} Hz, which alone moves distances")
    if all(widths) and are_unlike(*map(median, widths)):
        usual, own = (f"{median(one):.0f} Hz" for one in widths)
        notes.append(
            f"its files have sound up to {own}, not {usual}; differences of distances, similarity "
            "and DNSMOS are also those of the band"
        )
    return notes


def _shared(files: Sequence[str], scores: Sequence[Scores], names: Sequence[str]) -> list[str]:
    """The measures that all files have, or all of `names`."""
    for name in names:
        if name not in MEASURES:
            raise InputError(f"no metric {name!r}; choose from {', '.join(MEASURES)}")
        for file, one in zip(files, scores, strict=True):
            if name not in one["metrics"]:
                reason = one["not_run"].get(name, "not run")
                raise InputError(f"{file} has no {name} ({reason}); leave it out")
    shared = [
        name
        for name in MEASURES
        if name in (names or MEASURES) and all(name in one["metrics"] for one in scores)
    ]
    if not shared:
        raise InputError(f"{' and '.join(files)} have no measure in common; evaluate both alike")
    return shared


def _stems_differ(first: Scores, second: Scores) -> str | None:
    here, there = first["utterances"].keys(), second["utterances"].keys()
    missing, extra = sorted(here - there), sorted(there - here)
    if missing:
        return f"it lacks {_some(missing)}"
    return f"it also has {_some(extra)}" if extra else None


def _some(stems: Sequence[str]) -> str:
    """The first of some utterances, and the number of the others."""
    more = f" and {len(stems) - 1} more" if len(stems) > 1 else ""
    return f"the utterance {stems[0]!r}{more}"


def _labels(files: Sequence[str]) -> list[str]:
    """Names of files without their common beginning, if these are unique."""
    stems = [Path(file).stem for file in files]
    if len(set(stems)) < len(stems):
        return list(files)
    common = os.path.commonprefix([stem.split(".") for stem in stems])  # "a.gmm", "a.knn": ["a"]
    return [".".join(stem.split(".")[len(common) :]) or stem for stem in stems]
