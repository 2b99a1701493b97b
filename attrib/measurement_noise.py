"""Measurement noise of a cube: the standard error of each cell's median time, from its repeats."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import STATUS

Array = NDArray[np.float64]

MAD_BIAS = {2: 0.84, 3: 0.67, 4: 0.73, 5: 0.82, 6: 0.81, 7: 0.86}
"""Mean of 1.4826 x median absolute deviation over the true standard deviation, for few normal repeats."""

MEDIAN_PENALTY = {1: 1.0, 2: 1.0, 3: 1.160, 4: 1.092, 5: 1.198}
MEDIAN_PENALTY_OF_MANY = 1.2533
"""Standard error of a median over that of a mean, for normal errors: by number of repeats, and its limit."""


def relative_error_of(cube: xr.Dataset) -> Array | None:
    """Relative standard error of the median time of each cell, shape of ``time``; None without a spread.

    A cell without a spread of its own, a single repeat among repeated ones, takes the median relative spread.
    """
    if "time_spread" not in cube:
        return None
    time = np.where(cube["status"].values == STATUS["ok"], cube["time"].values, np.nan)
    if "repeats_measured" in cube.attrs:
        count = np.full(time.shape, int(cube.attrs["repeats_measured"]))
    elif "time_repeats" in cube:
        count = np.maximum(1, np.isfinite(cube["time_repeats"].values).sum(axis=-1))
    else:
        count = np.ones(time.shape, dtype=np.int64)
    scale = np.ones(time.shape)
    for repeats in np.unique(count):
        bias = MAD_BIAS.get(int(repeats), 1.0)
        penalty = MEDIAN_PENALTY.get(int(repeats), MEDIAN_PENALTY_OF_MANY)
        scale[count == repeats] = penalty / bias / np.sqrt(repeats)
    spread = np.asarray(cube["time_spread"].values / time, dtype=np.float64)
    known = np.isfinite(spread)
    if known.any():
        spread = np.where(known | np.isnan(time), spread, np.median(spread[known]))
    return spread * scale
