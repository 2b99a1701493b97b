"""Backend ``sycl``: a tiled GEMM in OpenCL C on any SYCL device that dpctl reaches, CPUs included."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.backends.sycl.engine import find_matrix_engine
from harness.backends.sycl.host import choose_device, create_program, describe_device, import_dpctl, named_device
from harness.backends.sycl.kernels import (
    KernelPlan,
    Limits,
    MatrixEngine,
    plan_matrix,
    plan_vector,
    source_digests,
    source_of,
    takes_block_io,
)
from harness.backends.sycl.operands import SyclOperands
from harness.backends.sycl.record import intel_facts, record_of_sycl_device
from harness.backends.sycl.timer import ProfiledQueue, displaced_bytes
from harness.cube import ELEMENT_BYTES
from harness.device import DeviceRecord
from harness.errors import BackendError
from harness.tile import Tile

_MATRIX_TILES: Final = ("256x256x32", "256x128x32", "128x256x32", "128x128x32", "128x64x32", "64x64x32")
_GPU_TILES: Final = ("128x128x16", "128x64x16", "64x128x16", "64x64x16", "32x32x16")
_CPU_TILES: Final = ("128x128x16", "64x128x16", "64x64x16", "32x64x16", "32x32x16", "16x16x16")

_LARGEST_SIZE: Final = 1 << 30
"""Sizes are 32-bit integers in the kernels, and a tile beyond an edge must not overflow them."""

_FIRST_SIZE: Final = 32
"""M, N and K of the first launch of a kernel: the least that 2D block operations take."""

_THREAD_SETTINGS: Final = ("DPCPP_CPU_NUM_CUS", "DPCPP_CPU_PLACES", "DPCPP_CPU_CU_AFFINITY", "DPCPP_CPU_SCHEDULE")
"""Environment variables by which users place the threads of the OpenCL CPU driver."""


@dataclass(frozen=True)
class SyclOptions(BackendOptions):
    """Options of the backend ``sycl``.

    Attributes
    ----------
    matrix_engine : bool
        Whether 16-bit kernels use the matrix engines of an Intel GPU where the driver offers them.
    """

    matrix_engine: bool = field(default=True, metadata={"help": "use the matrix engines where the device has them"})


class SyclBackend(Backend):
    """Times a tiled GEMM with float32 accumulation and float32 output, row-major without transposes.

    Parameters
    ----------
    options : SyclOptions, optional
        ``device`` is a filter string of dpctl (``"opencl:gpu:0"``) or a position in its list of devices.
    """

    options_type: ClassVar[type[BackendOptions]] = SyclOptions
    dtypes: ClassVar[tuple[str, ...]] = ("f32", "bf16", "f16")
    cache_states: ClassVar[tuple[str, ...]] = ("warm", "cold")
    batch_cells: int = 256
    prelude: ClassVar[str] = ""
    """OpenCL C before every kernel: the tests emulate the functions of a matrix engine in it."""

    def __init__(self, options: BackendOptions | None = None) -> None:
        super().__init__(options)
        self._dpctl = import_dpctl()
        self._sycl_device = choose_device(self._dpctl, self.options.device)
        self._limits = Limits.of(self._sycl_device)
        self._queue = ProfiledQueue(self._dpctl, self._sycl_device)
        self._engine = self._choose_engine()
        atom = self._engine.atom if isinstance(self._engine, MatrixEngine) else None
        self._record = self.options.record or record_of_sycl_device(self._sycl_device, atom)
        self._displaced_bytes = displaced_bytes(self._sycl_device, self._record)
        self._operands = SyclOperands(self._queue.queue, self.dtype, self.options.seed)
        self._plans: dict[tuple[Tile, bool], KernelPlan | str] = {}
        self._kernels: dict[KernelPlan, Any] = {}

    @property
    def dtype_out(self) -> str:
        """D is float32 whatever A and B are: what the kernel accumulates, unrounded."""
        return "f32"

    @property
    def device(self) -> DeviceRecord:
        """The record of the device."""
        return self._record

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Those of the default tiles that the device allows."""
        if isinstance(self._engine, MatrixEngine):
            names: tuple[str, ...] = _MATRIX_TILES
        else:
            names = _CPU_TILES if self._sycl_device.is_cpu else _GPU_TILES
        offered = (Tile.parse(name) for name in names)
        return tuple(tile for tile in offered if isinstance(self._plan(tile, block_io=False), KernelPlan))

    def configuration(self) -> Mapping[str, Any]:
        """Device, driver, kernels and their sources."""
        engine = self._engine
        facts: dict[str, Any] = {
            **describe_device(self._sycl_device),
            "dpctl": str(self._dpctl.__version__),
            "dtype": self.dtype,
            "dtype_out": self.dtype_out,
            "matrix_engine": isinstance(engine, MatrixEngine),
            "matrix_engine_reason": None if isinstance(engine, MatrixEngine) else engine,
            "sources": dict(source_digests()),
            "raster": "work-groups along N first",
            "timing": "mean over the launches of profiled end minus start",
            "timer_resolution_ns": int(self._sycl_device.profiling_timer_resolution),
            "displaced_bytes": self._displaced_bytes,
        }
        if isinstance(engine, MatrixEngine):
            facts["matrix_engine_kernel"] = {
                "atom": list(engine.atom),
                "block_io": engine.block_io,
                "options": engine.options,
            }
        if self._sycl_device.is_cpu:
            facts["threads"] = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
        return facts

    def environment(self) -> Mapping[str, Any]:
        """Clocks and free memory as the drivers report them, the host, and the kernels built so far."""
        facts = intel_facts(self._sycl_device)
        return {
            "clock_hz": 1e6 * int(self._sycl_device.max_clock_frequency) or None,
            "free_memory_bytes": facts.get("free_memory"),
            "python": platform.python_version(),
            "host": platform.platform(terse=True),
            "kernels": [
                {
                    "tile": str(plan.tile),
                    "source": plan.source,
                    "options": plan.options,
                    "work_group": list(plan.local_range),
                    "private_bytes": int(kernel.private_mem_size),
                }
                for plan, kernel in self._kernels.items()
            ],
        }

    def cube_attributes(self) -> Mapping[str, Any]:
        """Bytes that a row's pitch must be a multiple of for the fast loads.

        2D blocks ask for 16, the row reads of the other matrix kernel for 4; the vector kernel reads elements.
        """
        if isinstance(self._engine, MatrixEngine):
            return {"vector_bytes": 16 if self._engine.block_io else 4}
        return {"vector_bytes": ELEMENT_BYTES[self.dtype]}

    def unsupported(self, cell: Cell) -> str | None:
        """Why the tile or the sizes are beyond the kernel or the device."""
        if cell.tile.hidden:
            return f"tile {cell.tile}: the kernel needs its sizes, as 64x64x16"
        plan = self._plan_of(cell)
        if isinstance(plan, str):
            return plan
        if max(cell.M, cell.N, cell.K) >= _LARGEST_SIZE:
            return f"sizes must be below {_LARGEST_SIZE}, got {cell.M}x{cell.N}x{cell.K}"
        groups = -(-cell.M // cell.tile.m) * -(-cell.N // cell.tile.n)
        if groups >= 1 << 31:
            return f"{groups} work-groups of tile {cell.tile} are more than one launch takes"
        device, size = self._sycl_device, ELEMENT_BYTES[self.dtype]
        operands = (size * cell.M * cell.K, size * cell.K * cell.N, 4 * cell.M * cell.N)
        if max(operands) > device.max_mem_alloc_size:
            return f"an operand of {max(operands)} bytes; the device allocates {device.max_mem_alloc_size} at once"
        if sum(operands) > device.global_mem_size:
            return f"operands of {sum(operands)} bytes; the device has {device.global_mem_size}"
        return None

    def kernel_of(self, cell: Cell) -> Hashable:
        """Compiled kernel: the tile, and whether 2D block operations load it."""
        return (cell.tile, self._uses_block_io(cell))

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Build every kernel, allocate the largest operands, and launch each kernel once, on one work-group.

        A driver may finish a kernel only at its first launch: that must not fall into a timing.
        """
        self._operands.reserve(
            max(_FIRST_SIZE**2, *(cell.M * cell.K for cell in cells)),
            max(_FIRST_SIZE**2, *(cell.K * cell.N for cell in cells)),
            max(_FIRST_SIZE**2, *(cell.M * cell.N for cell in cells)),
        )
        for plan in dict.fromkeys(self._ready_plan(cell) for cell in cells):
            if plan not in self._kernels:
                self._kernels[plan] = self._build(plan)
                try:
                    self._launch_kernel(plan, _FIRST_SIZE, _FIRST_SIZE, _FIRST_SIZE).wait()
                except self._dpctl.SyclKernelSubmitError as error:
                    del self._kernels[plan]
                    raise BackendError(f"tile {plan.tile}: its launch is refused: {error}; leave it out") from None

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Mean device time of each cell's launches, from the profile of their events."""
        if cache not in self.cache_states:
            raise BackendError(f"cache {cache!r} is not offered here: expected {' or '.join(self.cache_states)}")
        self.prepare(cells)
        seconds = np.full(len(cells), np.nan)
        problems: dict[int, Problem] = {}
        displaced = self._displaced_bytes if cache == "cold" else 0
        for position, (cell, count) in enumerate(zip(cells, launches, strict=True)):
            try:
                launch = partial(self._launch, cell)
                seconds[position] = self._queue.seconds(launch, int(count), displaced)
            except self._dpctl.SyclKernelSubmitError as error:
                problems[position] = Problem("failed", f"launch of {cell} refused: {' '.join(str(error).split())}")
            except RuntimeError as error:
                raise BackendError(f"{self._sycl_device.name} failed at {cell}: {error}") from error
            else:
                if not seconds[position] > 0:
                    seconds[position] = np.nan
                    problems[position] = Problem("failed", "the driver reported no time for the launches")
        return Timings(seconds, problems)

    def relative_error(self, cell: Cell) -> float:
        """Run on fresh random data into a poisoned output and compare with a float64 product."""
        self.prepare([cell])
        a, b = self._operands.refresh(cell.M, cell.N, cell.K)
        self._launch(cell).wait()
        reference = a @ b
        error = np.linalg.norm(self._operands.result(cell.M, cell.N) - reference) / np.linalg.norm(reference)
        return float(error) if np.isfinite(error) else float("inf")

    def _launch(self, cell: Cell) -> Any:
        return self._launch_kernel(self._ready_plan(cell), cell.M, cell.N, cell.K)

    def _launch_kernel(self, plan: KernelPlan, M: int, N: int, K: int) -> Any:
        arguments = (*self._operands.arguments, ctypes.c_int(M), ctypes.c_int(N), ctypes.c_int(K))
        return self._queue.submit(self._kernels[plan], arguments, plan.global_range(M, N), plan.local_range)

    def _choose_engine(self) -> MatrixEngine | str:
        """Return the matrix engine that the kernels use, or why they use none."""
        if self.dtype == "f32":
            return "matrix engines take no float32"
        if not cast(SyclOptions, self.options).matrix_engine:
            return "switched off by the option matrix_engine"
        return self._find_engine()

    def _find_engine(self) -> MatrixEngine | str:
        device = self._sycl_device
        if not device.is_gpu or "intel" not in str(device.vendor).casefold():
            return "matrix engines are those of Intel GPUs"
        found = find_matrix_engine(
            lambda source, options: create_program(self._queue.queue, source, options), list(device.sub_group_sizes)
        )
        if isinstance(found, str):
            return found
        # The kernel itself must build: a compiler may offer the functions and refuse this use of them.
        for block_io in {found.block_io, False}:
            plan = plan_matrix(Tile.parse("64x64x32"), self.dtype, self._limits, found, block_io=block_io)
            if isinstance(plan, str):
                return plan
            try:
                self._build(plan)
            except BackendError as error:
                return str(error)
        return found

    def _uses_block_io(self, cell: Cell) -> bool:
        engine = self._engine
        return isinstance(engine, MatrixEngine) and engine.block_io and takes_block_io(cell.M, cell.N, cell.K)

    def _plan_of(self, cell: Cell) -> KernelPlan | str:
        return self._plan(cell.tile, block_io=self._uses_block_io(cell))

    def _plan(self, tile: Tile, *, block_io: bool) -> KernelPlan | str:
        key = (tile, block_io)
        if key not in self._plans:
            if isinstance(self._engine, MatrixEngine):
                plan = plan_matrix(tile, self.dtype, self._limits, self._engine, block_io=block_io)
            else:
                plan = plan_vector(tile, self.dtype, self._limits)
            self._plans[key] = plan
        return self._plans[key]

    def _ready_plan(self, cell: Cell) -> KernelPlan:
        plan = self._plan_of(cell)
        if isinstance(plan, str):
            raise BackendError(plan)
        return plan

    def _build(self, plan: KernelPlan) -> Any:
        program = create_program(self._queue.queue, self.prelude + source_of(plan.source), plan.options)
        kernel = program.get_sycl_kernel("gemm")
        items = plan.local_range[0] * plan.local_range[1]
        if kernel.work_group_size < items:
            raise BackendError(
                f"tile {plan.tile}: its kernel runs in work-groups of {kernel.work_group_size} work-items here, "
                f"it needs {items}; leave the tile out"
            )
        return kernel


def record_of_filter(wanted: str) -> DeviceRecord:
    """Return the record of the SYCL device that a filter string selects; see :func:`record_of_sycl_device`.

    Raises
    ------
    MissingExtraError
        If dpctl is not installed.
    BackendError
        If there is no such device.
    """
    device = named_device(import_dpctl(), wanted)
    if device.backend.name == "opencl":
        # The backend asks the compiler for the atom of a matrix engine.
        return SyclBackend(SyclOptions(device=wanted, dtype="bf16")).device
    return record_of_sycl_device(device)
