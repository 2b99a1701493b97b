"""The last wave of a launch, and how long launches wait for their bytes.

Work-groups move their operands while they compute, wave by wave. Where the waves of a launch wait for memory, the
last one may not: with few work-groups left it moves few bytes, but computes as long as any. So the last wave
overlaps for itself (:mod:`models.overlap`), with its share b of the bytes and w of the computing: one of V waves,
shorter where its cores hold fewer work-groups, and its part of the work-groups. Those that reach past the matrix
move only what lies inside.

Work-groups share what they move with those that were handed out with them, and no others make up for it where a
core has more of them than the next. Of cores that are not quite in step those that end first take as many of the
last work-groups as they hold: their bytes come at the pace of so many on one core. Cores that wait for memory alone
stay in step. Where ragged edges make work-groups late, the chain that a launch ends with says both shares, and how
long it waits for bytes (:mod:`models.ragged_launches`).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.limits import divisible
from models.problem import Problem
from models.ragged_launches import chains, ending_together, last_line, memory_of_waves

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LastWave:
    """Shares of launches that their last waves have; zero where there is no such wave.

    Attributes
    ----------
    work : ndarray, shape (n,)
        Of the computing.
    traffic : ndarray, shape (n,)
        Of the bytes.
    waited : ndarray, shape (n,)
        Not of the last wave alone: how long the work-groups that a launch waits for wait for memory, of what all
        its bytes take (:mod:`models.ragged_launches`); 1 where waves end at once.
    """

    work: Array
    traffic: Array
    waited: Array

    @classmethod
    def of(cls, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> LastWave:
        """Count waves and what is left for the last: none where a launch has one, is divisible or hides its tile.

        Parameters
        ----------
        problem : Problem
        hardware : Hardware
            With cores and residencies.
        on : set of str
            Mechanisms that are on.
        """
        if problem.tile.hidden:
            return cls(np.zeros(problem.size), np.zeros(problem.size), np.ones(problem.size))
        groups, slots = problem.whole_groups, hardware.slots_of(problem.tile.name)
        waves = np.ceil(groups / slots)
        several = (waves > 1) & ~divisible(groups, slots, on)
        left = groups - (waves - 1) * slots
        length, inside = last_line(problem)
        moving = left - np.minimum(left, length) * (1.0 - inside)
        traffic = np.where(several, moving / (groups - length * (1.0 - inside)), 0.0)
        left, waited, work = left * several, np.ones(problem.size), np.where(several, 1.0 / waves, 0.0)
        costs = hardware.overlapping.get(problem.tile.name)
        held = 1 if costs is None else len(costs.levels)
        if costs is not None and 1 < held == slots // hardware.cores:
            place = np.array([costs.levels[0], *costs.levels])
            shared = np.minimum(np.ceil(left / hardware.cores), held).astype(np.int64)
            packed = shared
            if hardware.core_spread_of(problem.tile.name) > 0:
                # The cores that are done first take as many of the last work-groups as they hold.
                memory = memory_of_waves(problem, hardware, costs, on)
                first = ending_together(problem, hardware, costs, memory, on)
                packed = np.minimum(np.ceil(left / first), held).astype(np.int64)
            last = traffic * place[packed] / place[shared]
            waited = 1.0 + last - traffic
            traffic = last / waited
            # Fewer side by side compute less long.
            work = np.where(several, place[packed] / (waves - 1.0 + place[packed]), 0.0)
        rows, found = chains(problem, hardware, on)
        if found is not None:
            waited[rows] = found.waited
            work[rows] = np.where(several[rows], found.last_work, 0.0)
            traffic[rows] = np.where(several[rows], found.last_waited, 0.0)
        return cls(work, traffic, waited)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LastWave:
        """Return the given launches."""
        return LastWave(self.work[rows], self.traffic[rows], self.waited[rows])
