"""Bytes that wait for idle memory channels: rows that crowd on few of them use a part of the bandwidth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.channels import block_efficiency, channel_efficiency
from models.hardware import Hardware
from models.problem import Problem
from models.traffic import lost_share

HASH = "channel hash"
"""The mechanism: with it off, all channels are busy."""

STORED_ROWS = 32
"""Rows of D that are stored together: those of one sub-group's block, a 256-wide tile's rows over 8 sub-groups."""


def waiting_bytes(problem: Problem, hardware: Hardware) -> NDArray[np.float64]:
    """Bytes moved times (1/eta - 1), summed over A, B and D; 0 where channels are not known; shape (n,)."""
    if hardware.channels is None or hardware.interleave_bytes is None:
        return np.zeros(problem.size)
    idle_a, idle_b, idle_d = idle_per_byte(problem, hardware)
    fetched = lost_share(problem, hardware) * (problem.bytes_a * idle_a + problem.bytes_b * idle_b)
    return np.asarray(fetched + problem.bytes_d * idle_d)


def idle_per_byte(problem: Problem, hardware: Hardware) -> tuple[NDArray[np.float64], ...]:
    """Bytes of A, of B and of D lost to idle channels, 1/eta - 1 of each byte moved; shape (n,) each."""
    tile, channels, interleave = problem.tile, hardware.channels or 1, hardware.interleave_bytes or 1
    operands = (
        (problem.K, problem.element_bytes, tile.m, tile.k),
        (problem.N, problem.element_bytes, tile.k, tile.n),
        (problem.N, problem.output_bytes, min(tile.m, STORED_ROWS), tile.n),
    )
    idle = []
    for width, element, rows, run in operands:
        pitch = hardware.pitch(width)
        if tile.hidden:
            eta = channel_efficiency(element, pitch, channels, interleave)
        else:
            eta = block_efficiency(element * pitch, rows, element * run, channels, interleave)
        idle.append(1.0 / eta - 1.0)
    return tuple(idle)
