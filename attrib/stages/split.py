"""Splitting: a shape runs as two smaller ones, one after the other, each split again where that is faster."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from attrib.landscape import Landscape
from attrib.stages.stage import RUN, UNAVAILABLE, Decisions, Stage, StageResult
from harness.compiled import njit
from harness.errors import InputError, NotApplicableError
from harness.grid import AXES, uniform_step


def split_minimum(
    time: NDArray[np.float64], axes: tuple[str, ...] = AXES, workers: int | None = None
) -> NDArray[np.float64]:
    """Least time of each shape over all ways to split it into shapes of the grid, T2 (paper, section 7).

    On axes g, 2g, 3g, ... and in units of g::

        T2[M,N,K] = min(T[M,N,K],
                        min_i T2[M-i,N,K] + T2[i,N,K],
                        min_j T2[M,N-j,K] + T2[M,j,K],
                        min_k T2[M,N,K-k] + T2[M,N,k])

    in ascending order, with i <= M/2 and so on, which suffices by symmetry.

    Parameters
    ----------
    time : numpy.ndarray of float64, shape (..., M, N, K)
        Seconds before splitting: T1, or T0 to split without padding. NaN where not available.
    axes : tuple of str, optional
        Axes that may be split.
    workers : int, optional
        Threads to spread leading dimensions over; by default one a processor.

    Returns
    -------
    numpy.ndarray of float64, shape (..., M, N, K)
        Seconds; NaN where neither a shape nor any split of it is available.

    Raises
    ------
    InputError
        If an axis has another name or the array fewer than three dimensions.
    """
    unknown = set(axes) - set(AXES)
    if unknown or time.ndim < 3:
        raise InputError(
            f"splitting needs axes out of M, N, K and times (..., M, N, K), got {axes} and shape {time.shape}"
        )
    result = np.array(time, dtype=np.float64, order="C")
    result[np.isnan(result)] = np.inf
    batch = result.reshape(-1, *time.shape[-3:])
    allowed = ("M" in axes, "N" in axes, "K" in axes)
    threads = min(len(batch), workers or os.cpu_count() or 1)
    if threads > 1:
        bounds = np.linspace(0, len(batch), threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            jobs = [pool.submit(_split_in_place, batch[low:high], *allowed) for low, high in pairwise(bounds)]
        for job in jobs:
            job.result()
    elif result.size:
        _split_in_place(batch, *allowed)
    result[np.isinf(result)] = np.nan
    return result


@njit
def _lower(line: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
    """Lower each entry of `line` to the sum of those of `first` and `second` where that is less."""
    for index in range(line.size):
        both = first[index] + second[index]
        line[index] = both if both < line[index] else line[index]


@njit
def _split_in_place(times: NDArray[np.float64], along_m: bool, along_n: bool, along_k: bool) -> None:
    """Turn each cube of `times`, shape (batch, M, N, K), into its T2; missing cells are infinite."""
    batch, rows, columns, depth = times.shape
    for b in range(batch):
        planes = times[b].reshape(rows, columns * depth)
        for m in range(rows):
            plane = planes[m]
            if along_m:
                for i in range((m + 1) // 2):
                    _lower(plane, planes[i], planes[m - 1 - i])
            lines = plane.reshape(columns, depth)
            for n in range(columns):
                line = lines[n]
                if along_n:
                    for j in range((n + 1) // 2):
                        _lower(line, lines[j], lines[n - 1 - j])
                if along_k:
                    for k in range(1, depth):
                        best = line[k]
                        for part in range((k + 1) // 2):
                            both = line[part] + line[k - 1 - part]
                            best = both if both < best else best
                        line[k] = best


@njit
def _split_decisions(
    before: NDArray[np.float64], after: NDArray[np.float64], along_m: bool, along_n: bool, along_k: bool
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Find the first split that attains `after`, exactly, where it is below `before`; shape (M, N, K)."""
    rows, columns, depth = before.shape
    action = np.zeros(before.shape, dtype=np.int8)
    part = np.full(before.shape, -1, dtype=np.int32)
    for m in range(rows):
        for n in range(columns):
            for k in range(depth):
                least = after[m, n, k]
                if not least < before[m, n, k]:
                    continue
                if along_m:
                    for i in range((m + 1) // 2):
                        if after[i, n, k] + after[m - 1 - i, n, k] == least:
                            action[m, n, k], part[m, n, k] = 1, i
                            break
                if along_n and action[m, n, k] == 0:
                    for i in range((n + 1) // 2):
                        if after[m, i, k] + after[m, n - 1 - i, k] == least:
                            action[m, n, k], part[m, n, k] = 2, i
                            break
                if along_k and action[m, n, k] == 0:
                    for i in range((k + 1) // 2):
                        if after[m, n, i] + after[m, n, k - 1 - i] == least:
                            action[m, n, k], part[m, n, k] = 3, i
                            break
    return action, part


@dataclass(frozen=True)
class Split(Stage):
    """Split shapes in two, recursively, where the parts take less time in sum, T2 (paper, section 7).

    On top of `Pad` this is the paper's T2; on top of a tile choice it is splitting alone. The parts run one
    after the other; adding up partial products of a K split is taken as free.

    Attributes
    ----------
    base : Stage
        The stage below.
    axes : tuple of str, optional
        Axes that may be split; each must be g, 2g, 3g, ... so that parts are on the grid.
    """

    base: Stage
    axes: tuple[str, ...] = AXES

    @property
    def name(self) -> str:
        """The stages below, and ``"split"`` with its axes where they are not all three."""
        return f"{self.base.name} + split" + ("" if self.axes == AXES else f" {''.join(self.axes)}")

    def apply(self, landscape: Landscape) -> StageResult:
        """Take the least time over all splits."""
        for axis in self.axes:
            if uniform_step(landscape.axis(axis)) is None:
                raise NotApplicableError(
                    f"splitting along {axis} needs sizes g, 2g, 3g, ... so that parts of a shape are on the "
                    f"grid, this axis starts {landscape.axis(axis)[:4].tolist()}"
                )
        below = self.base.apply(landscape)
        kept = below.decisions
        if np.any(kept.action > RUN):
            raise NotApplicableError(f"{self.base.name!r} splits already, splitting again changes nothing")
        time = split_minimum(below.time, self.axes)
        before, after = (np.where(np.isnan(cube), np.inf, cube) for cube in (below.time, time))
        action, part = _split_decisions(before, after, *(axis in self.axes for axis in AXES))
        action[np.isnan(time)] = UNAVAILABLE
        return StageResult(self.name, time, Decisions(kept.tile, kept.target, action, part))
