"""What a sweep will take, before it is begun: a few of its cells are timed and the rest is counted."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from harness.cube import ELEMENT_BYTES
from harness.errors import BackendError
from harness.protocol import Protocol
from harness.sweep.bench import Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.executor import Executor
from harness.sweep.order import Batch
from harness.sweep.run import require_cache, require_runnable
from harness.sweep.store import BatchResult

_PROBES = 32
_BYTES_PER_TIMING = 21
"""In the store, before compression."""
_BYTES_PER_CELL = 64
"""In the cube, beside the repeats."""


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes
    ----------
    cells, supported : int
        All cells, and those that some backend runs.
    refusals : tuple of (str, int)
        Why the others cannot run, and how many.
    kernels, verified : int
        Compiled kernels, and cells whose result is checked.
    timings : int
        Of the rough pass and the promised repeats.
    most_timings : int
        If every cell needed the largest number of repeats.
    seconds, most_seconds : float
        Wall time of these; compiling and checking are not in it.
    probes : int
        Cells timed for this estimate.
    device_bytes : int
        Operands of the largest cell.
    host_bytes : int
        Arrays of the sweep in this process.
    disk_bytes : int
        Store and cube before compression.
    """

    cells: int
    supported: int
    refusals: tuple[tuple[str, int], ...]
    kernels: int
    verified: int
    timings: int
    most_timings: int
    seconds: float
    most_seconds: float
    probes: int
    device_bytes: int
    host_bytes: int
    disk_bytes: int


def estimate(executor: Executor, table: CellTable, protocol: Protocol, budget_s: float = 20.0) -> Estimate:
    """Time a few cells, spread over the volumes, and extrapolate.

    Parameters
    ----------
    executor : Executor
    table : CellTable
    protocol : Protocol
    budget_s : float
        Stop probing after this time.

    Raises
    ------
    InputError
        If the backend cannot have the cache state.
    BackendError
        If no cell can run.
    """
    require_cache(executor.facts, protocol)
    survey = executor.survey(table)
    require_runnable(survey)
    runnable = np.flatnonzero(survey.owner >= 0)
    found = executor.kernels(table, survey.owner, protocol.verified_per_kernel, protocol.seed)
    probe = _probe(executor, table, survey, protocol, runnable, budget_s)
    kernel = probe.kernel_seconds(table.volume[runnable])
    launches = np.clip(np.ceil(protocol.series_seconds / kernel), 1, protocol.max_launches)
    untimed = 1 if protocol.cache == "warm" else 0
    once = float((probe.overhead + (1 + untimed) * kernel).sum())
    per_repeat = float((probe.overhead + (launches + untimed) * kernel).sum())
    promised = runnable.size * (protocol.repeats + 1)
    most = runnable.size * (protocol.max_repeats + 1)
    element, out = ELEMENT_BYTES[executor.facts.dtype], ELEMENT_BYTES[executor.facts.dtype_out]
    M, N, K = table.shapes[runnable].T.astype(np.float64)
    operands = [float((count * size).max()) for count, size in ((M * K, element), (K * N, element), (M * N, out))]
    # Devices share the cells; every batch carries a sentinel for 16 cells.
    pace = (1.0 + (1 / 16 if protocol.sentinels else 0.0)) / len(executor.devices)
    return Estimate(
        cells=len(table),
        supported=int(runnable.size),
        refusals=tuple(survey.refusals().most_common()),
        kernels=len(found),
        verified=sum(len(kernel.sample) for kernel in found),
        timings=promised,
        most_timings=most,
        seconds=once / len(executor.devices) + protocol.repeats * per_repeat * pace,
        most_seconds=once / len(executor.devices) + protocol.max_repeats * per_repeat * pace,
        probes=probe.rows.size,
        device_bytes=int(sum(operands)),
        host_bytes=int(len(table) * (8 * (protocol.max_repeats + 12))),
        disk_bytes=int(promised * _BYTES_PER_TIMING + len(table) * (_BYTES_PER_CELL + 8 * protocol.repeats)),
    )


@dataclass(frozen=True)
class _Probe:
    """A few timed cells: which, what a launch of each took, and the wall time of a timing beyond its launches."""

    rows: Rows
    volume: NDArray[np.float64]
    seconds: NDArray[np.float64]
    overhead: float

    def kernel_seconds(self, volume: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds of a launch, interpolated over the volume on logarithmic axes."""
        order = np.argsort(self.volume, kind="stable")
        known = np.log(self.volume[order]), np.log(self.seconds[order])
        inside = np.exp(np.interp(np.log(volume), *known))
        # Beyond the largest cell timed, time grows with the volume.
        return np.asarray(inside * np.maximum(1.0, volume / self.volume.max()))


def _probe(
    executor: Executor, table: CellTable, survey: Survey, protocol: Protocol, runnable: Rows, budget_s: float
) -> _Probe:
    """Time cells from the smallest to the largest until the budget is spent."""
    owner = np.full(len(table), -1, dtype=np.int64)
    ordered = runnable[np.argsort(table.volume[runnable], kind="stable")]
    places = np.linspace(0, ordered.size - 1, min(_PROBES, ordered.size)).astype(np.int64)
    chosen = ordered[np.unique(places)]
    owner[chosen] = survey.owner[chosen]
    executor.prepare(table, owner, 0.0, protocol.cache, protocol.seed)
    began = perf_counter()
    timed: list[int] = []
    for row in chosen:
        _measure(executor, np.array([row]), protocol)
        timed.append(int(row))
        if perf_counter() - began > budget_s / 2:
            break
    # Whatever is paid once was paid above; together, because a backend may work on several cells at a time.
    rows = np.array(timed)
    result = _measure(executor, rows, protocol)
    good = np.isfinite(result.seconds)
    if not good.any():
        reason = next(iter(result.problems.values())).reason
        raise BackendError(f"none of {rows.size} cells tried could be timed: {reason}")
    launched = result.seconds[good].sum() * (2 if protocol.cache == "warm" else 1)
    overhead = max(0.0, result.seconds_taken - float(launched)) / rows.size
    found = result.rows[good]
    return _Probe(found, table.volume[found], result.seconds[good], overhead)


def _measure(executor: Executor, rows: Rows, protocol: Protocol) -> BatchResult:
    batch = Batch(0, 0, rows, np.zeros(rows.size, dtype=np.bool_))
    return next(iter(executor.measure([(batch, np.ones(rows.size, dtype=np.int64))], protocol.cache)))
