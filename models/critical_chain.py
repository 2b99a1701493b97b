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

Whose turn it is next, a tournament among the cores says (Knuth, The Art of Computer Programming 3, section 5.4.1).
Each work-group keeps what it was beside and which one it followed: its chain is read off at the end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit

Array = NDArray[np.float64]

EDGES = 3
"""Ragged in N, ragged in M, and in both."""

_FREE, _LATE, _RUNNING = 0, 1, 2
_NONE = -1
_ROUNDING = 1e-12
_LATER = 1e-6
_GOLDEN = 0.6180339887498949


def core_rates(cores: int, spread: float) -> Array:
    """Rates of cores spread evenly over a share ``spread`` of the fastest, in scattered order, 1 on average."""
    place = np.argsort(np.argsort(np.arange(cores) * _GOLDEN % 1.0))
    rates = 1.0 - spread * place / max(cores - 1, 1)
    return np.asarray(rates / rates.mean())


@njit
def _play(winner: NDArray[np.int64], event: Array, core: int) -> None:
    """Let a core whose event has changed play its way up: winners come first, of equals those of lower number."""
    node = (event.size + core) // 2
    while node > 0:
        left, right = winner[2 * node], winner[2 * node + 1]
        first = right if event[right] < event[left] else left
        if first == winner[node] and first != core:
            break
        winner[node] = first
        node //= 2


@njit
def critical_chains(
    tiles: NDArray[np.int64],
    lengths: Array,
    inside: Array,
    delays: Array,
    levels: Array,
    rates: Array,
    memory: Array,
    together: NDArray[np.int64],
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
    together : ndarray of int64, shape (n,)
        How many cores that wait for memory end together: the fastest first, then the next.
    chains : ndarray, shape (n, R + 6)
        Filled: n(1) to n(R), then the chain's delays at edges ragged in N, in M and in both, and how long its
        work-groups would take for their bytes alone, of what all bytes of the launch take. At last, how much of the
        chain's computing, and of its bytes, is that of work-groups that were handed out last.
    """
    residency, cores = levels.size, rates.size
    size = cores * residency
    players = 1
    while players < cores:
        players *= 2
    event, winner = np.full(players, np.inf), np.empty(2 * players, dtype=np.int64)
    winner[players:] = np.arange(players)
    place_of = np.empty(cores, dtype=np.int64)  # among the cores, the fastest first
    place_of[np.argsort(-rates)] = np.arange(cores)
    state, group = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int64)
    due, need, begun = np.zeros(size), np.zeros(size), np.zeros((size, residency))
    taken, running = np.zeros(cores, dtype=np.int64), np.zeros(cores, dtype=np.int64)
    holding = np.zeros(residency + 1, dtype=np.int64)  # how many cores have 0, 1, ... R work-groups
    done, seen, at_level = np.zeros(cores), np.zeros(cores), np.zeros((cores, residency))
    # What of a work-group's progress it needs for computing alone, and for a unit of memory alone.
    computing, moving = np.zeros(size), np.zeros(size)
    last = np.zeros(cores, dtype=np.int64)
    most = 0
    for launch in range(tiles.shape[0]):
        most = max(most, tiles[launch, 0] * tiles[launch, 1])
    followed, beside, waited = np.empty(most, dtype=np.int64), np.empty((most, residency)), np.empty(most)
    for launch in range(tiles.shape[0]):
        along_n = tiles[launch, 2] == 1
        lines, length = tiles[launch, 0], tiles[launch, 1]
        short_line, short_end = lengths[launch, 0], lengths[launch, 1]
        late_line, late_end = delays[launch, 1], delays[launch, 0]
        if not along_n:
            lines, length = length, lines
            short_line, short_end = short_end, short_line
            late_line, late_end = late_end, late_line
        count = lines * length
        beyond = 1.0 - inside[launch]
        bytes_of_all = 1.0 - beyond * length / count
        state[:], taken[:], running[:], holding[:] = _FREE, 0, 0, 0
        holding[0] = cores
        done[:], seen[:], last[:], at_level[:, :] = 0.0, 0.0, _NONE, 0.0
        event[:] = np.inf
        for node in range(players - 1, 0, -1):
            winner[node] = winner[2 * node]
        now = 0.0
        issued = ended = freed = line = place = batch_end = 0
        moved_each = 0.0
        looked_at, least, emptiest = _NONE, 0, 0
        while ended < count:
            core = winner[1]
            # What ends at the same time ends before anything new goes out.
            if issued < count and issued - ended < size and event[core] > now * (1.0 + _ROUNDING):
                if issued < size:
                    core = issued % cores
                elif issued - ended == size - 1 and taken[freed] < residency:
                    core = freed  # the one free slot, unless that core took another
                else:
                    if looked_at != ended:
                        looked_at, least, emptiest = ended, 0, 0
                    while holding[least] == 0:
                        least, emptiest = least + 1, 0
                    while taken[emptiest] != least:
                        emptiest += 1
                    core = emptiest
                slot = core * residency
                while state[slot] != _FREE:
                    slot += 1
                if issued == batch_end:
                    batch = min(size, count - issued)
                    batch_end += batch
                    side_by_side = min(residency, -(-batch // cores))
                    in_last_line = max(0, batch_end - max(issued, count - length))
                    moved = (batch - beyond * in_last_line) / size / bytes_of_all
                    moved_each = moved / levels[side_by_side - 1]
                work, late = 1.0, 0.0
                in_line, at_end = line == lines - 1, place == length - 1
                if in_line:
                    work *= short_line
                    late += late_line
                if at_end:
                    work *= short_end
                    late += late_end
                if in_line and at_end:
                    late += delays[launch, 2]
                a_wave = rates[core] * moved_each
                # Slow cores end a little later, and the fastest take as many of the next as they hold.
                a_wave *= 1.0 + _LATER * (place_of[core] // together[launch]) / cores
                longer = max(work, memory[launch] * a_wave)
                computing[slot], moving[slot], need[slot] = work / longer, a_wave / longer, longer
                state[slot], due[slot] = _LATE, now + late
                group[slot], followed[issued] = issued, last[core]
                holding[taken[core]] -= 1
                taken[core] += 1
                holding[taken[core]] += 1
                issued += 1
                place += 1
                if place == length:
                    line, place = line + 1, 0
                if due[slot] < event[core]:
                    event[core] = due[slot]
                    if late > 0.0:
                        _play(winner, event, core)
                if late > 0.0:
                    continue
                # One that is not late begins now: no other event comes before.
            now = event[core]
            level = running[core]
            if level > 0:
                part = (now - seen[core]) / levels[level - 1]
                at_level[core, level - 1] += part
                done[core] += part * rates[core]
            seen[core] = now
            begin, end = np.inf, np.inf
            for slot in range(core * residency, (core + 1) * residency):
                if state[slot] == _LATE:
                    if due[slot] > now:
                        begin = min(begin, due[slot])
                        continue
                    state[slot], due[slot] = _RUNNING, done[core] + need[slot]
                    running[core] += 1
                    end = min(end, due[slot])
                    for j in range(residency):
                        begun[slot, j] = at_level[core, j]
                elif state[slot] == _RUNNING:
                    if due[slot] - done[core] > _ROUNDING * (1.0 + now):
                        end = min(end, due[slot])
                        continue
                    state[slot] = _FREE
                    running[core] -= 1
                    holding[taken[core]] -= 1
                    taken[core] -= 1
                    holding[taken[core]] += 1
                    ended += 1
                    freed, last[core] = core, group[slot]
                    in_waves = 0.0
                    for j in range(residency):
                        progress = at_level[core, j] - begun[slot, j]
                        beside[group[slot], j] = progress * computing[slot]
                        in_waves += progress * levels[j]
                    waited[group[slot]] = in_waves * moving[slot]
            event[core] = begin
            if running[core] > 0:
                wait = max(end - done[core], 0.0) * levels[running[core] - 1] / rates[core]
                event[core] = min(begin, now + wait)
            _play(winner, event, core)
        chains[launch] = 0.0
        each = last[freed]
        computed = computed_last = waited_last = 0.0
        while each != _NONE:
            of_each = 0.0
            for j in range(residency):
                chains[launch, j] += beside[each, j]
                of_each += beside[each, j] * levels[j]
            computed += of_each
            chains[launch, residency + EDGES] += waited[each] * size / count
            if each >= (count - 1) // size * size:
                computed_last += of_each
                waited_last += waited[each] * size / count
            in_m, in_n = each // length == lines - 1, each % length == length - 1
            if not along_n:
                in_m, in_n = in_n, in_m
            chains[launch, residency] += in_n
            chains[launch, residency + 1] += in_m
            chains[launch, residency + 2] += in_m and in_n
            each = followed[each]
        if computed > 0.0:
            chains[launch, residency + EDGES + 1] = computed_last / computed
        if chains[launch, residency + EDGES] > 0.0:
            chains[launch, residency + EDGES + 2] = waited_last / chains[launch, residency + EDGES]
