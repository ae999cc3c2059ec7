"""Pictures of the report: curves, scatters, spectrograms, as inline SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from voiceconv.pages.svg import DPI, PAGE, style, svg
from voiceconv.report.scalars import Curve, thinned

INK, MUTED, RULE, _, FIRST, SECOND, THIRD = PAGE
_KINDS = {"source": MUTED, "converted": FIRST, "target": SECOND}
MOST_LINES = 3  # lines of a chart: the number of colours
N_POINTS = 48  # points of a curve: means of neighbours, because losses of single steps are noise
DYNAMIC_RANGE = 80.0  # dB range of a spectrogram, below the loudest of the three


@dataclass(frozen=True)
class Cloud:
    """Points (n, 2) of one system in a scatter."""

    label: str
    points: NDArray[np.float64]
    colour: str
    filled: bool = True


def curve_chart(
    lines: Mapping[str, Curve], description: str, *, log: bool = False, mark: int | None = None
) -> Markup:
    """At most MOST_LINES curves over the steps: means of neighbours, and how far these reach.

    mark: a step with a vertical line.
    """
    with matplotlib.rc_context(style(PAGE)):
        figure = Figure((280 / DPI, 185 / DPI), layout="constrained")
        axes = figure.add_subplot()
        for (label, curve), colour in zip(lines.items(), (FIRST, SECOND, THIRD), strict=False):
            mean, low, high = thinned(curve, N_POINTS)
            axes.fill_between(mean.steps, low.values, high.values, color=colour, alpha=0.18, lw=0)
            dots = "o" if len(mean.steps) < 25 else ""
            axes.plot(*mean, color=colour, lw=1.6, marker=dots, ms=3.5, label=label)
        axes.yaxis.set_major_formatter(_plain())
        if log and all((curve.values > 0).all() for curve in lines.values()):
            _log_axis(axes)
        if mark is not None:
            _mark(axes, mark, max(int(curve.steps[-1]) for curve in lines.values()))
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
        axes.margins(x=0.01)
        if len(lines) > 1:
            _legend_above(axes, list(lines))
        return svg(figure, description)


def scatter(
    clouds: Sequence[Cloud],
    labels: tuple[str, str],
    description: str,
    *,
    named: Mapping[str, tuple[float, float]],
    diagonal: bool = False,
) -> Markup:
    """A point (x, y) for each utterance; some have their name."""
    with matplotlib.rc_context(style(PAGE)):
        figure = Figure((400 / DPI, 360 / DPI), layout="constrained")
        axes = figure.add_subplot()
        for cloud in clouds:
            face = cloud.colour if cloud.filled else "none"
            x, y = cloud.points.T
            axes.scatter(
                x, y, s=26, facecolors=face, edgecolors=cloud.colour, linewidths=1.1, alpha=0.75,
                label=cloud.label,
            )  # fmt: skip
        if diagonal:
            everything = np.concatenate([cloud.points for cloud in clouds])
            low, high = float(everything.min()) - 0.03, float(everything.max()) + 0.03
            axes.plot([low, high], [low, high], color=MUTED, lw=1, ls=(0, (3, 3)))
            axes.set(xlim=(low, high), ylim=(low, high))
        for name, point in named.items():
            axes.annotate(name, point, (6, -4), textcoords="offset points", weight="bold")
        axes.grid()
        axes.set(xlabel=labels[0], ylabel=labels[1])
        _legend_above(axes, [cloud.label for cloud in clouds])
        return svg(figure, description)


def utterance_picture(
    spectrograms: Mapping[str, NDArray[np.float32]],
    contours: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    hop: float,
    frequencies: NDArray[np.float64],
    description: str,
) -> Markup:
    """Log-mel spectrograms (C, T) in dB under one scale, and F0 in Hz, over one time axis.

    hop: seconds between frames. frequencies: (C,) centres of the channels in Hz. A contour has
    times in s and F0, 0 where unvoiced.
    """
    loudest = max(float(s.max()) for s in spectrograms.values())
    seconds = max(s.shape[1] for s in spectrograms.values()) * hop
    with matplotlib.rc_context(style(PAGE)):
        n_rows = len(spectrograms) + 1
        figure = Figure((400 / DPI, (98 * n_rows + 30) / DPI), layout="constrained")
        rows: Any = figure.subplots(n_rows, 1, sharex=True)
        for axes, (label, picture) in zip(rows, spectrograms.items(), strict=False):
            axes.imshow(
                picture, origin="lower", aspect="auto", interpolation="none", cmap="magma",
                vmin=loudest - DYNAMIC_RANGE, vmax=loudest,
                extent=(0, picture.shape[1] * hop, -0.5, len(picture) - 0.5),
            )  # fmt: skip
            _frequency_axis(axes, frequencies)
            axes.set_title(label, loc="left", size=11, pad=3)
        axes = rows[-1]
        for label, (times, f0) in contours.items():
            voiced = np.where(f0 > 0, f0, np.nan)
            axes.plot(times, voiced, color=_KINDS.get(label, INK), lw=1.8, label=label)
        axes.set_title("F0 in Hz", loc="left", size=11, pad=3)
        if any((f0 > 0).any() for _, f0 in contours.values()):
            _log_axis(axes)
            axes.legend(
                loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, handlelength=1.2,
                borderpad=0, columnspacing=1,
            )  # fmt: skip
        axes.grid(axis="y")
        axes.set(xlim=(0, seconds), xlabel="seconds")
        return svg(figure, description)


def _frequency_axis(axes: Axes, frequencies: NDArray[np.float64]) -> None:
    shown = [f for f in (500, 1000, 2000, 4000, 8000) if f < frequencies[-1]]
    places = np.interp(shown, frequencies, np.arange(len(frequencies)))
    axes.set_yticks(places, [f"{f / 1000:g}k" for f in shown])
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="x", length=0)


def _legend_above(axes: Axes, labels: Sequence[str]) -> None:
    """On one line if it fits."""
    n_columns = len(labels) if sum(map(len, labels)) < 32 else 1
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=n_columns, handlelength=1.2, borderpad=0,
        columnspacing=1.2,
    )  # fmt: skip


def _log_axis(axes: Axes) -> None:
    """Make an axis logarithmic, with about four round ticks."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_plain())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)


def _plain() -> ScalarFormatter:
    """Plain numbers, with the decimals that distinguish the ticks."""
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    return formatter


def _mark(axes: Axes, step: int, last: int) -> None:
    """A dashed line with its step, written on the side with more room."""
    axes.axvline(step, color=INK, lw=1, ls=(0, (3, 3)))
    is_left = step < last / 2
    axes.annotate(
        f"{step:,}", (step, 1), (4 if is_left else -4, 0), ("data", "axes fraction"),
        "offset points", ha="left" if is_left else "right", va="top", size=10.5,
    )  # fmt: skip


def _thousands(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
