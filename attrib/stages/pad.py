"""Padding: a shape runs as the fastest shape that contains it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.landscape import Landscape
from attrib.stages.stage import RUN, UNAVAILABLE, Decisions, Stage, StageResult
from harness.compiled import njit
from harness.errors import InputError, NotApplicableError


def suffix_minimum(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least time over all shapes of the grid that contain each shape, T1 (paper, section 7).

    The paper's recursion ``T1[M,N,K] = min over (i,j,k) in {0,1}^3 of T1[M+i,N+j,K+k]`` from the largest
    corner down, neighbours off the grid left out, is the minimum over {M' >= M, N' >= N, K' >= K}.

    Parameters
    ----------
    time : numpy.ndarray of float64, shape (..., M, N, K)
        Seconds; NaN where not available. Leading dimensions are cubes of their own.

    Returns
    -------
    numpy.ndarray of float64, shape (..., M, N, K)
        Seconds; NaN where no containing shape is available.

    Raises
    ------
    InputError
        If the array has fewer than three dimensions.
    """
    if time.ndim < 3:
        raise InputError(f"padding needs times (..., M, N, K), got shape {time.shape}")
    result = np.array(time, dtype=np.float64, order="C")
    missing = np.isnan(result)
    result[missing] = np.inf
    if result.size:
        _suffix_in_place(result.reshape(-1, *time.shape[-3:]))
    if np.any(missing):
        result[np.isinf(result)] = np.nan
    return result


@njit
def _suffix_in_place(times: NDArray[np.float64]) -> None:
    """Turn each cube of `times`, shape (batch, M, N, K), into its suffix minimum; missing cells are inf."""
    batch, rows, columns, depth = times.shape
    for b in range(batch):
        cube = times[b]
        for m in range(rows - 1, -1, -1):
            for n in range(columns - 1, -1, -1):
                line = cube[m, n]
                for k in range(depth - 2, -1, -1):
                    line[k] = min(line[k], line[k + 1])
                if n + 1 < columns:
                    for k in range(depth):
                        line[k] = min(line[k], cube[m, n + 1, k])
                if m + 1 < rows:
                    for k in range(depth):
                        line[k] = min(line[k], cube[m + 1, n, k])


def suffix_argmin(time: NDArray[np.float64]) -> NDArray[np.int32]:
    """Cell that attains `suffix_minimum` for each cell; of equals the one with the least padding found first.

    Parameters
    ----------
    time : numpy.ndarray of float64, shape (M, N, K)
        Seconds; NaN where not available.

    Returns
    -------
    numpy.ndarray of int32, shape (M, N, K)
        Flat (C-order) index of the cell; -1 where no containing shape is available.
    """
    best = np.where(np.isnan(time), np.inf, time)
    target = np.arange(time.size, dtype=np.int32).reshape(time.shape)
    for axis in range(3):
        lines, targets = np.moveaxis(best, axis, 0), np.moveaxis(target, axis, 0)  # views
        for index in range(time.shape[axis] - 2, -1, -1):
            larger = lines[index + 1] < lines[index]
            lines[index][larger] = lines[index + 1][larger]
            targets[index][larger] = targets[index + 1][larger]
    target[np.isinf(best)] = UNAVAILABLE
    return target


@dataclass(frozen=True)
class Pad(Stage):
    """Enlarge dimensions where a larger shape is faster, T1 on top of a tile choice (paper, section 7).

    The cost of padding the operands in memory is taken as nothing.

    Attributes
    ----------
    base : Stage
        The tile choice below, `FixedTile` or `BestTile`.
    """

    base: Stage

    @property
    def name(self) -> str:
        """The stages below, and ``"pad"``."""
        return f"{self.base.name} + pad"

    def apply(self, landscape: Landscape) -> StageResult:
        """Take the least time over the containing shapes."""
        below = self.base.apply(landscape)
        if np.any(below.decisions.action > RUN):
            raise NotApplicableError(
                f"padding comes before splitting, so it cannot follow {self.base.name!r}: use Split(Pad(...))"
            )
        target = suffix_argmin(below.time)
        reached = target != UNAVAILABLE
        time = np.where(reached, below.time.ravel()[target], np.nan)
        before = below.decisions
        return StageResult(
            self.name,
            time,
            Decisions(
                tile=np.where(reached, before.tile.ravel()[target], np.int16(UNAVAILABLE)),
                target=np.where(reached, before.target.ravel()[target], np.int32(UNAVAILABLE)),
                action=np.where(reached, RUN, UNAVAILABLE).astype(np.int8),
                part=before.part,
            ),
        )
