"""Memory traffic: the bytes that move between the memory and the chip however large the cache, at one price.

All cross the same channels, so one bandwidth is fitted. Operands that a warm cache has lost are charged to the
cache (:mod:`models.terms.cache_spill`): one that loses nothing spares them all.
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
from models.traffic import needed_bytes


@dataclass(frozen=True)
class MemoryTraffic(Term):
    """Bytes of D, and of A and B where caches are cold. Smooth in the sizes: its own smooth counterpart."""

    name: ClassVar[str] = "memory traffic"
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "design section 4; t_memory of arXiv 2605.29752 section 9 without the hash"
    identified_by: ClassVar[str] = "skinny shapes: many bytes for few FLOP"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One byte."""
        del tile, hardware
        return (Coefficient("byte", "s/byte", "per byte that is fetched or written"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes of D, and of A and B unless the caches are warm."""
        del on
        return needed_bytes(problem, hardware)[:, None]
