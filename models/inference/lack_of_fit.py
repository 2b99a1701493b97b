"""Lack of fit against pure error: how much of a residual is noise, and how good any model can be.

Repeats of one cell differ by noise alone; a residual holds noise and what the model misses. Their ratio is the
classical test of lack of fit (Draper & Smith 1998, section 2.1). Its null hypothesis is that the model is exact:
on a deterministic landscape with precise timings it is rejected by every model worth its name, so the sizes matter
more than the p-value. Noise that repeats of one run share (a clock that is low all day) is in no pure error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

NO_REPEATS = "not testable: no repeats"


@dataclass(frozen=True)
class PureError:
    """Noise of each cell's time, from its repeats.

    Attributes
    ----------
    variance : ndarray, shape (n,)
        Estimated relative variance of the time of a cell (not of one repeat); NaN where unknown.
    degrees : float
        Degrees of freedom of each cell's estimate; infinite where the spread was stated rather than estimated.
    source : str
        What it was computed from.
    """

    variance: Array
    degrees: float
    source: str


@dataclass(frozen=True)
class LackOfFit:
    """Residual of a tile, divided into noise and lack of fit. Errors are relative, fractions.

    Attributes
    ----------
    note : str
        Empty, or why nothing can be said.
    noise : float
        Root of the pure-error variance of a cell's time: no model can have a smaller root mean square error.
    lack_of_fit : float
        Root of the residual variance beyond noise; 0 where the residual is no larger than noise.
    residual, held_out : float
        Root mean square of the residuals in sample (by degrees of freedom) and held out.
    noise_share : float
        Share of the held-out squared error that is noise, at most 1.
    ceiling_median : float
        Median absolute relative error of a perfect model under normal noise: 0.6745 times that of each cell.
    statistic, p_value : float
        F ratio of residual variance to pure-error variance; its null is that the model is exact.
    degrees : tuple of float
        Of its numerator and denominator; those of normal cells of equal noise, scaled to the variance that the
        ratio has here: cells differ in noise, and medians of repeats are not independent of their spread.
    source : str
    """

    note: str = ""
    noise: float = float("nan")
    lack_of_fit: float = float("nan")
    residual: float = float("nan")
    held_out: float = float("nan")
    noise_share: float = float("nan")
    ceiling_median: float = float("nan")
    statistic: float = float("nan")
    p_value: float = float("nan")
    degrees: tuple[float, float] = (float("nan"), float("nan"))
    source: str = ""

    @property
    def testable(self) -> bool:
        """Whether there were repeats."""
        return self.note == ""


def lack_of_fit(residual: Array, held_out: Array, parameters: int, pure: PureError | None) -> LackOfFit:
    """Divide the residual of a tile into noise and lack of fit.

    Parameters
    ----------
    residual : ndarray, shape (n,)
        Relative residuals of the fit.
    held_out : ndarray, shape (n,)
        Relative errors of predictions by fits to other blocks.
    parameters : int
        Coefficients that are not at their bound.
    pure : PureError or None
        Noise of the same cells; ``None`` without repeats.
    """
    known = np.isfinite(pure.variance) if pure is not None else np.zeros(residual.size, dtype=np.bool_)
    count = int(known.sum())
    freedom = count - parameters * count / max(1, residual.size)
    if pure is None or count < 2 or freedom <= 0 or not (pure.variance[known] > 0).any():
        return LackOfFit(note=NO_REPEATS)
    variance = pure.variance[known]
    noise = float(variance.mean())
    squares = residual[known] ** 2
    square = float(squares.sum()) / freedom
    degrees = _degrees(squares, variance, freedom, count * pure.degrees)
    outside = float(np.mean(held_out[known] ** 2))
    ratio = square / noise
    p_value = (
        stats.f.sf(ratio, *degrees) if np.isfinite(degrees[1]) else stats.chi2.sf(ratio * degrees[0], degrees[0])
    )
    return LackOfFit(
        "",
        float(np.sqrt(noise)),
        float(np.sqrt(max(0.0, square - noise))),
        float(np.sqrt(square)),
        float(np.sqrt(outside)),
        min(1.0, noise / outside),
        0.6745 * float(np.median(np.sqrt(variance))),
        ratio,
        float(p_value),
        (float(degrees[0]), float(degrees[1])),
        pure.source,
    )


def _degrees(squares: Array, variance: Array, numerator: float, denominator: float) -> tuple[float, float]:
    """Degrees of freedom under which an F ratio varies as much as these cells say.

    The logarithm of an F ratio has a variance of about 2 / numerator + 2 / denominator; that of this ratio is the
    mean square of what each cell adds to it.
    """
    if not squares.any():
        return numerator, denominator
    each = squares / squares.mean() - variance / variance.mean()
    seen = float((each**2).sum()) / each.size**2
    scale = float(np.clip((2.0 / numerator + 2.0 / denominator) / seen, 0.01, 4.0)) if seen > 0 else 1.0
    return numerator * scale, denominator * scale
