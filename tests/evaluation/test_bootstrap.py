"""Intervals against scipy's bootstrap, and against what can be computed by hand."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from voiceconv.evaluation.bootstrap import difference, summary

VALUES = np.random.default_rng(1).gamma(2.0, 3.0, 40)
OTHERS = VALUES + np.random.default_rng(2).normal(0.5, 1.0, 40)


def scipys(statistic, *samples, **options):
    """scipy's percentile interval, of 20,000 draws."""
    found = bootstrap(samples, statistic, n_resamples=20000, method="percentile", rng=0, **options)
    return found.confidence_interval


def test_interval_of_the_mean():
    found = summary(list(VALUES))
    expected = scipys(np.mean, VALUES)
    assert found["mean"] == pytest.approx(VALUES.mean(), rel=1e-12) and found["n"] == 40
    assert found["low"] == pytest.approx(expected.low, abs=0.1)  # the interval is 3 wide
    assert found["high"] == pytest.approx(expected.high, abs=0.1)
    # Student's interval of a large normal sample: mean +- 1.96 s / sqrt(n).
    sample = np.random.default_rng(1).normal(5.0, 2.0, 400)
    half = 1.96 * sample.std(ddof=1) / 20
    found = summary(list(sample))
    assert found["low"] == pytest.approx(sample.mean() - half, abs=0.03)
    assert found["high"] == pytest.approx(sample.mean() + half, abs=0.03)


def test_equal_values_and_equal_seeds():
    assert summary([2.0, 2.0, 2.0]) == {"mean": 2.0, "low": 2.0, "high": 2.0, "n": 3}
    assert summary([7.0]) == {"mean": 7.0, "low": 7.0, "high": 7.0, "n": 1}
    assert summary(VALUES) == summary(VALUES) != summary(VALUES, seed=1)


def test_two_values_by_hand():
    """Of 0 and 1, a draw of two has the mean 0, 1/2 or 1 with chances 1/4, 1/2, 1/4."""
    assert summary([0.0, 1.0]) == {"mean": 0.5, "low": 0.0, "high": 1.0, "n": 2}
    assert difference([0.0, 1.0], [1.0, 2.0]) == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 2}


def test_a_weighted_mean_is_the_ratio_of_sums():
    """Error rates over all texts: 1 of 2 words and 1 of 8 are 2 of 10."""
    assert summary([50.0, 12.5], weights=[2, 8])["mean"] == pytest.approx(20.0)
    lengths = np.random.default_rng(3).integers(3, 15, 40)
    rates = 10 * VALUES

    def ratio(rate, length, axis=-1):
        return (rate * length).sum(axis) / length.sum(axis)

    expected = scipys(ratio, rates, lengths, paired=True)
    found = summary(rates, weights=lengths)
    assert found["mean"] == pytest.approx(ratio(rates, lengths), rel=1e-12)
    assert found["low"] == pytest.approx(expected.low, abs=1.0)  # the interval is 30 wide
    assert found["high"] == pytest.approx(expected.high, abs=1.0)


def test_a_paired_difference_is_narrower_than_two_intervals():
    expected = scipys(np.mean, OTHERS - VALUES)
    found = difference(VALUES, OTHERS)
    assert found["mean"] == pytest.approx((OTHERS - VALUES).mean(), rel=1e-9)
    assert found["low"] == pytest.approx(expected.low, abs=0.03)
    assert found["high"] == pytest.approx(expected.high, abs=0.03)
    alone = summary(VALUES)
    assert found["high"] - found["low"] < 0.4 * (alone["high"] - alone["low"])
    reverse = difference(OTHERS, VALUES)
    assert reverse["mean"] == -found["mean"] and reverse["low"] == -found["high"]
