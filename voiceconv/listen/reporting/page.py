"""The report of a listening test as one page: the data of its template."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from voiceconv import __version__
from voiceconv.listen.analysis.analyse import Analysis, Contrast, Estimate, Needed
from voiceconv.listen.manifest import SYSTEM, TRIAL
from voiceconv.listen.reporting.figures import page_picture, panels
from voiceconv.listen.reporting.paragraph import paragraph
from voiceconv.listen.reporting.words import (
    Format,
    difference_format,
    interval_of,
    is_clear,
    is_tested,
    mean_format,
    one_decimal,
    ordered,
    p_text,
    percent,
    plural,
    with_minus,
)
from voiceconv.pages.templating import template

SHOWN = 6  # fewest characters of a listener's id
HEADINGS = {"ab": ("strength", "share preferring the second"), "abx": ("", "share correct")}
_OTHERS = "p is for other listeners and other items, the paler ones for less."
MEANINGS = {
    "ab": f"The share of choices of the second system named. {_OTHERS}",
    "abx": "The share of correct answers; guessing comes to 50%, and is what p is of.",
}


def render(analysis: Analysis, made: Mapping[str, str]) -> str:
    """The page; `made`: provenance of the analysis, name -> value."""
    test = analysis.test
    names = short_names([one.listener for one in analysis.screened])
    measure, difference = HEADINGS.get(analysis.method, (test.method.measure, "difference"))
    return template("listen.html", "voiceconv.listen.reporting").render(
        kind="listening test",
        title=test.title,
        method=test.method,
        facts=facts(analysis),
        pictures=[
            {"title": one.title, "caption": one.caption, "picture": page_picture(one)}
            for one in panels(analysis)
        ],
        measure=measure,
        systems=list(system_rows(analysis)),
        directions=list(analysis.directions),
        difference=difference,
        meaning=MEANINGS.get(analysis.method, f"The first system named less the second. {_OTHERS}"),
        tests=list(dict.fromkeys(one.test for one in analysis.contrasts if is_tested(one))),
        beside=list(dict.fromkeys(name for one in analysis.contrasts for name in one.beside)),
        comparisons=[comparison_row(analysis, one) for one in analysis.contrasts],
        needed=[needed_row(one, analysis) for one in analysis.needed],
        wanted=wanted(analysis),
        listeners=[{**one._asdict(), "listener": names[one.listener]} for one in analysis.screened],
        paragraph=paragraph(analysis),
        comments=[
            {"listener": names.get(listener, listener), "on": _shown(analysis, trial), "text": text}
            for listener, trial, text in analysis.comments
        ],
        notes=[*analysis.notes, *test.notes],
        made={**_made(analysis), **made},
        origins={
            name: {what: value for what, value in one.made.items() if value}
            for name, one in test.systems.items()
            if one.made
        },
        version=__version__,
    )


def facts(analysis: Analysis) -> dict[str, str]:
    """The head of the page: name -> value."""
    test, n_kept, n_all = analysis.test, analysis.n_kept, len(analysis.screened)
    counted = [one.difference.n for one in analysis.contrasts]
    if not test.method.is_choice:
        counted = [one.n for one in analysis.systems.values()]
    trials = [trial for trial in test.trials.values() if trial.kind == TRIAL]
    directions = sorted({trial.direction for trial in trials} - {""})
    return {
        "method": test.method.title,
        "listeners": f"{n_kept} of {n_all}" if n_kept < n_all else f"{n_kept}",
        "choices" if test.method.is_choice else "ratings": f"{sum(counted):,}",
        "items": str(len({trial.item for trial in trials})),
        "directions": ", ".join(directions) or "not stated",
        "systems": ", ".join(test.names(SYSTEM)),
        "level": f"{with_minus(f'{test.loudness:g}')} LUFS",
    }


def system_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """Systems by falling mean, then the reference and anchors; a cell for each direction."""
    form = mean_format(analysis.method)
    own, others = ordered(analysis)
    figures = [end for one in analysis.systems.values() for end in one[:3] if not math.isnan(end)]
    ends = analysis.test.method.scale or (min(figures, default=0), max(figures, default=1))
    for name in [*own, *others]:
        cells = [of.get(name) for of in analysis.directions.values()]
        yield {
            "name": name,
            "is_anchor": name in others,
            "all": _cell(analysis.systems[name], form, ends),
            "cells": [one and _cell(one, form, ends) for one in cells],
        }


def comparison_row(analysis: Analysis, one: Contrast) -> dict[str, Any]:
    """A comparison, with p of the tests for fewer conditions."""
    form = difference_format(analysis.method)
    tested = is_tested(one)
    return {
        "first": one.first,
        "second": one.second,
        "mean": form(one.difference.mean),
        "interval": interval_of(one.difference, form),
        "significant": is_clear(one),
        "test": one.test if tested else "none",
        "p": p_text(one.p) if tested else "\N{EN DASH}",
        "p_holm": p_text(one.p_holm) if tested else "\N{EN DASH}",
        "n_pairs": f"{one.n_pairs:,}",
        "beside": {name: p_text(p) for name, p in one.beside.items()} if tested else {},
    }


def needed_row(one: Needed, analysis: Analysis) -> dict[str, str]:
    """The number of listeners that a comparison needs; if none is enough, of items."""
    if one.n_listeners is not None:
        missing = max(one.n_listeners - one.now, 0)
        said, more = f"{one.n_listeners:,}", f"{missing:,}" if missing else "none"
    elif one.n_items is not None:
        said = "no number is enough with these items"
        more = f"{plural(one.n_items, 'item')} in all, with {plural(one.now, 'listener')}"
    else:
        said, more = "no number is enough with these items", "more items, too"
    counts = {"now": str(one.now), "all": said, "more": more}
    return {"first": one.first, "second": one.second, **counts}


def wanted(analysis: Analysis) -> str:
    """The effect size of the planning as a sentence; empty without planning."""
    if not analysis.needed:
        return ""
    one = analysis.needed[0]
    what = f"a difference of {one.wanted:g}"
    if analysis.test.method.is_choice:
        what = f"a share of {percent(0.5 + one.wanted)} in place of 50%"
    return f"{what} with a probability of {percent(one.power)}"


def short_names(listeners: Sequence[str]) -> dict[str, str]:
    """Listener -> the shortest unique beginning of the id."""
    longest = max(map(len, listeners), default=SHOWN)
    for n in range(SHOWN, longest + 1):
        names = {one: one[:n] for one in listeners}
        if len(set(names.values())) == len(names):
            break
    return names if longest > SHOWN else {one: one for one in listeners}


def _cell(one: Estimate, form: Format, ends: tuple[float, float]) -> dict[str, Any]:
    """A value, and the position of its interval on the scale in percent."""
    low, high = ends
    interval = interval_of(one, form)
    places = [100 * (value - low) / (high - low or 1) for value in (one.mean, one.low, one.high)]
    return {
        "mean": form(one.mean),
        "interval": interval,
        "n": f"{one.n:,}",
        "n_listeners": str(one.n_listeners),
        "n_items": str(one.n_items),
        "dot": f"{places[0]:.1f}",
        "left": f"{places[1]:.1f}" if interval else "0",
        "width": f"{places[2] - places[1]:.1f}" if interval else "0",
    }


def _shown(analysis: Analysis, trial: str) -> str:
    """The subject of a comment."""
    test = analysis.test
    if trial not in test.trials:
        return "the whole test"
    one = test.trials[trial]
    if test.method.together:
        return one.item
    systems = dict.fromkeys(test.stimuli[name].system for name in one.shown)
    return f"{one.item}: {', '.join(systems)}"


def _made(analysis: Analysis) -> dict[str, str]:
    """How the stimuli were made, and when."""
    test = analysis.test
    levels = [one.loudness for one in test.stimuli.values()]
    gains = [one.gain_db for one in test.stimuli.values()]
    offsets = [abs(one.offset) for one in test.stimuli.values()]
    known = {
        "test": test.id,
        "seed of the test": str(test.seed),
        "stimuli": f"{len(test.stimuli)}, at {test.sample_rate:,} Hz",
        "loudness": f"{_span(levels, one_decimal)} LUFS, ITU-R BS.1770",
        "gains": f"{_span(gains, one_decimal)} dB",
        "constant offsets": f"subtracted, {100 * max(offsets):.2g}% of full scale at most",
        "highest peak": f"{one_decimal(max(one.peak for one in test.stimuli.values()))} dBFS",
        "lists": str(len(test.lists)),
    }
    more = {name: str(value) for name, value in test.provenance.items() if name != "seed"}
    return known | more


def _span(values: Sequence[float], form: Format) -> str:
    low, high = form(min(values)), form(max(values))
    return low if low == high else f"{low} to {high}"
