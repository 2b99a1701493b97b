"""Many devices at once, on dask.distributed: every worker owns one device, batches go to whoever is free.

The repeats of a cell are dealt to the devices anew in every pass, so that a device that is slower than the others
shows as an offset and not as ruggedness of the landscape. A worker that is lost takes at most its batch with it,
which the scheduler gives to another.
"""

from __future__ import annotations

import importlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from harness.errors import BackendError, MissingExtraError
from harness.sweep.bench import Facts, Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.executor import Executor
from harness.sweep.order import Batch
from harness.sweep.spec import BenchSpec
from harness.sweep.store import BatchResult
from harness.sweep.verification import Kernel
from harness.sweep.worker import (
    WORKER,
    Lost,
    Setting,
    close_here,
    environment_here,
    errors_here,
    facts_here,
    kernels_here,
    measure_here,
    prepare_here,
    survey_here,
)

_QUEUED_PER_WORKER = 2
_ROWS_PER_CHECK = 16
_JOIN_TIMEOUT_S = 60

_PLACE = ("uuid", "host", "index", "pci_bus_id", "device_index")
"""What a configuration says of where a device is: devices of one sweep differ in it."""


@contextmanager
def cluster_executor(spec: BenchSpec, address: str) -> Iterator[Executor]:
    """Use the workers of a running scheduler.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    BackendError
        If no scheduler answers, there are no workers, or they do not fit together.
    """
    distributed = _import_distributed()
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise BackendError(f"no dask scheduler answers at {address!r} ({error})") from None
    with client:
        executor = DaskExecutor(client, spec)
        try:
            yield executor
        finally:
            executor.close()


@contextmanager
def local_executor(spec: BenchSpec, devices: Sequence[str]) -> Iterator[Executor]:
    """Start one process for each device of this host.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    BackendError
        If the devices are no devices of the backend, or do not fit together.
    """
    if len(set(devices)) != len(devices):
        raise BackendError(f"a device is given twice: {', '.join(devices)}")
    distributed = _import_distributed()
    quiet = {"silence_logs": logging.CRITICAL}
    scheduler = {"cls": distributed.Scheduler, "options": {"dashboard": False, "dashboard_address": None}}
    workers = {name: {"cls": distributed.Nanny, "options": {"nthreads": 1, **quiet}} for name in devices}
    with (
        distributed.SpecCluster(workers=workers, scheduler=scheduler, **quiet) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(len(devices), timeout=_JOIN_TIMEOUT_S)
        executor = DaskExecutor(client, spec.on_device(WORKER))
        try:
            yield executor
        finally:
            executor.close()


class DaskExecutor(Executor):
    """Measures on all workers of a scheduler.

    Parameters
    ----------
    client : distributed.Client
    spec : BenchSpec
        ``{worker}`` in an option is replaced by the worker's name.

    Raises
    ------
    BackendError
        If there is no worker, a worker has several threads, two own the same device, or their devices,
        drivers or kernels differ.
    """

    def __init__(self, client: Any, spec: BenchSpec) -> None:
        self._client = client
        self._spec = spec
        self._lost: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._setting: Any = None
        self._token = ""
        self._facts = self._agreed()

    @property
    def facts(self) -> Facts:
        """What all devices have in common; the label names how many they are."""
        return self._facts

    @property
    def devices(self) -> tuple[str, ...]:
        """Labels of the devices whose workers are there now, those that joined late included."""
        self._agreed()
        return tuple(self._labels[worker] for worker in self._workers())

    def survey(self, table: CellTable) -> Survey:
        """Let one worker find the owner of every cell."""
        found: Survey = self._anywhere(survey_here, self._spec, table)
        return found

    def kernels(self, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
        """Let one worker name the compiled kernels and their samples."""
        found: list[Kernel] = self._anywhere(kernels_here, self._spec, table, owner, per_kernel, seed)
        return found

    def prepare(self, table: CellTable, owner: Rows, warmup_seconds: float, cache: str, seed: int) -> None:
        """Compile, allocate and warm up on every worker at once."""
        self._token = uuid.uuid4().hex
        setting = Setting(self._spec, table, owner, warmup_seconds, cache, seed)
        self._setting = self._client.scatter(setting, broadcast=True, hash=False)
        futures = [self._submit(prepare_here, self._setting, self._token, on=worker) for worker in self._workers()]
        self._client.gather(futures)

    def measure(self, batches: Iterable[tuple[Batch, Rows]], cache: str) -> Iterator[BatchResult]:  # noqa: ARG002
        """Yield results as workers finish them; the batch of a worker that lost its device goes to another."""
        distributed = _import_distributed()
        source = iter(batches)
        flying = distributed.as_completed(loop=self._client.loop)
        missing = True
        while True:
            while missing and flying.count() < _QUEUED_PER_WORKER * len(self._workers()):
                item = next(source, None)
                missing = item is not None
                if item is not None:
                    flying.add(self._submit(measure_here, self._setting, self._token, *item))
            if flying.is_empty():
                return
            future = next(flying)
            result = self._result(future)
            if isinstance(result, Lost):
                self._lost[result.worker] = result.reason
                if not self._workers():
                    raise BackendError(f"every worker lost its device; the last one: {result.reason}")
                flying.add(self._submit(measure_here, self._setting, self._token, result.batch, result.launches))
            else:
                yield result

    def errors(self, wanted: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, dict[int, float]]]:
        """Check rows on each device, all devices at once."""
        distributed = _import_distributed()
        place = {label: worker for worker, label in self._labels.items()}
        futures = [
            self._submit(
                errors_here, self._setting, self._token, list(rows[i : i + _ROWS_PER_CHECK]), on=place[device]
            )
            for device, rows in wanted.items()
            for i in range(0, len(rows), _ROWS_PER_CHECK)
        ]
        for future in distributed.as_completed(futures, loop=self._client.loop):
            found: tuple[str, dict[int, float]] = self._result(future)
            yield found

    def environment(self) -> dict[str, Any]:
        """State of every device, by label."""
        found = self._client.run(environment_here, self._spec, workers=list(self._workers()))
        return {self._labels[worker]: state for worker, state in found.items()}

    def close(self) -> None:
        """Close the benches on all workers that are still there."""
        self._client.run(close_here, on_error="ignore")

    def _workers(self) -> tuple[str, ...]:
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        return tuple(worker for worker in known if worker not in self._lost)

    def _agreed(self) -> Facts:
        """Open the bench of every new worker and check that all fit together."""
        info = self._client.scheduler_info(n_workers=-1)["workers"]
        for about in info.values():
            if about["nthreads"] != 1:
                raise BackendError(
                    f"worker {about['name']} has {about['nthreads']} threads, which would disturb each other's "
                    "timings: start it with --nthreads 1"
                )
        fresh = [worker for worker in info if worker not in self._labels and worker not in self._lost]
        opened = self._client.run(facts_here, self._spec, workers=fresh) if fresh else {}
        agreed: Facts | None = getattr(self, "_facts", None)
        for worker, found in opened.items():
            if isinstance(found, str):
                raise BackendError(f"worker {info[worker]['name']}: {found}")
            common = _without_place(found)
            agreed = common if agreed is None else agreed
            if common != agreed:
                raise BackendError(
                    f"worker {info[worker]['name']} ({found.device_label}) is not like the others: "
                    "devices of one sweep need the same model, driver, libraries and kernels"
                )
            label = found.device_label
            present = {self._labels[known]: known for known in self._labels if known in info}
            if label in present:
                raise BackendError(
                    f"two workers own the device {label}: give each its own (CUDA_VISIBLE_DEVICES, or "
                    f"--device '{WORKER}' and workers named after their devices)"
                )
            self._labels[worker] = label
        if agreed is None:
            raise BackendError(
                "the dask scheduler has no workers: start some with 'dask worker ADDRESS --nthreads 1'"
            )
        return agreed

    def _submit(self, function: Any, *arguments: Any, on: str | None = None) -> Any:
        workers = [on] if on is not None else (list(self._workers()) if self._lost else None)
        return self._client.submit(function, *arguments, pure=False, workers=workers)

    def _anywhere(self, function: Any, *arguments: Any) -> Any:
        return self._result(self._submit(function, *arguments))

    def _result(self, future: Any) -> Any:
        distributed = _import_distributed()
        try:
            return future.result()
        except distributed.KilledWorker as error:
            raise BackendError(f"a batch took its workers down one after another: {error}") from None


def _without_place(facts: Facts) -> Facts:
    """Facts without what tells one device of a kind from another."""
    configuration = {
        name: {key: value for key, value in own.items() if key not in _PLACE}
        for name, own in facts.configuration.items()
    }
    return replace(facts, device_label="", configuration=configuration)


def _import_distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise MissingExtraError(
            "several devices at once need the extra 'dask': pip install 'gemm-attrib[dask]'"
        ) from None
