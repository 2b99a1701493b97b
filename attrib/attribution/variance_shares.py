"""How much of the variance of a kernel's time each term explains: Shapley shares of R^2, from one Gram matrix.

The share of a regressor is what it adds to R^2, averaged over all orders in which regressors can enter (LMG:
R. Lindeman, P. Merenda and R. Gold, "Introduction to Bivariate and Multivariate Analysis", 1980, page 119;
U. Groemping, "Estimators of relative importance in linear regression based on variance decomposition", 2007).
R^2 of every subset follows from the Gram matrix alone: samples are passed over once, whatever their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.shapley import shapley_values
from harness.compiled import njit
from harness.errors import InputError
from harness.samples import Samples
from models.result import FitResult

Array = NDArray[np.float64]

MOST_GROUPS = 12
"""Groups of regressors whose subsets are all played: 4096."""

_DEPENDENT = 1e-10
"""Share of its own square that a column must keep beside the others to count as one of its own."""


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the variance of relative time that the terms of one tile's model explain.

    Attributes
    ----------
    shares : mapping of str to float
        A term's share of R^2, a fraction of the variance; never negative, and they add up to ``r_squared``.
    r_squared : float
        What all terms explain of the variance about one constant throughput.
    samples : int
    """

    shares: Mapping[str, float]
    r_squared: float
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {
            "unit": "fraction of the variance of relative time about one constant throughput",
            "shares": dict(self.shares),
            "r_squared": self.r_squared,
            "samples": self.samples,
        }


def gram_of(columns: Array, response: Array) -> Array:
    """Gram matrix of columns (n, p) with the response (n,) as the last: shape (p + 1, p + 1)."""
    gram = np.empty((columns.shape[1] + 1, columns.shape[1] + 1))
    gram[:-1, :-1] = columns.T @ columns
    gram[-1, :-1] = gram[:-1, -1] = response @ columns
    gram[-1, -1] = response @ response
    return gram


def lmg_shares(gram: Array, groups: Sequence[Sequence[int]], always: Sequence[int] = ()) -> tuple[Array, float]:
    """Shapley shares of R^2 of a least-squares fit, exactly.

    Parameters
    ----------
    gram : ndarray, shape (p + 1, p + 1)
        Products of the columns with each other and, last, with the response (:func:`gram_of`).
    groups : sequence of sequence of int
        Columns that enter together; at most :data:`MOST_GROUPS` groups.
    always : sequence of int
        Columns that are in every fit, an intercept say: R^2 is of what they leave.

    Returns
    -------
    ndarray, shape (groups,)
        Shares, which add up to R^2.
    float
        R^2 of all groups together. Both are NaN where ``always`` leaves nothing to explain.

    Raises
    ------
    InputError
        If the matrix is not square, or the groups are too many, overlap or name unknown columns.
    """
    named = [*always, *(column for group in groups for column in group)]
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or len(groups) > MOST_GROUPS:
        raise InputError(
            f"expected a square Gram matrix and at most {MOST_GROUPS} groups, got {gram.shape} and {len(groups)}"
        )
    if len(set(named)) != len(named) or any(not 0 <= column < gram.shape[0] - 1 for column in named):
        raise InputError(f"every column may be in one group, and columns run to {gram.shape[0] - 2}, got {named}")
    order = np.array([*named, gram.shape[0] - 1])
    scale = np.sqrt(np.diag(gram)[order])
    scale[scale == 0] = 1.0
    whole = gram[np.ix_(order, order)] / np.outer(scale, scale)
    ends = len(always) + np.concatenate([[0], np.cumsum([len(group) for group in groups])]).astype(np.int64)
    left = _unexplained(whole, len(always), ends)
    if not left[0] > _DEPENDENT:
        return np.full(len(groups), np.nan), float("nan")
    explained = (left[0] - left) / left[0]
    return shapley_values(explained), float(explained[-1])


def time_variance(fit: FitResult, cube: xr.Dataset) -> dict[str, VarianceShares]:
    """Share out the variance of relative time of each tile among the terms of its model.

    Time is relative as in the fit, where every sample's error counts as a fraction of its time. What is shared out
    is the variance about one constant throughput (time proportional to useful FLOP), and each subset of terms is
    fitted by least squares of its own, without signs of costs.

    Parameters
    ----------
    fit : FitResult
    cube : xarray.Dataset
        Landscape cube whose samples are used.

    Returns
    -------
    dict of str to VarianceShares
        By tile; a tile without samples, without a model, of more than :data:`MOST_GROUPS` terms or whose
        throughput is constant has none.
    """
    samples = Samples.from_cube(cube)
    found = {}
    for index, tile in enumerate(samples.tiles):
        part = samples.of_tile(index)
        if tile.name not in fit.tiles or part.size == 0:
            continue
        design = fit.design(tile.name)
        problem = fit.problem(tile.name, part.M, part.N, part.K)
        columns = np.column_stack([problem.flop, fit.matrix(tile.name, problem)])
        gram = gram_of(columns / part.time[:, np.newaxis], np.ones(part.size))
        widths = [len(term.coefficients(design.tile, fit.hardware)) for term in design.terms]
        starts = 1 + np.concatenate([[0], np.cumsum(widths)])
        if len(widths) > MOST_GROUPS:
            continue
        groups = [range(start, start + width) for start, width in zip(starts[:-1], widths, strict=True)]
        shares, whole = lmg_shares(gram, groups, always=(0,))
        if np.isfinite(whole):
            names = [term.name for term in design.terms]
            found[tile.name] = VarianceShares(dict(zip(names, shares.tolist(), strict=True)), whole, part.size)
    return found


@njit
def _sweep(matrix: Array, column: int, whole: Array) -> None:
    """Take from all columns what one explains; one that depends on those before explains nothing."""
    pivot = matrix[column, column]
    if pivot <= _DEPENDENT * whole[column, column]:
        return
    size = matrix.shape[0]
    factor = matrix[column].copy() / pivot
    for i in range(size):
        weight = matrix[i, column]
        for j in range(size):
            matrix[i, j] -= weight * factor[j]


@njit
def _unexplained(whole: Array, always: int, ends: NDArray[np.int64]) -> Array:
    """Square of the response that each subset of groups leaves, shape (2**groups,), indexed by its bits.

    Subsets are visited in ascending order. That without its lowest group comes before it and is the last so far
    with as many groups, so one matrix for each number of groups is all that is kept, and no sweep is undone.
    """
    groups = ends.size - 1
    size = whole.shape[0]
    kept = np.empty((groups + 1, size, size))
    kept[0] = whole
    for column in range(always):
        _sweep(kept[0], column, whole)
    left = np.empty(1 << groups)
    left[0] = kept[0, size - 1, size - 1]
    for code in range(1, 1 << groups):
        members, lowest = 0, -1
        for group in range(groups):
            if code >> group & 1:
                members += 1
                lowest = group if lowest < 0 else lowest
        kept[members] = kept[members - 1]
        for column in range(ends[lowest], ends[lowest + 1]):
            _sweep(kept[members], column, whole)
        left[code] = kept[members, size - 1, size - 1]
    return left
