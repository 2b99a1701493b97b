"""Candidate shapes off the grid, by what they are to show; a proposal is chosen among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.result import FitResult

Pool = NDArray[np.int64]

_SIZE = 400
_OFF = (1, 2, 4, 8, 16, 24, 32, 40, 48, 64, 72, 80, 96)


def pitch_unit(fit: FitResult) -> int:
    """Elements that N and K have to be multiples of for kernels to take them; 1 where they take any.

    The block loads of Xe-cores take no other row pitch, and kernels for them refuse other shapes (device record).
    """
    unit = fit.device.block_unit_bytes if fit.device.core_name == "Xe-core" else None
    return max(1, (unit or 1) // fit.element_bytes)


def bounds_of(fit: FitResult) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest measured M, N, K of all tiles, shape (3,) each."""
    hulls = [tile.hull for tile in fit.tiles.values()]
    return np.min([hull.lower for hull in hulls], axis=0), np.max([hull.upper for hull in hulls], axis=0)


def core_pool(fit: FitResult, cores: Sequence[int], rng: np.random.Generator) -> Pool:
    """Whole tiles whose number is a multiple of a core count or one more, over long K."""
    _, high = bounds_of(fit)
    shapes = []
    for tile in fit.tiles.values():
        if tile.tile.hidden:
            continue
        m, n = tile.tile.m, tile.tile.n
        most = (max(1, int(high[0]) // m), max(1, int(high[1]) // n))
        rows = np.repeat(np.arange(1, most[0] + 1), most[1])
        columns = np.tile(np.arange(1, most[1] + 1), most[0])
        groups = rows * columns
        near = np.zeros(groups.size, dtype=np.bool_)
        for count in cores:
            near |= (groups % count == 0) | (groups % count == 1)
        if not near.any():
            near[:] = True
        places = rng.permutation(np.flatnonzero(near))[: _SIZE // max(1, len(fit.tiles))]
        long = rng.choice([high[2], high[2] // 2], places.size)
        shapes.append(np.stack([rows[places] * m, columns[places] * n, np.maximum(1, long)], axis=1))
    return _distinct(_taken(fit, np.concatenate(shapes)))


def spill_pool(fit: FitResult, sizes: Sequence[tuple[float, ...]], rng: np.random.Generator) -> Pool:
    """Shapes whose working sets lie around the candidate spill sizes, from flat to cubic."""
    scale = max(size for (size,) in sizes)
    goal = scale * np.exp2(rng.uniform(-3.0, 1.5, _SIZE))
    depth = np.exp2(rng.uniform(6.0, 11.0, _SIZE))
    # Squares of side s and depth k hold 2 e s k + d s^2 bytes.
    e, d = float(fit.element_bytes), float(fit.output_bytes)
    side = (-2 * e * depth + np.sqrt((2 * e * depth) ** 2 + 4 * d * goal)) / (2 * d)
    skew = np.exp2(rng.uniform(-1.0, 1.0, _SIZE))
    return _rounded(np.stack([side * skew, side / skew, depth], axis=1), 128)


def channel_pool(fit: FitResult, rng: np.random.Generator) -> Pool:
    """Long rows whose pitches are odd multiples of every power of two, few of them."""
    _, high = bounds_of(fit)
    unit = 32 // max(1, fit.element_bytes // 2)
    power = unit * np.exp2(rng.integers(0, 7, (_SIZE, 2))).astype(np.int64)
    wide = np.maximum(1, np.maximum(high[1:], 1024) // power)
    odd = np.maximum(1, (rng.uniform(0.4, 1.0, (_SIZE, 2)) * wide).astype(np.int64) // 2 * 2 + 1)
    rows = 128 * rng.integers(1, 9, _SIZE)
    return _distinct(_taken(fit, np.column_stack([rows, odd * power])))


def odd_pool(fit: FitResult, rng: np.random.Generator) -> Pool:
    """Sizes of all kinds off the grid: odd, short, skinny and tiny, none larger than what was measured."""
    low, high = bounds_of(fit)
    base = np.exp2(rng.uniform(np.log2(np.maximum(1, low)), np.log2(high), (_SIZE, 3)))
    shapes = np.maximum(1, (base / 32).astype(np.int64) * 32)
    moved = rng.choice(_OFF, (_SIZE, 3)) * (rng.random((_SIZE, 3)) < 0.5)
    shapes = np.maximum(1, shapes - moved)
    kind = rng.integers(0, 4, _SIZE)
    steps = [tile.tile.k for tile in fit.tiles.values() if tile.tile.k] or [32]
    short = kind == 1
    shapes[short, 2] = np.maximum(1, rng.choice([*steps, *(2 * step for step in steps)], int(short.sum())))
    skinny = np.flatnonzero(kind == 2)
    shapes[skinny, rng.integers(0, 2, skinny.size)] = rng.choice([1, 8, 16, 32, 64], skinny.size)
    tiny = kind == 3
    shapes[tiny, :2] = rng.choice([16, 32, 64, 96, 128], (int(tiny.sum()), 2))
    return _distinct(_taken(fit, np.minimum(shapes, high)))


def _taken(fit: FitResult, shapes: Pool) -> Pool:
    """Move N and K up to what kernels take."""
    unit = pitch_unit(fit)
    return np.column_stack([shapes[:, 0], -(-shapes[:, 1:] // unit) * unit])


def _rounded(sizes: NDArray[np.float64], unit: int) -> Pool:
    whole = np.maximum(1, np.round(sizes / unit)).astype(np.int64) * unit
    return _distinct(whole)


def _distinct(shapes: NDArray[np.int64]) -> Pool:
    return np.asarray(np.unique(shapes, axis=0), dtype=np.int64)
