"""Many devices at once, on dask.distributed: every worker owns one device, batches go to whoever is free.

The repeats of a cell are dealt to the devices anew in every pass, so that a device that is slower than the others
shows as an offset, which can be removed, and not as ruggedness of the landscape. A worker that is lost takes at
most its batches in flight with it, which are given to another.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from harness.errors import AttribError, BackendError, MissingExtraError
from harness.sweep.bench import Facts, Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.executor import Executor
from harness.sweep.order import Batch
from harness.sweep.spec import BenchSpec
from harness.sweep.store import BatchResult
from harness.sweep.verification import Kernel
from harness.sweep.worker import (
    WORKER,
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
_FETCH_S = 10.0
_WATCH_S = 1.0
"""Between two looks at which workers are there, while nothing finishes."""
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
    here = {"host": "127.0.0.1"}
    scheduler = {"cls": distributed.Scheduler, "options": {**here, "dashboard": False, "dashboard_address": ":0"}}
    workers = {name: {"cls": distributed.Nanny, "options": {**here, "nthreads": 1, **quiet}} for name in devices}
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

    Every task is meant for one worker, and this process deals them out: what a lost worker had is dealt to another.
    A worker that joins late is admitted, like those that were there, before the next pass, and checked first.

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
        self._labels: dict[str, str] = {}
        self._refused: set[str] = set()
        self._remarks: list[str] = []
        self._setting: Setting | None = None
        self._held: dict[str, Any] = {}
        self._token = ""
        self._facts = self._first_facts()

    @property
    def facts(self) -> Facts:
        """What all devices have in common."""
        return self._facts

    @property
    def devices(self) -> tuple[str, ...]:
        """Labels of the devices in use; workers that joined since the last look are admitted."""
        self._admit()
        return tuple(self._labels[worker] for worker in self._workers())

    def survey(self, table: CellTable) -> Survey:
        """Let one worker find the owner of every cell."""
        found: Survey = self._anywhere(survey_here, self._spec, table)
        return found

    def kernels(self, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
        """Let one worker name the compiled kernels and their samples."""
        found: list[Kernel] = self._anywhere(kernels_here, self._spec, table, owner, per_kernel, seed)
        return found

    def prepare(
        self, table: CellTable, owner: Rows, warmup_seconds: float, cache: str, seed: int, start: int = 1
    ) -> None:
        """Compile, allocate and warm up on every worker at once."""
        self._token = uuid.uuid4().hex
        self._setting = Setting(self._spec, table, owner, warmup_seconds, cache, seed, start)
        self._held = {}
        todo = {worker: deque([()]) for worker in self._workers()}
        for _ in self._deal(prepare_here, todo.__getitem__, _forget):
            pass

    def measure(self, batches: Iterable[tuple[Batch, Rows]], cache: str) -> Iterator[BatchResult]:  # noqa: ARG002
        """Yield results as workers finish them; the batch of a worker that is lost goes to another."""
        todo = deque(batches)
        for _, result in self._deal(measure_here, lambda _: todo, lambda _, job: todo.append(job)):
            yield replace(result, finished=time.time())  # workers' clocks may differ from each other
        if todo:
            why = "; ".join(self._remarks)
            raise BackendError(f"every worker was lost, {len(todo)} batches of this pass are left ({why})")

    def errors(self, wanted: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, dict[int, float]]]:
        """Check rows on each device, all devices at once; a lost worker's checks are left for its return."""
        todo: dict[str, deque[tuple[Any, ...]]] = {worker: deque() for worker in self._workers()}
        place = {self._labels[worker]: worker for worker in todo}
        for device, rows in wanted.items():
            for start in range(0, len(rows), _ROWS_PER_CHECK):
                todo[place[device]].append((list(rows[start : start + _ROWS_PER_CHECK]),))
        none: deque[tuple[Any, ...]] = deque()
        dealt = self._deal(errors_here, lambda worker: todo.get(worker, none), _forget)
        for worker, (errors, remarks) in dealt:
            self._remarks += remarks
            yield self._labels[worker], errors

    def environment(self) -> dict[str, Any]:
        """State of every device, by label."""
        workers = list(self._workers())
        found = self._run(environment_here, workers)
        return {self._labels[worker]: state for worker, state in found.items()}

    def dismiss(self, device: str) -> None:
        """Use a device no more."""
        for worker, label in self._labels.items():
            if label == device:
                self._refused.add(worker)
        if not self._workers():
            raise BackendError("no device is left that computes right")

    def take_remarks(self) -> list[str]:
        """Return which workers were lost or refused."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def close(self) -> None:
        """Close the benches on all workers that are still there."""
        self._client.run(close_here, on_error="ignore")

    def _deal(
        self, function: Any, jobs_of: Callable[[str], deque[Any]], lost: Callable[[str, Any], None]
    ) -> Iterator[tuple[str, Any]]:
        """Deal jobs to the workers, few at a time, and yield each worker and result; watch for workers that go."""
        flying: dict[Any, tuple[str, Any]] = {}
        while True:
            present = self._workers()
            for future, (worker, job) in list(flying.items()):
                if worker not in present:
                    del flying[future]
                    future.cancel()
                    lost(worker, job)
            for worker in present:
                jobs, own = jobs_of(worker), sum(worker == other for other, _ in flying.values())
                while jobs and own < _QUEUED_PER_WORKER and self._give_setting(worker):
                    job, own = jobs.popleft(), own + 1
                    setting = self._held[worker]
                    submitted = self._client.submit(
                        function, setting, self._token, *job, pure=False, workers=[worker], retries=0
                    )
                    flying[submitted] = (worker, job)
            if not flying:
                return
            self._wait(list(flying))
            for future in [future for future in flying if future.done()]:
                worker, job = flying.pop(future)
                result, reason = self._outcome(future)
                if reason:
                    self._lose(worker, reason)
                    lost(worker, job)
                else:
                    yield worker, result

    def _give_setting(self, worker: str) -> bool:
        """Hand a worker the setting, once; whether it has it.

        Each worker gets its own: of one thing that several hold the scheduler keeps a single replica, and whoever
        holds that can be lost.
        """
        if worker not in self._held:
            try:
                self._held[worker] = self._client.scatter(self._setting, workers=[worker], hash=False)
            except (KeyError, OSError, TimeoutError, ValueError):  # it went since the last look
                self._lose(worker, "its worker is gone")
        return worker in self._held

    def _wait(self, futures: list[Any]) -> None:
        """Wait until something finishes, or it is time to look at the workers."""
        distributed = _import_distributed()
        with self._client.as_current(), contextlib.suppress(TimeoutError, distributed.CancelledError):
            distributed.wait(futures, timeout=_WATCH_S, return_when="FIRST_COMPLETED")

    def _lose(self, worker: str, reason: str) -> None:
        if worker not in self._refused:
            self._refused.add(worker)
            self._remarks.append(f"device {self._labels[worker]} is lost: {reason}")

    @staticmethod
    def _outcome(future: Any) -> tuple[Any, str]:
        """Return the result of a future that is done, or else why there is none."""
        distributed = _import_distributed()
        try:
            # A finished result still lies with its worker: fetching it can fail, too.
            return future.result(timeout=_FETCH_S), ""
        except (distributed.CancelledError, distributed.KilledWorker, TimeoutError, OSError):
            return None, "its worker is gone"
        except AttribError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever a backend raises there ends that device, not the sweep
            return None, f"{type(error).__name__}: {error}"

    def _workers(self) -> tuple[str, ...]:
        """Addresses of the workers in use that are there now."""
        known = self._info()
        for worker in self._labels:
            if worker not in known:
                self._lose(worker, "its worker is gone")
        return tuple(worker for worker in self._labels if worker in known and worker not in self._refused)

    def _info(self) -> dict[str, Any]:
        """What the scheduler says of each worker, asked now.

        Not from ``Client.scheduler_info``: that returns what the client keeps, into which a periodic call of its
        own may have put an answer without workers since.
        """
        try:
            found: dict[str, Any] = self._client.sync(self._client.scheduler.identity)["workers"]
        except (OSError, RuntimeError, TimeoutError) as error:
            raise BackendError(f"the dask scheduler does not answer any more ({error})") from None
        return found

    def _first_facts(self) -> Facts:
        info = self._info()
        if not info:
            raise BackendError(
                "the dask scheduler has no workers: start some with 'dask worker ADDRESS --nthreads 1'"
            )
        agreed: Facts | None = None
        for worker, found in self._opened(list(info), info).items():
            misfit = self._misfit(worker, found, agreed, info)
            if misfit:
                raise BackendError(misfit)
            assert isinstance(found, Facts)
            agreed = _without_place(found)
            self._labels[worker] = found.device_label
        assert agreed is not None
        return agreed

    def _admit(self) -> None:
        """Open the bench of every new worker; one that does not fit is refused with a remark."""
        info = self._info()
        fresh = [worker for worker in info if worker not in self._labels and worker not in self._refused]
        for worker, found in self._opened(fresh, info).items():
            misfit = self._misfit(worker, found, self._facts, info)
            if misfit:
                self._refused.add(worker)
                self._remarks.append(f"{misfit}; it is not used")
            else:
                assert isinstance(found, Facts)
                self._labels[worker] = found.device_label
                self._remarks.append(f"device {found.device_label} joined")

    def _opened(self, workers: list[str], info: Mapping[str, Any]) -> dict[str, Facts | str]:
        threads = {worker: info[worker]["nthreads"] for worker in workers}
        found: dict[str, Facts | str] = {
            worker: f"has {count} threads, which would disturb each other's timings: start it with --nthreads 1"
            for worker, count in threads.items()
            if count != 1
        }
        return found | self._run(facts_here, [worker for worker in workers if worker not in found])

    def _misfit(self, worker: str, found: Facts | str, agreed: Facts | None, info: Mapping[str, Any]) -> str | None:
        name = f"worker {info[worker]['name']}"
        if isinstance(found, str):
            return f"{name}: {found}"
        if agreed is not None and _without_place(found) != agreed:
            return (
                f"{name} ({found.device_label}) is not like the others: devices of one sweep need the same model, "
                "driver, libraries and kernels"
            )
        if any(found.device_label == label for other, label in self._labels.items() if other in info):
            return (
                f"two workers own the device {found.device_label}: give each its own (CUDA_VISIBLE_DEVICES, or "
                f"--device '{WORKER}' and workers named after their devices)"
            )
        return None

    def _run(self, function: Any, workers: list[str]) -> dict[str, Any]:
        """Run something on workers beside their tasks; those that go meanwhile are left out."""
        if not workers:
            return {}
        found = self._client.run(function, self._spec, workers=workers, on_error="return")
        failed = {worker: result for worker, result in found.items() if isinstance(result, Exception)}
        for worker, error in failed.items():
            if worker in self._info():
                raise BackendError(f"a worker failed: {type(error).__name__}: {error}")
        return {worker: result for worker, result in found.items() if worker not in failed}

    def _anywhere(self, function: Any, *arguments: Any) -> Any:
        """Let the first worker answer."""
        for worker in self._workers():
            future = self._client.submit(function, *arguments, pure=False, workers=[worker], retries=0)
            while not future.done():
                self._wait([future])
                if worker not in self._workers():
                    future.cancel()
                    break
            result, reason = self._outcome(future) if future.done() else (None, "its worker is gone")
            if not reason:
                return result
            self._lose(worker, reason)
        raise BackendError(f"no worker is left: {'; '.join(self._remarks)}")


def _forget(worker: str, job: Any) -> None:
    """Let the job of a lost worker go."""
    del worker, job


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
