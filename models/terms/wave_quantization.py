"""Wave quantization and wave fill: work-groups come in whole waves over the cores.

With W work-groups, C cores and R work-groups resident on a core, a wave holds P = C R of them. The last wave is
partly filled: each core holds r = ceil(rest / C) work-groups, its *fill level*, and with R > 1 a wave of a lower
level costs less. Fill and quantization are two smooth states of this one cost:

=============================== ============================
on                              waves counted
=============================== ============================
quantization                    ceil(W / P), by fill level
fill only                       max(1, W / P)
neither                         W / P
=============================== ============================
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


def wave_levels(work_groups: NDArray[np.float64], cores: int, residency: int) -> NDArray[np.float64]:
    """Count full waves, and mark the fill level of a partly filled last one.

    Parameters
    ----------
    work_groups : ndarray, shape (n,)
        W; padded, so whole numbers.
    cores, residency : int
        C and R.

    Returns
    -------
    ndarray of float64, shape (n, R)
        Column 0 counts waves at level R, column r is 1 where the last wave is at level r < R.
    """
    slots = cores * residency
    full = np.floor(work_groups / slots)
    level = np.ceil((work_groups - full * slots) / cores)
    columns = np.empty((work_groups.size, residency))
    columns[:, 0] = full + (level == residency)
    for fill in range(1, residency):
        columns[:, fill] = level == fill
    return columns


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
        """A wave and a wave's step, then the same for each lower fill level."""
        residency = hardware.residency_of(tile.name)
        found = [
            Coefficient("wave", "s/wave", "per full wave: prologue and epilogue"),
            Coefficient("wave step", "s/(wave step)", "per mainloop step of a full wave"),
        ]
        for level in range(1, residency):
            found.append(Coefficient(f"wave at level {level}", "s/wave", f"last wave with {level} a core"))
            found.append(Coefficient(f"step at level {level}", "s/(wave step)", f"its step, {level} a core"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Waves and wave steps, interleaved."""
        residency = hardware.residency_of(problem.tile.name)
        groups = problem.work_groups(on)
        if QUANTIZATION in on:
            # Fractional work-groups (padding off) still come whole to a core.
            waves = wave_levels(np.ceil(groups - 1e-9), hardware.cores, residency)
        else:
            even = groups / (hardware.cores * residency)
            waves = np.zeros((problem.size, residency))
            waves[:, 0] = np.maximum(1.0, even) if FILL in on else even
        steps = problem.steps(on)
        return np.stack([waves, waves * steps[:, None]], axis=2).reshape(problem.size, 2 * residency)
