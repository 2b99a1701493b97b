"""Operand re-reads: what work-groups read anew because the cache has lost it since the last of them came by.

How often the fast operand is swept, and what of a sweep the cache has lost, is counted in :mod:`models.sweeps`.

Bytes that wait for idle channels (:mod:`models.terms.channel_hash`) are lost again with every sweep.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.idle_channels import HASH
from models.problem import Problem
from models.sweeps import SHARES, bytes_again, idle_of_fast, sweep_sizes
from models.term import Coefficient, Term

REREADS = "operand re-reads"


@dataclass(frozen=True)
class OperandRereads(Term):
    """Bytes of the fast operand read again from memory, and what of them is lost to idle channels.

    The traffic is its own smooth counterpart; that of idle channels is none.
    """

    name: ClassVar[str] = REREADS
    mechanisms: ClassVar[tuple[str, ...]] = (HASH,)
    needs_tile: ClassVar[bool] = True
    resource: ClassVar[str] = "memory"
    source: ClassVar[str] = "sweeps of rastered tiles, as of CUTLASS tile schedulers without swizzle"
    identified_by: ClassVar[str] = "small tiles on shapes whose operands are larger than the last-level cache"

    def applies(self, tile: Tile, hardware: Hardware) -> str | None:
        """Needs a cache size."""
        if hardware.cache_bytes <= 0:
            return "the device record leaves the last-level cache open"
        return super().applies(tile, hardware)

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One byte read again beyond each size; where channels are known, also one that waits for an idle one."""
        del tile
        found = [
            Coefficient(f"byte again, {share:g} of the cache", "s/byte", f"per byte read again {of}")
            for share, of in _beyond(hardware)
        ]
        if _knows_channels(hardware):
            found += [
                Coefficient(f"waiting again, {share:g} of the cache", "s/byte", f"per byte lost again {of}")
                for share, of in _beyond(hardware)
            ]
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Bytes read again beyond each size, and those times (1/eta - 1) of the fast operand."""
        read = bytes_again(problem, hardware)
        if not _knows_channels(hardware):
            return read
        idle = idle_of_fast(problem, hardware) if HASH in on else np.zeros(problem.size)
        return np.concatenate([read, read * idle[:, None]], axis=1)


def _knows_channels(hardware: Hardware) -> bool:
    return hardware.channels is not None and hardware.interleave_bytes is not None


def _beyond(hardware: Hardware) -> list[tuple[float, str]]:
    what = "of sweeps beyond" if hardware.kept_sharpness is None else "of sweeps, of which half is lost at"
    sizes = zip(SHARES, sweep_sizes(hardware), strict=True)
    return [(share, f"{what} {size / 2**20:.3g} MiB") for share, size in sizes]
