"""A page of conversions between genres: their scores, piano rolls as pictures, and players."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from torch import Tensor

from voiceconv import __version__
from voiceconv.features.piano_roll import PianoRoll
from voiceconv.files import replace_text, unwritable
from voiceconv.genre.phrases import BAR
from voiceconv.genre.scores import Example, Row
from voiceconv.pages.svg import DPI, PAGE, style, svg
from voiceconv.pages.templating import template

LOWEST = PianoRoll().lowest
ROW_HEIGHT, WIDTH = 92, 400  # points
Play = Callable[[Tensor], bytes]  # a roll (C, T) -> a sound file, FLAC


def write_page(
    output: Path,
    title: str,
    rows: Sequence[Row],
    examples: Sequence[Example],
    play: Play | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write one page that loads nothing. play: without it there are pictures alone."""
    cards: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number, example in enumerate(examples):
        progress(number, len(examples))
        cards.setdefault((example.source, example.target), []).append(_card(example, play))
    progress(len(examples), len(examples))
    page = template("genre.html", "voiceconv.genre").render(
        kind="genre page",
        title=title,
        version=__version__,
        rows=[(row, row.cells()) for row in rows],
        textures=list(rows[0].texture),
        cards=cards,
        plays=play is not None,
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_text(output, page)
    except OSError as error:
        raise unwritable(output, error) from None


def _card(example: Example, play: Play | None) -> dict[str, Any]:
    players = []
    for kind, roll in example.rolls.items() if play else ():
        content = base64.b64encode(play(roll)).decode() if roll.any() else None  # type: ignore[misc]
        players.append((kind, content and f"data:audio/flac;base64,{content}"))
    return {
        "song": example.song,
        "likely": {kind: f"{share:.0f}%" for kind, share in example.likely.items()},
        "picture": picture(example),
        "players": players,
    }


def picture(example: Example) -> Markup:
    """Piano rolls, one below the other, with bar lines; pitches that one of them has."""
    used = np.flatnonzero(np.any([roll.any(1).numpy() for roll in example.rolls.values()], 0))
    low, high = (int(used[0]), int(used[-1])) if len(used) else (0, 12)
    with matplotlib.rc_context(style(PAGE)):
        height = ROW_HEIGHT * len(example.rolls) + 30
        figure = Figure((WIDTH / DPI, height / DPI), layout="constrained")
        places: Any = figure.subplots(len(example.rolls), 1, sharex=True)
        for axes, (kind, roll) in zip(places, example.rolls.items(), strict=True):
            for pitch, first, length in notes_of(roll):
                axes.broken_barh([(first, length)], (pitch - 0.5, 0.9), color=PAGE.first, lw=0)
            axes.set(xlim=(0, roll.shape[1]), ylim=(low - 1, high + 1))
            cs = [row for row in range(low, high + 1) if (row + LOWEST) % 12 == 0]
            axes.set_yticks(cs, [f"C{(row + LOWEST) // 12 - 1}" for row in cs])
            axes.set_xticks(range(0, roll.shape[1] + 1, BAR), range(roll.shape[1] // BAR + 1))
            axes.grid(axis="x")
            axes.set_title(kind, loc="left", size=11, pad=3)
        places[-1].set_xlabel("bars")
        counts = ", ".join(f"{kind} {len(notes_of(roll))}" for kind, roll in example.rolls.items())
        way = f"{example.source} to {example.target}"
        return svg(figure, f"Piano rolls of {example.song}, {way}; notes: {counts}")


def notes_of(roll: Tensor) -> list[tuple[int, int, int]]:
    """(C, T) -> row, first step and length of each run of a row, by time."""
    edges = np.diff(np.pad(roll.numpy() > 0, ((0, 0), (1, 1))).astype(int), axis=1)
    starts, ends = np.argwhere(edges > 0), np.argwhere(edges < 0)
    found = [(int(row), int(a), int(b - a)) for (row, a), (_, b) in zip(starts, ends, strict=True)]
    return sorted(found, key=lambda one: (one[1], one[0]))
