"""Figures of a listening test: inline SVG for the page, a file in print colours for a paper.

One row per system or comparison with its name above, because names are long and columns narrow.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter, MaxNLocator

from voiceconv.listen.analysis.analyse import Analysis, Estimate
from voiceconv.listen.reporting.marks import (
    BODY,
    box,
    dots,
    head,
    interval,
    scale_lines,
    set_rows,
    set_scale,
    tick,
)
from voiceconv.listen.reporting.words import (
    MINUS,
    Format,
    difference_format,
    is_clear,
    is_separated,
    mean_format,
    ordered,
    paired,
    percent,
    shortened,
    two_decimals,
    with_interval,
)
from voiceconv.pages.svg import DPI, PAGE, Colours, style, svg

PAPER = Colours("#1d2024", "#53595f", "#cfd3d7", "#ffffff", "#1f66b1", "#bf5b12", "#2d7d4f")
PAPER_DPI = 200
FILLED = "Filled marks: p < 0.05 after Holm's correction."
FONTS = (  # fallback fonts for names in any script, if they are installed
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
    "Unifont",
)
_WIDTH = 385 / DPI  # inches of a panel; fits on a phone
_PAPER_WIDTH, _MARGIN, _TITLE = 3.5, 0.06, 0.25  # inches of a paper's column
_TEXT, _ROW = 0.72, 0.62  # ratio of sizes, paper to page
_MOST_ROWS = 28  # most comparisons (of 8 systems) in a paper's figure
_MOST_STACKED = 3  # from this number on, they are below the means and not beside them
_N_CHARACTERS = 52  # of a row's text


class Row(NamedTuple):
    """A row of a forest plot: a system, or two with a word between their names."""

    first: str
    estimate: Estimate
    joint: str = ""
    second: str = ""
    clear: bool = True  # draws a filled mark

    @property
    def names(self) -> tuple[str, str, str]:
        """The text of the row."""
        return self.first, self.joint, self.second


@dataclass(frozen=True)
class Panel:
    """A panel of a figure: its drawing function, and its text description."""

    title: str
    caption: str
    description: str
    n_rows: int
    row_height: float  # inches on a page
    n_lines: int  # of text below the axis
    draw: Callable[[Axes, Colours], None]

    @property
    def height(self) -> tuple[float, float]:
        """Inches on a page: rows plus the text below them."""
        return self.n_rows * self.row_height, (10 + 15 * self.n_lines) / DPI


def panels(analysis: Analysis) -> list[Panel]:
    """The main panel, then the comparisons."""
    if analysis.method == "ab":
        shares = [_shares(analysis)]
        return shares + ([_strengths(analysis)] if len(analysis.systems) > 2 else [])
    if analysis.method == "abx":
        return [_correct(analysis)]
    return [_boxes(analysis)] + ([_differences(analysis)] if analysis.contrasts else [])


def page_picture(panel: Panel) -> Markup:
    """A panel in the page's colours."""
    with matplotlib.rc_context(style(PAGE)), _quiet():
        height, below = panel.height
        figure = Figure((_WIDTH, height + below))
        _place(figure, panel, PAGE, (0, below, _WIDTH, height))
        return svg(figure, panel.description)


def save(analysis: Analysis, path: Path) -> None:
    """Write the figure for a paper, in the format of the path's ending.

    Names in a script without an installed font appear as boxes, unlike those on the page.
    """
    stamp = {".pdf": "CreationDate", ".svg": "Date"}.get(path.suffix.lower())
    figure = paper_figure(analysis)
    with matplotlib.rc_context(paper_style()), _quiet():
        figure.savefig(path, dpi=PAPER_DPI, metadata={stamp: None} if stamp else None)


def paper_figure(analysis: Analysis) -> Figure:
    """The panels, each one column wide; they are stacked if the last is low."""
    main, *more = panels(analysis)
    shown = [main, *(panel for panel in more if panel.n_rows <= _MOST_ROWS)]
    rows = [_ROW * panel.height[0] for panel in shown]
    heights = [_TITLE + _ROW * panel.height[0] + _TEXT * panel.height[1] for panel in shown]
    stacked = shown[-1].n_rows <= _MOST_STACKED
    n_columns, total = (1, sum(heights)) if stacked else (len(shown), max(heights))
    with matplotlib.rc_context(paper_style()):
        figure = Figure((_PAPER_WIDTH * n_columns, total))
        for n, (panel, height) in enumerate(zip(shown, rows, strict=True)):
            left = _MARGIN + (0 if stacked else n * _PAPER_WIDTH)
            top = total - _TITLE - (sum(heights[:n]) if stacked else 0)
            place = (left, top - height, _PAPER_WIDTH - 2 * _MARGIN, height)
            axes = _place(figure, panel, PAPER, place)
            title = f"({'ab'[n]}) {panel.title}" if len(shown) > 1 else panel.title
            axes.set_title(title, loc="left", size=9, weight="bold")
    return figure


def _place(
    figure: Figure, panel: Panel, colours: Colours, place: tuple[float, float, float, float]
) -> Axes:
    """Draw a panel at (left, bottom, width, height) inches; rows have one height in all panels."""
    width, height = figure.get_size_inches()
    whole = (width, height, width, height)
    axes = figure.add_axes(tuple(one / of for one, of in zip(place, whole, strict=True)))
    panel.draw(axes, colours)
    return axes


def paper_style() -> dict[Any, Any]:
    """Settings for drawing and saving a paper's figure."""
    installed = {font.name for font in fontManager.ttflist}
    return style(PAPER, _TEXT) | {
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "font.family": ["sans-serif", *(name for name in FONTS if name in installed)],
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress matplotlib's warnings about characters without a font."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+|Matplotlib currently does not support")
        yield


def _boxes(analysis: Analysis) -> Panel:
    """Quartiles of a system's ratings, its listeners' means, its mean with interval."""
    own, others = ordered(analysis)
    form, method = mean_format(analysis.method), analysis.test.method
    places = {name: row + 0.35 * (name in others) for row, name in enumerate([*own, *others])}

    def draw(axes: Axes, colours: Colours) -> None:
        for name, y in places.items():
            estimate = analysis.systems[name]
            colour = colours.first if name in own else colours.muted
            said = with_interval(estimate, form)
            head(axes, colours, y, shortened(name, _N_CHARACTERS - len(said) - 2), said)
            box(axes, y + BODY, analysis.values.get(name, []), colour)
            dots(axes, y + BODY, analysis.listener_means.get(name, []), colour)
            interval(axes, y + BODY, estimate, colours.ink, colours.paper, size=7)
        if own and others:
            axes.axhline(places[others[0]] - 0.6, color=colours.muted, lw=0.8, ls=(0, (3, 3)))
        set_rows(axes, -0.5, max(places.values()) + 0.5)
        set_scale(axes, analysis.method)

    said = [f"{name} {with_interval(analysis.systems[name], form)}" for name in places]
    low, high = method.scale or (0, 1)
    return Panel(
        method.measure[0].upper() + method.measure[1:],
        "A diamond with its bar is the mean with its 95% interval, a circle one listener's mean; "
        "the box has the quartiles and the median of all ratings, its whiskers reach to the last "
        "rating within 1.5 times its length.",
        f"{method.measure} from {low} to {high}, mean and 95% interval: {'; '.join(said)}",
        len(places) + bool(own and others),
        58 / DPI,
        scale_lines(analysis.method),
        draw,
    )


def _differences(analysis: Analysis) -> Panel:
    rows = [
        Row(one.second, one.difference, MINUS, one.first, is_clear(one))
        for one in analysis.contrasts
    ]
    caption = (
        "Differences of mean ratings with 95% intervals; where one lies right of 0, the system "
        f"that is named first was rated higher. {FILLED}"
    )
    form = difference_format(analysis.method)
    return _forest("Paired differences", rows, form, caption, middle=0.0)


def _correct(analysis: Analysis) -> Panel:
    rows = [
        Row(one.first, one.difference, "or", one.second, is_clear(one))
        for one in analysis.contrasts
    ]
    caption = (
        f"Share of correct answers with 95% intervals; guessing comes to 50%, the line. {FILLED}"
    )
    return _forest("Share correct", rows, percent, caption, middle=0.5, whole=True)


def _strengths(analysis: Analysis) -> Panel:
    own, others = ordered(analysis)
    rows = [Row(name, analysis.systems[name]) for name in [*own, *others]]
    ends = "without intervals, see the notes" if is_separated(analysis) else "with 95% intervals"
    caption = (
        f"Bradley-Terry strengths {ends}: the difference of two is the logarithm of the odds at "
        "which one is preferred to the other; 0 is the mean of all."
    )
    return _forest("Strength of preference", rows, two_decimals, caption, middle=0.0)


def _forest(
    title: str, rows: Sequence[Row], form: Format, caption: str, middle: float, whole: bool = False
) -> Panel:
    """A row for each estimate, a line at `middle`; `whole`: the axis goes from 0 to 1."""

    def draw(axes: Axes, colours: Colours) -> None:
        axes.axvline(middle, color=colours.ink, lw=1, ls=(0, (3, 3)))
        for y, row in enumerate(rows):
            said = with_interval(row.estimate, form)
            room = _N_CHARACTERS - len(said) - 2
            name = paired(row.first, row.joint, row.second, room) if row.second else row.first
            head(axes, colours, y, shortened(name, room), said)
            face = colours.first if row.clear else colours.paper
            interval(axes, y + BODY, row.estimate, colours.first, face, size=6)
        set_rows(axes, -0.5, len(rows) - 0.5)
        ends = [end for row in rows for end in row.estimate[:3] if not math.isnan(end)]
        low, high = (0.0, 1.0) if whole else (min([middle, *ends]), max([middle, *ends]))
        spare = 0.04 * (high - low or 1)
        axes.set_xlim(low - spare, high + spare)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, form)))

    said = [" ".join(filter(None, [*row.names, with_interval(row.estimate, form)])) for row in rows]
    description = f"{title}, estimate and 95% interval: {'; '.join(said)}"
    return Panel(title, caption, description, len(rows), 40 / DPI, 1, draw)


def _shares(analysis: Analysis) -> Panel:
    """A bar for each pair, divided at the share."""

    def draw(axes: Axes, colours: Colours) -> None:
        for y, one in enumerate(analysis.contrasts):
            left = 1 - one.difference.mean
            alpha = 0.75 if is_clear(one) else 0.35
            for x, width, colour in ((0, left, colours.first), (left, 1 - left, colours.second)):
                axes.barh(y + BODY, width, 0.4, x, color=colour, alpha=alpha, lw=0)
            name = shortened(one.first, _N_CHARACTERS // 2 - 7)
            other = shortened(one.second, _N_CHARACTERS // 2 - 7)
            right = round(one.difference.mean, 2)  # the two make 100%
            head(axes, colours, y, f"{name} {percent(1 - right)}", f"{percent(right)} {other}")
            turned = one.difference._replace(
                mean=left, low=1 - one.difference.high, high=1 - one.difference.low
            )
            interval(axes, y + BODY, turned, colours.ink, colours.paper, size=0)
        axes.axvline(0.5, color=colours.ink, lw=1, ls=(0, (3, 3)))
        set_rows(axes, -0.5, len(analysis.contrasts) - 0.5)
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])

    said = [
        f"{one.first} {percent(1 - round(one.difference.mean, 2))}, "
        f"{one.second} {with_interval(one.difference, percent)}"
        for one in analysis.contrasts
    ]
    caption = (
        "Shares of the choices; the line where two bars meet is the 95% interval. Strong colours: "
        "p < 0.05 after Holm's correction."
    )
    description = f"Share that preferred each of two: {'; '.join(said)}"
    return Panel("Preference", caption, description, len(analysis.contrasts), 46 / DPI, 1, draw)
