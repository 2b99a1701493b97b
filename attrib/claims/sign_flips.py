"""Inference on few exchangeable units: jackknife pseudo-values, tested by random sign flips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import NotApplicableError

Array = NDArray[np.float64]

DRAWS = 1999
FEWEST_UNITS = 6
"""Of five units the 32 sign flips reach no p-value below 5 %."""
FEWEST_OF_A_KIND = 10
"""Blocks that must hold cells of either kind where two kinds are compared: with seven, a nominal 5 % was 12 %."""


LEVEL = 0.05
"""Of tests, and of the intervals that agree with them."""


@dataclass(frozen=True)
class Measure:
    """What was measured for a claim.

    Attributes
    ----------
    value : float
        Effect.
    lower, upper : float or None
        95 % interval.
    p_value : float or None
        Of the claim's null hypothesis, before any correction.
    units : int
        Blocks, lines or timings that were taken as exchangeable.
    detail : str
        Further numbers, in words.
    """

    value: float
    lower: float | None
    upper: float | None
    p_value: float | None
    units: int
    detail: str = ""

    def as_fraction(self) -> Measure:
        """Turn logarithms of a ratio into fractions above one."""
        return self._mapped(np.expm1)

    def as_ratio(self) -> Measure:
        """Turn logarithms of a ratio into the ratio."""
        return self._mapped(np.exp)

    def _mapped(self, function: Callable[[float], float]) -> Measure:
        ends = [None if end is None else float(function(end)) for end in (self.lower, self.upper)]
        return replace(self, value=float(function(self.value)), lower=ends[0], upper=ends[1])


def block_sums(columns: Array, labels: NDArray[np.int64]) -> Array:
    """Sum columns over the cells of each block.

    Parameters
    ----------
    columns : ndarray, shape (q, n)
        Quantities of each cell; a cell with any NaN is left out of all.
    labels : ndarray of int64, shape (n,)
        Block of each cell; negative for a cell that is left out.

    Returns
    -------
    ndarray, shape (B, q)
        Blocks without a cell are left out.
    """
    kept = np.isfinite(columns).all(axis=0) & (labels >= 0)
    labels = labels[kept]
    if labels.size == 0:
        return np.empty((0, columns.shape[0]))
    sums = np.stack([np.bincount(labels, weights=column[kept]) for column in columns], axis=1)
    return np.asarray(sums[np.bincount(labels, minlength=sums.shape[0]) > 0])


def measure(
    sums: Array,
    estimator: Callable[[Array], Array],
    null: float,
    *,
    seed: int = 0,
    detail: str = "",
    level: float = LEVEL,
) -> Measure:
    """Estimate a function of block totals, with an interval and a test that agree with each other.

    The pseudo-value of a block is B times the estimate less B - 1 times the estimate without it (Quenouille 1956).
    Were the effect ``null``, pseudo-values would lie as often as far above it as below, so that signs of their
    distances are flipped at random, all blocks apart. The interval holds the effects which the test would not
    reject; those of sign flips are means of random subsets (Hartigan 1969, typical values).

    Parameters
    ----------
    sums : ndarray, shape (B, q)
        Totals of each block (:func:`block_sums`).
    estimator : callable
        Totals of shape (..., q) to estimates of shape (...).
    null : float
        Effect under the null hypothesis.
    seed : int
    detail : str
    level : float
        Of the test that the interval agrees with; less where several intervals are to hold at once.

    Raises
    ------
    NotApplicableError
        If there are fewer than six blocks, or an estimate cannot be made without one of them.
    """
    count = sums.shape[0]
    if count < FEWEST_UNITS:
        raise NotApplicableError(
            f"{count} blocks of shapes can tell, and {FEWEST_UNITS} are needed: measure more sizes of M and N"
        )
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(estimator(total))
        pseudo = count * value - (count - 1) * np.asarray(estimator(total - sums))
    if not np.isfinite(value) or not np.isfinite(pseudo).all():
        raise NotApplicableError("too few shapes on one side of the comparison: measure more sizes of M and N")
    above = _flips(count, seed)
    centre = float(pseudo.mean())
    observed = abs(centre - null)
    lows, highs = _subset_means(pseudo, above)
    # A flipped sum is the difference of two subset sums; |flipped| >= |observed| where the null lies between the
    # subset means.
    slack = 1e-12 * (observed + float(np.abs(pseudo).max()))
    between = (lows <= null + slack) & (null - slack <= highs)
    p_value = float((1 + np.count_nonzero(between)) / (1 + above.shape[0]))
    # The data themselves count among the draws, in the test and in the interval.
    rank = max(0, int(np.floor(level * (1 + above.shape[0]))) - 1)
    low, high = float(np.sort(lows)[rank]), float(np.sort(highs)[::-1][rank])
    # Pseudo-values are centred on the bias-corrected estimate: the interval is moved to the one reported.
    shift = value - centre
    return Measure(value, low + shift, high + shift, p_value, count, detail)


def contrast(values: Array, mark: Array, labels: NDArray[np.int64], **options: Any) -> Measure:
    """Compare the means of marked cells and of all others: the logarithm of their ratio.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where a cell has none.
    mark : ndarray, shape (n,)
        1 where a cell is marked, else 0.
    labels : ndarray of int64, shape (n,)
        Block of each cell.
    **options
        As for :func:`measure`; the null effect is 0.

    Raises
    ------
    NotApplicableError
        If marked cells, or others, lie in fewer than ten blocks: each block would weigh too much.
    """
    found = block_sums(np.stack([values * mark, mark, values * (1.0 - mark), 1.0 - mark]), labels)
    for column, name in ((1, "in question"), (3, "to compare them with")):
        count = int(np.count_nonzero(found[:, column]))
        if count < FEWEST_OF_A_KIND:
            raise NotApplicableError(
                f"shapes {name} lie in {count} blocks, and {FEWEST_OF_A_KIND} are needed: measure a wider range"
            )
    return measure(found, log_ratio_of_means, 0.0, **options)


def ratio(sums: Array) -> Array:
    """First total over the second."""
    return np.asarray(sums[..., 0] / sums[..., 1])


def log_ratio_of_means(sums: Array) -> Array:
    """Logarithm of the ratio of two means, from totals (sum, count, sum, count)."""
    return np.asarray(np.log(sums[..., 0] / sums[..., 1]) - np.log(sums[..., 2] / sums[..., 3]))


def _flips(count: int, seed: int) -> NDArray[np.bool_]:
    """Subsets whose signs stay, shape (draws, count): all there are, or as many as are drawn."""
    if 2**count <= DRAWS:
        numbers = np.arange(1, 2**count)  # without the subset of none, which stands for the data
        return np.asarray((numbers[:, None] >> np.arange(count)) & 1, dtype=np.bool_)
    return np.random.default_rng(seed).random((DRAWS, count)) < 0.5


def _subset_means(pseudo: Array, above: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Smaller and larger of the means over each subset and over its complement, shape (draws,) each.

    All signs kept, or all turned, is the data: no effect is told from it.
    """
    inside = above.sum(axis=1)
    total = above @ pseudo
    whole = (inside == 0) | (inside == pseudo.size)
    first = total / np.where(whole, 1, inside)
    second = (pseudo.sum() - total) / np.where(whole, 1, pseudo.size - inside)
    return (
        np.where(whole, -np.inf, np.minimum(first, second)),
        np.where(whole, np.inf, np.maximum(first, second)),
    )
