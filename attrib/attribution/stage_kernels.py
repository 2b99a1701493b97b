"""Compiled passes over one landscape: stages with their decisions, raw quantities and their derivatives.

A missing time is infinite here. Derivatives run backwards through the stages at fixed decisions (which tile, which
padded shape, which split): where a minimum is attained by one candidate, that is the derivative of the minimum
itself (the envelope theorem), so a stage is linear in the model's coefficients to first order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from models.overlap import HIDDEN

Array = NDArray[np.float64]
Index = NDArray[np.int64]

RAW_QUANTITIES = 7
"""Roughness along N and M in the last slice, along M, N and K; mean throughput; mean natural log of seconds."""

MEAN_RATE, MEAN_LOG_TIME = 5, 6

_BLOCK = 2048
_FEW = 128
"""Cells that are worked on at a time, so that their sums, and their slopes, stay in the fastest caches."""


@njit
def add_up(
    bank: Array,
    states: Index,
    resources: Index,
    divisible: NDArray[np.bool_],
    mask: int,
    last_waves: Array,
    last: int,
    power: float,
    time: Array,
    binding: NDArray[np.int8],
    scales: Array,
) -> None:
    """Times of one tile: the sum of its terms under the limit that lasts longest, resources overlapping.

    ``bank`` (state, cell) holds what a term costs in one of its states, ``states`` (limit, term) which one it is in
    under each limit (-1 for none), ``resources`` (term,) whether it adds (0), computes (1) or moves memory (2): the
    last two overlap with ``power`` (:mod:`models.overlap`). ``divisible`` (mask, cell) says in row ``mask`` (-1 for
    nowhere) where limits other than the first may bound. ``last_waves`` (state, 3, cell) has in row ``last`` (-1
    for none) the shares of computing and of bytes of last waves, which overlap for themselves, and how long memory
    is waited for. Fills ``time`` and ``binding``, the limit, of shape (cell,), and ``scales`` (2, cell), what is
    counted of computing and of memory.
    """
    parts, chosen = np.empty((3, _BLOCK)), np.empty((3, _BLOCK))
    for start in range(0, time.size, _BLOCK):
        size = min(_BLOCK, time.size - start)
        for limit in range(states.shape[0]):
            parts[:] = 0.0
            for term in range(states.shape[1]):
                if states[limit, term] >= 0:
                    cost = bank[states[limit, term], start : start + size]
                    part = parts[resources[term]]
                    for i in range(size):
                        part[i] += cost[i]
            for i in range(size):
                longer = parts[0, i] + parts[1, i] + parts[2, i]
                if limit > 0 and not (
                    divisible[mask, start + i] and longer > chosen[0, i] + chosen[1, i] + chosen[2, i]
                ):
                    continue
                for part_of in range(3):
                    chosen[part_of, i] = parts[part_of, i]
                binding[start + i] = limit
            if mask < 0:
                break
        for i in range(size):
            computing, moving = chosen[1, i], chosen[2, i]
            if last >= 0:
                work, traffic = last_waves[last, 0, start + i], last_waves[last, 1, start + i]
                waited = last_waves[last, 2, start + i]
                first = _overlap_scales((1.0 - work) * computing, (1.0 - traffic) * waited * moving, power)
                after = _overlap_scales(work * computing, traffic * waited * moving, power)
                of_computing = (1.0 - work) * first[0] + work * after[0]
                of_moving = ((1.0 - traffic) * first[1] + traffic * after[1]) * waited
            else:
                of_computing, of_moving = _overlap_scales(computing, moving, power)
            scales[0, start + i], scales[1, start + i] = of_computing, of_moving
            time[start + i] = chosen[0, i] + of_computing * computing + of_moving * moving


@njit
def _overlap_scales(computing: float, moving: float, power: float) -> tuple[float, float]:
    """Derivatives of (computing^p + moving^p)^(1/p); of equals with p infinite, computing counts."""
    waits = moving > computing
    longer, shorter = (moving, computing) if waits else (computing, moving)
    of_longer, of_shorter = 1.0, 0.0
    if shorter > 0.0 and power < np.inf:
        ratio = shorter / longer
        powered = ratio**power
        if powered >= HIDDEN * power:
            of_longer = (1.0 + powered) ** (1.0 / power - 1.0)
            of_shorter = of_longer * powered / ratio
    return (of_shorter, of_longer) if waits else (of_longer, of_shorter)


@njit
def least_of(times: Array, tiles: Index, out: Array, winner: Index) -> None:
    """Least time over some tiles of ``times`` (tile, cell), and the first tile that attains it."""
    out[:] = times[tiles[0]]
    winner[:] = tiles[0]
    for position in range(1, tiles.size):
        tile = tiles[position]
        line = times[tile]
        for cell in range(out.size):
            if line[cell] < out[cell]:
                out[cell] = line[cell]
                winner[cell] = tile


@njit
def pad_to_least(time: Array, out: Array, target: Index) -> None:
    """Suffix minimum of ``time`` (M, N, K), and the flat index of the cell that attains it."""
    rows, columns, depth = time.shape
    for m in range(rows - 1, -1, -1):
        for n in range(columns - 1, -1, -1):
            for k in range(depth - 1, -1, -1):
                best = time[m, n, k]
                where = (m * columns + n) * depth + k
                if k + 1 < depth and out[m, n, k + 1] < best:
                    best, where = out[m, n, k + 1], target[m, n, k + 1]
                if n + 1 < columns and out[m, n + 1, k] < best:
                    best, where = out[m, n + 1, k], target[m, n + 1, k]
                if m + 1 < rows and out[m + 1, n, k] < best:
                    best, where = out[m + 1, n, k], target[m + 1, n, k]
                out[m, n, k] = best
                target[m, n, k] = where


@njit
def unpad(target: Index, slope: Array, out: Array) -> None:
    """Hand the derivatives (cell, quantity) by padded times to the cells that they run."""
    out[:] = 0.0
    for cell in range(target.size):
        for q in range(slope.shape[1]):
            out[target[cell], q] += slope[cell, q]


@njit
def unsplit(before: Array, after: Array, axes: NDArray[np.bool_], slope: Array) -> None:
    """Hand the derivatives by split times to the parts, from the largest shape down, in place.

    ``before`` and ``after`` are times (M, N, K) without and with splits, ``slope`` is (M, N, K, quantity). Of
    equally fast splits the first counts, as in :class:`attrib.stages.Split`.
    """
    rows, columns, depth = before.shape
    quantities = slope.shape[3]
    for m in range(rows - 1, -1, -1):
        for n in range(columns - 1, -1, -1):
            for k in range(depth - 1, -1, -1):
                least = after[m, n, k]
                if not least < before[m, n, k]:
                    continue
                wanted = False
                for q in range(quantities):
                    wanted = wanted or slope[m, n, k, q] != 0.0
                if not wanted:
                    continue
                action, part = 0, -1
                if axes[0]:
                    for i in range((m + 1) // 2):
                        if after[i, n, k] + after[m - 1 - i, n, k] == least:
                            action, part = 1, i
                            break
                if action == 0 and axes[1]:
                    for i in range((n + 1) // 2):
                        if after[m, i, k] + after[m, n - 1 - i, k] == least:
                            action, part = 2, i
                            break
                if action == 0 and axes[2]:
                    for i in range((k + 1) // 2):
                        if after[m, n, i] + after[m, n, k - 1 - i] == least:
                            action, part = 3, i
                            break
                if action == 0:
                    continue
                for q in range(quantities):
                    value = slope[m, n, k, q]
                    if action == 1:
                        slope[part, n, k, q] += value
                        slope[m - 1 - part, n, k, q] += value
                    elif action == 2:
                        slope[m, part, k, q] += value
                        slope[m, n - 1 - part, k, q] += value
                    else:
                        slope[m, n, part, q] += value
                        slope[m, n, k - 1 - part, q] += value
                    slope[m, n, k, q] = 0.0


@njit
def raw_quantities(time: Array, volume: Array, values: Array, slope: Array) -> None:
    """Raw quantities of ``time`` (M, N, K), and their derivatives by each time where ``slope`` is not empty.

    ``volume`` is the work 2MNK in TFLOP, ``values`` (quantity,), ``slope`` (M, N, K, quantity) or of size 0. A time
    of zero makes all values NaN; a mean over nothing is NaN.
    """
    rows, columns, depth = time.shape
    derive = slope.size > 0
    count = np.zeros(RAW_QUANTITIES)
    values[:] = 0.0
    slope[:] = 0.0
    rate = np.empty(time.shape)
    zero = False
    for m in range(rows):
        for n in range(columns):
            for k in range(depth):
                zero = zero or time[m, n, k] == 0.0
                rate[m, n, k] = np.nan
                if np.isfinite(time[m, n, k]) and time[m, n, k] > 0.0:
                    rate[m, n, k] = volume[m, n, k] / time[m, n, k]
    if zero:
        values[:] = np.nan
        return
    for axis in range(3):
        dm, dn, dk = int(axis == 0), int(axis == 1), int(axis == 2)
        in_slice = 1 - axis  # N is raw quantity 0, M is 1
        for m in range(rows - dm):
            for n in range(columns - dn):
                for k in range(depth - dk):
                    step = rate[m + dm, n + dn, k + dk] - rate[m, n, k]
                    if np.isnan(step):
                        continue
                    sign = 1.0 if step > 0.0 else (-1.0 if step < 0.0 else 0.0)
                    values[2 + axis] += abs(step)
                    count[2 + axis] += 1.0
                    if axis < 2 and k == depth - 1:
                        values[in_slice] += abs(step)
                        count[in_slice] += 1.0
                    if derive:
                        slope[m, n, k, 2 + axis] -= sign
                        slope[m + dm, n + dn, k + dk, 2 + axis] += sign
                        if axis < 2 and k == depth - 1:
                            slope[m, n, k, in_slice] -= sign
                            slope[m + dm, n + dn, k, in_slice] += sign
    for m in range(rows):
        for n in range(columns):
            for k in range(depth):
                if np.isnan(rate[m, n, k]):
                    continue
                values[5] += rate[m, n, k]
                values[6] += np.log(time[m, n, k])
                count[5] += 1.0
                count[6] += 1.0
                if derive:
                    by_rate = -rate[m, n, k] / time[m, n, k]
                    slope[m, n, k, 5] = 1.0
                    for q in range(6):
                        slope[m, n, k, q] *= by_rate
                    slope[m, n, k, 6] = 1.0 / time[m, n, k]
    for q in range(RAW_QUANTITIES):
        values[q] = values[q] / count[q] if count[q] > 0.0 else np.nan
    if derive:
        for m in range(rows):
            for n in range(columns):
                for k in range(depth):
                    for q in range(RAW_QUANTITIES):
                        slope[m, n, k, q] = slope[m, n, k, q] / count[q] if count[q] > 0.0 else 0.0


@njit
def by_coefficient(columns: Array, chosen: Index, cells: Index, scales: Array, slope: Array, out: Array) -> None:
    """Derivatives by the coefficients of one tile, from those by the times of the cells that it runs.

    ``columns`` (column, cell) are all design columns, ``chosen`` (coefficient,) those of this state (-1 where the
    column is zero), ``cells`` those that run this tile in this state, ``scales`` what each of them counts of these
    columns, ``slope`` (cell, quantity). Adds to ``out`` (coefficient, quantity).
    """
    for start in range(0, cells.size, _FEW):
        some, counted = cells[start : start + _FEW], scales[start : start + _FEW]
        for j in range(chosen.size):
            if chosen[j] < 0:
                continue
            column, sums = columns[chosen[j]], out[j]
            for place, cell in enumerate(some):
                x = column[cell] * counted[place]
                if x != 0.0:
                    weights = slope[cell]
                    for q in range(weights.size):
                        sums[q] += x * weights[q]
