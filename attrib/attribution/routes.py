"""Stages as routes: a choice of tiles, then padding, then splitting; over batches of landscapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.landscape import Landscape
from attrib.stages import BestTile, FixedTile, Pad, Split, Stage, split_minimum, suffix_minimum
from harness.errors import NotApplicableError
from harness.tile import Tile

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Route:
    """What a stage does to the times of all tiles, in order.

    Attributes
    ----------
    tiles : tuple of int
        Which tiles it chooses the fastest of.
    padded : bool
    split : tuple of str
        Axes it may split; empty where it does not.
    """

    tiles: tuple[int, ...]
    padded: bool = False
    split: tuple[str, ...] = ()

    @classmethod
    def of(cls, stage: Stage, tiles: Sequence[Tile]) -> Route:
        """Read a stage; ``tiles`` names the layers of the times.

        Raises
        ------
        NotApplicableError
            If the stage is of another kind, or pads what was split.
        """
        if isinstance(stage, FixedTile):
            return cls((tiles.index(stage.tile),))
        if isinstance(stage, BestTile):
            return cls(tuple(tiles.index(tile) for tile in _choice(stage, tiles)))
        if isinstance(stage, Pad | Split):
            below = cls.of(stage.base, tiles)
            if isinstance(stage, Split):
                return cls(below.tiles, below.padded, stage.axes)
            if not below.split:
                return cls(below.tiles, True)
        raise NotApplicableError(f"stage {stage.name!r} cannot be applied to batches of landscapes")

    @property
    def whole(self) -> bool:
        """Whether the slice at the largest K depends on the rest of the cube."""
        return "K" in self.split


def stage_times(stage: Stage, landscape: Landscape, times: Array) -> Array:
    """Send batches of tile landscapes through a stage.

    Parameters
    ----------
    stage : Stage
    landscape : Landscape
        Names the tiles that ``times`` holds.
    times : ndarray, shape (batch, tile, M, N, K)
        Seconds.

    Returns
    -------
    ndarray, shape (batch, M, N, K)
    """
    route = Route.of(stage, landscape.tiles)
    found = np.asarray(np.fmin.reduce(times[:, list(route.tiles)], axis=1))
    if route.padded:
        found = suffix_minimum(found)
    return split_minimum(found, route.split) if route.split else found


def stage_tiles(stage: Stage, landscape: Landscape) -> list[int]:
    """Indices of the tiles that a stage chooses from; of any other kind of stage, all."""
    if isinstance(stage, FixedTile):
        return [landscape.tiles.index(stage.tile)]
    if isinstance(stage, BestTile):
        return [landscape.tiles.index(tile) for tile in _choice(stage, landscape.tiles)]
    if isinstance(stage, Pad | Split):
        return stage_tiles(stage.base, landscape)
    return list(range(len(landscape.tiles)))


def _choice(stage: BestTile, tiles: Sequence[Tile]) -> tuple[Tile, ...]:
    return stage.tiles or tuple(tile for tile in tiles if not tile.hidden)
