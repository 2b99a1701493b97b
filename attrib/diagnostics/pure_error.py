"""Pure error of a cube's cells: what repeats of one cell say of the noise of its time."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.measurement_noise import MEDIAN_PENALTY, MEDIAN_PENALTY_OF_MANY, relative_error_of
from harness.cube import DENSE_DIMS, STATUS, is_dense
from models.inference.lack_of_fit import PureError

Array = NDArray[np.float64]


def pure_error_of(cube: xr.Dataset) -> PureError | None:
    """Relative variance of the time of every ok cell, in the order of its samples; ``None`` without repeats.

    Kept repeats are used directly: the variance of one repeat, times what the median of all measured ones has of
    it. A cube that kept only their spread gives the variance that the spread stands for.
    """
    cube = cube.transpose(*(DENSE_DIMS if is_dense(cube) else ("sample",)), ..., missing_dims="ignore")
    ok = cube["status"].values == STATUS["ok"]
    stated = int(cube.attrs.get("repeats_measured", 0))
    if "time_repeats" in cube:
        repeats = np.asarray(cube["time_repeats"].values[ok], dtype=np.float64)
        known = np.isfinite(repeats).sum(axis=-1)
        kept = int(np.median(known[known > 0])) if (known > 0).any() else 0
        if kept >= 2:
            enough = known >= 2
            variance = np.full(repeats.shape[0], np.nan)
            variance[enough] = (
                np.nanvar(repeats[enough], axis=-1, ddof=1) / np.nanmean(repeats[enough], axis=-1) ** 2
            )
            measured = np.maximum(known, stated)
            penalty = np.array([MEDIAN_PENALTY.get(int(count), MEDIAN_PENALTY_OF_MANY) for count in measured])
            source = f"{kept} kept repeats of each cell"
            if stated > kept:
                source += f", of {stated} measured"
            return PureError(variance * penalty**2 / np.maximum(measured, 1), float(kept - 1), source)
    errors = relative_error_of(cube)
    if errors is None or not np.isfinite(errors[ok]).any():
        return None
    degrees = float(stated - 1) if stated > 1 else np.inf
    source = f"the spread of {stated} repeats" if stated > 1 else "the stated spread of each time"
    return PureError(errors[ok] ** 2, degrees, source)
