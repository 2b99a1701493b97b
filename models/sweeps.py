"""Bytes that a launch reads anew, because the cache has lost them since the last sweep came by.

Work-groups are handed out row by row of tiles (or column by column). Each row walks through all of one operand,
the *fast* one: B where work-groups walk along N. Together the slots of the cores hold several rows where rows are
short, and share what they read; otherwise every row reads the fast operand again, from the cache if a whole sweep
fits into it. So the fast operand is swept W / max(slots, row) times, and from the second time on a part of it
comes from memory (:func:`models.traffic.lost_of`). How a cache gives way is left to the timings: three such
sizes, as shares of the working set at which it spills, or half of it is lost, with a cost each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.idle_channels import idle_per_byte
from models.problem import Problem
from models.traffic import lost_of

Array = NDArray[np.float64]

SHARES = (0.25, 0.5, 1.0)
"""Sizes of a sweep from which bytes are lost, or at which half are, as shares of what the cache holds or keeps."""


def sweep_sizes(hardware: Hardware) -> list[float]:
    """Sizes of a sweep, bytes: of the spill size, or of what the cache is known to keep."""
    whole = hardware.cache_bytes if hardware.kept_sharpness is None else hardware.kept_bytes
    return [share * whole for share in SHARES]


def bytes_again(problem: Problem, hardware: Hardware) -> Array:
    """Bytes of the fast operand that sweeps beyond each size read again, shape (n, 3)."""
    along_n = problem.along_n
    row = np.where(along_n, problem.tile_columns, problem.tile_rows)
    fast = np.where(along_n, problem.bytes_b, problem.bytes_a)
    panel = np.where(along_n, problem.tile.m, problem.tile.n) * problem.element_bytes * problem.K
    slots = hardware.slots_of(problem.tile.name)
    again = np.maximum(0.0, problem.whole_groups / np.maximum(slots, row) - 1.0) * fast
    sweep, sharpness = (fast + panel).astype(np.float64), hardware.kept_sharpness
    return np.stack([again * lost_of(sweep, size, sharpness) for size in sweep_sizes(hardware)], axis=1)


def idle_of_fast(problem: Problem, hardware: Hardware) -> Array:
    """What a byte of the fast operand loses to idle channels, 1/eta - 1; shape (n,)."""
    idle_a, idle_b, _ = idle_per_byte(problem, hardware)
    return np.where(problem.along_n, idle_b, idle_a)
