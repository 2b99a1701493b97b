"""What the CUDA backends have in common: a device, operands on it, and a held queue."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.backends.cuda.buffers import GemmBuffers
from harness.backends.cuda.cache import CacheDisplacer
from harness.backends.cuda.host import (
    cuda_configuration,
    cuda_device_record,
    cuda_environment,
    cuda_index,
    import_cuda_torch,
)
from harness.backends.cuda.queue import CudaQueue
from harness.backends.pitch import checked_pitch, leading
from harness.cube import ELEMENT_BYTES
from harness.device import DeviceRecord
from harness.errors import BackendError

_TORCH_DTYPE = {"bf16": "bfloat16", "f16": "float16"}

_USABLE_MEMORY = 0.9
"""Share of the device memory that operands may fill."""

Launcher = Callable[[], object]


@dataclass(frozen=True)
class CudaOptions(BackendOptions):
    """Options of the CUDA backends.

    Attributes
    ----------
    device : str or None
        CUDA index, ``"1"`` or ``"cuda:1"``; the current device when absent.
    pitch : int
        Leading dimensions of A, B and D are rounded up to a multiple of this many elements.
    """

    device: str | None = field(default=None, metadata={"help": "CUDA index, as 0 or cuda:1"})
    pitch: int = field(
        default=1, metadata={"help": "round leading dimensions up to a multiple of this many elements"}
    )


class CudaBackend(Backend):
    """A family of kernels on one CUDA device: subclasses say how a cell is launched.

    Everything is allocated and launched on the chosen device, and the caller's current device is left as it was:
    several backends serve several GPUs, in one process or in several.

    Parameters
    ----------
    options : CudaOptions, optional
    """

    options_type = CudaOptions
    dtypes: ClassVar[tuple[str, ...]] = ("bf16", "f16")
    cache_states: ClassVar[tuple[str, ...]] = ("warm", "cold")
    batch_cells = 4096

    def __init__(self, options: BackendOptions | None = None) -> None:
        super().__init__(options)
        self._pitch = checked_pitch(getattr(self.options, "pitch", 1))
        self._torch = import_cuda_torch()
        self._index = cuda_index(self._torch, self.options.device)
        self._record = self.options.record or cuda_device_record(self._torch, self._index)
        self._facts = cuda_configuration(self._torch, self._index)
        self._memory = int(self._torch.cuda.get_device_properties(self._index).total_memory)
        self._torch_dtype = getattr(self._torch, _TORCH_DTYPE[self.dtype])
        with self._torch.cuda.device(self._index):
            self._buffers = GemmBuffers(
                self._torch, self._torch_dtype, f"cuda:{self._index}", self.options.seed, self._pitch
            )
            displacer = CacheDisplacer(self._torch, self._index, int(self._facts["l2_bytes"]))
            self._queue = CudaQueue(self._torch, self._index, displacer, displacer.seconds_at_least)
        self._stream = int(self._torch.cuda.current_stream(self._index).cuda_stream)
        # What a cell took before tells the queue how long the GPU will be busy with it.
        self._known: dict[tuple[str, str, int, int, int], float] = {}
        self._peak = self._record.peak_flops_per_s.get(self.dtype, float("inf"))

    @property
    def device(self) -> DeviceRecord:
        """The record of the CUDA device."""
        return self._record

    def configuration(self) -> Mapping[str, Any]:
        """Device, driver, libraries, and how operands are laid out."""
        return {**self._facts, "dtype": self.dtype, "pitch_multiple": self._pitch}

    def environment(self) -> Mapping[str, Any]:
        """Clocks, power and temperature at this moment, and what the queue did."""
        statistics = self._queue.statistics
        return {
            **cuda_environment(self._torch, self._index),
            "groups": statistics.groups,
            "groups_measured_again": statistics.repeated,
            "event_overhead_s": statistics.event_overhead_s,
            "queue_kernel_s": statistics.kernel_s,
            "queue_held_s": statistics.held_s,
            "queue_wall_s": statistics.wall_s,
        }

    def cube_attributes(self) -> Mapping[str, Any]:
        """The multiple that row pitches are rounded up to, in elements."""
        return {"pitch_multiple": self._pitch}

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape that fits the device runs."""
        size = ELEMENT_BYTES[self.dtype]
        lda, ldb = leading(cell.K, self._pitch), leading(cell.N, self._pitch)
        needed = size * (cell.M * lda + cell.K * ldb + cell.M * ldb)
        if needed > _USABLE_MEMORY * self._memory:
            return f"operands of {needed:.3g} bytes do not fit the device's {self._memory:.3g}"
        return None

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Allocate the largest operands, and whatever else the cells need."""
        with self._on_device():
            self._buffers.reserve(cells)
            self._prepare_kernels(cells)

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Seconds per launch of each cell on a held queue."""
        if cache not in self.cache_states:
            raise BackendError(f"cache {cache!r} is not offered here: expected {' or '.join(self.cache_states)}")
        self.prepare(cells)
        reasons = [self._broken_kernel(cell) for cell in cells]
        problems = {row: Problem("failed", reason) for row, reason in enumerate(reasons) if reason is not None}
        rows = [row for row in range(len(cells)) if row not in problems]
        keys = [(cache, cells[i].tile.name, cells[i].M, cells[i].N, cells[i].K) for i in rows]
        expected = np.array(
            [self._known.get(key) or 2.0 * key[2] * key[3] * key[4] / self._peak for key in keys], dtype=np.float64
        )
        seconds = np.full(len(cells), np.nan)
        launchers = _Launchers(self._launcher, [cells[row] for row in rows])
        counts = np.asarray(launches, dtype=np.int64)[rows]
        found = self._run_queue(launchers, counts, np.maximum(expected, 0.0), cold=cache == "cold")
        seconds[rows] = found
        self._known.update(zip(keys, found.tolist(), strict=True))
        return Timings(seconds, problems)

    def relative_error(self, cell: Cell) -> float:
        """Run on fresh random data into a poisoned output and compare with a float32 product."""
        self.prepare([cell])
        with self._on_device():
            a, b, d = self._buffers.refresh(cell.M, cell.N, cell.K)
            self._launcher(cell)()
            return self._buffers.relative_error(a, b, d)

    @abstractmethod
    def _prepare_kernels(self, cells: Sequence[Cell]) -> None:
        """Compile or load what the cells need; the current device is set."""

    @abstractmethod
    def _broken_kernel(self, cell: Cell) -> str | None:
        """Say why the cell's kernel could not be compiled, or ``None``."""

    @abstractmethod
    def _launcher(self, cell: Cell) -> Launcher:
        """Return what enqueues one launch of the cell; the operands are reserved."""

    def _run_queue(
        self,
        launchers: Sequence[Launcher],
        launches: NDArray[np.int64],
        expected: NDArray[np.float64] | None = None,
        *,
        cold: bool = False,
    ) -> NDArray[np.float64]:
        with self._on_device():
            return self._queue.time(launchers, launches, expected, cold=cold)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        """Make the device current; after a fault of it every further call fails, and nothing is left to measure."""
        try:
            with self._torch.cuda.device(self._index):
                yield
        except RuntimeError as error:
            raise BackendError(f"the CUDA device failed: {str(error).splitlines()[0]}") from error


class _Launchers(Sequence[Launcher]):
    """The launchers of cells, each made when it is asked for: while the GPU works on those before."""

    def __init__(self, make: Callable[[Cell], Launcher], cells: Sequence[Cell]) -> None:
        self._make = make
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    @overload
    def __getitem__(self, index: int) -> Launcher: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Launcher]: ...

    def __getitem__(self, index: int | slice) -> Launcher | Sequence[Launcher]:
        if isinstance(index, slice):
            return _Launchers(self._make, self._cells[index])
        return self._make(self._cells[index])
