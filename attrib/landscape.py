"""Time landscapes as bare arrays: what the optimizer stages work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import CubeError
from harness.grid import AXES
from harness.tile import Tile


def throughput(
    time: NDArray[np.float64], M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Useful throughput 2MNK/t of a multiplication (paper, section 2.3).

    Parameters
    ----------
    time : numpy.ndarray of float64, shape (..., M, N, K)
        Seconds; NaN where not available.
    M, N, K : numpy.ndarray of int64, shape (M,), (N,), (K,)
        Axes, in elements.

    Returns
    -------
    numpy.ndarray of float64, shape (..., M, N, K)
        TFLOP/s; NaN where the time is.
    """
    rows, columns, depth = (axis.astype(np.float64) for axis in np.ix_(M, N, K))
    return np.asarray(2e-12 * rows * columns * depth / time, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Landscape:
    """Measured or modelled times of every tile on a grid of shapes.

    Attributes
    ----------
    time : numpy.ndarray of float64, shape (tile, M, N, K)
        Seconds, positive; NaN where not available.
    tiles : tuple of Tile
        The tile variants, one a layer of `time`.
    M, N, K : numpy.ndarray of int64
        Axes, in elements, strictly ascending.

    Raises
    ------
    CubeError
        If shapes disagree, an axis does not ascend from 1 or above, or a time is not positive and finite.
    """

    time: NDArray[np.float64]
    tiles: tuple[Tile, ...]
    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]

    def __post_init__(self) -> None:
        expected = (len(self.tiles), *self.shape)
        if self.time.shape != expected:
            raise CubeError(f"times have shape {self.time.shape}; tiles and axes M, N, K make {expected}")
        if self.time.size == 0:
            raise CubeError("a landscape needs at least one tile and one shape")
        if len(set(self.tiles)) != len(self.tiles):
            raise CubeError(f"each tile may appear once, got {', '.join(tile.name for tile in self.tiles)}")
        for name in AXES:
            values = self.axis(name)
            if values[0] < 1 or np.any(np.diff(values) < 1):
                raise CubeError(f"axis {name} must ascend strictly from 1 or above")
        bad = ~(np.isnan(self.time) | ((self.time > 0) & np.isfinite(self.time)))
        if np.any(bad):
            raise CubeError(
                f"times are positive seconds or NaN, got {self.time[bad][0]} in {np.count_nonzero(bad)} cells"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of values along M, N and K."""
        return (self.M.size, self.N.size, self.K.size)

    def axis(self, name: str) -> NDArray[np.int64]:
        """Return the values of axis ``"M"``, ``"N"`` or ``"K"``, in elements."""
        return {"M": self.M, "N": self.N, "K": self.K}[name]

    def throughput(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn times of shape (..., M, N, K) on this landscape's axes, in seconds, into TFLOP/s."""
        return throughput(time, self.M, self.N, self.K)

    def __repr__(self) -> str:
        missing = np.count_nonzero(np.isnan(self.time)) / self.time.size
        sizes = " x ".join(str(size) for size in self.shape)
        names = ", ".join(tile.name for tile in self.tiles)
        return f"Landscape({sizes} shapes; tiles {names}; {missing:.1%} missing)"
