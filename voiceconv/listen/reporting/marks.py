"""Elements of a listening test's figures: names, boxes, dots, intervals."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.patheffects import withStroke

from voiceconv.listen.analysis.analyse import Estimate
from voiceconv.listen.methods import METHODS
from voiceconv.listen.reporting.words import MINUS, Format, percent
from voiceconv.pages.svg import PAGE, Colours

BODY = 0.14  # position in a row, below its middle, because the name is above
WORDS = {  # under the numbers of a scale
    "mos": {1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "excellent"},
    "similarity": {
        1: "different,\nsure", 2: "different,\nnot sure", 3: "same,\nnot sure", 4: "same,\nsure",
    },
    "mushra": {10: "bad", 30: "poor", 50: "fair", 70: "good", 90: "excellent"},
}  # fmt: skip
_HALF = 0.21  # of a box's height
_GOLDEN = (math.sqrt(5) - 1) / 2


def head(axes: Axes, colours: Colours, y: float, left: str, right: str) -> None:
    """The text above a row, with a background over the lines that it crosses (on a page by CSS)."""
    edge = [] if colours is PAGE else [withStroke(linewidth=2.5, foreground=colours.paper)]
    for x, text, side in ((0, left, "left"), (1, right, "right")):
        axes.text(
            x, y - 0.27, text, transform=axes.get_yaxis_transform(), ha=side, va="center",
            path_effects=edge,
        )  # fmt: skip


def interval(axes: Axes, y: float, estimate: Estimate, colour: str, face: str, size: float) -> None:
    """A mark at the mean, and a line for the interval, if there is one."""
    if not math.isnan(estimate.low):
        axes.plot([estimate.low, estimate.high], [y, y], color=colour, lw=2, zorder=4)
    if size:
        axes.plot(
            estimate.mean, y, "D", ms=size, mfc=face, mec=colour, mew=1.4, zorder=5, clip_on=False
        )


def box(axes: Axes, y: float, values: Sequence[float], colour: str) -> None:
    """Quartiles and median; whiskers to the last value within 1.5 times the box's length.

    Not `Axes.boxplot`: it reads all settings, and so matplotlib chooses a backend.
    """
    if not values:
        return
    (found,) = boxplot_stats(values)
    low, q1, median, q3, high = (found[key] for key in ("whislo", "q1", "med", "q3", "whishi"))
    axes.barh(y, q3 - q1, 2 * _HALF, q1, color=colour, alpha=0.2, lw=0)
    axes.barh(y, q3 - q1, 2 * _HALF, q1, fill=False, edgecolor=colour, lw=0.8)
    axes.hlines([y, y], [low, q3], [q1, high], color=colour, lw=1.2)
    axes.vlines([low, high], y - _HALF / 2, y + _HALF / 2, color=colour, lw=1.2)
    axes.vlines(median, y - _HALF, y + _HALF, color=colour, lw=2.2)


def dots(axes: Axes, y: float, values: Sequence[float], colour: str) -> None:
    """Offsets by the golden ratio, so that neighbours are apart; always the same."""
    spread = [y + 0.32 * (n * _GOLDEN % 1 - 0.5) for n in range(len(values))]
    axes.scatter(values, spread, s=13, facecolors="none", edgecolors=colour, lw=0.9, alpha=0.85)


def set_rows(axes: Axes, first: float, last: float) -> None:
    """Rows from top to bottom, without a vertical axis."""
    axes.set_ylim(last, first)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def scale_lines(method: str) -> int:
    """Lines of text below a scale's axis."""
    return 2 + max(word.count("\n") for word in WORDS[method].values())


def set_scale(axes: Axes, method: str) -> None:
    """The whole scale, with the listeners' labels."""
    low, high = METHODS[method].scale or (0, 1)
    words = WORDS[method]
    if low in words:  # under their numbers, else between two
        axes.set_xticks(range(low, high + 1), [f"{n}\n{words[n]}" for n in range(low, high + 1)])
        axes.set_xlim(low - 0.4, high + 0.4)
    else:
        axes.set_xticks(range(low, high + 1, 20))
        axes.set_xticks(list(words), list(words.values()), minor=True)
        axes.tick_params(axis="x", which="minor", length=0, pad=16)
        axes.set_xlim(low - 4, high + 4)


def tick(value: float, form: Format) -> str:
    """A number below an axis, with the fewest possible decimals."""
    return form(value) if form is percent else f"{value:g}".replace("-", MINUS)
