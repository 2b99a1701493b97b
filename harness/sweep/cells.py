"""The cells of a sweep as columns: a row number stands for a tile and a shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Cell
from harness.errors import InputError
from harness.tile import Tile

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class CellTable:
    """All cells of a sweep.

    Attributes
    ----------
    tiles : tuple of Tile
    tile : ndarray of int64, shape (n,)
        Index into ``tiles``.
    shapes : ndarray of int64, shape (n, 3)
        Columns M, N, K in elements.
    """

    tiles: tuple[Tile, ...]
    tile: Rows
    shapes: NDArray[np.int64]

    @classmethod
    def product(cls, tiles: Sequence[Tile], shapes: NDArray[np.int64]) -> CellTable:
        """Every tile with every shape, the tiles outermost.

        Raises
        ------
        InputError
            If there is nothing to measure, or a shape or tile stands there twice.
        """
        if not tiles or shapes.size == 0:
            raise InputError("nothing to measure: give at least one tile and one shape")
        if len(set(tiles)) != len(tiles):
            raise InputError(f"a tile is given twice: {', '.join(map(str, tiles))}")
        if np.unique(shapes, axis=0).shape[0] != shapes.shape[0]:
            raise InputError("a shape is given twice: repeats are the protocol's business")
        index = np.repeat(np.arange(len(tiles)), shapes.shape[0])
        return cls(tuple(tiles), index, np.tile(shapes.astype(np.int64), (len(tiles), 1)))

    def __len__(self) -> int:
        return int(self.tile.size)

    @property
    def volume(self) -> NDArray[np.float64]:
        """M N K of every row; shape (n,)."""
        return np.asarray(np.prod(self.shapes.astype(np.float64), axis=1))

    def cells(self, rows: Iterable[int]) -> list[Cell]:
        """Return the cells of the given rows."""
        index = np.fromiter(rows, dtype=np.int64)
        tiles = [self.tiles[number] for number in self.tile[index].tolist()]
        return [Cell(tile, *shape) for tile, shape in zip(tiles, self.shapes[index].tolist(), strict=True)]

    def digest(self) -> str:
        """Return a hash that differs wherever the cells or their order differ."""
        state = hashlib.sha256("\n".join(map(str, self.tiles)).encode())
        for column in (self.tile, self.shapes):
            state.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
        return state.hexdigest()
