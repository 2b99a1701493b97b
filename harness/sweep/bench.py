"""The backends of one process, seen as one instrument: what a sweep asks of them, in data that can travel."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, Problem
from harness.errors import BackendError, KernelError
from harness.sweep.cells import CellTable, Rows
from harness.sweep.order import Batch
from harness.sweep.store import BatchResult
from harness.sweep.verification import Kernel, kernels, tolerance_of
from harness.tile import Tile

_OF_ALL = ("core_limit", "pitch_multiple")


@dataclass(frozen=True)
class Facts:
    """What the backends say of themselves.

    Attributes
    ----------
    device_label : str
        The very device, for telling several of a kind apart.
    device : str
        Device record as JSON.
    tiles : tuple of Tile
        Asked for, or else what the backends offer.
    dtype, dtype_out : str
    configuration : mapping of backend name to its configuration
    cube_attributes : mapping
    cache_states : tuple of str
        Those that all backends offer.
    tolerances : tuple of float
        Largest accepted relative error, by backend.
    batch_cells : int
        Cells in one batch, at most.
    whole_batches : bool
        Whether a call costs so much by itself that batches are always as large as they can be.
    """

    device_label: str
    device: str
    tiles: tuple[Tile, ...]
    dtype: str
    dtype_out: str
    configuration: Mapping[str, Any]
    cube_attributes: Mapping[str, Any]
    cache_states: tuple[str, ...]
    tolerances: tuple[float, ...]
    batch_cells: int
    whole_batches: bool


@dataclass(frozen=True)
class Survey:
    """Which backend runs which cell.

    Attributes
    ----------
    owner : ndarray of int64, shape (n,)
        Number of the backend; -1 where none can.
    reasons : tuple of str
        Why cells are unsupported, each reason once.
    reason : ndarray of int64, shape (n,)
        Index into ``reasons``; -1 for supported cells.
    """

    owner: Rows
    reasons: tuple[str, ...]
    reason: Rows

    def refusals(self) -> Counter[str]:
        """Count the cells of each reason."""
        return Counter({text: int((self.reason == i).sum()) for i, text in enumerate(self.reasons)})


class Bench:
    """One or more backends on one device.

    Parameters
    ----------
    backends : mapping of name to Backend
        All on the same device; a cell goes to the first that supports it.

    Raises
    ------
    BackendError
        If the backends are on different devices or element types.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        if not backends:
            raise BackendError("no backend given")
        self.backends = dict(backends)
        self._ordered = list(self.backends.values())
        first = self._ordered[0]
        for name, backend in self.backends.items():
            same = (backend.device, backend.dtype, backend.dtype_out) == (
                first.device,
                first.dtype,
                first.dtype_out,
            )
            if not same:
                raise BackendError(
                    f"backend {name!r} measures {backend.device.name} in {backend.dtype} -> {backend.dtype_out}, "
                    f"another {first.device.name} in {first.dtype} -> {first.dtype_out}: sweep them one by one"
                )
        self._remarks: list[str] = []
        self._label = self.facts().device_label

    def facts(self) -> Facts:
        """Return what the backends say of themselves."""
        first = self._ordered[0]
        states = [state for state in first.cache_states if all(state in b.cache_states for b in self._ordered)]
        attributes: dict[str, Any] = {}
        stated = [backend.cube_attributes() for backend in self._ordered]
        for key in dict.fromkeys(key for own in stated for key in own):
            values = [own[key] for own in stated if key in own]
            # Rows and cores are those of all kernels or of none; how a kernel loads is its own.
            missing = len(values) < len(stated) and key in _OF_ALL
            if missing or any(value != values[0] for value in values):
                raise BackendError(f"the backends disagree on {key}: sweep them one by one")
            attributes[key] = values[0]
        configuration = {name: dict(backend.configuration()) for name, backend in self.backends.items()}
        return Facts(
            _label(configuration) or f"{first.device.name} at {platform.node()}",
            first.device.to_json(),
            tuple(dict.fromkeys(tile for b in self._ordered for tile in b.options.tiles or b.tiles)),
            first.dtype,
            first.dtype_out,
            configuration,
            attributes,
            tuple(states),
            tuple(tolerance_of(backend.dtype_out) for backend in self._ordered),
            len(self._ordered) * min(backend.batch_cells for backend in self._ordered),
            any(backend.whole_batches for backend in self._ordered),
        )

    def survey(self, table: CellTable) -> Survey:
        """Find the owner of every cell and why the others have none."""
        owner = np.full(len(table), -1, dtype=np.int64)
        reason = np.full(len(table), -1, dtype=np.int64)
        known: dict[str, int] = {}
        for row, cell in enumerate(table.cells(range(len(table)))):
            refusal = ""
            for number, backend in enumerate(self._ordered):
                refused = backend.unsupported(cell)
                if refused is None:
                    owner[row] = number
                    break
                # The refusal of a backend that offers the tile says more than that of one that does not.
                refusal = refused if not refusal or cell.tile in backend.tiles else refusal
            else:
                reason[row] = known.setdefault(refusal, len(known))
        return Survey(owner, tuple(known), reason)

    def kernels(self, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
        """Return the compiled kernels and the cells of each that are to be checked."""
        return kernels(self._ordered, table, owner, per_kernel, seed)

    def prepare(self, table: CellTable, owner: Rows) -> None:
        """Compile and allocate for all rows that have an owner."""
        for number, backend in enumerate(self._ordered):
            rows = np.flatnonzero(owner == number)
            if rows.size:
                backend.prepare(table.cells(rows.tolist()))

    def warm_up(self, table: CellTable, owner: Rows, seconds: float, cache: str, seed: int) -> None:
        """Run untimed cells for about the given time, so that clocks settle."""
        rng = np.random.default_rng(seed)
        rows = np.flatnonzero(owner >= 0)
        until = perf_counter() + seconds
        while perf_counter() < until:
            some = rng.choice(rows, min(4, rows.size), replace=False)
            self._time(table, owner, some, np.ones(some.size, dtype=np.int64), cache)

    def measure(self, batch: Batch, launches: Rows, table: CellTable, owner: Rows, cache: str) -> BatchResult:
        """Time one batch.

        Parameters
        ----------
        batch : Batch
        launches : ndarray of int64, shape (n,)
            Launches per timing, one for each row of the batch.
        table : CellTable
        owner : ndarray of int64, shape (number of cells,)
        cache : str
        """
        began = perf_counter()
        seconds, problems = self._time(table, owner, batch.rows, launches, cache)
        return BatchResult.of(batch, launches, seconds, problems, self._label, perf_counter() - began)

    def errors(self, table: CellTable, owner: Rows, rows: Sequence[int]) -> dict[int, float]:
        """Relative error of each of the rows.

        Infinite where the result is not a number; NaN where the kernel cannot be run, and what was said of that is
        kept for :meth:`take_remarks`.
        """
        errors = {}
        for row, cell in zip(rows, table.cells(rows), strict=True):
            try:
                error = float(self._ordered[owner[row]].relative_error(cell))
                errors[row] = np.inf if np.isnan(error) else error
            except (KernelError, MemoryError) as reason:
                self._remarks.append(f"check of {cell.tile} {cell.M}x{cell.N}x{cell.K}: {reason or 'no memory'}")
                errors[row] = np.nan
        return errors

    def take_remarks(self) -> list[str]:
        """Return what was worth a remark since the last call."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def resume(self, start: int) -> None:
        """Tell the backends the number of this start of the sweep, from 1."""
        for backend in self._ordered:
            backend.resume(start)

    def environment(self) -> dict[str, Any]:
        """State of the device and of everything that may change, by backend."""
        return {name: dict(backend.environment()) for name, backend in self.backends.items()}

    def close(self) -> None:
        """Close all backends."""
        for backend in self._ordered:
            backend.close()

    def _time(
        self, table: CellTable, owner: Rows, rows: Rows, launches: Rows, cache: str
    ) -> tuple[NDArray[np.float64], dict[int, Problem]]:
        seconds = np.full(rows.size, np.nan)
        problems: dict[int, Problem] = {}
        for number, backend in enumerate(self._ordered):
            places = np.flatnonzero(owner[rows] == number)
            for start in range(0, places.size, backend.batch_cells):
                part = places[start : start + backend.batch_cells]
                found = backend.time(table.cells(rows[part].tolist()), launches[part], cache)
                if np.shape(found.seconds) != part.shape:
                    raise BackendError(
                        f"{type(backend).__name__} gave {np.size(found.seconds)} times for {part.size} cells"
                    )
                seconds[part] = found.seconds
                for position, problem in found.problems.items():
                    seconds[part[position]] = np.nan
                    problems[int(rows[part[position]])] = problem
        for place in np.flatnonzero(~(np.isfinite(seconds) & (seconds > 0))):
            problems.setdefault(int(rows[place]), Problem("failed", f"a timing of {seconds[place]} s"))
            seconds[place] = np.nan
        return seconds, problems


def _label(configuration: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the device's own identifier, where a backend can read one."""
    return next((str(own["uuid"]) for own in configuration.values() if own.get("uuid")), "")
