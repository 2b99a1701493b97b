"""Work-groups on cores, event by event: who starts where, who shares a core's engines, when the last one ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit

_EMPTY, _WAITING, _RUNNING = 0, 1, 2
_ROUNDING = 4e-15

TOGETHER = 1e-9
"""Seconds within which work-groups end together: a few cycles, in which nothing new is handed out."""


@njit
def overlapped(compute: float, memory: float, power: float) -> float:
    """Seconds of computing and of moving bytes at the same time: the longer of the two, rounded where they meet."""
    longer, shorter = max(compute, memory), min(compute, memory)
    return float(longer * (1.0 + (shorter / longer) ** power) ** (1.0 / power)) if longer > 0.0 else 0.0


@njit
def makespan(
    wait: NDArray[np.float64],
    work: NDArray[np.float64],
    loads: NDArray[np.float64],
    count: int,
    speed: NDArray[np.float64],
    residents: int,
    solo_rate: float,
    power: float,
    ends: NDArray[np.float64],
) -> float:
    """Run all work-groups and return the time at which the last one ends.

    Work-groups go out in order, each as soon as there is a free slot, to the core with the fewest residents (the
    lowest index of equals); slots that are free within a nanosecond are free together. A work-group first waits,
    without using engines; then it shares its core's engines evenly with the others that run there, none above
    ``solo_rate`` of a core. It moves its bytes meanwhile; where they take longer, the engines idle. A slow core
    computes slowly, but waits for its bytes no longer than others.

    Parameters
    ----------
    wait, work, loads : ndarray of float64, shape (>= count,)
        Seconds without engines, seconds of whole engines, and seconds of a whole core of rate 1 that the bytes
        keep busy, per work-group.
    count : int
        Work-groups.
    speed : ndarray of float64, shape (cores,)
        Rate of each core.
    residents : int
        Slots of a core.
    solo_rate : float
        Largest share of a core that one work-group can use.
    power : float
        Exponent by which computing and moving bytes overlap.
    ends : ndarray of float64, shape (>= count,)
        Filled with the end of each work-group; empty to do without.

    Returns
    -------
    float
        Seconds.
    """
    if residents == 1:
        return _unshared(wait, work, loads, count, speed, solo_rate, power, ends)
    cores = speed.size
    size = cores * residents
    state = np.zeros(size, dtype=np.int8)
    due = np.zeros(size)  # of a waiting work-group, the time it begins; of a running one, the progress it ends at
    need = np.zeros(size)
    owner = np.zeros(size, dtype=np.int64)
    taken = np.zeros(cores, dtype=np.int64)
    running = np.zeros(cores, dtype=np.int64)
    progress = np.zeros(cores)  # engine seconds that each running work-group of a core has had, ever
    seen = np.zeros(cores)  # time up to which progress is accounted for
    event = np.full(cores, np.inf)
    now = freed = 0.0
    issued = done = 0
    while done < count:
        core = 0
        for other in range(1, cores):
            if event[other] < event[core]:
                core = other
        # What ends at the same time ends before anything new is handed out.
        if issued < count and issued - done < size and event[core] > freed + TOGETHER:
            core = 0
            for other in range(1, cores):
                if taken[other] < taken[core]:
                    core = other
            slot = core * residents
            while state[slot] != _EMPTY:
                slot += 1
            state[slot] = _WAITING
            due[slot] = now + wait[issued]
            need[slot] = overlapped(work[issued], loads[issued] * speed[core], power)
            owner[slot] = issued
            taken[core] += 1
            issued += 1
            event[core] = min(event[core], due[slot])
            continue
        now = event[core]
        if running[core] > 0:
            progress[core] += speed[core] * min(solo_rate, 1.0 / running[core]) * (now - seen[core])
        seen[core] = now
        begin, end = np.inf, np.inf
        for slot in range(core * residents, (core + 1) * residents):
            if state[slot] == _WAITING and due[slot] <= now:
                state[slot] = _RUNNING
                running[core] += 1
                due[slot] = progress[core] + need[slot]
            elif state[slot] == _RUNNING and due[slot] - progress[core] <= _ROUNDING * (1.0 + now):
                state[slot] = _EMPTY
                running[core] -= 1
                taken[core] -= 1
                if issued - done == size:
                    freed = now
                done += 1
                if ends.size > 0:
                    ends[owner[slot]] = now
            if state[slot] == _WAITING:
                begin = min(begin, due[slot])
            elif state[slot] == _RUNNING:
                end = min(end, due[slot])
        event[core] = begin
        if running[core] > 0:
            rate = speed[core] * min(solo_rate, 1.0 / running[core])
            event[core] = min(begin, now + max(end - progress[core], 0.0) / rate)
    return float(now)


@njit
def _unshared(
    wait: NDArray[np.float64],
    work: NDArray[np.float64],
    loads: NDArray[np.float64],
    count: int,
    speed: NDArray[np.float64],
    solo_rate: float,
    power: float,
    ends: NDArray[np.float64],
) -> float:
    """Run work-groups that have a core each: without sharing, each one's end is known when it starts."""
    cores = speed.size
    free = np.zeros(cores)
    last = 0.0
    for index in range(count):
        core = 0
        for other in range(1, cores):
            if free[other] < free[core]:
                core = other
        for other in range(core):
            # Of cores that are free together the lowest comes first; others that came before are no longer free.
            if free[other] <= free[core] + TOGETHER:
                core = other
                break
        need = overlapped(work[index], loads[index] * speed[core], power)
        free[core] += wait[index] + need / (speed[core] * solo_rate)
        last = max(last, free[core])
        if ends.size > 0:
            ends[index] = free[core]
    return float(last)
