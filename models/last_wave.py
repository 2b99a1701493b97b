"""The last wave of a launch: its share of the computing, and of the bytes.

Work-groups move their operands while they compute, wave by wave. Where the waves of a launch wait for memory, the
last one may not: with few work-groups left it moves few bytes, but computes as long as any. Then a launch takes

    (1 - b) memory + w compute,

with the last wave's share b of the bytes and w of the computing: one of V waves, and its part of the work-groups.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.limits import divisible
from models.problem import Problem

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
    """

    work: Array
    traffic: Array

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
            return cls(np.zeros(problem.size), np.zeros(problem.size))
        groups, slots = problem.whole_groups, hardware.slots_of(problem.tile.name)
        waves = np.ceil(groups / slots)
        several = (waves > 1) & ~divisible(groups, slots, on)
        left = groups - (waves - 1) * slots
        return cls(np.where(several, 1.0 / waves, 0.0), np.where(several, left / groups, 0.0))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LastWave:
        """Return the given launches."""
        return LastWave(self.work[rows], self.traffic[rows])
