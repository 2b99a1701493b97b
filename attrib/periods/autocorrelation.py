"""What neighbours on a line share, as autoregression of first order: estimated over lines, taken out, put back.

Pooled over many lines, a statistic's null has to have the spectrum of the noise, or small errors add up. Shuffled
samples have a flat one. So the innovations of an autoregression are shuffled instead, and the autoregression run on
them again. Its coefficient is common to the lines; restricted likelihood (Patterson and Thompson, Biometrika 58,
1971) keeps the trend, which takes up slow noise, from making it too small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

_STEP = 0.05
_CANDIDATES = np.arange(-0.3, 0.985, _STEP)
_RUN_IN = 40
"""Samples that the autoregression runs before a line begins."""


def common_autocorrelation(lines: Sequence[tuple[Array, Array]]) -> float:
    """Estimate the correlation of neighbouring samples.

    Parameters
    ----------
    lines : sequence of (ndarray, shape (n,); ndarray, shape (n, q))
        Values of each line and its trend's columns.

    Returns
    -------
    float
        Coefficient of the autoregression, between -0.3 and 0.98.
    """
    likelihood = np.zeros(_CANDIDATES.size)
    # Lines of one grid share their trend, and then its decomposition.
    shared: dict[int, tuple[Array, list[Array]]] = {}
    for values, trend in lines:
        shared.setdefault(id(trend), (trend, []))[1].append(values)
    for trend, found in shared.values():
        rows = np.stack(found)
        freedom = rows.shape[1] - trend.shape[1]
        for place, phi in enumerate(_CANDIDATES):
            q, r = np.linalg.qr(innovations(trend.T, phi).T)
            left = innovations(rows, phi)
            left = left - (left @ q) @ q.T
            sizes = np.maximum(np.square(left).sum(axis=1), np.finfo(np.float64).tiny)
            determinant = np.log(np.abs(np.diag(r))).sum() - 0.5 * np.log(1.0 - phi**2)
            likelihood[place] -= 0.5 * freedom * np.log(sizes).sum() + rows.shape[0] * determinant
    best = int(np.argmax(likelihood))
    if not 0 < best < _CANDIDATES.size - 1:
        return float(_CANDIDATES[best])
    below, top, above = likelihood[best - 1 : best + 2]
    return float(_CANDIDATES[best] + 0.5 * _STEP * (below - above) / (below - 2.0 * top + above))


def innovations(values: Array, phi: float) -> Array:
    """Take the autoregression out of lines of shape (..., n)."""
    first = values[..., :1] * np.sqrt(1.0 - phi**2)
    return np.concatenate([first, values[..., 1:] - phi * values[..., :-1]], axis=-1)


def of_innovations(statistic: Callable[[Array], Array], phi: float) -> Callable[[Array], Array]:
    """Let a statistic of lines take their innovations, of shape (..., n), after which the autoregression is run."""

    def found(shocks: Array) -> Array:
        # A line is taken as a ring: what ends it runs in before it.
        longer = np.concatenate([shocks[..., -_RUN_IN:], shocks], axis=-1)
        return statistic(lfilter([1.0], [1.0, -phi], longer, axis=-1)[..., -shocks.shape[-1] :])

    return found
