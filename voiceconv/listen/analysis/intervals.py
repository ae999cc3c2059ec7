"""Means of answers, with 95% intervals for other listeners and other items than those of the test.

Answers are a two-way table: listener l rated item i. Two answers of one listener, or two on one
item, are correlated, so the model has crossed random effects,

    answer = mean + listener + item + residual,

and the interval is a *symmetric bootstrap-t over listeners and items*:

- Listeners and items are drawn with replacement, independently (the pigeonhole bootstrap: McCullagh
  2000, Bernoulli 6; Owen 2007, Annals of Applied Statistics 1). It counts the residual about
  three times, so its spread is too wide if people agree, and its percentiles are too narrow for ten
  listeners; neither is used.
- Each draw's mean is divided by its own standard error instead, and so is the data's (bootstrap-t,
  symmetric: Hall 1988, JRSS B 50). The 95th percentile of |draw's mean - mean| / (draw's error) is
  the half width of the interval, in standard errors of the data. It is at least that of Student's t
  with the error's degrees of freedom, because ten listeners or items do not show their tails.
- The standard error is that of the model: its three variances by the method of moments, unbiased
  for whatever cells were answered (as Gao and Owen 2017, Electronic Journal of Statistics 11); of
  complete tables the mean squares of the two-way analysis of variance. Listeners and items together
  never take from the residual's part.

Where the coverage is not 95% (benchmarks/listen_simulation.py has the table): 96% to 99% if neither
listeners nor items differ, because estimated variances can be above 0, but their sum not below; up
to 98% for ten listeners and ten items with few common cells. Below `FEWEST` of either there is no
bootstrap, only Student's t, with a coverage of 90% for two or three. With a single item the
interval is for other listeners on that item. With a single listener there is none.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

N_DRAWS = 2000
COVERAGE = 0.95
FEWEST = 6  # fewest listeners and items for a bootstrap
_TINY = 1e-12
_RIDGE = 1e-12

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Estimate(NamedTuple):
    """A value with its 95% interval; NaN for both ends if there is none (one listener)."""

    mean: float
    low: float
    high: float
    n: int  # ratings, choices
    n_listeners: int
    n_items: int


class Cells(NamedTuple):
    """Listeners by items: sums of the answers (L, I), and their counts (L, I).

    scale: correction of the squared deviations of listeners' sums, of items' sums, and of cells, if
    the answers are residuals of a fit, whose variance is too small.
    """

    sums: Floats
    counts: Floats
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def n(self) -> int:
        """Answers."""
        return round(float(self.counts.sum()))

    @property
    def mean(self) -> float:
        """Of all answers."""
        return float(self.sums.sum() / self.counts.sum())


class Variances(NamedTuple):
    """Variances of the model's parts (may be negative), and their weights in that of the mean.

    With n answers, of which n_l are listener l's: listeners' is sum(n_l^2) / n^2, which is 1 / L
    where all have as many; items' likewise; residuals' is 1 / n.
    """

    listener: float
    item: float
    residual: float
    per_listener: float
    per_item: float
    per_answer: float
    n_listeners: int
    n_items: int
    n_cells: int  # with an answer

    @property
    def of_mean(self) -> float:
        """The squared standard error, at least that of the residual."""
        error = self.residual * self.per_answer
        return max(self.listener * self.per_listener + self.item * self.per_item, 0.0) + error

    @property
    def df(self) -> float:
        """Degrees of freedom of the squared standard error, after Satterthwaite 1946.

        It is the sum of listeners' and items' mean squares minus the residual's, or only the last.
        """
        error = self.residual * self.per_answer
        rows, columns = self.listener * self.per_listener, self.item * self.per_item
        n_rows, n_columns = self.n_listeners - 1, self.n_items - 1
        n_residual = max(self.n_cells - n_rows - n_columns - 1, 1)
        if n_columns == 0 or error + rows + columns < _TINY:
            return float(max(n_rows, 1))
        if rows + columns <= 0:
            return float(n_residual)
        spread = (rows + error) ** 2 / max(n_rows, 1) + (columns + error) ** 2 / n_columns
        return float(self.of_mean**2 / (spread + error**2 / n_residual))


def table(listener: Integers, item: Integers, values: Floats) -> Cells:
    """Answers (n,) with their listeners and items, by number -> cells of those with answers."""
    listeners, rows = np.unique(listener, return_inverse=True)
    items, columns = np.unique(item, return_inverse=True)
    shape = (len(listeners), len(items))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (rows, columns), values)
    np.add.at(count, (rows, columns), 1.0)
    return Cells(total, count)


def estimate(
    cells: Cells, seed: int = 0, bounds: tuple[float, float] | None = None, n: int | None = None
) -> Estimate:
    """The mean of a table of answers and its interval, cut off at `bounds` (the scale's ends)."""
    mean, shape = cells.mean, cells.sums.shape
    reach = margin(cells, seed)
    low, high = mean - reach, mean + reach
    if bounds is not None:
        low, high = (float(np.clip(end, *bounds)) for end in (low, high))
    return Estimate(mean, low, high, cells.n if n is None else n, *shape)


def margin(cells: Cells, seed: int = 0) -> float:
    """The half width of the interval; NaN for a single listener."""
    found = variances(cells)
    if found.n_listeners < 2:
        return float("nan")
    error = float(np.sqrt(found.of_mean))
    if error < _TINY:
        return 0.0
    return error * _quantile(cells, found.df, seed)


def variances(cells: Cells) -> Variances:
    """The variances of a table's parts, by the method of moments, and their weights."""
    n_listeners, n_items = cells.sums.shape
    _, parts, weights = _moments(cells, np.ones((1, n_listeners)), np.ones((1, n_items)))
    sizes = (n_listeners, n_items, int((cells.counts > 0).sum()))
    return Variances._make((*parts[0].tolist(), *weights[0].tolist(), *sizes))


def _quantile(cells: Cells, df: float, seed: int) -> float:
    """The 95% point of |t|: over draws of listeners and items, or Student's if it is larger."""
    shape = cells.sums.shape
    students = float(student.ppf((1 + COVERAGE) / 2, df))
    if min(size for size in shape if size > 1) < FEWEST:
        return students
    mean, parts, weights = _moments(cells, *_drawn(shape, seed))
    terms = parts * weights
    error = np.sqrt(np.maximum(terms[:, 0] + terms[:, 1], 0.0) + terms[:, 2])
    defined = np.isfinite(mean) & (error > _TINY)  # false if all drawn values are equal
    if defined.mean() < COVERAGE:
        return students
    t = np.abs(mean[defined] - cells.mean) / error[defined]
    return max(students, float(np.quantile(t, COVERAGE)))


@lru_cache(maxsize=4)  # the systems of a test have the same listeners and items
def _drawn(shape: tuple[int, int], seed: int) -> tuple[Floats, Floats]:
    """Counts of each listener (R, L) and each item (R, I) in each draw."""
    rng = np.random.default_rng(seed)
    of_listeners, of_items = (
        rng.multinomial(size, np.full(size, 1 / size), N_DRAWS).astype(np.float64) for size in shape
    )
    return of_listeners, of_items


def _moments(cells: Cells, w: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """Counts of each listener (R, L) and item (R, I) -> means (R,), variances and weights.

    Variances (R, 3), of listeners, items and residuals, solve `expected @ variances = squares`,
    where squares are the sums of squares of the deviations from the mean: of listeners' sums, of
    items' sums, and of cells. Weights (R, 3) make the variance of the mean of them.
    """
    total, count, corrected = cells
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw may have no answer
        of_listener, of_item = v @ count.T, w @ count  # answers: (R, L), (R, I)
        n = (w * of_listener).sum(1)
        mean = (w * (v @ total.T)).sum(1) / n
        by_listener = v @ total.T - mean[:, None] * of_listener
        by_item = w @ total - mean[:, None] * of_item
        count_squares = w @ count**2  # (R, I)
        n2 = (v * count_squares).sum(1)
        by_cell = (v * (w @ total**2)).sum(1) - 2 * mean * (v * (w @ (total * count))).sum(1)
        squares = [(w * by_listener**2).sum(1), (v * by_item**2).sum(1), by_cell + mean**2 * n2]
        expected = _expected(cells, w, v, of_listener, of_item, n, n2, count_squares)
        scale = np.stack([(w * of_listener**2).sum(1), (v * of_item**2).sum(1), n], 1)  # (R, 3)
        matrix = np.nan_to_num(expected / scale[..., None])  # rows of one size
        right = np.nan_to_num(np.stack(squares, 1) * corrected / scale)
        parts = _solved(matrix, right)
        parts[:, 2] = np.maximum(parts[:, 2], 0.0)
        return mean, parts, scale / n[:, None] ** 2


def _solved(matrix: Floats, right: Floats) -> Floats:
    """(R, 3, 3), (R, 3) -> (R, 3) by least squares.

    The ridge is for tables where listeners cannot be separated from residuals.
    """
    turned = matrix.swapaxes(1, 2)
    square = turned @ matrix + _RIDGE * np.eye(3)
    return np.asarray(np.linalg.solve(square, turned @ right[..., None])[..., 0], np.float64)


def _expected(
    cells: Cells,
    w: Floats,
    v: Floats,
    of_listener: Floats,
    of_item: Floats,
    n: Floats,
    n2: Floats,
    count_squares: Floats,
) -> Floats:
    """(R, 3, 3): the part of each variance in each sum of squares about the data's mean."""
    count = cells.counts
    L2, I2 = (w * of_listener**2).sum(1), (v * of_item**2).sum(1)
    L3, I3 = (w * of_listener**3).sum(1), (v * of_item**3).sum(1)
    crossed = (w * of_listener * ((v * of_item) @ count.T)).sum(1)
    both = n2 - 2 * crossed / n + L2 * I2 / n**2
    listener_cells = (w * of_listener * (v @ (count**2).T)).sum(1)
    item_cells = (v * of_item * count_squares).sum(1)
    rows = [
        [L2 - 2 * L3 / n + L2**2 / n**2, both, n - L2 / n],
        [both, I2 - 2 * I3 / n + I2**2 / n**2, n - I2 / n],
        [
            n2 - 2 * listener_cells / n + n2 * L2 / n**2,
            n2 - 2 * item_cells / n + n2 * I2 / n**2,
            n - n2 / n,
        ],
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1)
