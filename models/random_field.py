"""Random fields over the sizes of a grid: what neighbouring shapes have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InputError

Array = NDArray[np.float64]

_JITTER = 1e-9
"""Added to the variance of a smooth field, whose covariance is singular to rounding."""


def random_field(
    positions: Sequence[ArrayLike],
    lengths: float | Sequence[float],
    rng: np.random.Generator,
    *,
    smooth: bool = False,
) -> Array:
    """Draw a Gaussian field of mean 0 and variance 1 on a grid.

    The correlation of two cells is the product over the axes of exp(-|x - y| / length), the separable exponential
    (Ornstein-Uhlenbeck) covariance: continuous but rough, as the residuals of measured landscapes are. A smooth
    field has the squared exponential exp(-(x - y)^2 / (2 length^2)).

    Parameters
    ----------
    positions : sequence of array_like
        Where the cells lie along each axis; the logarithms of sizes make a doubling as far a way at every size.
    lengths : float or sequence of float
        Correlation length of all axes or of each, in the unit of the positions; 0 for cells that share nothing
        along an axis.
    rng : numpy.random.Generator
    smooth : bool

    Returns
    -------
    ndarray, one dimension an axis

    Raises
    ------
    InputError
        If a length is negative or not finite, or there is not one for each axis.
    """
    axes = [np.asarray(axis, dtype=np.float64) for axis in positions]
    each = [float(lengths)] * len(axes) if isinstance(lengths, int | float) else [float(value) for value in lengths]
    if len(each) != len(axes) or not all(np.isfinite(value) and value >= 0 for value in each):
        raise InputError(
            f"correlation lengths are one number of at least 0 or one for each of {len(axes)} axes, got {lengths!r}"
        )
    field = rng.standard_normal(tuple(axis.size for axis in axes))
    for number, (axis, length) in enumerate(zip(axes, each, strict=True)):
        if length > 0:
            distance = np.abs(np.subtract.outer(axis, axis)) / length
            exponent = 0.5 * distance**2 if smooth else distance
            root = np.linalg.cholesky(np.exp(-exponent) + _JITTER * smooth * np.eye(axis.size))
            field = np.moveaxis(np.tensordot(root, field, axes=(1, number)), 0, number)
    return field
