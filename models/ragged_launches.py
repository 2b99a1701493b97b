"""Launches handed out work-group by work-group: how long they last follows from how late work-groups at edges are.

With work-groups that are late at ragged edges, or short where padding is off, waves no longer end at once, and
which delays a launch waits for depends on where in the raster they are. Once costs are known approximately,
launches are handed out work-group by work-group (:mod:`models.critical_chain`): the chain that ends last says how
many of its work-groups ran beside how many others, how many of them were late, and how long they waited for their
bytes. These counts are the design columns. They are exact at the costs they were made with, so fitting and counting
take turns (:mod:`models.edge_turns`).

Launches of whole tiles are handed out in the same way as ragged ones beside them. Formulas for waves that end at
once (:mod:`models.residents`, :mod:`models.last_wave`) serve kernels without edge costs, and many waves. If they
served whole launches, what formulas and chains tell differently, as which cores a single wave takes, or how last
waves wait for memory, would pass for a mechanism that acts on whole tiles alone, or on ragged ones.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.consulted import Consulted
from models.critical_chain import EDGES, core_rates, critical_chains
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.idle_channels import HASH, waiting_bytes
from models.limits import divisible
from models.problem import PADDING, Problem
from models.slow_steps import slowdown
from models.sweeps import bytes_again, idle_of_fast
from models.traffic import needed_bytes, spilt_bytes

Array = NDArray[np.float64]

MASKED = "masked edge"

_GRADES = 16.0
"""Of what bytes take, in a factor e: launches that differ by less have one chain."""
_SMALLEST, _LARGEST = 0.8, 50.0
"""Parts of its computing that the bytes of a wave take, beyond which more or less of them change no chain."""
_FINER = 2.0
"""Grades of a doubling of the cores that end together."""
_NO_GRADE = -1000
"""Where bytes are too few to matter."""

_MOST_WAVES, _MOST_GROUPS = 40, 4096
"""Beyond both of them the formulas for many waves serve, a few per cent off where edges are late: work-groups of
thousands of launches, of so many each, are handed out in seconds."""


def followed(problem: Problem, hardware: Hardware) -> NDArray[np.bool_]:
    """Whether launches are handed out one by one, shape (n,): those of tiles with edge costs, if not too large."""
    tile = problem.tile.name
    if tile not in hardware.edges:
        return np.zeros(problem.size, dtype=np.bool_)
    return np.asarray(problem.whole_groups <= max(_MOST_GROUPS, _MOST_WAVES * hardware.slots_of(tile)))


@dataclass(frozen=True)
class Chains:
    """What the chains of launches hold.

    Attributes
    ----------
    waves : ndarray, shape (n, R)
        Sum over the chain of min(residents, j), in waves.
    late : ndarray, shape (n, 3)
        Work-groups of the chain at edges ragged in N, in M and in both.
    waited : ndarray, shape (n,)
        How long the chain's work-groups would take for their bytes alone, of what all bytes of the launch take:
        more where late work-groups leave memory idle, less where a launch ends with them.
    last_work, last_waited : ndarray, shape (n,)
        How much of the chain's computing, and of what it waits for bytes, is that of its last work-groups: those
        that were handed out when fewer were left than fill all slots.
    """

    waves: Array
    late: Array
    waited: Array
    last_work: Array
    last_waited: Array


def chains(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> tuple[NDArray[np.int64], Chains | None]:
    """Count what the chains of those launches hold that are :func:`followed` and whose work is not divisible.

    All terms of a design ask for them in turn, so the last ones are kept with the shapes.

    Returns
    -------
    rows : ndarray of int64, shape (k,)
        Which launches these are.
    Chains or None
        Of these rows; ``None`` where there are none.
    """
    kept = problem.counted.get("chains")
    if kept is not None and kept[0] is hardware and all((name in on) == told for name, told in kept[1].items()):
        return kept[2], kept[3]
    # Kept for all sets that answer alike: attribution need not tell these apart either.
    consulted = Consulted(on)
    loose = divisible(problem.whole_groups, hardware.slots_of(problem.tile.name), consulted)
    rows = np.flatnonzero(followed(problem, hardware) & ~loose)
    found = _counted(problem.take(rows), hardware, consulted) if rows.size > 0 else None
    problem.counted["chains"] = hardware, consulted.answers, rows, found
    return rows, found


def _counted(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Chains:
    """Count what the chains of ragged launches hold.

    Parameters
    ----------
    problem : Problem
        Launches that are :func:`followed`, length n.
    hardware : Hardware
        With the tile's edge costs.
    on : set of str
        Mechanisms that are on: without padding work-groups at the edge are shorter, without masked edges none is
        late.
    """
    tile = problem.tile
    costs, spread = hardware.edges[tile.name], hardware.core_spread_of(tile.name)
    # Whole tiles are all alike, however many of them are side by side.
    ragged = problem.ragged
    lines = np.where(ragged, problem.tile_rows, problem.whole_groups)
    columns, along_n = np.where(ragged, problem.tile_columns, 1.0), ~ragged | problem.along_n
    counts = [lines, columns, along_n, problem.M % tile.m, problem.N % tile.n]
    memory = memory_of_waves(problem, hardware, costs, on)
    counts += [_grades(memory), ending_together(problem, hardware, costs, memory, on)]
    shapes, place = _distinct(np.stack(counts, axis=1).astype(np.int64))
    states = PADDING in on, MASKED in on
    found = _chains(costs, (tile.m, tile.n), hardware.cores, spread, *states, shapes.tobytes())[place]
    levels, caps = len(costs.levels), np.arange(1.0, len(costs.levels) + 1.0)
    waves = found[:, :levels] @ np.minimum(caps[:, None], caps)
    return Chains(waves, found[:, levels : levels + EDGES], *found[:, levels + EDGES :].T)


def _distinct(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct rows in order, and which of them each row is; as one number each, which sorts much faster."""
    low = rows.min(axis=0, initial=0)
    number, room = np.zeros(rows.shape[0], dtype=np.int64), 1
    for column, least in zip(rows.T, low, strict=True):
        width = int(column.max(initial=0) - least) + 1
        number, room = number * width + (column - least), room * width
    if room > np.iinfo(np.int64).max:
        distinct, place = np.unique(rows, axis=0, return_inverse=True)
        return distinct, place.ravel()
    first, place = np.unique(number, return_index=True, return_inverse=True)[1:]
    return rows[first], place


def outside(size: NDArray[np.int64], tile: int) -> Array:
    """Share of the last tile along an axis that lies outside the matrix: 0 where tiles fit, below 1."""
    return np.asarray(-size % tile / tile)


def last_line(problem: Problem) -> tuple[Array, Array]:
    """How many work-groups the last line of the raster has, and how much of them lies inside the matrix; (n,) each.

    The last line ends the launch, and where it is ragged it moves fewer bytes than those before it. The ends of all
    lines, ragged along the other axis, are spread over the launch.
    """
    along_n = problem.along_n
    length = np.where(along_n, problem.tile_columns, problem.tile_rows)
    outer = np.where(along_n, outside(problem.M, problem.tile.m), outside(problem.N, problem.tile.n))
    return length, 1.0 - outer


def memory_of_waves(problem: Problem, hardware: Hardware, costs: EdgeCosts, on: AbstractSet[str]) -> Array:
    """What the bytes of a full wave take, in what its computing takes; shape (n,)."""
    waves = problem.whole_groups / hardware.slots_of(problem.tile.name)
    moving = costs.byte * needed_bytes(problem, hardware) + costs.spilt_byte * spilt_bytes(problem, hardware)
    if costs.waiting_byte > 0.0 and HASH in on:
        moving += costs.waiting_byte * waiting_bytes(problem, hardware)
    if any(costs.bytes_again):
        prices = np.array(costs.bytes_again).reshape(2, -1)
        again = bytes_again(problem, hardware)
        moving += again @ prices[0]
        if prices[1].any() and HASH in on:
            moving += idle_of_fast(problem, hardware) * (again @ prices[1])
    steps = problem.steps(on) * (1.0 + slowdown(problem, hardware, on))
    return np.asarray(moving / waves * costs.steps / steps)


def ending_together(
    problem: Problem, hardware: Hardware, costs: EdgeCosts, memory: Array, on: AbstractSet[str]
) -> NDArray[np.int64]:
    """How many cores take the last work-groups of a launch side by side, having ended together; shape (n,)."""
    tile = problem.tile.name
    steps = problem.steps(on) * (1.0 + slowdown(problem, hardware, on))
    found = costs.ending_together(memory, steps, hardware.cores, hardware.core_spread_of(tile))
    # One more or less of many is no matter, and would have a chain of its own.
    graded = np.round(2.0 ** (np.round(_FINER * np.log2(found)) / _FINER)).astype(np.int64)
    return np.where(found < hardware.cores, np.minimum(graded, hardware.cores), hardware.cores)


def _grades(memory: Array) -> Array:
    """Logarithm of what the bytes of a wave take over what its computing does, in grades of a few percent."""
    grades = np.round(_GRADES * np.log(np.clip(memory, 1e-300, _LARGEST)))
    return np.where(grades < _GRADES * np.log(_SMALLEST), float(_NO_GRADE), grades)


@lru_cache(maxsize=64)
def _chains(
    costs: EdgeCosts,
    tile: tuple[int, int],
    cores: int,
    spread: float,
    padded: bool,
    masked: bool,
    shapes: bytes,
) -> Array:
    """Follow distinct launches: tiles, raster, what is left of both, grade, cores that end together, as int64."""
    rows = np.frombuffer(shapes, dtype=np.int64).reshape(-1, 7)
    rest = rows[:, 3:5] / np.array(tile)
    rest = np.where(rest > 0, rest, 1.0)
    delays = np.zeros((rows.shape[0], EDGES))
    if masked:
        delays = costs.delays(1.0 - rest[:, 1], 1.0 - rest[:, 0])
        delays[:, 2] *= costs.corner
    lengths = np.ones(rest.shape) if padded else rest
    inside = np.where(rows[:, 2] == 1, rest[:, 0], rest[:, 1])  # of the last line
    found = np.zeros((rows.shape[0], len(costs.levels) + EDGES + 3))
    levels, rates = np.array(costs.levels), core_rates(cores, spread)
    memory = np.where(rows[:, 5] > _NO_GRADE, np.exp(rows[:, 5] / _GRADES), 0.0)
    together = np.ascontiguousarray(rows[:, 6])
    critical_chains(
        np.ascontiguousarray(rows[:, :3]), lengths, inside, delays, levels, rates, memory, together, found
    )
    return found
