"""The chain of work-groups that a launch ends with, where work-groups at ragged edges are late or short.

Work-groups go out in raster order, each to the core with the fewest residents (list scheduling; Graham, SIAM
Journal on Applied Mathematics 17, 1969). A core with j running work-groups takes c(j) for as much of each as it
does in a wave of R in time 1. A work-group at a ragged edge first waits for its delay, during which the others on
its core have the core to themselves.

The work-group that ends last took the slot of one that had ended before, and so back to the begin of the launch:
its chain. The launch lasts exactly as long as the chain,

    T = sum over j of n(j) c(j) + sum over edges of k(e) delay(e),

n(j) work-groups of the chain having run beside j - 1 others, and k(e) having waited at edge e. Given the chain, the
time is linear in the costs; which chain it is depends on them, as what bounds a launch does elsewhere.

Where work-groups move their bytes while they compute, each takes the longer of both. Those handed out together
share the bytes that all of them move, fewer where the last line of the raster reaches past the matrix; these come
as fast to a slow core as to a fast one. The last of a launch are few, and move few. The chain is then that of the
longer work-groups; counted are what it would take for its computing alone, and for its bytes alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit

Array = NDArray[np.float64]

EDGES = 3
"""Ragged in N, ragged in M, and in both."""

_FREE, _LATE, _RUNNING = 0, 1, 2
_ROUNDING = 1e-12
_LATER = 1e-6
_GOLDEN = 0.6180339887498949


def core_rates(cores: int, spread: float) -> Array:
    """Rates of cores spread evenly over a share ``spread`` of the fastest, in scattered order, 1 on average."""
    place = np.argsort(np.argsort(np.arange(cores) * _GOLDEN % 1.0))
    rates = 1.0 - spread * place / max(cores - 1, 1)
    return np.asarray(rates / rates.mean())


@njit
def critical_chains(
    tiles: NDArray[np.int64],
    lengths: Array,
    inside: Array,
    delays: Array,
    levels: Array,
    rates: Array,
    memory: Array,
    in_step: NDArray[np.bool_],
    chains: Array,
) -> None:
    """Follow the chains of many launches.

    Parameters
    ----------
    tiles : ndarray of int64, shape (n, 3)
        Work-groups along M and along N, and whether consecutive ones walk along N.
    lengths : ndarray, shape (n, 2)
        Length of work-groups at the last row and the last column of tiles, of a whole one; 1 where whole.
    inside : ndarray, shape (n,)
        How much of the last line of the raster lies inside the matrix: others are not read or written.
    delays : ndarray, shape (n, 3)
        Delay at an edge ragged in N, in M, and what is added in the corner, in whole work-groups.
    levels : ndarray, shape (R,)
        c(1) to c(R) = 1.
    rates : ndarray, shape (cores,)
    memory : ndarray, shape (n,)
        What the bytes of a full wave take, in what its computing takes at rate 1.
    in_step : ndarray of bool, shape (n,)
        Whether cores that wait for memory end together.
    chains : ndarray, shape (n, R + 4)
        Filled: n(1) to n(R), then the chain's delays at edges ragged in N, in M and in both, and how long its
        work-groups would take for their bytes alone, of what all bytes of the launch take.
    """
    residency, cores = levels.size, rates.size
    size = cores * residency
    width = residency + EDGES + 1
    state = np.zeros(size, dtype=np.int8)
    due, need = np.zeros(size), np.zeros(size)
    chain, begun = np.zeros((size, width)), np.zeros((size, residency))
    taken, running = np.zeros(cores, dtype=np.int64), np.zeros(cores, dtype=np.int64)
    done_each, seen, event = np.zeros(cores), np.zeros(cores), np.zeros(cores)
    at_level = np.zeros((cores, residency))
    before = np.zeros((cores, width))
    # What of a work-group's progress it needs for computing alone, and for a unit of memory alone.
    computing, moving = np.zeros(size), np.zeros(size)
    for launch in range(tiles.shape[0]):
        tiles_m, tiles_n = tiles[launch, 0], tiles[launch, 1]
        length = tiles_n if tiles[launch, 2] == 1 else tiles_m
        count = tiles_m * tiles_n
        beyond = 1.0 - inside[launch]
        bytes_of_all = 1.0 - beyond * length / count
        state[:], taken[:], running[:] = _FREE, 0, 0
        done_each[:], seen[:], event[:] = 0.0, 0.0, np.inf
        at_level[:, :], before[:, :] = 0.0, 0.0
        now = 0.0
        issued = ended = freed = 0
        while ended < count:
            core = 0
            for other in range(1, cores):
                if event[other] < event[core]:
                    core = other
            # What ends at the same time ends before anything new goes out.
            if issued < count and issued - ended < size and event[core] > now * (1.0 + _ROUNDING):
                core = freed  # of one free slot it is known whose it is
                if issued - ended < size - 1 or taken[core] == residency:
                    core = 0
                    for other in range(1, cores):
                        if taken[other] < taken[core]:
                            core = other
                slot = core * residency
                while state[slot] != _FREE:
                    slot += 1
                first, second = issued // length, issued % length
                row, column = (first, second) if tiles[launch, 2] == 1 else (second, first)
                for j in range(width):
                    chain[slot, j] = before[core, j]
                late = 0.0
                need[slot] = 1.0
                in_m, in_n = row == tiles_m - 1, column == tiles_n - 1
                if in_m:
                    need[slot] *= lengths[launch, 0]
                    late += delays[launch, 1]
                    chain[slot, residency + 1] += 1.0
                if in_n:
                    need[slot] *= lengths[launch, 1]
                    late += delays[launch, 0]
                    chain[slot, residency] += 1.0
                if in_m and in_n:
                    late += delays[launch, 2]
                    chain[slot, residency + 2] += 1.0
                batch = issued // size * size
                together = min(size, count - batch)
                beside = min(residency, -(-together // cores))
                in_last_line = max(0, batch + together - max(batch, count - length))
                moved = (together - beyond * in_last_line) / size / bytes_of_all
                a_wave = rates[core] * moved / levels[beside - 1]
                if not in_step[launch]:
                    # Slow cores end a little later, and the fastest takes as many of the next as it holds.
                    a_wave *= 1.0 - _LATER * rates[core]
                longer = max(need[slot], memory[launch] * a_wave)
                computing[slot], moving[slot] = need[slot] / longer, a_wave / longer
                need[slot] = longer
                state[slot] = _LATE
                due[slot] = now + late
                taken[core] += 1
                issued += 1
                event[core] = min(event[core], due[slot])
                if late > 0.0:
                    continue
                # One that is not late begins now: no other event comes before.
            now = event[core]
            level = running[core]
            if level > 0:
                part = (now - seen[core]) / levels[level - 1]
                at_level[core, level - 1] += part
                done_each[core] += part * rates[core]
            seen[core] = now
            for slot in range(core * residency, (core + 1) * residency):
                if state[slot] == _LATE and due[slot] <= now:
                    state[slot] = _RUNNING
                    running[core] += 1
                    due[slot] = done_each[core] + need[slot]
                    for j in range(residency):
                        begun[slot, j] = at_level[core, j]
                elif state[slot] == _RUNNING and due[slot] - done_each[core] <= _ROUNDING * (1.0 + now):
                    state[slot] = _FREE
                    running[core] -= 1
                    taken[core] -= 1
                    ended += 1
                    freed = core
                    for j in range(width):
                        before[core, j] = chain[slot, j]
                    for j in range(residency):
                        progress = at_level[core, j] - begun[slot, j]
                        before[core, j] += progress * computing[slot]
                        before[core, residency + EDGES] += progress * levels[j] * moving[slot] * size / count
                    if ended == count:
                        chains[launch] = before[core]
            begin, end = np.inf, np.inf
            for slot in range(core * residency, (core + 1) * residency):
                if state[slot] == _LATE:
                    begin = min(begin, due[slot])
                elif state[slot] == _RUNNING:
                    end = min(end, due[slot])
            event[core] = begin
            if running[core] > 0:
                wait = max(end - done_each[core], 0.0) * levels[running[core] - 1] / rates[core]
                event[core] = min(begin, now + wait)
