"""How long the mainloops of a launch last, in full waves: masked or misaligned steps cost more all the while.

Such steps slow down full waves, and waves that are partly filled. As long as costs are not known, only waves can be
counted; once they are (:mod:`models.edge_costs`), so is how long the others last. Work-groups that a masked edge
makes late are slowed down, too, but nothing hides their delay (:mod:`models.slow_steps`).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.limits import divisible
from models.problem import Problem
from models.ragged_launches import chains, followed
from models.residents import residents
from models.terms.wave_quantization import counted_waves

Array = NDArray[np.float64]


def mainloop_waves(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Array:
    """Length of a launch's mainloops in full waves, shape (n,), in the state that ``on`` asks for.

    Parameters
    ----------
    problem : Problem
    hardware : Hardware
        With the tile's edge costs, or else its waves are counted, full or not.
    on : set of str
        Mechanisms that are on.
    """
    tile = problem.tile
    found = counted_waves(problem, hardware, on)
    costs = hardware.edges.get(tile.name)
    if costs is None:
        return found
    whole = ~divisible(problem.whole_groups, hardware.slots_of(tile.name), on)
    levels = np.diff(costs.levels, prepend=0.0)
    one_by_one = followed(problem, hardware)
    rows = np.flatnonzero(whole & ~one_by_one)
    if rows.size > 0:
        groups, spread = problem.whole_groups[rows], hardware.core_spread_of(tile.name)
        held = residents(groups, hardware.cores, hardware.residency_of(tile.name), spread)
        found[rows] = np.diff(held, axis=1, prepend=0.0) @ levels
    rows, chain = chains(problem, hardware, on)
    if chain is not None:
        found[rows] = np.diff(chain.waves, axis=1, prepend=0.0) @ levels
    return found
