"""Seconds of many launches of one tile variant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from harness.twin.chip import ChipNumbers, KernelNumbers
from harness.twin.mechanisms import Switches
from harness.twin.schedule import makespan, overlapped
from harness.twin.workgroups import along_n, demands


@njit
def core_speeds(chip: ChipNumbers, on: Switches) -> NDArray[np.float64]:
    """Rate of each core: 1 for the fastest, the others evenly below it, in scattered order."""
    speed = np.ones(chip.cores)
    if on.core_spread and chip.cores > 1:
        stride = 1
        for other in (13, 11, 7):
            # Strides that reach every core, and do not just count up or down where another does more.
            left = other % chip.cores
            if np.gcd(other, chip.cores) == 1 and (stride == 1 or 1 < left < chip.cores - 1):
                stride = other
        for core in range(chip.cores):
            speed[core] = 1.0 - chip.core_spread * ((core * stride) % chip.cores) / (chip.cores - 1)
    return speed


@njit
def launch_seconds(
    M: int,
    N: int,
    K: int,
    by_n: bool,
    kernel: KernelNumbers,
    chip: ChipNumbers,
    on: Switches,
    cold: bool,
    wait: NDArray[np.float64],
    work: NDArray[np.float64],
    loads: NDArray[np.float64],
) -> float:
    """Seconds of one launch, its base overhead excluded, in one raster order.

    Where work-groups are divisible (without "wave quantization") the launch takes what its busiest resource
    takes when everything is spread evenly: engines or slots. The memory is one for all cores: its bytes move
    neither faster for being spread over more of them, nor slower because cores are slow or hold few work-groups.
    """
    solo_rate = demands(M, N, K, kernel, chip, on, cold, by_n, wait, work, loads)
    count = (-(-M // kernel.m)) * (-(-N // kernel.n))
    residents = chip.subgroups_per_core // kernel.sub_groups
    slots = chip.cores * residents
    speed = core_speeds(chip, on)
    if on.wave_quantization and (on.wave_fill or count >= slots):
        return makespan(wait, work, loads, count, speed, residents, solo_rate, chip.overlap, np.empty(0))
    average = speed.mean()
    engines = occupied = longest = memory = 0.0
    for index in range(count):
        engines += work[index]
        occupied += wait[index] + work[index] / (solo_rate * average)
        if index % slots == 0:
            side_by_side = min(residents, -(-(count - index) // chip.cores))
            memory += loads[index] * max(float(side_by_side), 1.0 / solo_rate)
        alone = overlapped(work[index], loads[index], chip.overlap) / solo_rate
        longest = max(longest, wait[index] + alone)
    even = overlapped(max(engines / speed.sum(), occupied / slots), memory, chip.overlap)
    return float(max(even, longest) if on.wave_fill else even)


@njit
def many_seconds(
    M: NDArray[np.int64],
    N: NDArray[np.int64],
    K: NDArray[np.int64],
    kernel: KernelNumbers,
    chip: ChipNumbers,
    on: Switches,
    cold: bool,
    seconds: NDArray[np.float64],
) -> None:
    """Fill ``seconds`` with the time of each launch; all arrays have the shape (n,)."""
    most = 0
    for index in range(M.size):
        most = max(most, (-(-M[index] // kernel.m)) * (-(-N[index] // kernel.n)))
    wait, work, loads = np.empty(most), np.empty(most), np.empty(most)
    base = chip.base_s if on.base_overhead else 0.0
    for index in range(M.size):
        m, n, k = M[index], N[index], K[index]
        by_n = along_n(m, n, kernel)
        time = launch_seconds(m, n, k, by_n, kernel, chip, on, cold, wait, work, loads)
        if not on.raster_and_swizzle:
            time = min(time, launch_seconds(m, n, k, not by_n, kernel, chip, on, cold, wait, work, loads))
        seconds[index] = base + time
