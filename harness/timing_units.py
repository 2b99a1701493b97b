"""Whether times can be in the unit that they are said to be in, judged by what the device can reach."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.cube import ELEMENT_BYTES
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.timing_table import TimingTable

TOO_FAST: Final = 3.0
"""Largest accepted throughput, as a multiple of the peak: 2:4 sparsity or a type of half the width give 2."""

TOO_SLOW: Final = 2e-3
"""Smallest accepted ratio of the ideal time to the measured one; milliseconds taken for seconds give 1e-3."""

_LAUNCH_SECONDS: Final = 3e-6
"""A launch that does nothing costs about this much on any GPU: it keeps tables of tiny shapes apart."""

_FEWEST_SLOW: Final = 8
"""Rows below which slow times stay unjudged: a few made-up or odd rows are no evidence of a unit."""


def require_possible_times(
    table: TimingTable, shapes: NDArray[np.int64], time: NDArray[np.float64], device: DeviceRecord, dtype: str
) -> None:
    """Refuse times that the device cannot have taken; judges nothing where its peak is open.

    Parameters
    ----------
    table : TimingTable
        The table, named in messages.
    shapes : numpy.ndarray of int64, shape (n, 3)
        M, N and K of the rows that are ok, in elements.
    time : numpy.ndarray of float64, shape (n,)
        Their times, in seconds.
    device : DeviceRecord
        The device that was measured.
    dtype : str
        Element type of A and B.

    Raises
    ------
    InputError
        If even the fastest rows are too short or too long; the message says which unit they look like.

    Notes
    -----
    Units are judged by the fastest rows, one in a hundred being left aside, at least one, as outliers:
    noise and slow kernels make times longer, so only a wrong unit moves the fast end. Times are too short if
    even these rows exceed :data:`TOO_FAST` times the peak. They are too long if the ideal time of these rows,
    a launch plus the larger of 2MNK/peak and bytes/bandwidth, is below :data:`TOO_SLOW` of the time
    given, in a table of eight rows or more. A bare fraction of the peak would not do here: a skinny GEMM may
    well run at 1e-5 of it.
    """
    peak = device.peak_flops_per_s.get(dtype)
    if peak is None:
        return
    M, N, K = shapes.astype(np.float64).T
    work = 2 * M * N * K / peak
    moved = (M * K + K * N + M * N) * ELEMENT_BYTES[dtype] / (device.bandwidth_bytes_per_s or math.inf)
    fast = _fast_end(work / time)
    attained = _fast_end((_LAUNCH_SECONDS + np.maximum(work, moved)) / time)
    of_peak = f"the {dtype} peak of {device.name} ({peak / 1e12:.4g} TFLOP/s)"
    if fast >= TOO_FAST:
        raise InputError(
            f"{table.path}: {table.time} is too short to be true: its throughput is {fast:.3g} times "
            f"{of_peak}; check the unit, the device and the dtype, and that the launches were waited for "
            "(or switch this check off)"
        )
    if attained < TOO_SLOW and time.size >= _FEWEST_SLOW:
        power = min(max(round(-math.log10(attained) / 3), 1), 3)
        unit = {1: "milliseconds", 2: "microseconds", 3: "nanoseconds"}[power]
        if table.time != "time_s":
            unit = f"a unit {1000**power:,} times smaller"
        raise InputError(
            f"{table.path}: {table.time} looks like {unit}: even its fast rows take {1 / attained:.3g} times "
            f"their ideal time, and reach {fast:.2g} of {of_peak}; divide by {1000**power:,} "
            "(or switch this check off)"
        )


def _fast_end(values: NDArray[np.float64]) -> float:
    """The 99 % quantile, and below a hundred values the second largest: one outlier never decides."""
    return float(np.quantile(values, 0.99, method="lower"))
