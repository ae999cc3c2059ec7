"""The table of scores with its surroundings: values as text, verdicts, measures not run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voiceconv.evaluation.compare import paired
from voiceconv.evaluation.protocol import unlike
from voiceconv.evaluation.scores import gaps
from voiceconv.metrics import MEASURES, Measure
from voiceconv.report.run import MODEL, Direction, Scores, is_number

SYSTEMS = {  # system -> title, in the order of rows
    MODEL: "the trained network",
    "statistics": "means, variances and F0 moved, no network",
    "f0shift": "pitch alone moved",
    "gmm": "joint-density Gaussian mixture, of parallel pairs",
    "knn": "each frame the mean of its nearest in the target's",
}
ANCHORS = {  # rows that convert nothing
    "copy": "the source through analysis and synthesis",
    "unconverted": "the source as it was recorded",
    "target": "the target's own recordings",
}
DECIMALS = {"%": 1, "cents": 0, "LUFS": 1, "dBFS": 1, "cosine": 3, "": 3}  # by unit; others: 2


@dataclass(frozen=True)
class Cell:
    """A mean and its interval; `left`, `width`, `dot`: positions on the column's scale in %."""

    mean: str
    low: str
    high: str
    best: bool
    left: float
    width: float
    dot: float


@dataclass(frozen=True)
class Row:
    """The cells of a system, None if it has no value."""

    name: str
    meaning: str
    is_anchor: bool
    cells: list[Cell | None]


@dataclass(frozen=True)
class Verdict:
    """The model against another system: titles of measures that are better, worse, equal."""

    system: str
    better: list[str]
    worse: list[str]
    unclear: list[str]
    refused: str | None = None  # reason why nothing can be compared


def measure(name: str) -> Measure:
    """A measure of the table; an unknown one keeps its name."""
    return MEASURES.get(name, Measure(name.replace("_", " "), "", "none"))


def as_text(value: object, unit: str) -> str:
    """1.2345, "dB" -> "1.23": decimals by unit, a true minus sign, a dash for no number."""
    if not is_number(value):
        return "\N{EN DASH}"
    return f"{value:.{DECIMALS.get(unit, 2)}f}".replace("-", "\N{MINUS SIGN}")


def columns(direction: Direction) -> list[str]:
    """All measures of the systems, in the order of MEASURES, unknown ones last."""
    found = {name for scores in direction.systems.values() for name in scores["metrics"]}
    return [name for name in MEASURES if name in found] + sorted(found - set(MEASURES))


def rows(direction: Direction) -> list[Row]:
    """Systems that convert, then the anchors."""
    others = sorted(set(direction.systems) - {*SYSTEMS, *ANCHORS})
    names = [name for name in (*SYSTEMS, *others, *ANCHORS) if name in direction.systems]
    table = []
    for column in columns(direction):
        figures = {name: direction.systems[name]["metrics"].get(column) for name in names}
        found = {name: figure for name, figure in figures.items() if figure}
        table.append(_cells(found, measure(column)))
    meanings = SYSTEMS | ANCHORS
    return [
        Row(name, meanings.get(name, ""), name in ANCHORS, [cells.get(name) for cells in table])
        for name in names
    ]


def _cells(figures: Mapping[str, dict[str, Any]], measured: Measure) -> dict[str, Cell]:
    """One column. The best mean is marked if the means of the converting systems differ."""
    means = {name: figure["mean"] for name, figure in figures.items() if name not in ANCHORS}
    best = None
    if measured.better != "none" and len(set(means.values())) > 1:
        best = (min if measured.better == "lower" else max)(means.values())
    ends = [figure[end] for figure in figures.values() for end in ("mean", "low", "high")]
    least, reach = min(ends), (max(ends) - min(ends)) or 1.0
    cells = {}
    for name, figure in figures.items():
        mean, low, high = (figure[key] for key in ("mean", "low", "high"))
        dot, left, right = (round(100 * (x - least) / reach, 1) for x in (mean, low, high))
        cells[name] = Cell(
            mean=as_text(mean, measured.unit),
            low=as_text(low, measured.unit),
            high=as_text(high, measured.unit),
            best=best is not None and means.get(name) == best,
            left=left,
            width=round(right - left, 1),
            dot=dot,
        )
    return cells


def verdicts(direction: Direction) -> list[Verdict]:
    """The model against each system that converts, by paired differences over utterances."""
    model = direction.systems.get(MODEL)
    others = [name for name in direction.systems if name not in (MODEL, *ANCHORS)]
    ranked = sorted(others, key=lambda name: [*SYSTEMS].index(name) if name in SYSTEMS else 99)
    return [] if model is None else [_verdict(n, model, direction.systems[n]) for n in ranked]


def _verdict(system: str, model: Scores, other: Scores) -> Verdict:
    shared = [
        name
        for name, one in MEASURES.items()
        if one.better != "none" and name in model["metrics"] and name in other["metrics"]
    ]
    refused = _refused(model, other, shared)
    said: dict[str | None, list[str]] = {}
    for name in [] if refused else shared:
        found = paired(name, other, model) or {}
        said.setdefault(found.get("verdict"), []).append(MEASURES[name].title)
    better, worse, unclear = (said.get(key, []) for key in ("better", "worse", None))
    return Verdict(system, better, worse, unclear, refused)


def _refused(model: Scores, other: Scores, shared: list[str]) -> str | None:
    """The reason why two systems' scores cannot be compared, or None."""
    if set(model["utterances"]) != set(other["utterances"]):
        return "other utterances were scored"
    try:
        return unlike(model["protocol"], other["protocol"], shared)
    except (KeyError, AttributeError):
        return "its protocol is not whole"


def not_run(direction: Direction) -> list[tuple[str, str]]:
    """(measures, reason) for each reason, with the systems if it is not for all; then (system,
    utterances without value).
    """
    systems_of: dict[tuple[str, str], list[str]] = {}
    for system, scores in direction.systems.items():
        for name, reason in scores["not_run"].items():
            systems_of.setdefault((str(reason), measure(name).title), []).append(system)
    grouped: dict[tuple[str, str], list[str]] = {}
    for (reason, title), systems in systems_of.items():
        everywhere = len(systems) == len(direction.systems)
        where = "" if everywhere else f" for {', '.join(systems)}"
        grouped.setdefault((reason, where), []).append(title)
    return [
        *((", ".join(titles) + where, reason) for (reason, where), titles in grouped.items()),
        *((name, line) for name, scores in direction.systems.items() for line in gaps(scores)),
    ]


def protocol(scores: Scores) -> dict[str, Any]:
    """A readable stamp: one entry for measures with equal settings; only counts of digests."""
    names_of: dict[str, list[str]] = {}
    parts = {str(name): part for name, part in scores["protocol"].items()}
    for name, part in parts.items():
        names_of.setdefault(repr(part), []).append(name)
    shown = {
        ", ".join(measure(name).title for name in names): parts[names[0]]
        for names in names_of.values()
    }
    inputs = shown.get("inputs")
    if isinstance(inputs, dict):
        shown["inputs"] = {
            name: f"{len(digest)} recordings, a digest of each in the scores"
            if isinstance(digest, dict)
            else digest
            for name, digest in inputs.items()
        }
    return shown
