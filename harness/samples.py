"""Samples: the flat view of a cube that models are fitted to, one row per measured cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import DENSE_DIMS, STATUS, is_dense, tiles_of
from harness.errors import CubeError
from harness.tile import Tile


@dataclass(frozen=True)
class Samples:
    """Measured cells as parallel arrays.

    Attributes
    ----------
    M, N, K : ndarray of int64, shape (n,)
        Problem sizes, elements.
    tile : ndarray of int64, shape (n,)
        Index into ``tiles``.
    tiles : tuple of Tile
    time : ndarray of float64, shape (n,)
        Seconds.
    spread : ndarray of float64, shape (n,)
        Robust standard deviation of one repeat, seconds; NaN where unknown.
    """

    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]
    tile: NDArray[np.int64]
    tiles: tuple[Tile, ...]
    time: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(self.time.size)

    def of_tile(self, index: int) -> Samples:
        """Return the samples of one tile, which keeps its index."""
        return self.take(np.flatnonzero(self.tile == index))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Return the given rows."""
        return replace(
            self,
            M=self.M[rows],
            N=self.N[rows],
            K=self.K[rows],
            tile=self.tile[rows],
            time=self.time[rows],
            spread=self.spread[rows],
        )

    @classmethod
    def from_cube(cls, cube: xr.Dataset) -> Samples:
        """Flatten a dense or sparse cube, leaving out every cell whose status is not ok.

        Raises
        ------
        CubeError
            If no cell is ok.
        """
        tiles = tiles_of(cube)
        # Dimensions are taken by name: arithmetic on a cube may have reordered them since it was validated.
        cube = cube.transpose(*(DENSE_DIMS if is_dense(cube) else ("sample",)), ..., missing_dims="ignore")
        ok = cube["status"].values == STATUS["ok"]
        if not ok.any():
            raise CubeError("the cube has no cell with status ok: there is nothing to fit")
        if is_dense(cube):
            index = np.nonzero(ok)
            tile = index[0].astype(np.int64)
            sizes = [cube[axis].values[index[i + 1]] for i, axis in enumerate("MNK")]
        else:
            number = {tile.name: i for i, tile in enumerate(tiles)}
            tile = np.array([number[str(name)] for name in cube["tile"].values], dtype=np.int64)[ok]
            sizes = [cube[axis].values[ok] for axis in "MNK"]
        time = cube["time"].values[ok]
        spread = cube["time_spread"].values[ok] if "time_spread" in cube else np.full(time.shape, np.nan)
        return cls(sizes[0], sizes[1], sizes[2], tile, tiles, time, spread)

    @classmethod
    def concatenate(cls, parts: list[Samples]) -> Samples:
        """Join samples of several cubes; their tiles are united by label."""
        tiles = tuple(dict.fromkeys(tile for part in parts for tile in part.tiles))
        number = {tile: i for i, tile in enumerate(tiles)}
        renumbered = [np.array([number[tile] for tile in part.tiles])[part.tile] for part in parts]
        return cls(
            np.concatenate([part.M for part in parts]),
            np.concatenate([part.N for part in parts]),
            np.concatenate([part.K for part in parts]),
            np.concatenate(renumbered),
            tiles,
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.spread for part in parts]),
        )
