"""Who measures the batches: this process, or (see ``harness.sweep.dask_executor``) many workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import BackendError
from harness.sweep.bench import Bench, Facts, Survey
from harness.sweep.cells import CellTable, Rows
from harness.sweep.order import Batch
from harness.sweep.store import BatchResult
from harness.sweep.verification import Kernel


class Executor(ABC):
    """Measures batches on one or several devices of a kind."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What the backends say of themselves; several devices must agree but for their labels."""

    @property
    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """Labels of the devices in use."""

    @abstractmethod
    def survey(self, table: CellTable) -> Survey:
        """Find the owner of every cell."""

    @abstractmethod
    def kernels(self, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
        """Return the compiled kernels and their samples."""

    @abstractmethod
    def prepare(
        self, table: CellTable, owner: Rows, warmup_seconds: float, cache: str, seed: int, start: int = 1
    ) -> None:
        """Compile, allocate and warm up on every device, for the batches of this table and start of the sweep."""

    @abstractmethod
    def measure(self, batches: Iterable[tuple[Batch, Rows]], cache: str) -> Iterator[BatchResult]:
        """Yield the results of batches (each with its launches) as they finish, in any order."""

    @abstractmethod
    def errors(self, wanted: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, dict[int, float]]]:
        """Check rows on each device, by label; yield a device and errors as they come."""

    @abstractmethod
    def environment(self) -> dict[str, Any]:
        """State of every device, by label."""

    @abstractmethod
    def dismiss(self, device: str) -> None:
        """Use a device no more: it computes wrong what others compute right.

        Raises
        ------
        BackendError
            If no device is left.
        """

    @abstractmethod
    def take_remarks(self) -> list[str]:
        """Return what the user should know of the time since the last call: a lost worker, a kernel that fails."""


class SerialExecutor(Executor):
    """Measures on one bench in this process, a batch at a time."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._facts = bench.facts()
        self._table: CellTable | None = None
        self._owner: Rows | None = None

    @property
    def facts(self) -> Facts:
        """What the backends say of themselves."""
        return self._facts

    @property
    def devices(self) -> tuple[str, ...]:
        """The one device."""
        return (self._facts.device_label,)

    def survey(self, table: CellTable) -> Survey:
        """Find the owner of every cell."""
        return self._bench.survey(table)

    def kernels(self, table: CellTable, owner: Rows, per_kernel: int, seed: int) -> list[Kernel]:
        """Return the compiled kernels and their samples."""
        return self._bench.kernels(table, owner, per_kernel, seed)

    def prepare(
        self, table: CellTable, owner: Rows, warmup_seconds: float, cache: str, seed: int, start: int = 1
    ) -> None:
        """Compile, allocate and warm up."""
        self._table, self._owner = table, owner
        self._bench.resume(start)
        self._bench.prepare(table, owner)
        self._bench.warm_up(table, owner, warmup_seconds, cache, seed)

    def measure(self, batches: Iterable[tuple[Batch, Rows]], cache: str) -> Iterator[BatchResult]:
        """Yield the results one after another."""
        table, owner = self._prepared()
        for batch, launches in batches:
            yield self._bench.measure(batch, launches, table, owner, cache)

    def errors(self, wanted: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, dict[int, float]]]:
        """Check rows, a few between two yields."""
        table, owner = self._prepared()
        for device, rows in wanted.items():
            for start in range(0, len(rows), 16):
                yield device, self._bench.errors(table, owner, rows[start : start + 16])

    def environment(self) -> dict[str, Any]:
        """State of the device."""
        return {self._facts.device_label: self._bench.environment()}

    def dismiss(self, device: str) -> None:
        """There is no other device: the sweep ends."""
        raise BackendError(f"{device} computes wrong what others computed right, and there is no other device here")

    def take_remarks(self) -> list[str]:
        """Return what the bench remarked."""
        return self._bench.take_remarks()

    def _prepared(self) -> tuple[CellTable, Rows]:
        assert self._table is not None, "prepare() comes first"
        assert self._owner is not None, "prepare() comes first"
        return self._table, self._owner
