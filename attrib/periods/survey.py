"""A short survey of a whole cube's periods, for the summary: every tile and axis, on few lines."""

from __future__ import annotations

import xarray as xr

from attrib.periods.family import PeriodFinding, find_periods
from harness.cube import is_dense, tiles_of
from harness.errors import NotApplicableError
from harness.grid import AXES

_DRAWS, _LINES = 499, 8


def survey_periods(cube: xr.Dataset, *, seed: int = 0) -> tuple[PeriodFinding, ...]:
    """Test each tile along each axis, on at most eight lines and 499 permutations.

    Of a dense cube the lines along M and N are those at the largest K, and those along K at the largest M. What
    has no line long enough is left out.

    Parameters
    ----------
    cube : xarray.Dataset
    seed : int

    Returns
    -------
    tuple of PeriodFinding
    """
    findings: list[PeriodFinding] = []
    for axis in AXES:
        at = None
        if is_dense(cube):
            held = "M" if axis == "K" else "K"
            at = {held: int(cube[held].values[-1])}
        for tile in tiles_of(cube):
            try:
                findings += find_periods(cube, axis, tile, at, draws=_DRAWS, seed=seed, most_lines=_LINES)
            except NotApplicableError:
                continue
    return tuple(findings)
