"""Measured and fitted times of every cell, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attrib.analysis import Analysis
from harness.samples import Samples
from harness.tile import Tile
from models.result import FitResult

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TileResidual:
    """Cells of one tile.

    Attributes
    ----------
    label : str
    tile : Tile
        The effective one, where the kernel hides its own.
    slots : int
        Work-groups that a wave holds.
    M, N, K : ndarray of int64, shape (n,)
    measured, fitted : ndarray, shape (n,)
        Seconds.
    """

    label: str
    tile: Tile
    slots: int
    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]
    measured: Array
    fitted: Array

    @cached_property
    def error(self) -> Array:
        """Fitted over measured time, less one: positive where the model is too slow."""
        return np.asarray(self.fitted / self.measured - 1.0)

    @cached_property
    def last_wave_fill(self) -> Array | None:
        """Share of the last wave's slots that hold a work-group, in (0, 1]; ``None`` where the tile is hidden."""
        if self.tile.hidden:
            return None
        waves = np.ceil(self.M / self.tile.m) * np.ceil(self.N / self.tile.n) / self.slots
        return np.asarray(waves - np.ceil(waves) + 1.0)

    def rate(self, time: Array) -> Array:
        """TFLOP/s of these cells at the given times."""
        return np.asarray(2e-12 * self.M * self.N * self.K / time)


def tile_residual(
    fit: FitResult,
    name: str,
    M: NDArray[np.int64],
    N: NDArray[np.int64],
    K: NDArray[np.int64],
    measured: Array,
    fitted: Array,
) -> TileResidual:
    """Put cells of one tile together with what the fit says of the tile."""
    return TileResidual(name, fit.tiles[name].tile, fit.hardware.slots_of(name), M, N, K, measured, fitted)


def residuals(analysis: Analysis) -> tuple[TileResidual, ...]:
    """Evaluate the model on every cell that is ok; tiles without a model are left out."""
    samples = Samples.from_cube(analysis.cube)
    out = []
    for index, tile in enumerate(samples.tiles):
        if tile.name not in analysis.fit.tiles:
            continue
        own = samples.of_tile(index)
        if own.size == 0:
            continue
        fitted = analysis.fit.time(tile.name, analysis.fit.problem(tile.name, own.M, own.N, own.K))
        out.append(tile_residual(analysis.fit, tile.name, own.M, own.N, own.K, own.time, fitted))
    return tuple(out)
