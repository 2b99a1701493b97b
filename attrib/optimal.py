"""The optimal landscape: a closed-form bound from datasheet numbers, as the paper states it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attrib.ideal import work_groups
from harness.errors import InputError
from harness.tile import Tile
from models.channels import channel_efficiency


def wave_efficiency(M: ArrayLike, N: ArrayLike, *, tile: Tile, cores: int) -> NDArray[np.float64]:
    """Share of the core slots in all waves that hold a work-group, W / (C ceil(W/C)) (paper, section 9.2).

    Parameters
    ----------
    M, N : array_like of int
        Rows and columns of the output, in elements; they broadcast.
    tile : Tile
        A tile of known sizes.
    cores : int
        Cores C, each taking one work-group a wave.

    Returns
    -------
    numpy.ndarray of float64, broadcast shape of M and N
        Efficiency in (0, 1].
    """
    groups = work_groups(M, N, tile)
    return np.asarray(groups / (-(-groups // cores) * cores), dtype=np.float64)


def memory_time(
    M: ArrayLike,
    N: ArrayLike,
    K: ArrayLike,
    *,
    bandwidth_bytes_per_s: float,
    channels: int,
    interleave_bytes: int,
    input_bytes: int = 2,
    output_bytes: int = 4,
) -> NDArray[np.float64]:
    """Time to move A, B and D once at their channel efficiencies, in seconds (paper, section 9.2).

    Row-major operands: A has the pitch K, B and D have the pitch N. With one channel every efficiency is 1.
    """
    rows, columns, depth = (np.asarray(axis, dtype=np.float64) for axis in (M, N, K))
    eta_a = channel_efficiency(input_bytes, K, channels, interleave_bytes)
    eta_b = channel_efficiency(input_bytes, N, channels, interleave_bytes)
    eta_d = channel_efficiency(output_bytes, N, channels, interleave_bytes)
    loads = input_bytes * (rows * depth / eta_a + depth * columns / eta_b)
    stores = output_bytes * rows * columns / eta_d
    return np.asarray((loads + stores) / bandwidth_bytes_per_s, dtype=np.float64)


def optimal_throughput(
    M: ArrayLike,
    N: ArrayLike,
    K: ArrayLike,
    *,
    peak_flops_per_s: float,
    cores: int,
    bandwidth_bytes_per_s: float,
    tiles: Sequence[Tile],
    channels: int,
    interleave_bytes: int,
    input_bytes: int = 2,
    output_bytes: int = 4,
) -> NDArray[np.float64]:
    """First-principles optimum: 2MNK over any tile's least max(compute, memory) time (paper, section 9.2).

    Compute time is that of the useful operations at the peak, stretched by wave quantization
    (`wave_efficiency`); memory time is `memory_time` and does not depend on the tile. The formula has no
    partial-tile term. The paper's own figures for this landscape do not follow from its formula; these do.

    Parameters
    ----------
    M, N, K : array_like of int
        Shapes, in elements; they broadcast, so an open mesh (`numpy.ix_`) gives a whole cube.
    peak_flops_per_s : float
        Peak P, in FLOP/s.
    cores : int
        Cores C, each taking one work-group a wave whatever the tile.
    bandwidth_bytes_per_s : float
        Memory bandwidth, in bytes/s.
    tiles : sequence of Tile
        The tiles to choose from; their k is not used.
    channels, interleave_bytes : int
        Memory channels, and bytes on one before the next takes over.
    input_bytes, output_bytes : int, optional
        Bytes per element of A and B, and of D.

    Returns
    -------
    numpy.ndarray of float64, broadcast shape of M, N and K
        TFLOP/s.

    Raises
    ------
    InputError
        If no tile is given or a device number is not positive.
    NotApplicableError
        If a tile is hidden.
    """
    if not tiles:
        raise InputError("the optimal landscape needs at least one tile to choose from")
    if not peak_flops_per_s > 0 or not bandwidth_bytes_per_s > 0 or cores < 1:
        raise InputError(
            "peak, bandwidth and cores must be positive, got "
            f"{peak_flops_per_s} FLOP/s, {bandwidth_bytes_per_s} bytes/s and {cores}"
        )
    best_wave = wave_efficiency(M, N, tile=tiles[0], cores=cores)
    for tile in tiles[1:]:
        best_wave = np.maximum(best_wave, wave_efficiency(M, N, tile=tile, cores=cores))
    rows, columns, depth = (np.asarray(axis, dtype=np.float64) for axis in (M, N, K))
    flops = 2.0 * rows * columns * depth
    memory = memory_time(
        M,
        N,
        K,
        bandwidth_bytes_per_s=bandwidth_bytes_per_s,
        channels=channels,
        interleave_bytes=interleave_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
    )
    seconds = np.maximum(flops / (peak_flops_per_s * best_wave), memory)
    return np.asarray(1e-12 * flops / seconds, dtype=np.float64)
