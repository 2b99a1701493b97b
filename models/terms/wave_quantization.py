"""Wave quantization and wave fill: work-groups come in whole waves over the cores.

With W work-groups, C cores and R work-groups resident on a core, a wave holds P = C R of them, the last one fewer
(:mod:`models.residents`). What a wave costs depends on how many a core holds (:mod:`models.fill_levels`).

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
work-groups at a ragged edge are shorter than the others. In a ragged last line of the raster they fill what the
last wave of the others leaves empty; at the ends of its lines they bring the others out of step. Where edge costs
are known, launches are handed out work-group by work-group instead (:mod:`models.ragged_launches`).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.fill_levels import fill_levels, of_waves
from models.hardware import Hardware
from models.limits import FILL, QUANTIZATION, Limit, divisible
from models.problem import PADDING, Problem
from models.ragged_launches import chains, followed
from models.residents import residents, residents_out_of_step, residents_short_last
from models.term import Coefficient, Term


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
        """A wave and a wave's step; with several residents, one pair for each of :mod:`models.fill_levels`."""
        residency = hardware.residency_of(tile.name)
        if residency == 1:
            return (
                Coefficient("wave", "s/wave", "per wave: prologue and epilogue"),
                Coefficient("wave step", "s/(wave step)", "per mainloop step of a wave"),
            )
        found = []
        for number, name in enumerate(fill_levels(residency), start=1):
            of = (
                f"with {number} residents a core or more"
                if number < residency
                else f"with {residency} residents a core"
            )
            if number < 3:
                of = "whatever a core holds" if number == 1 else "per resident, counted up to 2 a core"
            found.append(Coefficient(f"wave, {name}", "s/wave", f"per wave, {of}"))
            found.append(Coefficient(f"step, {name}", "s/(wave step)", f"per wave and step, {of}"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Waves and wave steps, interleaved."""
        cores, residency = hardware.cores, hardware.residency_of(problem.tile.name)
        slots = cores * residency
        whole, groups = problem.whole_groups, problem.work_groups(on)
        spread = hardware.core_spread_of(problem.tile.name)
        waves = residents(whole, cores, residency, spread)
        one_by_one = followed(problem, hardware)
        if PADDING not in on:
            ragged = np.flatnonzero(problem.ragged & ~one_by_one)
            waves[ragged] = self._unequal(problem.take(ragged), hardware)[0]
        loose = divisible(whole, slots, on)
        rows, found = chains(problem, hardware, on)
        if found is not None:
            waves[rows] = found.waves
        waves[loose] = (groups[loose] / slots)[:, None] * np.arange(1, residency + 1)
        return _with_steps(waves, problem.steps(on))

    def limit_columns(
        self, limit: Limit, problem: Problem, hardware: Hardware, on: AbstractSet[str]
    ) -> NDArray[np.float64]:
        """Evenly spread work-groups, each alone in its slot, or one work-group alone on a core.

        At an edge that is not padded, all work-groups, without what the last one is shorter by.
        """
        residency = hardware.residency_of(problem.tile.name)
        if limit is Limit.ENGINES:
            return self.columns(problem, hardware, on)
        if limit is Limit.SLOTS:
            alone = problem.work_groups(on) / hardware.slots_of(problem.tile.name)
            return _with_steps(alone[:, None] * np.ones(residency), problem.steps(on))
        if limit is Limit.EDGE:
            ahead = np.zeros(problem.size)
            ragged = np.flatnonzero(problem.ragged & ~followed(problem, hardware))
            ahead[ragged] = self._unequal(problem.take(ragged), hardware)[1]
            ahead[divisible(problem.whole_groups, hardware.slots_of(problem.tile.name), on)] = 0.0
            return self.columns(problem, hardware, on) - _with_steps(
                ahead[:, None] * np.ones(residency), problem.steps(on)
            )
        # No launch ends before its longest work-group would on the fastest core.
        fastest = 1.0 - hardware.core_spread_of(problem.tile.name) / 2.0
        one = fastest * residents(np.ones(problem.size), hardware.cores, residency)
        if PADDING not in on:
            tile, edge = problem.tile, limit is Limit.LONGEST
            rows = np.minimum(1.0, problem.M / tile.m - (problem.tile_rows - 1.0 if edge else 0.0))
            columns = np.minimum(1.0, problem.N / tile.n - (problem.tile_columns - 1.0 if edge else 0.0))
            one = one * (rows * columns)[:, None]
        return _with_steps(one, problem.steps(on))

    @staticmethod
    def _unequal(problem: Problem, hardware: Hardware) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Residents where work-groups at ragged edges are shorter, and how far ahead of the end the last one is."""
        tile = problem.tile
        cores, residency = hardware.cores, hardware.residency_of(tile.name)
        spread = hardware.core_spread_of(tile.name)
        whole, work = problem.whole_groups, problem.work_groups(frozenset())
        rows, columns = problem.M % tile.m / tile.m, problem.N % tile.n / tile.n
        # The last line of the raster, and the last work-group of every line.
        line = np.where(problem.along_n, rows, columns)
        ends = np.where(problem.along_n, columns, rows)
        counts = residents_out_of_step(whole, work, np.where(line > 0, line, 1.0), cores, residency, spread)
        ahead = 1.0 - np.where(line > 0, line, 1.0) * np.where(ends > 0, ends, 1.0)
        alone = ends == 0
        full = ((problem.M // tile.m) * (problem.N // tile.n)).astype(np.float64)[alone]
        counts[alone], ahead[alone] = residents_short_last(
            full, whole[alone] - full, line[alone], cores, residency, spread
        )
        return counts, ahead


def _with_steps(waves: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns for a wave and for its step, interleaved, from counts of shape (n, R)."""
    waves = of_waves(waves)
    return np.stack([waves, waves * steps[:, None]], axis=2).reshape(waves.shape[0], -1)
