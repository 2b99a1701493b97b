"""Memory traffic: every byte of A, B and D is moved at least once."""

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


@dataclass(frozen=True)
class MemoryTraffic(Term):
    """Bytes of A, B and D, at one bandwidth each. Smooth in the sizes: its own smooth counterpart."""

    name: ClassVar[str] = "memory traffic"
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "design section 4; t_memory of arXiv 2605.29752 section 9 without the hash"
    identified_by: ClassVar[str] = "skinny shapes: many bytes for few FLOP"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One byte of each operand."""
        del tile, hardware
        return tuple(Coefficient(f"byte of {name}", "s/byte", f"per byte of {name}") for name in "ABD")

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes of A, B and D."""
        del hardware, on
        return np.stack([problem.bytes_a, problem.bytes_b, problem.bytes_d], axis=1)
