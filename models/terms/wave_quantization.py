"""Wave quantization and wave fill: work-groups come in whole waves over the cores.

With W work-groups, C cores and R work-groups resident on a core, a wave holds P = C R of them. The last wave is
partly filled: each core holds r = ceil(rest / C) work-groups, its *fill level*, and with R > 1 a wave of a lower
level costs less. Residents of one wave run at the same time, so each further one adds at most what the one before
it added: the cost of a level is increasing and concave. That is what tells one wave of four from two waves of two.
Fill and quantization are two smooth states of this one cost:

=============================== =====================================================
on                              waves counted
=============================== =====================================================
quantization                    ceil(W / P), by fill level
fill only                       max(1, W / P); with residents, max(1, W / C) of the first wave
neither                         W / P
=============================== =====================================================
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.problem import Problem
from models.term import Coefficient, Term

FILL, QUANTIZATION = "wave fill", "wave quantization"


def residents(work_groups: NDArray[np.float64], cores: int, residency: int) -> NDArray[np.float64]:
    """Count the work-groups that a core holds in each wave, capped at 1, 2, ... R.

    Non-negative multiples of these columns are exactly the increasing concave costs of a fill level.

    Parameters
    ----------
    work_groups : ndarray, shape (n,)
        W; padded, so whole numbers.
    cores, residency : int
        C and R.

    Returns
    -------
    ndarray of float64, shape (n, R)
        Column j - 1 is the sum of min(level, j) over the waves of a launch.
    """
    slots = cores * residency
    full = np.floor(work_groups / slots)
    level = np.ceil((work_groups - full * slots) / cores)
    caps = np.arange(1, residency + 1)
    return np.asarray(full[:, None] * caps + np.minimum(level[:, None], caps))


def counted_waves(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
    """Waves of a launch, shape (n,), in the state that ``on`` asks for; other terms charge by them."""
    waves = problem.work_groups(on) / hardware.slots_of(problem.tile.name)
    if QUANTIZATION in on:
        return np.ceil(waves - 1e-9)
    return np.maximum(1.0, waves) if FILL in on else waves


@dataclass(frozen=True)
class WaveQuantization(Term):
    """Cost of a wave and of each of its mainloop steps, by fill level."""

    name: ClassVar[str] = "waves"
    mechanisms: ClassVar[tuple[str, ...]] = (FILL, QUANTIZATION)
    always: ClassVar[bool] = True
    needs_tile: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 2605.29752 section 9 (eta_wave), with residency and fill levels"
    identified_by: ClassVar[str] = "shapes whose work-group counts pass several multiples of the cores"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """A wave and a wave's step; with several residents, one pair for each number they are counted up to."""
        residency = hardware.residency_of(tile.name)
        if residency == 1:
            return (
                Coefficient("wave", "s/wave", "per wave: prologue and epilogue"),
                Coefficient("wave step", "s/(wave step)", "per mainloop step of a wave"),
            )
        found = []
        for cap in range(1, residency + 1):
            of = "whatever a core holds" if cap == 1 else f"per resident, counted up to {cap} a core"
            found.append(Coefficient(f"wave, residents to {cap}", "s/wave", f"per wave, {of}"))
            found.append(Coefficient(f"step, residents to {cap}", "s/(wave step)", f"per wave and step, {of}"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Waves and wave steps, interleaved."""
        residency = hardware.residency_of(problem.tile.name)
        groups = problem.work_groups(on)
        if QUANTIZATION in on:
            # Fractional work-groups (padding off) still come whole to a core.
            waves = residents(np.ceil(groups - 1e-9), hardware.cores, residency)
        else:
            caps = np.arange(1, residency + 1)
            even = (groups / (hardware.cores * residency))[:, None]
            # A launch costs at least one resident a core, and below one full wave no fewer than it has.
            waves = even * caps
            if FILL in on:
                waves = np.where(even < 1.0, np.minimum(np.maximum(residency * even, 1.0), caps), waves)
        steps = problem.steps(on)
        return np.stack([waves, waves * steps[:, None]], axis=2).reshape(problem.size, 2 * residency)
