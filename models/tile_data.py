"""Samples of one tile on their way through the steps of a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.samples import Samples
from harness.tile import Tile
from models.design import problem_of
from models.problem import Problem

LEAST_SAMPLES = 40
"""Fewest samples of a tile on the main cube that a model is fitted to."""


@dataclass(frozen=True)
class TileData:
    """Samples of one tile with everything fixed so far.

    Attributes
    ----------
    tile : Tile
        The tile; an effective one once it is found.
    rows : ndarray of int64, shape (n,)
        Rows among all samples of the fit.
    samples : Samples
    blocks : ndarray of int64, shape (n,)
        Block of (M, N) of each sample.
    problem : Problem
    """

    tile: Tile
    rows: NDArray[np.int64]
    samples: Samples
    blocks: NDArray[np.int64]
    problem: Problem

    @property
    def hidden(self) -> bool:
        """Whether the kernel hides its tile, whatever effective one describes it."""
        return self.samples.tiles[int(self.samples.tile[0])].hidden

    def with_tile(self, tile: Tile) -> TileData:
        """Return the same samples as those of another tile."""
        return replace(self, tile=tile, problem=replace(self.problem, tile=tile))

    def among(self, chosen: NDArray[np.bool_]) -> TileData:
        """Return the samples that are chosen among all samples of the fit."""
        return self.part(np.flatnonzero(chosen[self.rows]))

    def part(self, rows: NDArray[np.int64]) -> TileData:
        """Return the given samples of this tile."""
        return TileData(
            self.tile, self.rows[rows], self.samples.take(rows), self.blocks[rows], self.problem.take(rows)
        )

    def thinned(self, most: int, rng: np.random.Generator) -> TileData:
        """Return at most so many of the samples; at random, as strides would favour some sizes."""
        return self if self.samples.size <= most else self.part(self.thinned_rows(most, rng))

    def thinned_rows(self, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the places of at most so many of the samples, in their order."""
        if self.samples.size <= most:
            return np.arange(self.samples.size)
        return np.sort(rng.choice(self.samples.size, most, replace=False))


def split_tiles(
    samples: Samples, blocks: NDArray[np.int64], sizes: tuple[int, int], in_main: NDArray[np.bool_]
) -> tuple[dict[str, TileData], dict[str, int]]:
    """Divide samples by tile; return also the tiles that have too few on the main cube, and how many.

    Parameters
    ----------
    samples : Samples
    blocks : ndarray of int64, shape (n,)
    sizes : tuple of int
        Bytes per element of A and B, and of D.
    in_main : ndarray of bool, shape (n,)
        Samples of the main cube.
    """
    data, tiny = {}, {}
    for index, tile in enumerate(samples.tiles):
        rows = np.flatnonzero(samples.tile == index)
        on_grid = int(in_main[rows].sum())
        if on_grid < LEAST_SAMPLES:
            tiny[tile.name] = on_grid
            continue
        part = samples.take(rows)
        data[tile.name] = TileData(tile, rows, part, blocks[rows], problem_of(part, tile, *sizes))
    return data, tiny
