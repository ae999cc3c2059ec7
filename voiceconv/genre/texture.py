"""What phrases are like, whatever they say: density, polyphony, key, place in the bar, scale.

A phrase's key is the major scale (of 12) that most of its steps are in; a relative minor is the
same. Histograms are of a genre, and compared by their overlap: the sum of smaller shares, in %.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from voiceconv.genre.phrases import BAR, OCTAVE, chroma, onsets

MAJOR = torch.tensor([0, 2, 4, 5, 7, 9, 11])


def notes_per_bar(phrases: Tensor) -> Tensor:
    """(N, C, T) -> onsets in a bar (N,)."""
    return onsets(phrases).sum((1, 2)) / (phrases.shape[2] / BAR)


def polyphony(phrases: Tensor) -> Tensor:
    """(N, C, T) -> notes that sound at once, mean over steps in which one does; (N,), else 0."""
    at_once = (phrases > 0).sum(1)
    return at_once.sum(1) / (at_once > 0).sum(1).clamp_min(1)


def tonic(phrases: Tensor) -> Tensor:
    """(N, C, T), of which the first row is a C -> the pitch class of each phrase's tonic (N,)."""
    classes = chroma(phrases).sum(2)
    inside = torch.stack([classes[:, (MAJOR + key) % OCTAVE].sum(1) for key in range(OCTAVE)], 1)
    return inside.argmax(1)


def longest_out_of_scale(phrases: Tensor) -> Tensor:
    """(N, C, T) -> the most steps in a row of which each begins a note outside of its key; (N,).

    Steps in which nothing begins are left out.
    """
    in_scale = torch.zeros(OCTAVE, dtype=torch.bool)
    in_scale[MAJOR] = True
    rows = torch.arange(phrases.shape[1])
    degrees = (rows[None] - tonic(phrases)[:, None]) % OCTAVE  # (N, C)
    begun = onsets(phrases)
    outside = (begun & ~in_scale[degrees][..., None]).any(1)
    longest = [_longest_run(out[any_]) for out, any_ in zip(outside, begun.any(1), strict=True)]
    return torch.tensor(longest, dtype=torch.float32)


def _longest_run(flags: Tensor) -> int:
    """(T,) -> the most True in a row."""
    run = most = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        most = max(most, run)
    return most


def degree_histogram(phrases: Tensor) -> Tensor:
    """(N, C, T) -> shares of the twelve degrees above the tonic, of sounding steps; (12,)."""
    classes, key = chroma(phrases).sum(2), tonic(phrases)
    places = (torch.arange(OCTAVE)[None] + key[:, None]) % OCTAVE
    return _shares(classes.gather(1, places).sum(0))


def place_histogram(phrases: Tensor) -> Tensor:
    """(N, C, T) -> shares of the steps of a bar at which notes begin; (BAR,)."""
    return _shares(onsets(phrases).sum((0, 1)).unflatten(0, (-1, BAR)).sum(0).float())


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum().clamp_min(1)


def overlap(one: Tensor, other: Tensor) -> float:
    """Two histograms of shares -> in %."""
    return 100 * float(torch.minimum(one, other).sum())


MEANS: dict[str, Callable[[Tensor], Tensor]] = {
    "notes a bar": notes_per_bar,
    "polyphony": polyphony,
    "longest out of scale": longest_out_of_scale,
}
OVERLAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "degrees": degree_histogram,
    "places in a bar": place_histogram,
}


def texture(phrases: Tensor, of: Tensor) -> dict[str, float]:
    """Phrases (N, C, T), and those of a genre -> means by name, then overlaps with that genre."""
    means = {name: float(measure(phrases).mean()) for name, measure in MEANS.items()}
    likeness = {name: overlap(measure(phrases), measure(of)) for name, measure in OVERLAPS.items()}
    return means | likeness
