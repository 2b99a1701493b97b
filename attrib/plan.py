"""A plan: what an optimizer stage decided for every shape of a grid, looked up for any shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from attrib.choice import Choice, Choices, Parts, PlannedLaunch, Shape
from attrib.landscape import Landscape
from attrib.plan_consistency import plan_defect, split_cells
from attrib.plan_files import open_plan, plan_dataset, save_dataset
from attrib.stages import RUN, UNAVAILABLE, Decisions, StageResult
from harness.errors import CubeError, InputError, NotApplicableError
from harness.grid import AXES
from harness.tile import Tile


@dataclass(frozen=True, eq=False)
class Plan:
    """Decisions of an optimizer stage for every shape of a grid (paper, section 7), times in seconds.

    Attributes
    ----------
    decisions : Decisions
        How each shape of the grid reaches its time.
    time : numpy.ndarray of float64, shape (M, N, K)
        Planned time; NaN where a shape is not available. A table value until the plan has been run.
    direct_tile, direct_time : numpy.ndarray of int16 and float64, shape (M, N, K)
        The alternative: the fastest of the plan's tiles on the shape as it is, one launch without padding;
        -1 and NaN where none of them has a time.
    tiles : tuple of Tile
    M, N, K : numpy.ndarray of int64
        Axes, in elements, strictly ascending.
    stage, device : str
        Names of the stage and of the device the times are from.

    Raises
    ------
    CubeError
        If the decisions contradict each other or the axes.
    """

    decisions: Decisions
    time: NDArray[np.float64]
    direct_tile: NDArray[np.int16]
    direct_time: NDArray[np.float64]
    tiles: tuple[Tile, ...]
    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]
    stage: str
    device: str

    def __post_init__(self) -> None:
        defect = plan_defect(self.decisions, self._variables(), self.axes, self.tiles)
        if defect is not None:
            raise CubeError(f"not a consistent plan: {defect}")

    @classmethod
    def from_stage(cls, landscape: Landscape, stage_result: StageResult, device: str = "unnamed device") -> Plan:
        """Keep the decisions of a stage.

        Raises
        ------
        InputError
            If the result is not of this landscape: its shape differs, or it is slower than running a shape
            as it is, which no stage may be (T2 <= T0).
        """
        decisions, time = stage_result.decisions, stage_result.time
        if time.shape != landscape.shape:
            raise InputError(f"stage result has shape {time.shape}, the landscape {landscape.shape}")
        used = np.unique(decisions.tile[decisions.action == RUN])
        if used.size == 0:
            raise InputError(f"stage {stage_result.name!r} has no time for any shape: nothing to plan")
        times = landscape.time[used]
        times[np.isnan(times)] = np.inf
        best = np.argmin(times, axis=0)
        direct = np.take_along_axis(times, best[np.newaxis], axis=0)[0]
        slower = np.count_nonzero(~(time <= direct) & np.isfinite(direct))
        if slower:
            raise InputError(
                f"stage {stage_result.name!r} is slower than running the shape as it is in {slower} cells: "
                "expected the result of a stage applied to this landscape"
            )
        missing = np.isinf(direct)
        tile = np.where(missing, np.int16(UNAVAILABLE), used[best]).astype(np.int16)
        direct[missing] = np.nan
        axes = (landscape.M, landscape.N, landscape.K)
        return cls(decisions, time, tile, direct, landscape.tiles, *axes, stage_result.name, device)

    @property
    def axes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The axes M, N and K, in elements."""
        return (self.M, self.N, self.K)

    @property
    def shape(self) -> Shape:
        """Number of values along M, N and K."""
        return (self.M.size, self.N.size, self.K.size)

    def lookup(self, M: int, N: int, K: int) -> Choice:
        """Look one shape up; a size between grid values is rounded up to the next one.

        Parameters
        ----------
        M, N, K : int
            Sizes in elements, from 1 to the grid's last.

        Raises
        ------
        InputError
            If a size is not a whole number or not in that range.
        NotApplicableError
            If the plan has no time for the shape.
        """
        found = self.lookup_many(M, N, K)
        action, tile, direct = int(found.action), int(found.tile), int(found.direct_tile)
        if action == UNAVAILABLE:
            raise NotApplicableError(
                f"the plan has no time for {M}x{N}x{K}: nothing was measured that computes its grid cell "
                f"{'x'.join(map(str, found.cell))}; a stage with padding may reach it"
            )
        run = action == RUN
        return Choice(
            shape=_triple(found.shape),
            cell=_triple(found.cell),
            tile=self.tiles[tile] if run else None,
            padded=_triple(found.padded) if run else None,
            split=None if run else Parts(AXES[action - 1], int(found.first), int(found.second)),
            time=float(found.time),
            direct_tile=None if direct == UNAVAILABLE else self.tiles[direct],
            direct_time=float(found.direct_time),
        )

    def lookup_many(self, M: ArrayLike, N: ArrayLike, K: ArrayLike) -> Choices:
        """Look many shapes up at once; sizes broadcast, and are rounded up as in `lookup`.

        Parameters
        ----------
        M, N, K : array_like of int, shapes that broadcast to (...)
            Sizes in elements, from 1 to the grid's last.

        Raises
        ------
        InputError
            If a size is not a whole number or not in that range; the message names the limit.
        """
        sizes = [_sizes(*given) for given in zip((M, N, K), AXES, self.axes, strict=True)]
        shape = np.stack(np.broadcast_arrays(*sizes), axis=-1)
        index = tuple(np.searchsorted(axis, shape[..., i]) for i, axis in enumerate(self.axes))
        cell = np.stack([axis[i] for axis, i in zip(self.axes, index, strict=True)], axis=-1)
        action = np.asarray(self.decisions.action[index])
        run = action == RUN
        target = np.unravel_index(np.where(run, self.decisions.target[index], 0), self.shape)
        padded = np.stack([axis[i] for axis, i in zip(self.axes, target, strict=True)], axis=-1)
        part = self.decisions.part[index]
        first, whole = np.zeros_like(shape[..., 0]), np.zeros_like(shape[..., 0])
        for i, axis in enumerate(self.axes):
            here = action == i + 1
            first = np.where(here, axis[np.where(here, part, 0)], first)
            whole = np.where(here, shape[..., i], whole)
        return Choices(
            shape=shape,
            cell=cell,
            action=action,
            tile=np.where(run, self.decisions.tile[index], np.int16(UNAVAILABLE)),
            padded=np.where(run[..., np.newaxis], padded, 0),
            first=first,
            second=whole - first,
            time=np.asarray(self.time[index]),
            direct_tile=np.asarray(self.direct_tile[index]),
            direct_time=np.asarray(self.direct_time[index]),
        )

    def launches(self, M: int, N: int, K: int) -> tuple[PlannedLaunch, ...]:
        """Unfold the plan of one shape into its kernel launches, in the order they must run.

        The launches' sizes tile the shape: the last one along a split has what remains of the size asked for.
        Their times add up to the shape's.

        Raises
        ------
        InputError, NotApplicableError
            As `lookup`.
        """
        plan: list[PlannedLaunch] = []
        pending: list[tuple[Shape, Shape]] = [((0, 0, 0), (M, N, K))]
        while pending:
            offset, size = pending.pop()
            choice = self.lookup(*size)
            if choice.tile is not None and choice.padded is not None:
                beta = int(offset[2] > 0)
                plan.append(PlannedLaunch(choice.tile, offset, choice.shape, choice.padded, beta, choice.time))
            elif choice.split is not None:
                name, first, second = choice.split
                axis = AXES.index(name)
                moved = _replaced(offset, axis, offset[axis] + first)
                pending.append((moved, _replaced(size, axis, second)))
                pending.append((offset, _replaced(size, axis, first)))
        return tuple(plan)

    @cached_property
    def launch_counts(self) -> NDArray[np.int32]:
        """Number of launches of each grid shape, shape (M, N, K); 0 where not available."""
        counts = (self.decisions.action.ravel() != UNAVAILABLE).astype(np.int32)
        whole, first, second = split_cells(self.decisions, self.shape)
        while not np.array_equal(counts[whole], counts[first] + counts[second]):
            counts[whole] = counts[first] + counts[second]
        return np.asarray(counts, dtype=np.int32).reshape(self.shape)

    def to_dataset(self) -> xr.Dataset:
        """Everything the plan holds, as a dataset with dimensions M, N, K and tile."""
        return plan_dataset(self._variables(), self.axes, self.tiles, self.stage, self.device)

    def save(self, path: Path | str) -> None:
        """Write the plan as NetCDF-4, without loss; never leaves half a file."""
        save_dataset(self.to_dataset(), path)

    @classmethod
    def open(cls, path: Path | str) -> Plan:
        """Read a saved plan.

        Raises
        ------
        InputError
            If there is no such file.
        CubeError
            If it is something else, was cut short, or is of a later version.
        """
        return open_plan(path, cls)

    def _variables(self) -> dict[str, NDArray[np.generic]]:
        """The arrays over (M, N, K), by their names in a file."""
        kept = self.decisions
        return {
            "tile_index": kept.tile,
            "target": kept.target,
            "action": kept.action,
            "part": kept.part,
            "time": self.time,
            "direct_tile": self.direct_tile,
            "direct_time": self.direct_time,
        }

    def __repr__(self) -> str:
        action = self.decisions.action
        padded = (action == RUN) & (self.decisions.target != np.arange(action.size).reshape(action.shape))
        sizes = " x ".join(map(str, self.shape))
        return (
            f"Plan({self.stage} on {self.device}: {sizes} shapes, {np.mean(padded):.1%} padded, "
            f"{np.mean(action > RUN):.1%} split, at most {self.launch_counts.max()} launches)"
        )


def _sizes(values: ArrayLike, name: str, axis: NDArray[np.int64]) -> NDArray[np.int64]:
    """Check sizes along an axis, named in the message of an InputError."""
    sizes = np.asarray(values)
    if not np.issubdtype(sizes.dtype, np.integer):
        raise InputError(f"{name} must be whole numbers of elements, got {sizes.dtype}")
    bad = (sizes < 1) | (sizes > axis[-1])
    if np.any(bad):
        raise InputError(
            f"{name}={sizes[bad].ravel()[0]} is out of reach: this plan covers {name} from 1 to {axis[-1]}"
        )
    return sizes.astype(np.int64)


def _triple(values: NDArray[np.int64]) -> Shape:
    """Three Python integers of an array."""
    m, n, k = (int(value) for value in values)
    return (m, n, k)


def _replaced(shape: Shape, axis: int, size: int) -> Shape:
    """`shape` with another entry at `axis`."""
    m, n, k = (size if i == axis else value for i, value in enumerate(shape))
    return (m, n, k)
