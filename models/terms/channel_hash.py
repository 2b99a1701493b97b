"""Channel hash: row starts that fall on few memory channels use a part of the bandwidth."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.channels import channel_efficiency
from models.hardware import Hardware
from models.problem import Problem
from models.term import Coefficient, Term

HASH = "channel hash"


@dataclass(frozen=True)
class ChannelHash(Term):
    """Bytes of A, B and D weighted by 1/eta - 1, the time that idle channels cost.

    eta is the share of channels that the row starts of a matrix reach (arXiv 2605.29752 section 9). The real
    hash of a device is its vendor's secret: channels and interleave are hypotheses, taken from the device record.
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
        """Bytes times (1/eta - 1), summed over A, B and D."""
        channels, interleave = hardware.channels or 1, hardware.interleave_bytes or 1
        waiting = np.zeros(problem.size)
        if HASH in on:
            for size, width, element in (
                (problem.bytes_a, problem.K, problem.element_bytes),
                (problem.bytes_b, problem.N, problem.element_bytes),
                (problem.bytes_d, problem.N, problem.output_bytes),
            ):
                pitch = hardware.pitch(width)
                waiting += size * (1.0 / channel_efficiency(element, pitch, channels, interleave) - 1.0)
        return waiting[:, None]
