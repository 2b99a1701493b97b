"""What a plan chooses for a shape: one launch with its tile and padding, or two parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile

Shape = tuple[int, int, int]


class Parts(NamedTuple):
    """The two parts of a split: axis (``"M"``, ``"N"`` or ``"K"``) and sizes along it, in elements."""

    axis: str
    first: int
    second: int


class PlannedLaunch(NamedTuple):
    """One kernel launch of a shape's plan; triples are (M, N, K), in elements.

    It computes ``D[m:m+M', n:n+N'] = A[m:m+M', k:k+K'] B[k:k+K', n:n+N'] + beta D`` with (m, n, k) the
    `offset` and (M', N', K') the `size`. The kernel runs on `padded`: operands are extended with zeros, or
    masked, and rows and columns of the result beyond `size` are dropped, for they may be another launch's.
    """

    tile: Tile
    offset: Shape
    size: Shape
    padded: Shape
    beta: int  # 1 adds to what an earlier launch of the same output left, 0 is the first one
    time: float  # planned, seconds


@dataclass(frozen=True)
class Choice:
    """What a plan does with one shape; triples are (M, N, K), in elements.

    Attributes
    ----------
    shape, cell : tuple of int
        The shape asked for, and the grid's next shape that contains it.
    tile, padded : Tile and tuple of int, or None
        Tile and shape to run in one launch; None where the shape is split.
    split : Parts or None
        The two parts, useful sizes; each has a choice of its own.
    time, direct_time : float
        Seconds, by plan and by running `cell` as it is (NaN where that is not possible).
    direct_tile : Tile or None
        Fastest of the plan's tiles for running `cell` as it is.
    """

    shape: Shape
    cell: Shape
    tile: Tile | None
    padded: Shape | None
    split: Parts | None
    time: float
    direct_tile: Tile | None
    direct_time: float

    @property
    def throughput(self) -> float:
        """Planned throughput of the useful work, 2MNK/time, in TFLOP/s."""
        return 2e-12 * float(np.prod(self.shape, dtype=np.float64)) / self.time


@dataclass(frozen=True, eq=False)
class Choices:
    """What a plan does with many shapes: arrays with the shape (...) of the sizes asked for.

    Attributes
    ----------
    shape, cell : numpy.ndarray of int64, shape (..., 3)
        M, N, K asked for, and the grid's next shape that contains them, in elements.
    action : numpy.ndarray of int8
        0 runs one launch; 1, 2 or 3 splits along M, N or K; -1 is not available.
    tile : numpy.ndarray of int16
        Index into the plan's tiles; -1 where no launch runs.
    padded : numpy.ndarray of int64, shape (..., 3)
        Shape the launch runs, in elements; 0 where no launch runs.
    first, second : numpy.ndarray of int64
        Useful sizes of the parts along the split axis, in elements; 0 without a split.
    time, direct_time : numpy.ndarray of float64
        Seconds, by plan and by running `cell` as it is; NaN where not available.
    direct_tile : numpy.ndarray of int16
        Fastest of the plan's tiles for running `cell` as it is; -1 where not available.
    """

    shape: NDArray[np.int64]
    cell: NDArray[np.int64]
    action: NDArray[np.int8]
    tile: NDArray[np.int16]
    padded: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    time: NDArray[np.float64]
    direct_tile: NDArray[np.int16]
    direct_time: NDArray[np.float64]

    @property
    def throughput(self) -> NDArray[np.float64]:
        """Planned throughput of the useful work, 2MNK/time, in TFLOP/s."""
        return np.asarray(2e-12 * np.prod(self.shape, axis=-1, dtype=np.float64) / self.time)
