"""Constants that were estimated from the same timings, as columns that every nested test has beside its terms.

How far cores fall out of step, the size at which a cache spills, how abruptly, and the power of overlap are numbers
like any coefficient, but no cost is proportional to them. A spread that is off by a per cent misses waves by up to
a thousandth of the time, and a mechanism that acts on the same launches would be found for it. So what launches
take longer with a slightly larger constant is a column, and what they take less a second one, for coefficients
cannot be negative: to first order, both models of a test estimate the constant again (Gauss-Newton; Seber & Wild
1989, section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.problem import Problem
from models.result import FitResult

Array = NDArray[np.float64]

STEP = 0.02
"""Part of a constant by which it is moved either way."""

_FLAT = 1e-6
"""Part of the time: a constant that moves no launch by more tells nothing."""


def constant_columns(fit: FitResult, label: str, problem: Problem) -> dict[str, Array]:
    """Seconds that launches take longer, and shorter, with estimated constants that are larger.

    Parameters
    ----------
    fit : FitResult
    label : str
        Tile.
    problem : Problem
        Its launches, length n.

    Returns
    -------
    dict of str to ndarray, shape (n, 2)
        By constant: seconds per relative change, and their negative. Of constants that the tile's model does not
        have, or that move none of the launches, there are none.
    """
    tile, hardware = fit.tiles[label], fit.hardware

    def with_spread(factor: float) -> FitResult:
        spread = factor * hardware.core_spread_of(problem.tile.name)
        return replace(fit, hardware=hardware.with_core_spread(problem.tile.name, spread))

    def with_spill_size(factor: float) -> FitResult:
        return replace(fit, hardware=hardware.with_spill_size(factor * hardware.cache_bytes))

    def with_spill_sharpness(factor: float) -> FitResult:
        assert hardware.kept_sharpness is not None
        return replace(fit, hardware=replace(hardware, kept_sharpness=factor * hardware.kept_sharpness))

    def with_power(factor: float) -> FitResult:
        assert tile.overlap is not None
        overlap = replace(tile.overlap, power=factor * tile.overlap.power)
        return replace(fit, tiles={**fit.tiles, label: replace(tile, overlap=overlap)})

    moved: dict[str, Callable[[float], FitResult]] = {}
    if hardware.core_spread_of(problem.tile.name) > 0.0:
        moved["core spread"] = with_spread
    if hardware.cache_bytes > 0.0:
        moved["spill size"] = with_spill_size
    if hardware.kept_sharpness is not None:
        moved["spill sharpness"] = with_spill_sharpness
    if tile.overlap is not None and np.isfinite(tile.overlap.power):
        moved["overlap power"] = with_power
    found, time = {}, fit.time(label, problem)
    for name, at in moved.items():
        low, high = (at(factor).time(label, problem) for factor in (1.0 - STEP, 1.0 + STEP))
        change = (high - low) / (2.0 * STEP)
        if np.max(np.abs(change) / time, initial=0.0) > _FLAT:
            found[name] = np.stack([change, -change], axis=1)
    return found
