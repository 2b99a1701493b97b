"""Fixed tile: every shape runs the same tile variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrib.landscape import Landscape
from attrib.stages.stage import UNAVAILABLE, Decisions, Stage, StageResult
from harness.errors import NotApplicableError
from harness.tile import Tile


def default_tile(tiles: Sequence[Tile]) -> Tile:
    """Tile that a stock kernel would fix: the largest output tile, of equals the one with the longest k-step.

    On the paper's six variants this is its default, 256x256x32. A hidden tile is the last choice.
    """
    return max(tiles, key=lambda tile: (tile.m * tile.n, tile.k))


@dataclass(frozen=True)
class FixedTile(Stage):
    """Run one tile on every shape: T0 of a single kernel (paper, section 7).

    Attributes
    ----------
    tile : Tile
        The tile; may be a library's hidden one.
    """

    tile: Tile

    @property
    def name(self) -> str:
        """``"fixed"`` and the tile."""
        return f"fixed {self.tile.name}"

    def apply(self, landscape: Landscape) -> StageResult:
        """Take the times of the tile."""
        if self.tile not in landscape.tiles:
            known = ", ".join(tile.name for tile in landscape.tiles)
            raise NotApplicableError(f"tile {self.tile.name} is not in this landscape, which has {known}")
        index = landscape.tiles.index(self.tile)
        time = landscape.time[index].astype(np.float64)
        tile = np.where(np.isnan(time), UNAVAILABLE, index).astype(np.int16)
        return StageResult(self.name, time, Decisions.run(tile))
