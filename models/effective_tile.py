"""The effective tile of a kernel that hides its own: the one whose waves explain the timings best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.design import ALL_MECHANISMS, Design
from models.gram import BlockGram
from models.hardware import Hardware
from models.problem import Problem
from models.solve import solve_nonnegative
from models.term import Term
from models.waves import GroupedWaves

Array = NDArray[np.float64]

_SIDES = (64, 128, 192, 256)
_STEP = 64
_MAX_RESIDENCY = 2


@dataclass(frozen=True)
class EffectiveTile:
    """The best-fitting tile, under the library's own name, and its residency."""

    tile: Tile
    residency: int


def effective_tile(
    problem: Problem,
    time: Array,
    blocks: NDArray[np.int64],
    hardware: Hardware,
    terms: Sequence[Term],
) -> EffectiveTile | None:
    """Look for a tile whose wave pattern explains a hidden kernel better than arithmetic alone.

    A library switches kernels by shape, so this is a description, not a discovery; it is adopted only when its
    criterion (log loss over blocks plus the penalty for its columns) beats that of the tile-free model.

    Parameters
    ----------
    problem : Problem
        With a hidden tile.
    time : ndarray, shape (n,)
        Seconds.
    blocks : ndarray of int64, shape (n,)
    hardware : Hardware
        Its core count is used as known; without one nothing is looked for.
    terms : sequence of Term
    """
    if hardware.cores <= 1:
        return None
    n_blocks = int(blocks.max()) + 1
    plain = Design.of(terms, problem.tile, hardware).matrix(problem, hardware)
    plain = plain[:, (plain != 0).any(axis=0)]
    sums = BlockGram.of(plain, time, blocks, n_blocks)
    gram, moment, _ = sums.total()
    best = _criterion(float(sums.loss(solve_nonnegative(gram, moment)).sum()), plain.shape[1], time.size, n_blocks)
    found: EffectiveTile | None = None
    others = [term for term in terms if term.name != "waves"]
    for m in _SIDES:
        for n in _SIDES:
            tile = Tile(m, n, _STEP, problem.tile.name)
            candidate = replace(problem, tile=tile)
            state = replace(hardware, residency={})
            matrix = Design.of(others, tile, state).matrix(candidate, state)
            matrix = matrix[:, (matrix != 0).any(axis=0)]
            grouped = GroupedWaves(candidate, time, matrix, blocks, ALL_MECHANISMS)
            for residency in range(1, _MAX_RESIDENCY + 1):
                loss, p = grouped.loss(hardware.cores, residency)
                value = _criterion(loss, p, time.size, n_blocks)
                if value < best:
                    best, found = value, EffectiveTile(tile, residency)
    return found


def _criterion(loss: float, columns: int, n: int, n_blocks: int) -> float:
    return float(n_blocks * np.log(max(loss / n, 1e-12)) + columns * np.log(n_blocks))
