"""Roughness of throughput: the mean absolute step between neighbouring shapes, with or without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from harness.errors import InputError
from harness.grid import AXES

_RATIOS = np.linspace(0.0, 8.0, 81)
_BIN = 0.05
_ITERATIONS = 1000


@dataclass(frozen=True)
class Roughness:
    """Roughness of one landscape, in TFLOP/s per grid step; ``None`` where an axis has no steps.

    Attributes
    ----------
    M, N, K : float or None
        Along each axis, over the whole cube.
    mean : float or None
        Mean of the three axes; ``None`` unless all three have steps.
    slice_N, slice_M : float or None
        Along N and along M in the slice at the largest K.
    """

    M: float | None
    N: float | None
    K: float | None
    mean: float | None
    slice_N: float | None
    slice_M: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return the fields by name, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        parts = (f"{name} {'-' if value is None else format(value, '.2f')}" for name, value in asdict(self).items())
        return f"roughness in TFLOP/s per step: {', '.join(parts)}"


def axis_roughness(throughput: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
    """Mean absolute step along one axis, over all lines of each cube (paper, section 2.3).

    Every step whose both ends are available counts once, so that lines with gaps weigh as much as the steps
    they have; without gaps this is the mean over lines of the mean step of a line.

    Parameters
    ----------
    throughput : numpy.ndarray of float64, shape (..., M, N, K)
        TFLOP/s; NaN where not available. Leading dimensions (coalitions, draws) are kept.
    axis : {"M", "N", "K"}
        The axis to step along.

    Returns
    -------
    numpy.ndarray of float64, shape (...,)
        TFLOP/s per step; NaN for a cube without any step.

    Raises
    ------
    InputError
        If the axis has another name or the array fewer than three dimensions.
    """
    if axis not in AXES or throughput.ndim < 3:
        raise InputError(
            f"roughness needs an axis out of M, N, K and an array (..., M, N, K), got {axis!r} and shape "
            f"{throughput.shape}"
        )
    steps = np.diff(throughput, axis=AXES.index(axis) - 3)
    np.abs(steps, out=steps)
    cubes = (-3, -2, -1)
    total = np.asarray(steps.sum(axis=cubes))
    count = np.full(total.shape, prod(steps.shape[-3:]), dtype=np.int64)
    if np.any(np.isnan(total)):
        count = np.asarray(np.count_nonzero(~np.isnan(steps), axis=cubes))
        total = np.asarray(np.nansum(steps, axis=cubes))
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def slice_roughness(throughput: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
    """`axis_roughness` in the slice at the largest K alone: shape (..., M, N, K) in, (...,) out."""
    return axis_roughness(throughput[..., -1:], axis)


def roughness(throughput: NDArray[np.float64]) -> Roughness:
    """Measure the roughness of one landscape, shape (M, N, K), in TFLOP/s, along all axes."""
    if throughput.ndim != 3:
        raise InputError(f"expected one landscape of shape (M, N, K), got shape {throughput.shape}")
    return _assemble(lambda axis, whole: float((axis_roughness if whole else slice_roughness)(throughput, axis)))


def noise_corrected_roughness(throughput: NDArray[np.float64], standard_error: NDArray[np.float64]) -> Roughness:
    """Roughness that the landscape would have without measurement noise (`denoised_mean_step` on each axis).

    Parameters
    ----------
    throughput : numpy.ndarray of float64, shape (M, N, K)
        TFLOP/s, the mean of each cell's repeats; NaN where not available.
    standard_error : numpy.ndarray of float64, shape (M, N, K)
        Standard error of each mean, in TFLOP/s. The errors of two neighbours are taken as independent.

    Returns
    -------
    Roughness
        In TFLOP/s per step.
    """
    if throughput.ndim != 3 or throughput.shape != standard_error.shape:
        raise InputError(
            "expected throughput and standard errors of one shape (M, N, K), got "
            f"{throughput.shape} and {standard_error.shape}"
        )

    def along(axis: str, whole: bool) -> float:
        part = np.s_[...] if whole else np.s_[..., -1:]
        position = AXES.index(axis)
        steps = np.diff(throughput[part], axis=position)
        variance = np.square(np.moveaxis(standard_error[part], position, 0))
        noise = np.moveaxis(np.sqrt(variance[1:] + variance[:-1]), 0, position)
        return denoised_mean_step(steps, noise)

    return _assemble(along)


def denoised_mean_step(steps: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    """Estimate mean ``|mu|`` from noisy steps d ~ Normal(mu, s^2) with known s.

    The mean of ``|d|`` is that of a folded normal, larger than ``|mu|`` by ``s b(|mu|/s)`` with
    ``b(r) = 2 phi(r) - 2 r Phi(-r)``. No function of one step estimates ``|mu|`` without bias (it has a
    kink at 0), and inverting the folded mean step by step is biased at small steps. What many steps do tell
    is how the ratios r are distributed: we fit that distribution by nonparametric maximum likelihood (Kiefer
    and Wolfowitz 1956; expectation-maximization on a grid of r) and subtract from each ``|d|`` its expected
    inflation given ``|d|/s``. Since b vanishes beyond r = 3, steps well above the noise are left as they are
    whatever the fit; without noise the estimate is the plain mean. Over many steps its bias stays near
    0.1 s where that of the plain mean is up to 0.8 s; on a few dozen steps, where the distribution of r is
    barely known, it can reach 0.2 s. Ratios are taken to be independent of s. With few repeats, s is itself
    uncertain and the correction approximate.

    Parameters
    ----------
    steps : numpy.ndarray of float64
        Differences d of neighbouring cells, in TFLOP/s; NaN where an end is missing.
    noise : numpy.ndarray of float64, shape of `steps`
        Standard deviation s of each difference, in TFLOP/s; steps where it is 0 or NaN are not corrected.

    Returns
    -------
    float
        TFLOP/s per step, at least 0; NaN if there is no step.
    """
    present = ~np.isnan(steps)
    size, scale = np.abs(steps[present]), noise[present]
    if np.any(scale < 0):
        raise InputError("standard errors must not be negative")
    if size.size == 0:
        return float("nan")
    noisy = scale > 0
    ratio = np.divide(size, scale, out=np.full(size.shape, np.inf), where=noisy)
    near = ratio < _RATIOS[-1]
    cell = (ratio[near] / _BIN).astype(np.int64)
    if cell.size == 0:
        return float(size.mean())
    expected = _expected_inflation(np.bincount(cell, minlength=round(_RATIOS[-1] / _BIN)))
    size[near] -= scale[near] * expected[cell]
    return max(0.0, float(size.mean()))


def _expected_inflation(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Posterior mean of b(r) in each bin of ``|d|/s``, under the maximum-likelihood distribution of r."""
    observed = _BIN * (np.arange(counts.size) + 0.5)[:, np.newaxis]
    normal = np.sqrt(2.0 * np.pi)
    density = (np.exp(-0.5 * (observed - _RATIOS) ** 2) + np.exp(-0.5 * (observed + _RATIOS) ** 2)) / normal
    inflation = 2.0 * np.exp(-0.5 * _RATIOS**2) / normal - 2.0 * _RATIOS * ndtr(-_RATIOS)
    seen = counts > 0
    likelihood, frequency = density[seen], counts[seen] / counts.sum()
    weight = np.full(_RATIOS.size, 1.0 / _RATIOS.size)
    for _ in range(_ITERATIONS):
        weight = weight * (likelihood.T @ (frequency / (likelihood @ weight)))
    return np.asarray((density @ (weight * inflation)) / (density @ weight), dtype=np.float64)


def _assemble(along: Callable[[str, bool], float]) -> Roughness:
    """Fill a `Roughness` from the value along an axis of the whole cube, or of the slice; NaN to ``None``."""

    def known(value: float) -> float | None:
        return None if np.isnan(value) else value

    rows, columns, depth = (along(axis, True) for axis in AXES)
    return Roughness(
        M=known(rows),
        N=known(columns),
        K=known(depth),
        mean=known((rows + columns + depth) / 3.0),
        slice_N=known(along("N", False)),
        slice_M=known(along("M", False)),
    )
