"""Best tile: every shape runs the fastest of several tile variants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attrib.landscape import Landscape
from attrib.stages.stage import UNAVAILABLE, Decisions, Stage, StageResult
from harness.errors import NotApplicableError
from harness.tile import Tile


@dataclass(frozen=True)
class BestTile(Stage):
    """Run the fastest tile of each shape, "dynamic" tile choice (paper, section 6).

    Attributes
    ----------
    tiles : tuple of Tile, optional
        Tiles to choose from; by default all whose sizes are known, because a library with a hidden tile is
        another kernel rather than a variant of this one. Of equally fast tiles the first wins.
    """

    tiles: tuple[Tile, ...] | None = None

    @property
    def name(self) -> str:
        """``"best tile"``, with the choice where it is not the default one."""
        if self.tiles is None:
            return "best tile"
        return f"best of {', '.join(tile.name for tile in self.tiles)}"

    def apply(self, landscape: Landscape) -> StageResult:
        """Take the least time over the tiles, ignoring those that are not available."""
        chosen = self.tiles
        if chosen is None:
            chosen = tuple(tile for tile in landscape.tiles if not tile.hidden)
        unknown = [tile.name for tile in chosen if tile not in landscape.tiles]
        if unknown:
            raise NotApplicableError(f"tiles {', '.join(unknown)} are not in this landscape")
        if len(set(chosen)) < 2:
            raise NotApplicableError(
                f"choosing the best tile needs at least two tiles of known sizes, this landscape offers "
                f"{len(set(chosen))}"
            )
        layers = np.array([landscape.tiles.index(tile) for tile in chosen], dtype=np.int16)
        times = landscape.time[layers]
        times[np.isnan(times)] = np.inf
        winner = np.argmin(times, axis=0)
        time = np.take_along_axis(times, winner[np.newaxis], axis=0)[0]
        missing = np.isinf(time)
        time[missing] = np.nan
        tile = np.where(missing, np.int16(UNAVAILABLE), layers[winner])
        return StageResult(self.name, time, Decisions.run(tile))
