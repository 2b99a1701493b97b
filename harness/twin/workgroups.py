"""What each work-group of one launch has to do: seconds it waits, and seconds of a whole core that it needs.

Work-groups are listed in the order in which the raster hands them out. Nothing here knows how they are
scheduled: how long a launch lasts follows in :mod:`harness.twin.schedule`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from harness.twin.channels import channel_imbalance
from harness.twin.chip import ChipNumbers, KernelNumbers
from harness.twin.mechanisms import Switches

B_ROWS = 32
D_ROWS = 32
OPERAND_BYTES = 2
RESULT_BYTES = 4


@njit
def along_n(M: int, N: int, kernel: KernelNumbers) -> bool:
    """Whether consecutive work-groups walk along N: unless there are more tiles along N than along M."""
    return -(-N // kernel.n) <= -(-M // kernel.m)


@njit
def miss(footprint: float, chip: ChipNumbers) -> float:
    """Share of the bytes that the last-level cache has lost after ``footprint`` other bytes went through."""
    if footprint <= 0.0:
        return 0.0
    return float(1.0 / (1.0 + (chip.cache_bytes / footprint) ** chip.cache_sharpness))


@njit
def mainloop_seconds(rows: float, columns: float, K: int, kernel: KernelNumbers, chip: ChipNumbers) -> float:
    """Seconds that a full core takes for the DPAS atoms of one work-group, all K steps."""
    atoms = (rows / chip.atom_m) * (columns / chip.atom_n) * (K / chip.atom_k)
    flop = 2.0 * chip.atom_m * chip.atom_n * chip.atom_k
    cycles = atoms * flop / (chip.engines * chip.flop_per_cycle)
    return float(cycles / (chip.clock_hz * kernel.efficiency))


@njit
def pitch_penalty(N: int, K: int, chip: ChipNumbers) -> int:
    """How many of the operands have rows that begin inside a cache line: 0, 1 or 2."""
    inside = 0
    if (OPERAND_BYTES * K) % chip.line_bytes != 0:
        inside += 1
    if (OPERAND_BYTES * N) % chip.line_bytes != 0:
        inside += 1
    return inside


@njit
def edge_factor(rest: int, tile: int, slope: float, constant: float, power: float) -> float:
    """Slow-down of a work-group of which only ``rest`` of ``tile`` rows (columns) exist.

    Sub-groups whose block loads reach outside the matrix run predicated, one after another: the more of the
    tile lies outside, the longer.
    """
    if rest == tile:
        return 1.0
    return float(1.0 + constant + slope * (1.0 - rest / tile) ** power)


@njit
def batch_bytes(
    start: int,
    end: int,
    length: int,
    sweeps: int,
    slow: float,
    fast: float,
    last_slow: float,
    last_fast: float,
    slow_price: float,
    fast_price: float,
    result: float,
    first: float,
    spills: bool,
    chip: ChipNumbers,
) -> float:
    """Bytes of A and B, at the price of their channels, that come from memory for work-groups start..end - 1.

    These are resident together, walk through K together and share their panels of A and B. The raster walks
    ``length`` panels of the fast operand before it moves on to the next panel of the slow one. Of the last panels
    only what lies inside the matrices is moved: block loads beyond the edge read nothing.

    Parameters
    ----------
    start, end, length, sweeps : int
        Indices in raster order, the work-groups in one sweep along the fast axis, and the sweeps of the launch.
    slow, fast, last_slow, last_fast : float
        Bytes of one panel of either operand, and of the last one.
    slow_price, fast_price : float
        What a byte of either costs, in bytes evenly spread over the channels.
    result : float
        Bytes of the results of these work-groups.
    first : float
        Share of a first touch that comes from memory.
    spills : bool
        Whether the cache loses anything that was touched before.
    """
    slow_at, fast_at = start // length, start % length
    slow_panels = (end - 1) // length - slow_at + 1
    if slow_panels == 1 or end - start >= length:
        fast_panels = min(end - start, length)
    else:
        fast_panels = min(length, length - fast_at + (end - 1) % length + 1)
    fast_bytes = fast_panels * fast
    if slow_panels > 1 or end % length == 0:
        fast_bytes -= fast - last_fast
    missing = slow - last_slow if (end - 1) // length == sweeps - 1 else 0.0
    again = 1 if fast_at > 0 else 0  # the first slow panel, if the batch before had begun it
    again_bytes = again * slow
    if slow_panels == 1:
        again_bytes -= again * missing
    slow_bytes = slow_panels * slow - missing
    footprint = slow_bytes + fast_bytes + result
    sweep = (length - 1) * fast + last_fast + slow
    fast_share = first if slow_at == 0 else (miss(max(footprint, sweep), chip) if spills else 0.0)
    moved = (slow_bytes - again_bytes) * first
    if spills:
        moved += again_bytes * miss(footprint, chip)
    return float(fast_bytes * fast_price * fast_share + moved * slow_price)


@njit
def demands(
    M: int,
    N: int,
    K: int,
    kernel: KernelNumbers,
    chip: ChipNumbers,
    on: Switches,
    cold: bool,
    by_n: bool,
    wait: NDArray[np.float64],
    work: NDArray[np.float64],
    loads: NDArray[np.float64],
) -> float:
    """List the demands of all work-groups in raster order.

    Parameters
    ----------
    M, N, K : int
        Problem size, elements.
    kernel, chip, on
        The tile variant, the chip and the mechanisms that act.
    cold : bool
        Whether the caches hold nothing of the operands before the launch.
    by_n : bool
        Whether consecutive work-groups walk along N.
    wait, work, loads : ndarray of float64
        Filled: seconds before a work-group's mainloop keeps engines busy, seconds of a whole core's engines that
        it needs, and seconds of a whole core of rate 1 that its bytes keep busy.

    Returns
    -------
    float
        Share of a core's rate that one work-group can use alone.
    """
    tiles_m, tiles_n = -(-M // kernel.m), -(-N // kernel.n)
    rest_m, rest_n = M - (tiles_m - 1) * kernel.m, N - (tiles_n - 1) * kernel.n
    count = tiles_m * tiles_n
    residents = chip.subgroups_per_core // kernel.sub_groups
    slots = chip.cores * residents

    depth = -(-K // kernel.k) * kernel.k if on.tile_padding else K
    inside = pitch_penalty(N, K, chip) if on.row_pitch else 0
    slower = 1.0 + chip.pitch_work * inside
    if on.atom_remainder and K % kernel.k != 0:
        slower += chip.k_mask
    solo_rate = min(1.0, kernel.solo_rate / (1.0 + chip.pitch_latency * inside)) if on.thread_latency else 1.0
    full = mainloop_seconds(kernel.m, kernel.n, depth, kernel, chip) * slower

    factor_m = factor_n = 1.0
    if on.masked_edge:
        factor_m = edge_factor(rest_m, kernel.m, chip.edge_m, chip.edge_m_constant, chip.edge_power)
        factor_n = edge_factor(rest_n, kernel.n, chip.edge_n, chip.edge_n_constant, chip.edge_power)
    if on.atom_remainder:
        if rest_m % chip.atom_m != 0:
            factor_m += chip.atom_mask
        if rest_n % chip.atom_n != 0:
            factor_n += chip.atom_mask

    price_a = price_b = price_d = 1.0
    if on.channel_hash:
        c, i, share = chip.channels, chip.interleave_bytes, chip.channel_share
        price_a += share * (channel_imbalance(OPERAND_BYTES * K, kernel.m, OPERAND_BYTES * kernel.k, c, i) - 1.0)
        price_b += share * (channel_imbalance(OPERAND_BYTES * N, B_ROWS, OPERAND_BYTES * kernel.n, c, i) - 1.0)
        price_d += share * (channel_imbalance(RESULT_BYTES * N, D_ROWS, RESULT_BYTES * kernel.n, c, i) - 1.0)
    of_row = float(OPERAND_BYTES) * K
    panel_a, panel_b = kernel.m * of_row, kernel.n * of_row
    last_a, last_b = rest_m * of_row, rest_n * of_row
    first = 1.0  # share of the operands' first touch that comes from memory
    if not cold:
        total = float(OPERAND_BYTES) * K * (M + N) + float(RESULT_BYTES) * M * N
        first = miss(total, chip) if on.cache_spill else 0.0
    slow, fast = (panel_a, panel_b) if by_n else (panel_b, panel_a)
    last_slow, last_fast = (last_a, last_b) if by_n else (last_b, last_a)
    slow_price, fast_price = (price_a, price_b) if by_n else (price_b, price_a)
    length, sweeps = (tiles_n, tiles_m) if by_n else (tiles_m, tiles_n)

    memory = 0.0
    for index in range(count):
        at_m, at_n = (index // length, index % length) if by_n else (index % length, index // length)
        rows = rest_m if at_m == tiles_m - 1 else kernel.m
        columns = rest_n if at_n == tiles_n - 1 else kernel.n
        if on.memory_traffic and index % slots == 0:
            end = min(count, index + slots)
            result = 0.0
            for other in range(index, end):
                beside, along = other // length, other % length
                down, across = (beside, along) if by_n else (along, beside)
                height = rest_m if down == tiles_m - 1 else kernel.m
                result += float(RESULT_BYTES) * height * (rest_n if across == tiles_n - 1 else kernel.n)
            moved = batch_bytes(
                index,
                end,
                length,
                sweeps,
                slow,
                fast,
                last_slow,
                last_fast,
                slow_price,
                fast_price,
                result,
                first,
                on.cache_spill,
                chip,
            )
            moved += result * price_d
            # They work side by side, so each takes as long as the bytes of all; those on one core share it, and
            # use no more than they can.
            side_by_side = min(residents, -(-(end - index) // chip.cores))
            memory = moved / chip.bandwidth / max(float(side_by_side), 1.0 / solo_rate)
        used = full
        if not on.tile_padding:
            used = full * (rows * columns) / (kernel.m * kernel.n)
        factor = (factor_m if at_m == tiles_m - 1 else 1.0) * (factor_n if at_n == tiles_n - 1 else 1.0)
        wait[index] = (factor - 1.0) * kernel.edge_scale * full / solo_rate
        if on.pipeline_fill:
            wait[index] += chip.fill_s
        work[index], loads[index] = used, memory
    return solo_rate
