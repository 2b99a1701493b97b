"""Lines: throughput of one tile against one axis, the two other sizes held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.errors import InputError, NotApplicableError
from harness.grid import AXES
from harness.samples import Samples
from harness.tile import Tile

FEWEST_SAMPLES = 12
"""A line shorter than this holds no three periods of more than three samples each."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a landscape.

    Attributes
    ----------
    axis : {"M", "N", "K"}
        The axis that varies.
    tile : Tile
    x : ndarray of int64, shape (n,)
        Sizes along the axis, elements, ascending.
    log_throughput : ndarray of float64, shape (n,)
        Natural logarithm of 2MNK/t in TFLOP/s.
    at : mapping of str to int
        The two sizes that are held, elements.
    """

    axis: str
    tile: Tile
    x: NDArray[np.int64]
    log_throughput: NDArray[np.float64]
    at: Mapping[str, int]

    @property
    def step(self) -> int:
        """Most frequent distance of neighbours, elements."""
        steps, counts = np.unique(np.diff(self.x), return_counts=True)
        return int(steps[np.argmax(counts)])

    @property
    def spacing(self) -> float:
        """Elements a sample, gaps counted in: what decides which periods are resolved."""
        return max(float(self.step), float(self.x[-1] - self.x[0]) / (self.x.size - 1))

    @property
    def span(self) -> int:
        """Length that the samples stand for, elements: last minus first, and one step."""
        return int(self.x[-1] - self.x[0]) + self.step


def lines_of(
    cube: xr.Dataset, axis: str, tile: Tile, at: Mapping[str, int] | None = None, fewest: int = FEWEST_SAMPLES
) -> tuple[Line, ...]:
    """Take the lines of a dense or sparse cube along one axis.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube.
    axis : {"M", "N", "K"}
    tile : Tile
        One of the cube's.
    at : mapping of str to int, optional
        Sizes to hold, elements: one or both other axes. By default all lines are taken.
    fewest : int
        Lines of fewer samples are left out.

    Returns
    -------
    tuple of Line
        Samples of one shape are averaged.

    Raises
    ------
    InputError
        If the axis or a held size is none.
    NotApplicableError
        If there is no such line.
    """
    if axis not in AXES:
        raise InputError(f"axis {axis!r}: expected one of M, N, K")
    held = dict(at or {})
    others = [name for name in AXES if name != axis]
    for name in held:
        if name not in others:
            raise InputError(
                f"size {name}={held[name]}: along {axis}, the sizes to hold are {' and '.join(others)}"
            )
    samples = Samples.from_cube(cube)
    samples = samples.of_tile(samples.tiles.index(tile))
    keep = np.ones(samples.size, dtype=np.bool_)
    for name, value in held.items():
        keep &= getattr(samples, name) == value
    part = samples.take(keep)
    first, second, along = (getattr(part, name) for name in (*others, axis))
    rate = np.log(2e-12 * part.M * part.N * part.K / part.time)
    order = np.lexsort((along, second, first))
    key = np.stack([first, second], axis=1)[order]
    bounds = np.flatnonzero(np.any(np.diff(key, axis=0) != 0, axis=1)) + 1
    found = []
    for rows in np.split(order, bounds) if order.size else ():
        x, place, count = np.unique(along[rows], return_inverse=True, return_counts=True)
        if x.size < fewest:
            continue
        level = np.bincount(place, weights=rate[rows]) / count
        found.append(Line(axis, tile, x, level, {others[0]: int(first[rows[0]]), others[1]: int(second[rows[0]])}))
    if not found:
        where = ", ".join(f"{name}={value}" for name, value in held.items()) or "any sizes of the other axes"
        raise NotApplicableError(
            f"tile {tile.name} has no line of at least {fewest} samples along {axis} at {where}; "
            "measure one, or choose other sizes"
        )
    return tuple(found)


def some_lines(lines: Sequence[Line], most: int) -> tuple[Line, ...]:
    """Take at most so many lines, evenly from all."""
    taken = np.unique(np.linspace(0, len(lines) - 1, min(len(lines), most)).round().astype(int))
    return tuple(lines[number] for number in taken)
