"""Cache spill: what of the working set does not stay in the last-level cache is fetched again.

Where launches find the cache warm, that is the share of the operands that it has lost since the launch before
(:mod:`models.traffic`). Elsewhere operands are fetched anyway, and it is the bytes beyond the spill size.
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
from models.traffic import spilt_bytes


@dataclass(frozen=True)
class CacheSpill(Term):
    """Operands that a warm cache lost, or bytes of A, B and D beyond the spill size: its own smooth counterpart.

    The size at which spilling begins is profiled. It can be well below the nominal cache: a cache in two
    partitions keeps what both halves of the chip read twice.
    """

    name: ClassVar[str] = "cache spill"
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "design section 4"
    identified_by: ClassVar[str] = "working sets below and above the last-level cache"

    def applies(self, tile: Tile, hardware: Hardware) -> str | None:
        """Needs a cache size."""
        if hardware.cache_bytes <= 0:
            return "the device record leaves the last-level cache open"
        return super().applies(tile, hardware)

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One spilt byte."""
        del tile
        what, size = "the working set beyond the cache of", hardware.cache_bytes
        if hardware.kept_sharpness is not None:
            what, size = "operands lost by a warm cache that loses half at", hardware.kept_bytes
        elif hardware.kept_bytes > 0:
            what, size = "operands lost by a warm cache of", hardware.kept_bytes
        return (Coefficient("spilt byte", "s/byte", f"per byte of {what} {size / 2**20:.3g} MiB"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes that the cache lost or does not hold."""
        del on
        return spilt_bytes(problem, hardware)[:, None]
