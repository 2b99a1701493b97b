"""Drift: cells that are measured again and again show whether the device changed under the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.sweep.cells import CellTable, Rows
from harness.sweep.precision import median_variance

Array = NDArray[np.float64]

_WINDOWS = 60
_MIN_WINDOW = 4


@dataclass(frozen=True)
class Drift:
    """How the times of the sentinels moved, each relative to its own median.

    Attributes
    ----------
    trend : float or None
        Fraction by which times grew from begin to end (Theil-Sen slope times the duration); ``None`` with too
        few windows to tell.
    p_value : float or None
        Kendall's test of no trend over the windows.
    range : float or None
        Largest less smallest window median.
    noise : float or None
        Robust standard deviation of one sentinel timing, from successive differences.
    beyond_noise : float or None
        Standard deviation of the window medians less what the noise alone gives them: 0 for a steady device.
    seconds : tuple of float
        Middle of each window, seconds since the first timing.
    ratio : tuple of float
        Median ratio in each window.
    sentinels : tuple of str
        The cells, ``"tile MxNxK"``.
    """

    trend: float | None
    p_value: float | None
    range: float | None
    noise: float | None
    beyond_noise: float | None
    seconds: tuple[float, ...]
    ratio: tuple[float, ...]
    sentinels: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def choose_sentinels(rough: Array, owner: NDArray[np.int64], count: int) -> Rows:
    """Pick cells spread over the range of times, as many on each backend.

    Parameters
    ----------
    rough : ndarray of float64, shape (n,)
        Rough seconds; NaN where a cell did not run.
    owner : ndarray of int64, shape (n,)
        Backend of each cell; negative for none.
    count : int
        Sentinels wanted over all backends.
    """
    backends = np.unique(owner[owner >= 0])
    chosen: list[int] = []
    for i, backend in enumerate(backends):
        rows = np.flatnonzero((owner == backend) & np.isfinite(rough))
        share = count // backends.size + (i < count % backends.size)
        share = min(share, rows.size)
        ordered = rows[np.argsort(rough[rows], kind="stable")]
        chosen += [int(ordered[int((j + 0.5) * rows.size / share)]) for j in range(share)]
    return np.array(chosen, dtype=np.int64)


def drift(rows: Rows, seconds: Array, finished: Array, names: Sequence[str]) -> Drift:
    """Summarise the timings of the sentinels.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Which sentinel each timing is of.
    seconds : ndarray of float64, shape (m,)
        Its time.
    finished : ndarray of float64, shape (m,)
        When, in seconds of any clock.
    names : sequence of str
    """
    good = np.isfinite(seconds) & (seconds > 0)
    rows, seconds, finished = rows[good], seconds[good], finished[good]
    ratio = np.empty(seconds.size)
    for row in np.unique(rows):
        own = rows == row
        ratio[own] = seconds[own] / np.median(seconds[own])
    windows = min(_WINDOWS, seconds.size // _MIN_WINDOW)
    if windows < 3:
        return Drift(None, None, None, None, None, (), (), tuple(names))
    order = np.argsort(finished, kind="stable")
    parts = np.array_split(order, windows)
    middle = np.array([np.mean(finished[part]) for part in parts]) - finished.min()
    center = np.array([np.median(ratio[part]) for part in parts])
    slope = float(stats.theilslopes(center, middle).slope) if np.ptp(middle) > 0 else 0.0
    test = stats.kendalltau(middle, center)
    # From one timing to the next (von Neumann): a slow drift is not in it, as it would be about an overall median.
    noise = float(1.4826 * np.median(np.abs(np.diff(ratio[order]))) / np.sqrt(2))
    expected = noise**2 * float(np.mean(median_variance(np.array([part.size for part in parts]))))
    return Drift(
        trend=slope * float(np.ptp(middle)),
        p_value=None if np.isnan(test.pvalue) else float(test.pvalue),
        range=float(np.ptp(center)),
        noise=noise,
        beyond_noise=float(np.sqrt(max(0.0, np.var(center, ddof=1) - expected))),
        seconds=tuple(np.round(middle, 3).tolist()),
        ratio=tuple(np.round(center, 6).tolist()),
        sentinels=tuple(names),
    )


def sentinel_names(table: CellTable, rows: Rows) -> list[str]:
    """Return ``"tile MxNxK"`` of each row."""
    return [f"{cell.tile} {cell.M}x{cell.N}x{cell.K}" for cell in table.cells(rows)]
