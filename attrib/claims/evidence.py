"""What claims are asked of: a cube, what else was measured, a fitted model; each view of it made once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.analysis import landscape_of
from attrib.landscape import Landscape
from attrib.stages import default_tile
from harness.cube import STATUS, dense_cube, densify, device_of, tiles_of
from harness.device import DeviceRecord
from harness.errors import NotApplicableError
from harness.tile import Tile
from models.blocks import Blocks
from models.result import FitResult

Array = NDArray[np.float64]

PER_AXIS = 4
"""Groups of sizes along M and along N: 16 blocks, wide enough for what neighbours share to stay inside them."""


def set_apart(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out (-1) the cells at a border between blocks, shape (M, N).

    A departure from neighbours shares its neighbours with those next to it: blocks that touch are not independent.
    """
    out = blocks.copy()
    for axis in (0, 1):
        lines, left_out = np.moveaxis(blocks, axis, 0), np.moveaxis(out, axis, 0)  # views
        differs = lines[1:] != lines[:-1]
        left_out[1:][differs] = -1
        left_out[:-1][differs] = -1
    return out


FULL_ENOUGH = 0.5
"""Share of a grid's cells that samples must fill to be taken for a grid with gaps."""


def with_gaps(cube: xr.Dataset) -> xr.Dataset:
    """Lay a sparse cube out on the grid of its sizes; cells without a sample are not measured.

    Raises
    ------
    NotApplicableError
        If the samples fill less than half of it, or a shape occurs twice.
    """
    tiles = tiles_of(cube)
    sizes = {axis: np.unique(cube[axis].values) for axis in "MNK"}
    shape = (len(tiles), *(values.size for values in sizes.values()))
    cells, samples = int(np.prod(shape)), int(cube.sizes["sample"])
    if samples < FULL_ENOUGH * cells:
        raise NotApplicableError(
            f"the samples form no grid ({samples:,} of {cells:,} cells of one): measure a full grid of M, N and K"
        )
    number = {tile.name: place for place, tile in enumerate(tiles)}
    index = [np.array([number[str(name)] for name in cube["tile"].values])]
    index += [np.searchsorted(sizes[axis], cube[axis].values) for axis in "MNK"]
    flat = np.ravel_multi_index(tuple(index), shape)
    if np.unique(flat).size != samples:
        raise NotApplicableError("the samples form no grid: some shapes occur twice; import repeats as such")

    def laid_out(name: str, empty: float) -> NDArray[Any]:
        values = cube[name].values
        out = np.full((cells, *values.shape[1:]), empty, dtype=values.dtype)
        out[flat] = values
        return out.reshape(*shape, *values.shape[1:])

    return dense_cube(
        laid_out("time", np.nan),
        sizes["M"],
        sizes["N"],
        sizes["K"],
        tiles,
        device_of(cube),
        dtype=str(cube.attrs["dtype"]),
        status=laid_out("status", STATUS["not_measured"]),
        spread=laid_out("time_spread", np.nan) if "time_spread" in cube else None,
        repeats=laid_out("time_repeats", np.nan) if "time_repeats" in cube else None,
        attrs={key: value for key, value in cube.attrs.items() if key not in ("device", "dtype")},
    )


class Evidence:
    """A cube and what belongs to it.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube, dense or sparse.
    also : sequence of xarray.Dataset
        More cubes of the same kernels: fine lines, for the periods.
    fit : FitResult, optional
        A fitted model; claims that need one are not testable without.
    seed : int
        Seed of the sign flips and permutations.
    """

    def __init__(
        self,
        cube: xr.Dataset,
        also: Sequence[xr.Dataset] = (),
        fit: FitResult | None = None,
        seed: int = 0,
    ) -> None:
        self.cube = cube
        self.also = tuple(also)
        self.fit = fit
        self.seed = seed

    @cached_property
    def device(self) -> DeviceRecord:
        """The record of the device."""
        return device_of(self.cube)

    @cached_property
    def dense(self) -> xr.Dataset:
        """The cube as a grid, of its known tiles; of its hidden ones where none is known.

        Raises
        ------
        NotApplicableError
            If the samples fill less than half of a grid.
        """
        dense = densify(self.cube)
        if dense is None:
            dense = with_gaps(self.cube)
        known = np.asarray(dense["tile_m"].values) > 0
        return dense.isel(tile=np.flatnonzero(known)) if known.any() else dense

    @cached_property
    def landscape(self) -> Landscape:
        """Times of the grid as bare arrays."""
        return landscape_of(self.dense)

    @cached_property
    def log_rate(self) -> Array:
        """Natural logarithm of TFLOP/s, shape (tile, M, N, K); NaN where not measured."""
        return np.asarray(np.log(self.landscape.throughput(self.landscape.time)))

    @cached_property
    def halves(self) -> Array:
        """Log throughput from every other repeat, and from those between, shape (2, tile, M, N, K).

        Both halves hold the same landscape and noise of their own.

        Raises
        ------
        NotApplicableError
            If the cube keeps no repeats.
        """
        if "time_repeats" not in self.dense or self.dense.sizes.get("repeat", 0) < 2:
            raise NotApplicableError("the cube keeps no repeats: measure each shape at least twice")
        ok = self.dense["status"].values == STATUS["ok"]
        repeats = np.log(np.where(ok[..., None], self.dense["time_repeats"].values, np.nan))
        known = np.isfinite(repeats)
        halves = []
        for part in (np.s_[..., 0::2], np.s_[..., 1::2]):
            count = known[part].sum(axis=-1)
            total = np.where(known[part], repeats[part], 0.0).sum(axis=-1)
            halves.append(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))
        grid = self.landscape
        volume = 2e-12 * grid.M[:, None, None].astype(np.float64) * grid.N[:, None] * grid.K
        return np.asarray(np.log(volume) - np.stack(halves))

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """Block of every (M, N) of the grid, shape (M, N)."""
        return self.blocks_of(*np.meshgrid(self.landscape.M, self.landscape.N, indexing="ij"))

    def blocks_of(self, M: NDArray[np.int64], N: NDArray[np.int64], per_axis: int = PER_AXIS) -> NDArray[np.int64]:
        """Block of each shape, in the shape of the sizes."""
        flat = np.asarray(M, dtype=np.int64).ravel(), np.asarray(N, dtype=np.int64).ravel()
        return Blocks.of(*flat, per_axis).labels(*flat).reshape(np.shape(M))

    def spread_blocks(
        self, shape: tuple[int, ...], apart: bool = False, per_axis: int = PER_AXIS
    ) -> NDArray[np.int64]:
        """Blocks for an array (..., M, N, K), flattened; those of :func:`set_apart` where ``apart``."""
        blocks = self.blocks_of(*np.meshgrid(self.landscape.M, self.landscape.N, indexing="ij"), per_axis)
        return np.broadcast_to((set_apart(blocks) if apart else blocks)[:, :, None], shape).ravel()

    @cached_property
    def known_tiles(self) -> tuple[Tile, ...]:
        """Tiles of the grid whose sizes are known.

        Raises
        ------
        NotApplicableError
            If every tile is hidden.
        """
        if all(tile.hidden for tile in self.landscape.tiles):
            raise NotApplicableError("the library hides its tile: measure kernels whose tile is known")
        return self.landscape.tiles

    @cached_property
    def fixed_tile(self) -> int:
        """Index of the tile that stands for one kernel: the largest, as the stages take it."""
        tiles = self.landscape.tiles
        return 0 if tiles[0].hidden else tiles.index(default_tile(tiles))

    @cached_property
    def cores(self) -> int:
        """Cores that the fit counted, or else those of the device record.

        Raises
        ------
        NotApplicableError
            If neither tells.
        """
        fits = () if self.fit is None else tuple(self.fit.tiles.values())
        for constant in (fit.constants["cores"] for fit in fits if "cores" in fit.constants):
            if constant.status == "identified" and constant.estimate:
                return int(constant.estimate)
        if self.device.cores is None:
            raise NotApplicableError("the device record leaves the cores open and no fit has counted them")
        return self.device.cores
