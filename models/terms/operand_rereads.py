"""Operand re-reads: what work-groups read anew because the cache has lost it since the last of them came by.

Work-groups are handed out row by row of tiles (or column by column). Each row of tiles walks through all of one
operand, the *fast* one: B where work-groups walk along N. Together the slots of the cores hold several rows where
rows are short, and share what they read; otherwise every row reads the fast operand again, from the cache if a
whole sweep fits into it. So the fast operand is swept W / max(slots, row) times, and from the second time on a part
of it comes from memory (:func:`models.traffic.lost_of`). How a cache gives way is left to the timings: three such
sizes, as shares of the working set at which it spills, or half of it is lost, with a cost each.

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
from models.idle_channels import HASH, idle_per_byte
from models.problem import Problem
from models.term import Coefficient, Term
from models.traffic import lost_of

REREADS = "operand re-reads"

SHARES = (0.25, 0.5, 1.0)
"""Sizes of a sweep from which bytes are lost, or at which half are, as shares of what the cache holds or keeps."""


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
        along_n = problem.along_n
        row = np.where(along_n, problem.tile_columns, problem.tile_rows)
        fast = np.where(along_n, problem.bytes_b, problem.bytes_a)
        panel = np.where(along_n, problem.tile.m, problem.tile.n) * problem.element_bytes * problem.K
        slots = hardware.slots_of(problem.tile.name)
        again = np.maximum(0.0, problem.whole_groups / np.maximum(slots, row) - 1.0) * fast
        sweep, sharpness = (fast + panel).astype(np.float64), hardware.kept_sharpness
        read = np.stack([again * lost_of(sweep, size, sharpness) for size in _sizes(hardware)], axis=1)
        if not _knows_channels(hardware):
            return np.asarray(read)
        if HASH not in on:
            return np.concatenate([read, np.zeros_like(read)], axis=1)
        idle_a, idle_b, _ = idle_per_byte(problem, hardware)
        return np.concatenate([read, read * np.where(along_n, idle_b, idle_a)[:, None]], axis=1)


def _knows_channels(hardware: Hardware) -> bool:
    return hardware.channels is not None and hardware.interleave_bytes is not None


def _sizes(hardware: Hardware) -> list[float]:
    """Sizes of a sweep, bytes: of the spill size, or of what the cache is known to keep."""
    whole = hardware.cache_bytes if hardware.kept_sharpness is None else hardware.kept_bytes
    return [share * whole for share in SHARES]


def _beyond(hardware: Hardware) -> list[tuple[float, str]]:
    what = "of sweeps beyond" if hardware.kept_sharpness is None else "of sweeps, of which half is lost at"
    sizes = zip(SHARES, _sizes(hardware), strict=True)
    return [(share, f"{what} {size / 2**20:.3g} MiB") for share, size in sizes]
