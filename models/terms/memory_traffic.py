"""Memory traffic: the bytes of A, B and D that move between the memory and the chip, at one price.

Every byte of the result is written. Operands are fetched whole by launches that find the caches cold. Launches that
find them warm fetch what the cache has lost since the same launch before: of a working set of f bytes that is swept
again and again, a cache of c bytes keeps c / f at best (Belady, IBM Systems Journal 5, 1966), so 1 - c / f is lost.

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
        fetched = lost_share(problem, hardware) * (problem.bytes_a + problem.bytes_b)
        return np.asarray(fetched + problem.bytes_d)[:, None]


def lost_share(problem: Problem, hardware: Hardware) -> NDArray[np.float64]:
    """Share of the operands that a launch does not find in the caches, 1 - c / footprint; shape (n,)."""
    return np.asarray(np.maximum(0.0, 1.0 - hardware.kept_bytes / problem.footprint))
