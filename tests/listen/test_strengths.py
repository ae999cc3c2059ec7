"""Bradley-Terry strengths against statsmodels and by hand."""

import numpy as np
import pytest

from voiceconv.listen.analysis.intervals import estimate, table
from voiceconv.listen.analysis.ratings import Ratings
from voiceconv.listen.analysis.strengths import fit, strengths

TRUE = np.array([-0.8, 0.1, 0.7])


def choices(n_listeners=20, n_items=15, true=TRUE, seed=0, kept=1.0) -> Ratings:
    """Independent choices of all pairs, or some of them."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(len(true), 1)
    listener, item, pair = np.indices((n_listeners, n_items, len(first))).reshape(3, -1)
    own = rng.random(len(pair)) < kept
    listener, item, pair = listener[own], item[own], pair[own]
    chance = 1 / (1 + np.exp(true[first] - true[second]))[pair]
    value = (rng.random(len(pair)) < chance).astype(float)
    names = tuple("abcdefg"[: len(true)])
    listeners, items = (tuple(map(str, range(n))) for n in (n_listeners, n_items))
    nowhere = np.zeros(len(pair), np.int64)
    return Ratings(
        listeners, items, names, ("",), listener, item, nowhere, first[pair], second[pair], value
    )


@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_strengths_are_statsmodels_logistic_regression(kept):
    models = pytest.importorskip("statsmodels.api")
    own = choices(kept=kept)
    design = np.zeros((len(own), 3))
    design[np.arange(len(own)), own.other] = 1
    design[np.arange(len(own)), own.system] = -1
    fitted = models.GLM(own.value, design[:, 1:], family=models.families.Binomial()).fit(tol=1e-12)
    expected = np.array([0, *fitted.params])
    found, is_separated = strengths(own, ["a", "b", "c"])
    means = np.array([one.mean for one in found.values()])
    assert not is_separated and list(found) == ["a", "b", "c"]
    assert means == pytest.approx(expected - expected.mean(), abs=1e-6)
    assert means.sum() == pytest.approx(0, abs=1e-12)
    # Independent choices: an interval is about 1.96 of the regression's errors to either side.
    turned = np.array([[-1, -1], [2, -1], [-1, 2]]) / 3
    errors = np.sqrt(np.diag(turned @ fitted.cov_params() @ turned.T))
    reach = np.array([one.high - one.mean for one in found.values()])
    assert reach == pytest.approx(1.96 * errors, rel=0.4) and (reach > 1.6 * errors).all()
    n = [((own.system == number) | (own.other == number)).sum() for number in range(3)]
    assert [one.n for one in found.values()] == n


@pytest.mark.filterwarnings("error")
def test_two_systems_by_hand():
    """30 of 40 prefer the second: log 3 between them."""
    assert fit(np.array([[0.0, 30.0], [10.0, 0.0]])) == pytest.approx(
        [-np.log(3) / 2, np.log(3) / 2], abs=1e-9
    )


def test_of_two_systems_the_interval_is_that_of_the_share():
    """log(p / (1 - p)) / 2 is the strength; to first order it moves by dp / (2 p (1 - p))."""
    own = choices(true=np.array([0.0, 1.0]))
    share = estimate(table(own.listener, own.item, own.value))
    found, _ = strengths(own, ["a", "b"])
    p = share.mean
    assert found["b"].mean == pytest.approx(np.log(p / (1 - p)) / 2, abs=1e-8)
    for end in ("low", "high"):
        moved = (getattr(share, end) - p) / (2 * p * (1 - p))
        assert getattr(found["b"], end) - found["b"].mean == pytest.approx(moved, abs=1e-6)


def test_the_same_choices_told_the_other_way_round():
    own = choices()
    turned = Ratings(
        **{**vars(own), "systems": ("c", "b", "a"), "system": 2 - own.other,
           "other": 2 - own.system, "value": 1 - own.value}
    )  # fmt: skip
    found, again = strengths(own, ["a", "b", "c"])[0], strengths(turned, ["c", "b", "a"])[0]
    for name in "abc":
        assert again[name] == pytest.approx(found[name], abs=1e-8)


def test_who_always_wins_gets_half_a_choice_less():
    """12 of 12: half a choice is added either way, log(12.5 / 0.5) between them."""
    own = choices(4, 3, np.array([0.0, 50.0]))
    assert own.value.tolist() == [1.0] * 12
    found, is_separated = strengths(own, ["a", "b"])
    assert is_separated
    assert found["b"].mean == pytest.approx(np.log(25) / 2, abs=1e-8)


def test_whose_strength_has_no_maximum_has_no_interval():
    """9 listeners who always prefer the second: any strength, the larger the likelier."""
    found, is_separated = strengths(choices(9, 10, np.array([0.0, 50.0])), ["a", "b"])
    assert is_separated
    assert found["b"][:3] == pytest.approx((np.log(90.5 / 0.5) / 2, np.nan, np.nan), nan_ok=True)
    assert found["a"][:3] == pytest.approx((-np.log(181) / 2, np.nan, np.nan), nan_ok=True)
    assert found["b"][3:] == (90, 9, 10)


def test_systems_that_were_never_compared_are_told_apart_by_half_choices_only():
    """a-b and c-d, 3 to 1 each: nothing says that d is better than b."""
    own = choices(4, 1, np.zeros(4))
    pairs = ((own.system == 0) & (own.other == 1)) | ((own.system == 2) & (own.other == 3))
    own = own.where(pairs)
    own.value[:] = np.where(own.listener == 0, 0.0, 1.0)
    found, is_separated = strengths(own, ["a", "b", "c", "d"])
    means = [one.mean for one in found.values()]
    assert is_separated
    assert means[0] == pytest.approx(means[2]) and means[1] == pytest.approx(means[3])
    assert means[1] > 0 > means[0]
