"""Bradley-Terry strengths of systems from choices between two, by maximum likelihood.

The log-odds that b is preferred to a are strength b minus strength a (Bradley and Terry 1952,
Biometrika 39): a logistic regression without intercept, by statsmodels. Strengths are natural
logarithms of odds, and their mean is 0.

The intervals are those of intervals.py over listeners and items, for each choice's influence on a
strength: the inverse of the information times the choice's score (Hampel 1974, JASA 69). If the
likelihood has no maximum (a strength can grow without limit), there are no intervals.
"""

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from voiceconv.listen.analysis.intervals import Estimate, estimate, table
from voiceconv.listen.analysis.ratings import Floats, Ratings

HALF = 0.5  # part of a choice, in each direction, added to each pair if there is no maximum
_CLOSE = 1e-12  # the fit ends at this change of the deviance


def strengths(
    choices: Ratings, systems: Sequence[str], seed: int = 0
) -> tuple[dict[str, Estimate], bool]:
    """Choices between `systems` -> strength of each, and whether half choices were added.

    There is a maximum only if, for every split of the systems into two groups, each group has a
    system that was preferred to one of the other group at least once (Ford 1957). Otherwise half a
    choice in each direction is added to every pair, and the ends of all intervals are NaN.
    """
    numbers = [choices.systems.index(name) for name in systems]
    first, second = (np.searchsorted(numbers, column) for column in (choices.system, choices.other))
    wins = np.zeros((len(systems), len(systems)))  # [a, b]: times that b was preferred to a
    np.add.at(wins, (first, second), choices.value)
    np.add.at(wins, (second, first), 1 - choices.value)
    n_groups, _ = connected_components(wins > 0, connection="strong")
    if n_groups > 1:
        wins += HALF * (1 - np.eye(len(systems)))
    found = fit(wins)
    chance = 1 / (1 + np.exp(found[first] - found[second]))
    score = np.zeros((len(choices), len(systems)))
    rows = np.arange(len(choices))
    score[rows, second] = choices.value - chance
    score[rows, first] = chance - choices.value
    influence = score @ np.linalg.pinv(_information(wins, found))
    influence -= influence.mean(0)  # not 0 if half choices were added
    result = {}
    for number, name in enumerate(systems):
        own = (first == number) | (second == number)
        values = found[number] + len(choices) * influence[:, number]
        cells = table(choices.listener, choices.item, values)
        result[name] = estimate(cells, seed, n=int(own.sum()))
        if n_groups > 1:
            result[name] = result[name]._replace(low=np.nan, high=np.nan)
    return result, n_groups > 1


def fit(wins: Floats) -> Floats:
    """wins[a, b] (S, S), the times b was preferred to a -> log strengths (S,) with mean 0."""
    pairs = [(a, b) for a, b in combinations(range(len(wins)), 2) if wins[a, b] + wins[b, a] > 0]
    first, second = np.array(pairs).T
    design = np.zeros((len(pairs), len(wins)))
    design[range(len(pairs)), second] = 1
    design[range(len(pairs)), first] = -1
    counts = np.stack([wins[first, second], wins[second, first]], 1)
    # Without the first column, whose strength is 0: only differences of strengths are determined.
    model = GLM(counts, design[:, 1:], family=families.Binomial())
    # Two systems are fitted exactly; statsmodels warns about that.
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        found = np.array([0.0, *model.fit(tol=_CLOSE).params])
    centred: Floats = found - found.mean()
    return centred


def _chances(found: Floats) -> Floats:
    """[a, b]: the probability that b is preferred to a."""
    return 1 / (1 + np.exp(found[:, None] - found[None, :]))


def _information(wins: Floats, found: Floats) -> NDArray[np.float64]:
    """Fisher's information (S, S): the Laplacian of the pairs' variances."""
    chance = _chances(found)
    weight = (wins + wins.T) * chance * (1 - chance)
    return np.diag(weight.sum(0)) - weight
