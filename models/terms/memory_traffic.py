"""Memory traffic: the bytes of A, B and D that move between the memory and the chip, at one price.

All cross the same channels, so one bandwidth is fitted. With a price for each operand, those of A and B would be
told by few shapes, and charged to others that hide them: small shapes find their operands in the cache, and while
they compute longer no timing says so. Switching mechanisms off brings such a charge to light.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.problem import Problem
from models.term import Coefficient, Term
from models.traffic import moved_bytes


@dataclass(frozen=True)
class MemoryTraffic(Term):
    """Bytes of A, B and D, at one bandwidth. Smooth in the sizes: its own smooth counterpart."""

    name: ClassVar[str] = "memory traffic"
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "design section 4; t_memory of arXiv 2605.29752 section 9 without the hash"
    identified_by: ClassVar[str] = "skinny shapes: many bytes for few FLOP"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One byte."""
        del tile, hardware
        return (Coefficient("byte", "s/byte", "per byte that is fetched or written"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes of A and B that are fetched, and those of D."""
        del on
        return moved_bytes(problem, hardware)[:, None]
