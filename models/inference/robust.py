"""Robust fits: coefficients that a few odd cells cannot move, and which cells those are.

M-estimation on relative residuals by iteratively reweighted non-negative least squares (Huber 1964; Beaton & Tukey
1974), the scale by the median absolute deviation. Nothing is dropped from the model's own fit: the robust one
stands beside it, to show whether its coefficients rest on a few cells.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.solve import solve_nonnegative

_norms: Any = importlib.import_module("statsmodels.robust.norms")

Array = NDArray[np.float64]

OUTLYING = 6.0
"""Robust standard deviations beyond which a cell is named an outlier."""

_ROUNDS = 60


@dataclass(frozen=True)
class RobustFit:
    """A robust fit beside the plain one.

    Attributes
    ----------
    norm : str
    theta : ndarray, shape (p,)
        Coefficients.
    scale : float
        Robust standard deviation of the relative residual, by the median absolute deviation.
    moved : ndarray, shape (p,)
        Robust minus plain coefficient, in half-widths of the plain one's interval; NaN where it has none.
    weight : ndarray, shape (n,)
        Of each cell, 1 where it counts in full.
    residual : ndarray, shape (n,)
        Relative residuals of the robust fit, 1 - fitted / measured.
    converged : bool
    """

    norm: str
    theta: Array
    scale: float
    moved: Array
    weight: Array
    residual: Array
    converged: bool

    @property
    def outliers(self) -> NDArray[np.int64]:
        """Cells beyond six robust standard deviations, the farthest first."""
        size = np.abs(self.residual) / self.scale
        rows = np.flatnonzero(size > OUTLYING)
        return np.asarray(rows[np.argsort(-size[rows], kind="stable")])


def robust_fit(
    columns: Array,
    time: Array,
    theta: Array,
    half_width: Array,
    norm: Literal["Huber", "Tukey"] = "Huber",
) -> RobustFit:
    """Fit relative errors robustly.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        Design.
    time : ndarray, shape (n,)
        Seconds.
    theta : ndarray, shape (p,)
        The plain fit, where the iteration starts (the biweight starts from Huber's).
    half_width : ndarray, shape (p,)
        Half the width of its 95 % intervals.
    norm : {"Huber", "Tukey"}
        Huber's norm bounds the influence of a cell; Tukey's biweight takes it to zero.
    """
    weighted = columns / time[:, None]
    start, steps = theta, [_norms.HuberT()]
    if norm == "Tukey":
        steps.append(_norms.TukeyBiweight())
    converged, weight = False, np.ones(time.size)
    for kind in steps:
        converged = False
        for _ in range(_ROUNDS):
            residual = 1.0 - weighted @ start
            scale = _scale(residual)
            weight = np.asarray(kind.weights(residual / scale), dtype=np.float64)
            gram = (weighted * weight[:, None]).T @ weighted
            new = solve_nonnegative(gram, weight @ weighted)
            change = np.abs(weighted.mean(axis=0) * (new - start)).max(initial=0.0)
            start = new
            if change < 1e-7:
                converged = True
                break
    residual = 1.0 - weighted @ start
    moved = np.divide(start - theta, half_width, out=np.full(theta.size, np.nan), where=half_width > 0)
    return RobustFit(norm, start, _scale(residual), moved, weight, residual, converged)


def _scale(residual: Array) -> float:
    """Median absolute deviation, as a standard deviation; of a perfect fit, rounding."""
    middle = float(np.median(np.abs(residual - np.median(residual))))
    return max(1.4826 * middle, 1e-12)
