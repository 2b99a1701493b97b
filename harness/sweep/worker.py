"""What runs on a dask worker: a bench that is opened once and owns the worker's device."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from harness.errors import AttribError
from harness.sweep.bench import Bench, Facts, Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.order import Batch
from harness.sweep.spec import BenchSpec
from harness.sweep.store import BatchResult
from harness.sweep.verification import Kernel

WORKER = "{worker}"
"""In an option: stands for the worker's name."""

_ATTRIBUTE = "attrib_bench"


@dataclass(frozen=True)
class Setting:
    """What every worker measures: enough for one that joins late.

    Attributes
    ----------
    spec : BenchSpec
    table : CellTable
    owner : ndarray of int64
    warmup_seconds : float
    cache : str
    seed : int
    start : int
        Number of this start of the sweep.
    """

    spec: BenchSpec
    table: CellTable
    owner: Rows
    warmup_seconds: float
    cache: str
    seed: int
    start: int


@dataclass
class _Held:
    spec: BenchSpec
    bench: Bench
    prepared: str = ""


def facts_here(spec: BenchSpec, dask_worker: Any = None) -> Facts | str:
    """Open the bench of this worker and say what it is, or why it cannot be opened."""
    try:
        return _held(spec, dask_worker).bench.facts()
    except AttribError as error:
        return str(error)


def survey_here(spec: BenchSpec, table: CellTable) -> Survey:
    """Find the owner of every cell."""
    return _held(spec).bench.survey(table)


def kernels_here(spec: BenchSpec, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
    """Name the compiled kernels and their samples."""
    return _held(spec).bench.kernels(table, owner, per_kernel, seed)


def environment_here(spec: BenchSpec, dask_worker: Any = None) -> dict[str, Any]:
    """State of this worker's device."""
    return _held(spec, dask_worker).bench.environment()


def prepare_here(setting: Setting, token: str) -> None:
    """Compile, allocate and warm up, unless that was done for this very setting."""
    held = _held(setting.spec)
    if held.prepared != token:
        held.bench.resume(setting.start)
        held.bench.prepare(setting.table, setting.owner)
        held.bench.warm_up(setting.table, setting.owner, setting.warmup_seconds, setting.cache, setting.seed)
        held.prepared = token


def measure_here(setting: Setting, token: str, batch: Batch, launches: Rows) -> BatchResult:
    """Time one batch on this worker's device."""
    prepare_here(setting, token)
    bench = _held(setting.spec).bench
    return bench.measure(batch, launches, setting.table, setting.owner, setting.cache)


def errors_here(setting: Setting, token: str, rows: list[int]) -> tuple[dict[int, float], list[str]]:
    """Check rows on this worker's device: errors, and what the bench remarked."""
    prepare_here(setting, token)
    bench = _held(setting.spec).bench
    return bench.errors(setting.table, setting.owner, rows), bench.take_remarks()


def close_here(dask_worker: Any = None) -> None:
    """Close the bench of this worker."""
    worker = dask_worker or _this_worker()
    held: _Held | None = getattr(worker, _ATTRIBUTE, None)
    if held is not None:
        held.bench.close()
        setattr(worker, _ATTRIBUTE, None)


def _held(spec: BenchSpec, dask_worker: Any = None) -> _Held:
    worker = dask_worker or _this_worker()
    held: _Held | None = getattr(worker, _ATTRIBUTE, None)
    if held is None or held.spec != spec:
        close_here(worker)
        named = {name: text.replace(WORKER, str(worker.name)) for name, text in spec.options.items()}
        held = _Held(spec, BenchSpec(spec.backends, named, spec.record, spec.dtype, spec.tiles, spec.seed).build())
        setattr(worker, _ATTRIBUTE, held)
    return held


def _this_worker() -> Any:
    """Return the worker whose task this is; what runs beside tasks is handed it as ``dask_worker``."""
    distributed: Any = importlib.import_module("distributed")
    return distributed.get_worker()
