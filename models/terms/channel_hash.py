"""Channel hash: row starts that fall on few memory channels use a part of the bandwidth."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.channels import block_efficiency, channel_efficiency
from models.hardware import Hardware
from models.problem import Problem
from models.term import Coefficient, Term
from models.traffic import lost_share

HASH = "channel hash"

STORED_ROWS = 32
"""Rows of D that are stored together: those of one sub-group's block, a 256-wide tile's rows over 8 sub-groups."""


@dataclass(frozen=True)
class ChannelHash(Term):
    """Bytes of A, B and D weighted by 1/eta - 1, the time that idle channels cost.

    eta is the efficiency of the channels on what a tile loads or stores together: a mainloop step of its rows of A,
    its columns in as many rows of B, and the rows of D that a sub-group writes
    (:func:`models.channels.block_efficiency`). Of hidden tiles it is the paper's, from the channels on which rows
    start (:func:`models.channels.channel_efficiency`; arXiv 2605.29752 section 9). The real hash of a device is its
    vendor's secret: channels and interleave are hypotheses, taken from the device record.
    """

    name: ClassVar[str] = "channel hash"
    mechanisms: ClassVar[tuple[str, ...]] = (HASH,)
    always: ClassVar[bool] = True
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "arXiv 2605.29752 section 9 (eta)"
    identified_by: ClassVar[str] = "row pitches that are multiples of many interleave blocks beside others"

    def applies(self, tile: Tile, hardware: Hardware) -> str | None:
        """Needs a hypothesis on channels and interleave."""
        if hardware.channels is None or hardware.interleave_bytes is None:
            return "the device record leaves memory channels or interleave open"
        return super().applies(tile, hardware)

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One byte that waits for an idle channel."""
        del tile, hardware
        return (Coefficient("waiting byte", "s/byte", "per byte lost to idle channels"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes that are moved times (1/eta - 1), summed over A, B and D."""
        if HASH not in on:
            return np.zeros((problem.size, 1))
        idle_a, idle_b, idle_d = idle_per_byte(problem, hardware)
        fetched = lost_share(problem, hardware) * (problem.bytes_a * idle_a + problem.bytes_b * idle_b)
        return np.asarray(fetched + problem.bytes_d * idle_d)[:, None]


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
