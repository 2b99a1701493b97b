"""Run a protocol over cells on one or more backends."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, Cell
from harness.cube import STATUS
from harness.errors import BackendError, InputError
from harness.protocol import TOLERANCE, Protocol

_CHUNK = 2048
"""Cells between two progress reports; within a chunk cells are grouped by backend."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Measurement:
    """Timings of a list of cells.

    Attributes
    ----------
    cells : tuple of Cell, length n
    repeats : ndarray of float64, shape (n, repeat)
        Seconds per launch; NaN where unsupported.
    launches : ndarray of int64, shape (n,)
        Back-to-back launches that each timing averages over.
    status : ndarray of int8, shape (n,)
        Values of :data:`harness.cube.STATUS`.
    errors : mapping of tile label to largest relative error found there
    pass_ratio : ndarray of float64, shape (repeat,)
        Median over the cells of a pass's time to that of the first pass: the drift of the device.
    """

    cells: tuple[Cell, ...]
    repeats: NDArray[np.float64]
    launches: NDArray[np.int64]
    status: NDArray[np.int8]
    errors: Mapping[str, float]
    pass_ratio: NDArray[np.float64]

    @property
    def time(self) -> NDArray[np.float64]:
        """Median over the repeats, seconds; NaN where nothing was measured. Shape (n,)."""
        return np.median(self.repeats, axis=1)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Robust standard deviation of one repeat (1.4826 x median absolute deviation), seconds."""
        deviation = np.abs(self.repeats - self.time[:, None])
        return 1.4826 * np.median(deviation, axis=1)


def sweep(
    backends: Sequence[Backend],
    cells: Sequence[Cell],
    protocol: Protocol,
    *,
    dtype: str = "bf16",
    progress: Progress | None = None,
) -> Measurement:
    """Measure all cells, each on the first backend that supports it.

    Parameters
    ----------
    backends : sequence of Backend
        All on the same device.
    cells : sequence of Cell
    protocol : Protocol
    dtype : str
        Output type, which sets the tolerance of the check.
    progress : callable, optional
        Called with the cells done and the total, counting every pass.

    Raises
    ------
    InputError
        If no tolerance is known for the data type.
    BackendError
        If no cell can run.
    """
    if dtype not in TOLERANCE:
        raise InputError(f"dtype {dtype!r} has no tolerance: expected one of {', '.join(TOLERANCE)}")
    owner = owners(backends, cells)
    runnable = np.flatnonzero(owner >= 0)
    if runnable.size == 0:
        raise BackendError("none of the cells can run on the chosen backend")
    rng = np.random.default_rng(protocol.seed)
    done = 0
    total = runnable.size * (protocol.repeats + 1)

    def one_pass(launches: NDArray[np.int64]) -> NDArray[np.float64]:
        nonlocal done
        seconds = np.full(len(cells), np.nan)
        order = rng.permutation(runnable)
        for start in range(0, order.size, _CHUNK):
            chunk = order[start : start + _CHUNK]
            for number, backend in enumerate(backends):
                rows = chunk[owner[chunk] == number]
                if rows.size:
                    seconds[rows] = backend.time([cells[row] for row in rows], launches[rows])
            done += chunk.size
            if progress is not None:
                progress(done, total)
        return seconds

    # The first pass warms the device up and tells how many launches fill one timing; it is not kept.
    rough = one_pass(np.ones(len(cells), dtype=np.int64))
    wanted = np.nan_to_num(protocol.series_seconds / rough, nan=1.0)
    launches = np.clip(np.ceil(wanted), 1, protocol.max_launches).astype(np.int64)
    repeats = np.stack([one_pass(launches) for _ in range(protocol.repeats)], axis=1)
    status = np.where(owner >= 0, STATUS["ok"], STATUS["unsupported"]).astype(np.int8)
    timed = (np.isfinite(repeats) & (repeats > 0)).all(axis=1)
    status[(owner >= 0) & ~timed] = STATUS["failed"]
    errors, kernels = verify(backends, cells, owner, protocol, rng)
    for row, error in errors.items():
        if not error <= TOLERANCE[dtype]:
            # Whatever else this kernel computed is not to be trusted either.
            status[kernels[row]] = STATUS["wrong_result"]
    worst: dict[str, float] = {}
    for row, error in errors.items():
        label = cells[row].tile.name
        worst[label] = max(worst.get(label, 0.0), error)
    ratio = np.nanmedian(repeats[runnable] / repeats[runnable, :1], axis=0)
    return Measurement(tuple(cells), repeats, launches, status, worst, ratio)


def owners(backends: Sequence[Backend], cells: Sequence[Cell]) -> NDArray[np.int64]:
    """Number the first backend that supports each cell, -1 where none does; shape (n,)."""
    return np.array([_owner(backends, cell) for cell in cells], dtype=np.int64)


def _owner(backends: Sequence[Backend], cell: Cell) -> int:
    for number, backend in enumerate(backends):
        if backend.unsupported(cell) is None:
            return number
    return -1


def verify(
    backends: Sequence[Backend],
    cells: Sequence[Cell],
    owner: NDArray[np.int64],
    protocol: Protocol,
    rng: np.random.Generator,
) -> tuple[dict[int, float], dict[int, list[int]]]:
    """Check every compiled kernel on its smallest and largest shape and on a random sample of its cells.

    Parameters
    ----------
    backends : sequence of Backend
    cells : sequence of Cell, length n
    owner : ndarray of int64, shape (n,)
        Which backend runs a cell; negative for none.
    protocol : Protocol
    rng : numpy.random.Generator

    Returns
    -------
    errors : dict of int to float
        Relative error of each checked row.
    kernels : dict of int to list of int
        For each checked row, all rows of its kernel.
    """
    rows_of: dict[Hashable, list[int]] = {}
    for row, cell in enumerate(cells):
        if owner[row] >= 0:
            key = (int(owner[row]), backends[owner[row]].kernel_of(cell))
            rows_of.setdefault(key, []).append(row)
    errors: dict[int, float] = {}
    kernels: dict[int, list[int]] = {}
    for rows in rows_of.values():
        ordered = sorted(rows, key=lambda row: cells[row].M * cells[row].N * cells[row].K)
        count = min(protocol.verified_per_kernel, len(ordered))
        sample = {ordered[0], ordered[-1], *(int(row) for row in rng.choice(ordered, count, replace=False))}
        for row in sorted(sample):
            errors[row] = backends[owner[row]].relative_error(cells[row])
            kernels[row] = rows
    return errors, kernels
