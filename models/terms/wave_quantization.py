"""Wave quantization and wave fill: work-groups come in whole waves over the cores.

With W work-groups, C cores and R work-groups resident on a core, a wave holds P = C R of them. The last wave is
partly filled: each core holds r = ceil(rest / C) work-groups, its *fill level*, and with R > 1 a wave of a lower
level costs less. Residents of one wave run at the same time, so each further one adds at most what the one before
it added: the cost of a level is increasing and concave. That is what tells one wave of four from two waves of two.
Fill and quantization are two smooth states of this one cost:

=============================== =====================================================
on                              waves counted
=============================== =====================================================
both                            ceil(W / P), by fill level
quantization only               the same, but W / P for launches of less than one wave
fill only                       W / P, at least as long as one work-group lasts
neither                         W / P
=============================== =====================================================

Where work is divisible, what else can bound a launch is the matter of :mod:`models.limits`. Where padding is off,
work-groups at a ragged edge are shorter than the others. They fall out of step with them, and waves no longer end
at once: launches of more than a wave then lose what a last wave loses on average over all fill levels, but no more
than equal work-groups would.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.limits import FILL, QUANTIZATION, Limit, divisible
from models.problem import PADDING, Problem
from models.term import Coefficient, Term


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


def unequal_residents(
    whole_groups: NDArray[np.float64], groups: NDArray[np.float64], cores: int, residency: int
) -> NDArray[np.float64]:
    """Count residents as `residents` does where the work-groups of a launch are not equally long.

    Parameters
    ----------
    whole_groups : ndarray, shape (n,)
        Work-groups of each launch.
    groups : ndarray, shape (n,)
        Their work in whole work-groups, no more than that.
    cores, residency : int
        C and R.

    Returns
    -------
    ndarray of float64, shape (n, R)
    """
    slots = cores * residency
    caps = np.arange(1, residency + 1)
    lost = np.minimum(caps[:, None], caps).mean(axis=0) - caps / 2.0
    least = residents(np.minimum(whole_groups, slots), cores, residency)
    most = residents(whole_groups, cores, residency)
    return np.asarray(np.clip(groups[:, None] / slots * caps + lost, least, most))


def counted_waves(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
    """Waves of a launch, shape (n,), in the state that ``on`` asks for; other terms charge by them."""
    slots = hardware.slots_of(problem.tile.name)
    waves = problem.work_groups(on) / slots
    even = np.maximum(1.0, waves) if FILL in on else waves
    return np.where(divisible(problem.whole_groups, slots, on), even, np.ceil(waves - 1e-9))


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
        cores, residency = hardware.cores, hardware.residency_of(problem.tile.name)
        slots = cores * residency
        whole, groups = problem.whole_groups, problem.work_groups(on)
        waves = residents(whole, cores, residency)
        if PADDING not in on:
            shorter = groups < whole
            waves[shorter] = unequal_residents(whole[shorter], groups[shorter], cores, residency)
        loose = divisible(whole, slots, on)
        waves[loose] = (groups[loose] / slots)[:, None] * np.arange(1, residency + 1)
        return _with_steps(waves, problem.steps(on))

    def limit_columns(
        self, limit: Limit, problem: Problem, hardware: Hardware, on: AbstractSet[str]
    ) -> NDArray[np.float64]:
        """Evenly spread work-groups, each alone in its slot, or one work-group alone on a core."""
        residency = hardware.residency_of(problem.tile.name)
        alone = np.zeros((problem.size, residency))
        if limit is Limit.ENGINES:
            return self.columns(problem, hardware, on)
        if limit is Limit.SLOTS:
            alone[:, 0] = problem.work_groups(on) / hardware.slots_of(problem.tile.name)
            return _with_steps(alone, problem.steps(on))
        one = residents(np.ones(problem.size), hardware.cores, residency)
        if PADDING not in on:
            tile, edge = problem.tile, limit is Limit.LONGEST
            rows = np.minimum(1.0, problem.M / tile.m - (problem.tile_rows - 1.0 if edge else 0.0))
            columns = np.minimum(1.0, problem.N / tile.n - (problem.tile_columns - 1.0 if edge else 0.0))
            one = one * (rows * columns)[:, None]
        return _with_steps(one, problem.steps(on))


def _with_steps(waves: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns for a wave and for its step from counts of shape (n, R), interleaved: shape (n, 2 R)."""
    return np.stack([waves, waves * steps[:, None]], axis=2).reshape(waves.shape[0], -1)
