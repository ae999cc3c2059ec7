"""The curves of a run, from its TensorBoard files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

# The report needs no pictures or sound of TensorBoard; 1 is the lowest possible number.
_KEPT = {
    SCALARS: 0,  # all
    **dict.fromkeys(("images", "audio", "tensors", "histograms", "compressedHistograms"), 1),
}


class Curve(NamedTuple):
    """Values (n,) at rising steps (n,)."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


def read_curves(folder: Path) -> dict[str, Curve]:
    """`group/name` -> its curve; of a step that a resumed run repeated, the last value counts.

    Values that are not finite are left out, and so are curves without a finite value.
    """
    if not any(folder.glob("*tfevents*")):
        return {}
    events = EventAccumulator(str(folder), size_guidance=_KEPT)
    with _silent("tensorboard"):  # it logs every restart
        events.Reload()
    curves = {name: _curve(events.Scalars(name)) for name in events.Tags()[SCALARS]}
    return {name: curve for name, curve in curves.items() if len(curve.steps)}


def thinned(curve: Curve, n_points: int) -> tuple[Curve, Curve, Curve]:
    """(n,) -> mean, lowest and highest of `n_points` groups of neighbours, (n_points,) each.

    A curve of fewer than 2 * n_points points is not changed.
    """
    steps, values = curve
    if len(values) < 2 * n_points:
        return curve, curve, curve
    parts = np.array_split(np.arange(len(values)), n_points)
    middle = np.array([steps[part[len(part) // 2]] for part in parts])
    mean, low, high = (
        Curve(middle, np.array([take(values[part]) for part in parts]))
        for take in (np.mean, np.min, np.max)
    )
    return mean, low, high


def _curve(events: list[Any]) -> Curve:
    last = {event.step: event.value for event in events if np.isfinite(event.value)}
    steps = sorted(last)
    return Curve(np.array(steps, np.int64), np.array([last[step] for step in steps], np.float64))


@contextmanager
def _silent(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
