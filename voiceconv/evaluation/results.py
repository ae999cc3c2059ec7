"""RESULTS.md: a model and its rivals with one protocol, and where a rival is better."""

from collections.abc import Collection, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from voiceconv.errors import InputError
from voiceconv.evaluation.compare import paired, require_alike
from voiceconv.evaluation.scores import NOT_ASKED, figures, gaps, read_scores, remarks
from voiceconv.files import markdown, replace_text
from voiceconv.metrics import MEASURES

Scores = dict[str, Any]
MODEL, HELD_OUT = "model", "held_out"
NOTHING = "nothing"  # the inputs of a measure without other recordings


class Layout(NamedTuple):
    """The layout of a results page.

    Attributes:
        rows: name of a system -> title of its row, in order. anchors: systems that are no rivals:
        lower and upper bound. rivals: the common name of the other systems. tables: heading, or
        nothing -> inputs of its measures; one table of 23 columns is unreadable.
    """

    rows: Mapping[str, str]
    anchors: Collection[str]
    rivals: str
    tables: Mapping[str, Collection[str]]


CONVERSION = Layout(
    {
        "unconverted": "source, unconverted",
        "copy": "copy-synthesis",
        "statistics": "statistics",
        "f0shift": "F0 shift",
        "gmm": "GMM",
        "knn": "kNN",
        "bundled": "bundled CycleGAN-VC2",
        "half": "model, strength 0.5",
        MODEL: "**model**",
        "target": "target's own recordings",
    },
    ("unconverted", "copy", "target"),
    "what converts",
    {
        "Against the target's recording of the sentence": ("reference",),
        "The voice": ("target_train", "source_train"),
        "Intelligibility": ("text",),
        "Naturalness and level": (NOTHING,),
        "As a copy of the source": ("copy_of",),
    },
)
COPIES = Layout(
    {
        "recording": "the recording itself",
        "world": "WORLD",
        "griffin_lim": "Griffin-Lim",
        HELD_OUT: "**trained without this voice**",
        MODEL: "**vocoder**",
    },
    ("recording",),
    "the vocoders",
    {"": ("copy_of", NOTHING)},
)
LAYOUTS = {"conversion": CONVERSION, "copies": COPIES}
REACH = 10  # accepted increase of character error above copy-synthesis, in points


class Header(NamedTuple):
    """The lines above the tables."""

    title: str
    command: str
    facts: Mapping[str, object]  # commit, steps, hardware ...


def write_results(
    path: Path | str,
    header: Header,
    sections: Mapping[str, Mapping[str, Path | str]],
    layout: Layout = CONVERSION,
) -> None:
    """Write the table of scores.json files as markdown: section -> system -> file.

    Systems are those of the layout's rows. Raises InputError if the files of a section differ in
    protocol or utterances, or if a section has no file.
    """
    read = {markdown(title): _section(title, files, layout) for title, files in sections.items()}
    lines = [f"# {markdown(header.title)}", "", f"    {header.command}", ""]
    lines += [f"- {markdown(key)}: {markdown(value)}" for key, value in header.facts.items()]
    lines += [
        "- cells: mean [95% bootstrap interval over utterances]; in bold the best of "
        + layout.rivals,
        "",
    ]
    for title, systems in read.items():
        lines += [f"## {title}", "", *_tables(systems, layout), *_notes(systems, layout), ""]
    lines += ["## Protocol", "", *_protocol(read)]
    replace_text(path, "\n".join(lines).rstrip() + "\n")


def _section(title: str, files: Mapping[str, Path | str], layout: Layout) -> dict[str, Scores]:
    """The scores of a section, in the order of rows, all with one protocol."""
    systems = {name: read_scores(files[name]) for name in layout.rows if name in files}
    if not systems:
        raise InputError(f"there are no scores of {title}; make some with `voiceconv evaluate`")
    for one, other in combinations(systems, 2):  # compare all pairs: the first may lack a measure
        shared = systems[one]["metrics"].keys() & systems[other]["metrics"].keys()
        require_alike(
            files[one], systems[one], files[other], systems[other], sorted(shared & MEASURES.keys())
        )
    return systems


def _tables(systems: Mapping[str, Scores], layout: Layout) -> list[str]:
    lines = []
    ran = {name for scores in systems.values() for name in scores["metrics"]}
    for title, needs in layout.tables.items():
        columns = [
            name
            for name, measure in MEASURES.items()
            if name in ran and {*(measure.needs or [NOTHING])} <= {*needs}
        ]
        rows = [
            system for system in systems if any(c in systems[system]["metrics"] for c in columns)
        ]
        if not rows:
            continue
        lines += [f"### {title}", ""] if title else []
        lines += [
            f"| | {' | '.join(map(_heading, columns))} |",
            f"| --- |{' --- |' * len(columns)}",
        ]
        best = {column: _best(systems, column, layout) for column in columns}
        for system in rows:
            cells = [_cell(systems[system], c, system in best[c]) for c in columns]
            lines.append(f"| {layout.rows[system]} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def _notes(systems: Mapping[str, Scores], layout: Layout) -> list[str]:
    """The measures where the model is not the best, and the measures that did not run."""
    notes = []
    for name in MEASURES:
        best = _best(systems, name, layout)
        if not best or MODEL in best or MODEL not in systems:
            continue
        change = paired(name, systems[best[0]], systems[MODEL])
        if change:
            title, by = MEASURES[name].title, figures(name, change, "+")
            sure = "" if change["verdict"] else ", which the interval doesn't tell from none"
            notes.append(
                f"- The model is not the best in {title}: {by} from {layout.rows[best[0]]}{sure}."
            )
    notes += _within_reach(systems, layout) + _unheard(systems)
    notes += [
        f"- {layout.rows[system]}: {line}."
        for system, scores in systems.items()
        for line in (*gaps(scores), *remarks(scores))
    ]
    missing: dict[str, list[str]] = {}
    for scores in systems.values():
        for name, reason in scores["not_run"].items():
            if not any(name in other["metrics"] for other in systems.values()):
                missing.setdefault(reason, []).append(MEASURES[name].title)
    missing.pop(NOT_ASKED, None)
    return notes + [
        f"- Not run: {', '.join(dict.fromkeys(titles))} ({reason})."
        for reason, titles in missing.items()
    ]


def _within_reach(systems: Mapping[str, Scores], layout: Layout) -> list[str]:
    """The system with the highest similarity among those that stay intelligible."""
    error = {name: _mean(scores, "character_error") for name, scores in systems.items()}
    limit = error.get("copy")
    if limit is None:
        return []
    reach = {
        name: similarity
        for name, scores in systems.items()
        if name not in layout.anchors
        and (similarity := _mean(scores, "speaker_similarity")) is not None
        and (error[name] is not None and error[name] <= limit + REACH)  # type: ignore[operator]
    }
    if not reach:
        return [f"- Nothing that converts keeps its CER within {REACH} points of copy-synthesis."]
    best = max(reach, key=lambda name: reach[name])
    names = ", ".join(layout.rows[name] for name in reach)
    return [
        f"- Within {REACH} points of copy-synthesis's CER: {names}; most similar: "
        f"{layout.rows[best]}, {reach[best]:.3f}."
    ]


def _unheard(systems: Mapping[str, Scores]) -> list[str]:
    """The difference between training with and without the voice, for each measure."""
    if not {MODEL, HELD_OUT} <= systems.keys():
        return []
    costs = {name: paired(name, systems[MODEL], systems[HELD_OUT]) for name in MEASURES}
    named = [
        f"{MEASURES[name].title} {figures(name, cost, '+')}" for name, cost in costs.items() if cost
    ]
    return [f"- Training without this voice changes: {'; '.join(named)}."]


def _best(systems: Mapping[str, Scores], name: str, layout: Layout) -> list[str]:
    """The best rivals; none if the measure has no better direction, or if all are equal."""
    better = MEASURES[name].better
    means = {
        system: mean
        for system, scores in systems.items()
        if system not in layout.anchors and (mean := _mean(scores, name)) is not None
    }
    if better == "none" or len(set(means.values())) < 2:
        return []
    best = (max if better == "higher" else min)(means.values())
    return [system for system, mean in means.items() if mean == best]


def _mean(scores: Scores, name: str) -> float | None:
    found = scores["metrics"].get(name)
    return found["mean"] if found else None


def _heading(name: str) -> str:
    measure = MEASURES[name]
    arrow = {"lower": " ↓", "higher": " ↑", "none": ""}[measure.better]
    return measure.title + (f", {measure.unit}" if measure.unit else "") + arrow


def _cell(scores: Scores, name: str, best: bool) -> str:
    found = scores["metrics"].get(name)
    if not found:
        return "-"
    few = f", n={found['n']}" if found["n"] < len(scores["utterances"]) else ""
    mean, _, interval = figures(name, found).partition(" ")
    return f"{f'**{mean}**' if best else mean} {interval}{few}"


def _protocol(sections: Mapping[str, Mapping[str, Scores]]) -> list[str]:
    """A line for the common settings, and one for each group of equal settings."""
    lines = []
    groups: dict[str, list[str]] = {}
    for title, systems in sections.items():
        commons = [scores["protocol"]["common"] for scores in systems.values()]
        common = {
            key: " / ".join(dict.fromkeys(_short(one.get(key)) for one in commons))
            for key in commons[0]
        }
        lines.append(f"- {title}: {_words(common)}")
        for scores in systems.values():
            for name in scores["metrics"]:
                groups.setdefault(_words(scores["protocol"][name]), []).append(MEASURES[name].title)
    return lines + [f"- {', '.join(dict.fromkeys(groups[how]))}: {how}" for how in groups]


def _words(part: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in part.items())


def _short(value: object) -> str:
    """The beginning of a digest; the + of a commit (changed files) is kept."""
    text = str(value)
    word = text.rstrip("+")
    return word[:12] + text[len(word) :] if len(text) >= 40 and word.isalnum() else text
