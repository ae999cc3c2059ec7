"""Means over utterances with 95% bootstrap intervals, and paired differences of them.

The interval is the percentile interval of Efron 1979 ("Bootstrap methods: another look at the
jackknife"), from a fixed seed, so equal values give equal intervals. If utterances have weights,
the mean is sum(w * x) / sum(w), such as an error rate over all texts together, in each resample
too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 2000
LEVELS = (2.5, 97.5)  # percentiles

Sample = NDArray[np.float64]


def summary(
    values: Sequence[float], seed: int = 0, weights: Sequence[float] | None = None
) -> dict[str, float]:
    """Values (n,) -> mean, low and high of its interval, and n."""
    sample, weight = np.asarray(values, np.float64), _weights(weights, len(values))
    low, high = np.percentile(_drawn_means(sample, weight, _draw(len(sample), seed)), LEVELS)
    mean = (weight * sample).sum() / weight.sum()
    return {"mean": float(mean), "low": float(low), "high": float(high), "n": len(sample)}


def difference(
    first: Sequence[float],
    second: Sequence[float],
    seed: int = 0,
    weights: Sequence[float] | None = None,
) -> dict[str, float]:
    """Values (n,) and (n,) of the same utterances -> second minus first, resampled together."""
    weight, drawn = _weights(weights, len(first)), _draw(len(first), seed)
    pair = [np.asarray(values, np.float64) for values in (first, second)]
    means = [(weight * sample).sum() / weight.sum() for sample in pair]
    before, after = (_drawn_means(sample, weight, drawn) for sample in pair)
    low, high = np.percentile(after - before, LEVELS)
    return {
        "mean": float(means[1] - means[0]),
        "low": float(low),
        "high": float(high),
        "n": len(first),
    }


def _weights(weights: Sequence[float] | None, n: int) -> Sample:
    return np.ones(n) if weights is None else np.asarray(weights, np.float64)


def _draw(n: int, seed: int) -> NDArray[np.int64]:
    """(N_RESAMPLES, n) indices of utterances, drawn with replacement."""
    return np.random.default_rng(seed).integers(0, n, (N_RESAMPLES, n))


def _drawn_means(sample: Sample, weight: Sample, drawn: NDArray[np.int64]) -> Sample:
    """(n,), (n,), (R, n) -> (R,)."""
    return (weight * sample)[drawn].sum(1) / weight[drawn].sum(1)
