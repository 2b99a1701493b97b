"""How each tile of the ``triton`` backend is compiled, and what makes a compiled kernel of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.backends.backend import Cell
from harness.backends.pitch import leading
from harness.tile import Tile

BAND = 8
"""Tile rows of one raster band."""

VECTOR = 16
"""Elements: Triton specialises integers on being multiples of 16. Only rows of such a pitch use vector loads."""


@dataclass(frozen=True)
class Variant:
    """How one tile is compiled."""

    warps: int
    stages: int


VARIANTS: Mapping[Tile, Variant] = MappingProxyType(
    {
        # A 256x256 float32 accumulator would fill the whole register file of a core; its place takes 128x64.
        Tile.of(256, 128, 64): Variant(warps=8, stages=4),
        Tile.of(128, 256, 64): Variant(warps=8, stages=4),
        Tile.of(128, 128, 64): Variant(warps=8, stages=4),
        Tile.of(128, 64, 64): Variant(warps=4, stages=4),
        Tile.of(64, 128, 64): Variant(warps=4, stages=4),
        Tile.of(64, 64, 64): Variant(warps=4, stages=4),
    }
)
"""The six tile variants, largest first: the analogue of the paper's six for this kernel."""

NOT_NESTED: Mapping[Tile, Variant] = MappingProxyType(
    {
        Tile.of(128, 160, 64): Variant(warps=8, stages=4),
        Tile.of(128, 96, 64): Variant(warps=8, stages=4),
        Tile.of(64, 96, 64): Variant(warps=4, stages=4),
    }
)
"""Tiles in two column parts, measured where they are asked for.

Of 96, 128 and 160 columns none divides another, nor are all multiples of 64: that tells periods which scale with
the tile from one that does not.
"""

PERSISTENT: Mapping[Tile, Variant] = MappingProxyType(
    {
        **VARIANTS,
        **NOT_NESTED,
        # Stages for more than half of an H200 core's shared memory: no core can take two programs.
        Tile.of(128, 64, 64): Variant(warps=4, stages=5),
        Tile.of(64, 128, 64): Variant(warps=4, stages=5),
        Tile.of(64, 64, 64): Variant(warps=4, stages=8),
        Tile.of(128, 96, 64): Variant(warps=8, stages=5),
        Tile.of(64, 96, 64): Variant(warps=4, stages=6),
    }
)
"""The same tiles where one program stays on each core."""


@dataclass(frozen=True)
class KernelKey:
    """What the compiler distinguishes: each key is a kernel of its own.

    Attributes
    ----------
    tile : Tile
    even_k : bool
        K is a multiple of the tile's: no mask in the mainloop.
    aligned_k, aligned_n : bool
        The leading dimension of A, and those of B and D, are multiples of :data:`VECTOR`.
    wide_a : bool
        The pitch of A is aligned although K is not: rows are read into their padding.
    """

    tile: Tile
    even_k: bool
    aligned_k: bool
    aligned_n: bool
    wide_a: bool

    @classmethod
    def of(cls, cell: Cell, pitch: int = 1) -> KernelKey:
        """Name the kernel of a cell whose leading dimensions are multiples of ``pitch``."""
        even = cell.K % cell.tile.k == 0
        aligned_k = leading(cell.K, pitch) % VECTOR == 0
        wide = aligned_k and not even and cell.K % VECTOR != 0
        return cls(cell.tile, even, aligned_k, leading(cell.N, pitch) % VECTOR == 0, wide)

    def __str__(self) -> str:
        masked = "whole K steps" if self.even_k else "masked K, padded rows" if self.wide_a else "masked K"
        pitches = [name for name, aligned in (("K", self.aligned_k), ("N", self.aligned_n)) if not aligned]
        return f"{self.tile}, {masked}, {'unaligned ' + ' and '.join(pitches) if pitches else 'aligned'}"

    def example(self) -> tuple[int, int, int, int, int, int]:
        """Sizes (M, N, K, lda, ldb, ldd) to compile with: as aligned as the key says, and never 1.

        A compiler that specialises on a size of 1, or on an alignment that only some cells of the key have, would
        make a kernel that is wrong for the others.
        """
        aligned = {True: 2 * VECTOR, False: 2 * VECTOR + 1}
        n = aligned[self.aligned_n]
        k = aligned[self.even_k or (self.aligned_k and not self.wide_a)]
        return (aligned[False], n, k, aligned[self.aligned_k], n, n)


def column_parts(tile: Tile) -> tuple[int, int]:
    """Columns of the two parts that a tile is computed in: the largest power of two, and the rest, 0 for none."""
    first = 1 << (tile.n.bit_length() - 1)
    return first, tile.n - first


def sizes(cell: Cell, pitch: int = 1) -> tuple[int, int, int, int, int, int]:
    """Sizes (M, N, K, lda, ldb, ldd) that the kernel is launched with.

    Where the pitch of B and D leaves room, N is rounded up to whole vectors: the kernel then loads and stores a
    few columns of padding rather than single elements. No tile is added by it.
    """
    lda, ldb = leading(cell.K, pitch), leading(cell.N, pitch)
    columns = leading(cell.N, VECTOR) if ldb % VECTOR == 0 else cell.N
    return (cell.M, columns, cell.K, lda, ldb, ldb)


def work_groups(cell: Cell) -> int:
    """Tiles of the output: ceil(M / tile_m) ceil(N / tile_n)."""
    return -(-cell.M // cell.tile.m) * -(-cell.N // cell.tile.n)
