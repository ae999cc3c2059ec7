"""The utterances of a direction: sorted, worst first, and a scatter plot of their scores."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from voiceconv.metrics import MEASURES
from voiceconv.report.plots import FIRST, MUTED, SECOND, Cloud, scatter
from voiceconv.report.run import MODEL, Direction, is_number
from voiceconv.report.tables import as_text, measure

JUDGED = ("speaker_similarity", "mel_cepstral_distortion", "character_error", "dnsmos")
LISTED = (
    "speaker_similarity", "source_similarity", "mel_cepstral_distortion", "log_f0_rmse",
    "voicing_error", "character_error", "dnsmos",
)  # fmt: skip
AXES = (  # axes of the scatter plot: the first pair with values
    ("source_similarity", "speaker_similarity"),
    ("mel_cepstral_distortion", "speaker_similarity"),
    ("mel_cepstral_distortion", "dnsmos"),
)
N_NAMED = 3  # names of the worst utterances in the scatter plot


class Chosen(NamedTuple):
    """An utterance on the page, and the reason for it."""

    direction: Direction
    stem: str
    reason: str


def values(direction: Direction, name: str, system: str = MODEL) -> NDArray[np.float64]:
    """A measure of a system's utterances (n,), in the order of stems; NaN if missing."""
    rows = direction.systems.get(system, {}).get("utterances", {})
    found = [rows[stem].get(name) for stem in sorted(rows)]
    return np.array([value if is_number(value) else np.nan for value in found], np.float64)


def judged(direction: Direction) -> list[str]:
    """The measures of JUDGED with values."""
    return [name for name in JUDGED if np.isfinite(values(direction, name)).any()]


def worst_first(direction: Direction) -> list[str]:
    """Stems by the mean of their ranks in JUDGED.

    A missing value gets the middle rank. A stem without any, as a silent conversion has, is first.
    """
    stems = sorted(direction.utterances)
    ranks, has_value = np.zeros(len(stems)), np.zeros(len(stems), bool)
    for name in judged(direction):
        badness = values(direction, name) * (1 if MEASURES[name].better == "lower" else -1)
        known = badness[np.isfinite(badness)]
        places = [
            (np.sum(known < one) + np.sum(known <= one)) / (2 * len(known)) for one in badness
        ]
        ranks += np.where(np.isfinite(badness), places, 0.5)
        has_value |= np.isfinite(badness)
    return [stems[place] for place in np.lexsort((-ranks, has_value))]


def choose(direction: Direction, n: int) -> list[Chosen]:
    """The worst utterances, and as many at fixed positions of the sorted names, n in all.

    The fixed ones are equal in all reports on these recordings, for any model.
    """
    order = worst_first(direction)
    stems = sorted(order)
    n = min(n, len(stems))
    places = np.linspace(0, len(stems), n // 2 + 2)[1:-1].astype(int)  # the middle one; thirds ...
    fixed = [stems[place] for place in places]
    worst = [stem for stem in order if stem not in fixed][: n - len(fixed)]
    return [
        *(Chosen(direction, stem, f"no. {order.index(stem) + 1} of the worst") for stem in worst),
        *(
            Chosen(direction, stem, f"fixed; no. {order.index(stem) + 1} of {len(stems)}")
            for stem in fixed
        ),
    ]


def worst_table(direction: Direction, shown: Mapping[str, str]) -> dict[str, Any]:
    """All utterances, the worst first; `shown`: stem -> its anchor in the page."""
    names = [name for name in LISTED if np.isfinite(values(direction, name)).any()]
    units = {name: measure(name).unit for name in names}
    return {
        "columns": [measure(name) for name in names],
        "rows": [
            {
                "stem": stem,
                "place": shown.get(stem),
                "figures": [as_text(direction.utterances[stem].get(n), units[n]) for n in names],
            }
            for stem in worst_first(direction)
        ],
    }


def similarity_scatter(direction: Direction) -> Markup | None:
    """Scatter plot of similarity to the source against similarity to the target.

    The unconverted source and the target's own recordings are the two ends. Without similarity to
    the source, MCD is used. None if there are no two measures.
    """
    axes = next((pair for pair in AXES if len(_points(direction, MODEL, pair))), None)
    if axes is None:
        return None
    looks = {"unconverted": (MUTED, False), "target": (SECOND, False), MODEL: (FIRST, True)}
    clouds = {
        system: Cloud("converted" if system == MODEL else system, points, *look)
        for system, look in looks.items()
        if len(points := _points(direction, system, axes))
    }
    worst = worst_first(direction)[:N_NAMED]
    named: dict[str, tuple[float, float]] = {}
    for rank, stem in enumerate(worst, 1):
        x, y = (direction.utterances[stem].get(name) for name in axes)
        if is_number(x) and is_number(y):
            named[str(rank)] = (x, y)
    across, up = (measure(name) for name in axes)
    middle = np.median(clouds[MODEL].points, axis=0)
    return scatter(
        list(clouds.values()),
        (f"{across.title}, {across.unit}", f"{up.title}, {up.unit}"),
        f"{up.title} against {across.title} of each utterance, {direction.source} to "
        f"{direction.target}: medians {as_text(middle[1], up.unit)} and "
        f"{as_text(middle[0], across.unit)}; the worst are {', '.join(worst)}",
        named=named,
        diagonal=axes == AXES[0],
    )


def _points(direction: Direction, system: str, axes: tuple[str, str]) -> NDArray[np.float64]:
    """(n, 2), of the utterances with both values."""
    points = np.stack([values(direction, name, system) for name in axes], axis=1)
    return points[np.isfinite(points).all(1)]
