"""The ideal landscape: full speed as soon as there is one work-group for each core."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InputError, NotApplicableError
from harness.tile import Tile


def work_groups(M: ArrayLike, N: ArrayLike, tile: Tile) -> NDArray[np.int64]:
    """Work-groups of a multiplication, W = ceil(M/tm) ceil(N/tn).

    Parameters
    ----------
    M, N : array_like of int
        Rows and columns of the output, in elements; they broadcast.
    tile : Tile
        The tile, whose sizes must be known.

    Raises
    ------
    NotApplicableError
        If the tile is hidden.
    """
    if tile.hidden:
        raise NotApplicableError(
            f"tile {tile.name!r} does not tell its sizes; work-groups need a tile such as 256x256x32"
        )
    rows = np.asarray(M, dtype=np.int64)
    columns = np.asarray(N, dtype=np.int64)
    return np.asarray(-(-rows // tile.m) * -(-columns // tile.n), dtype=np.int64)


def ideal_throughput(
    M: ArrayLike, N: ArrayLike, K: ArrayLike, *, peak_flops_per_s: float, cores: int, tile: Tile
) -> NDArray[np.float64]:
    """Throughput of a device whose only limit is too few work-groups, P min(1, W/C) (paper, section 9.1).

    Its roughness is the floor that even a perfect ramp has.

    Parameters
    ----------
    M, N, K : array_like of int
        Shapes, in elements; they broadcast, so an open mesh (`numpy.ix_`) gives a whole cube. K only gives
        the result its shape.
    peak_flops_per_s : float
        Peak P of the device, in FLOP/s.
    cores : int
        Cores C that each take one work-group at a time.
    tile : Tile
        The tile whose work-groups fill the cores.

    Returns
    -------
    numpy.ndarray of float64, broadcast shape of M, N and K
        TFLOP/s.

    Raises
    ------
    InputError
        If the peak or the number of cores is not positive.
    NotApplicableError
        If the tile is hidden.
    """
    if not peak_flops_per_s > 0 or cores < 1:
        raise InputError(f"peak and cores must be positive, got {peak_flops_per_s} FLOP/s and {cores}")
    fill = np.minimum(1.0, work_groups(M, N, tile) / cores)
    shape = np.broadcast_shapes(fill.shape, np.shape(K))
    return np.array(np.broadcast_to(1e-12 * peak_flops_per_s * fill, shape), dtype=np.float64)
