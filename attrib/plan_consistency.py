"""Whether decisions, times and axes of a plan agree with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.stages import RUN, UNAVAILABLE, Decisions
from harness.grid import AXES, uniform_step
from harness.tile import Tile


def plan_defect(
    decisions: Decisions,
    variables: Mapping[str, NDArray[Any]],
    axes: Sequence[NDArray[np.int64]],
    tiles: Sequence[Tile],
) -> str | None:
    """Return the first contradiction within a plan, in words, or None.

    Parameters
    ----------
    decisions : Decisions
        How each shape of the grid reaches its time.
    variables : Mapping of str to numpy.ndarray, shape (M, N, K)
        All arrays over the grid by name, ``time``, ``direct_tile`` and ``direct_time`` among them.
    axes : sequence of numpy.ndarray of int64
        M, N and K, in elements.
    tiles : sequence of Tile
        The tiles that the decisions index.
    """
    kept, shape = decisions, tuple(axis.size for axis in axes)
    time, direct_tile, direct_time = (variables[name] for name in ("time", "direct_tile", "direct_time"))
    for name, axis in zip(AXES, axes, strict=True):
        if axis.ndim != 1 or axis.size == 0 or axis[0] < 1 or np.any(np.diff(axis) < 1):
            return f"axis {name} does not ascend strictly from 1 or above"
    for name, values in variables.items():
        if values.shape != shape:
            return f"{name} has shape {values.shape}, the axes make {shape}"
    run, missing = kept.action == RUN, kept.action == UNAVAILABLE
    if not np.all((kept.action >= UNAVAILABLE) & (kept.action <= len(AXES))):
        return "an action is not one of -1, 0, 1, 2, 3"
    if not np.all(np.where(missing, np.isnan(time), (time > 0) & np.isfinite(time))):
        return "times must be positive seconds, NaN where and only where a shape is not available"
    for tile in (kept.tile[run], direct_tile[~np.isnan(direct_time)]):
        if not np.all((tile >= 0) & (tile < len(tiles))):
            return f"a tile index is not one of the {len(tiles)} tiles"
    target = kept.target[run]
    if not np.all((target >= 0) & (target < run.size)):
        return "a padded shape is off the grid"
    if np.any(np.stack(np.unravel_index(target, shape)) < np.stack(np.nonzero(run))):
        return "a padded shape does not contain the shape it is for"
    for i, (name, axis) in enumerate(zip(AXES, axes, strict=True)):
        index = np.nonzero(kept.action == i + 1)
        part = kept.part[index]
        if part.size and uniform_step(axis) is None:
            return f"shapes are split along {name}, whose axis is not g, 2g, 3g, ..."
        if not np.all((part >= 0) & (part < index[i])):
            return f"a first part along {name} is not smaller than what it is a part of"
    _, first, second = split_cells(kept, shape)
    if np.any(missing.ravel()[first] | missing.ravel()[second]):
        return "a part of a split is not available"
    return None


def split_cells(
    decisions: Decisions, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of the split cells, of their first parts and of their second parts."""
    found = []
    for i in range(3):
        index = np.nonzero(decisions.action == i + 1)
        first, second = list(index), list(index)
        first[i] = decisions.part[index].astype(np.int64)
        second[i] = index[i] - first[i] - 1
        found.append([np.ravel_multi_index(tuple(cells), shape) for cells in (index, first, second)])
    whole, firsts, seconds = (np.concatenate(cells) for cells in zip(*found, strict=True))
    return whole, firsts, seconds
