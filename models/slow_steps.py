"""Mainloop steps that take longer at some sizes: masked ones, and those whose rows begin inside a cache line.

They slow down whatever runs, full waves as well as work-groups that a masked edge makes late. What waves take
longer is computing, which launches that wait for memory hide; what late work-groups take longer is a longer delay,
which nothing hides. So waves are charged for slow steps where these are counted, and delays last longer by the
slowdown that waves have, once it is known (:mod:`models.edge_costs`).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from models.hardware import Hardware
from models.problem import Problem

ATOM, PITCH = "atom remainder", "row pitch"
"""Mechanisms: with them off, no step is masked, and all rows are aligned."""

MASKED_STEP = "masked step"


def granules(hardware: Hardware) -> tuple[int, ...]:
    """Alignments of rows that are told apart, bytes: the cache line, half a line, the vector unit."""
    sizes = (hardware.line_bytes, hardware.line_bytes // 2, hardware.vector_bytes)
    return tuple(dict.fromkeys(size for size in sizes if size > 1))


def misaligned(problem: Problem, hardware: Hardware) -> dict[str, NDArray[np.bool_]]:
    """Launches whose rows of A, or of B, miss an alignment, by the names of their costs; (n,) each."""
    of = granules(hardware), hardware.pitch_multiple
    kept = problem.counted.get("misaligned")
    if kept is None or kept[0] != of:
        bytes_apart = {
            operand: problem.element_bytes * hardware.pitch(width)
            for operand, width in (("A", problem.K), ("B", problem.N))
        }
        off = {f"{name} off {each} B": size % each != 0 for name, size in bytes_apart.items() for each in of[0]}
        kept = problem.counted["misaligned"] = of, off
    return dict(kept[1])


def masked(problem: Problem) -> NDArray[np.bool_]:
    """Launches whose K is no multiple of the tile's step, shape (n,)."""
    return np.asarray(problem.K % problem.tile.k != 0)


def slowdown(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
    """How much longer a step takes, of what it takes elsewhere; shape (n,), 0 where that is not known.

    Parameters
    ----------
    problem : Problem
    hardware : Hardware
    on : set of str
        Mechanisms that are on.
    """
    name = problem.tile.name
    costs = hardware.edges.get(name, hardware.overlapping.get(name))
    found = np.zeros(problem.size)
    if costs is None or not costs.slower:
        return found
    slow = misaligned(problem, hardware) if PITCH in on else {}
    if ATOM in on:
        slow[MASKED_STEP] = masked(problem)
    for kind, value in costs.slower:
        if kind in slow:
            found += value * slow[kind]
    return found
