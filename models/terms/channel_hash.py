"""Channel hash: row starts that fall on few memory channels use a part of the bandwidth."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.idle_channels import HASH, waiting_bytes
from models.problem import Problem
from models.term import Coefficient, Term


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
        return waiting_bytes(problem, hardware)[:, None] * float(HASH in on)
