"""The report of a run: its data in the page's template."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from voiceconv import __version__
from voiceconv.files import replace_text, unwritable
from voiceconv.metrics import MEASURES
from voiceconv.pages.templating import template
from voiceconv.report import tables, utterances
from voiceconv.report.cards import Card, make_cards
from voiceconv.report.plots import MOST_LINES, curve_chart
from voiceconv.report.run import MODEL, Direction, Run, domains_of, mapping_in, read_run
from voiceconv.report.scalars import Curve

PLAYERS = ("generator", "discriminator")  # groups of losses in TensorBoard
GROUPS = (
    "validation",
    "losses",
    "gradient_norm",
    "learning_rate",
    "health",
)  # of charts, in their order
NOT_STATED = "not stated"


def write_report(
    folder: Path,
    output: Path,
    n_utterances: int = 6,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a run directory's report as one page. Raises InputError if there is no run.

    n_utterances: number of utterances per direction with pictures and players, at most.
    """
    run = read_run(folder)
    cards, n_left_out = make_cards(run, n_utterances, on_progress)
    try:
        replace_text(output, render(run, cards, n_left_out))
    except OSError as error:
        raise unwritable(output, error) from None


def render(run: Run, cards: Mapping[str, list[Card]], n_left_out: int = 0) -> str:
    """The page; `cards`: direction name -> result of `make_cards`."""
    return template("report.html").render(
        kind="report",
        title=run.config.get("name") or run.folder.resolve().name,
        facts=facts(run),
        commands=[str(start["command"]) for start in run.provenance if "command" in start],
        directions=[_direction(one, cards.get(one.name, [])) for one in run.directions],
        charts=list(charts(run)),
        shipped=next((e for e in run.validation if e.get("step") == run.shipped_step), None),
        warned=run.warned,
        missing=run.missing,
        n_left_out=n_left_out,
        version=__version__,
    )


def facts(run: Run) -> dict[str, str]:
    """The head of the page: name -> value."""
    card = mapping_in(run.model, "card")
    first, last = (run.provenance or [{}])[0], (run.provenance or [{}])[-1]
    translator = mapping_in(run.model, "translator")
    network = mapping_in(translator, "generator") or translator
    scores = [scores for direction in run.directions for scores in direction.systems.values()]
    stated = {
        "experiment": card.get("experiment") or run.config.get("name"),
        "domains": ", ".join(domains_of(run.model)),
        "network": str(network.get("_target_", "")).rpartition(".")[2],
        "steps": None if run.shipped_step is None else f"{run.shipped_step:,}",
        "data": card.get("data"),
        "licence": card.get("licence"),
        "commit": str(last.get("commit") or "")[:12],
        "trained": _date(first.get("started")),
        "scored": _date(max((str(one.get("date", "")) for one in scores), default=None)),
    }
    return {name: str(value or NOT_STATED) for name, value in stated.items()}


def _date(text: object) -> str | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def charts(run: Run) -> Iterator[dict[str, Any]]:
    """Charts of losses, gradient norms, learning rates, validation and health."""
    grouped: dict[tuple[str, str], dict[str, Curve]] = {}
    for tag, curve in run.curves.items():
        group, _, name = tag.partition("/")
        if group in PLAYERS:
            grouped.setdefault(("losses", name), {})[group] = curve
        elif group in ("gradient_norm", "learning_rate"):
            grouped.setdefault((group, group), {})[name] = curve
        elif tag != "validation/seconds" and group in GROUPS:
            title, _, line = name.partition("/")
            grouped.setdefault((group, title), {})[line] = curve
    for (group, title), lines in sorted(grouped.items(), key=lambda one: GROUPS.index(one[0][0])):
        parts = {title: lines}
        if len(lines) > MOST_LINES:
            parts = {f"{title} {line}": {line: curve} for line, curve in lines.items()}
        for name, part in parts.items():
            yield _chart(group, name, part, run.shipped_step)


def _chart(group: str, name: str, lines: dict[str, Curve], step: int | None) -> dict[str, Any]:
    title = name.replace("_", " ")
    named = {label.replace("_", " "): curve for label, curve in lines.items()}
    said = [
        f"{label} from {curve.values[0]:.3g} to {curve.values[-1]:.3g}, lowest "
        f"{curve.values.min():.3g}, highest {curve.values.max():.3g}"
        for label, curve in named.items()
    ]
    last = max(int(curve.steps[-1]) for curve in lines.values())
    return {
        "group": group,
        "title": title,
        "picture": curve_chart(
            named,
            f"{title} over {last:,} steps: {'; '.join(said)}",
            log=group == "gradient_norm",
            mark=step if group == "validation" else None,
        ),
    }


def _direction(direction: Direction, cards: list[Card]) -> dict[str, Any]:
    """The template's data of a direction."""
    metrics = [row for scores in direction.systems.values() for row in scores["metrics"].values()]
    first = direction.systems.get(MODEL) or next(iter(direction.systems.values()))
    return {
        "source": direction.source,
        "target": direction.target,
        "columns": [tables.measure(name) for name in tables.columns(direction)],
        "rows": tables.rows(direction),
        "verdicts": tables.verdicts(direction),
        "counts": sorted({row["n"] for row in metrics if isinstance(row.get("n"), int)}),
        "not_run": tables.not_run(direction),
        "protocol": tables.protocol(first),
        "has_model": MODEL in direction.systems,
        "judged": [MEASURES[name].title for name in utterances.judged(direction)],
        "scatter": utterances.similarity_scatter(direction),
        "worst": utterances.worst_table(direction, {card["stem"]: card["place"] for card in cards}),
        "cards": cards,
    }
