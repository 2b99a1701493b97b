"""Backend ``triton``: tile variants of one Triton GEMM on an NVIDIA GPU, six by default."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from harness.backends.backend import BackendOptions, Cell
from harness.backends.cuda.backend import CudaBackend, CudaOptions, Launcher
from harness.backends.cuda.triton_variants import (
    BAND,
    NOT_NESTED,
    PERSISTENT,
    VARIANTS,
    VECTOR,
    KernelKey,
    Variant,
    column_parts,
    sizes,
    work_groups,
)
from harness.cube import ELEMENT_BYTES
from harness.errors import BackendError, KernelError
from harness.tile import Tile

_COMPILERS = 8
"""Threads that compile: most of it is the assembler's, a process of its own."""

_GRID: Mapping[Tile, Variant] = {**VARIANTS, **NOT_NESTED}


@dataclass(frozen=True)
class TritonOptions(CudaOptions):
    """Options of the Triton backend.

    Attributes
    ----------
    cores : int or None
        Cores that may work: a persistent kernel with one program on each of so many. The ordinary kernel, with one
        work-group per tile on all cores, when absent.
    """

    cores: int | None = field(
        default=None, metadata={"help": "persistent kernel on so many cores; an ordinary grid when absent"}
    )


class TritonBackend(CudaBackend):
    """Times the Triton GEMM (float32 accumulation, output in the type of the operands) on a CUDA device.

    Parameters
    ----------
    options : TritonOptions, optional
    """

    options_type = TritonOptions

    def __init__(self, options: BackendOptions | None = None) -> None:
        super().__init__(options)
        self._cores: int | None = getattr(self.options, "cores", None)
        multiprocessors = int(self._facts["multiprocessors"])
        if self._cores is not None and not 1 <= self._cores <= multiprocessors:
            raise BackendError(f"cores must be from 1 to {multiprocessors}, got {self._cores}")
        self._kernels: Any = importlib.import_module("harness.backends.cuda.triton_gemm")
        self._triton: Any = importlib.import_module("triton")
        self._error: Any = importlib.import_module("triton.errors").TritonError
        self._compiled: dict[KernelKey, Any] = {}
        self._broken: dict[KernelKey, str] = {}

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The six variants; those of :data:`NOT_NESTED` are there where they are asked for."""
        return tuple(VARIANTS)

    def configuration(self) -> Mapping[str, Any]:
        """Device, versions, and how each tile is compiled: the six, and what else was asked for."""
        asked = dict.fromkeys((*self.tiles, *self.options.tiles))
        return {
            **super().configuration(),
            "triton": str(self._triton.__version__),
            "kernel": "gemm" if self._cores is None else "persistent",
            "cores": self._cores,
            "raster_band": BAND,
            "vector_elements": VECTOR,
            "variants": {tile.name: asdict(self._variants[tile]) for tile in asked if tile in self._variants},
        }

    def environment(self) -> Mapping[str, Any]:
        """Device state, what the queue did, and the resources of every kernel compiled so far."""
        return {**super().environment(), "kernels": [self._resources(key) for key in self._compiled]}

    def cube_attributes(self) -> Mapping[str, Any]:
        """Alignment that vector loads need, the multiple of row pitches, and the limit of cores if there is one."""
        limit = {} if self._cores is None else {"core_limit": self._cores}
        return {**super().cube_attributes(), "vector_bytes": VECTOR * ELEMENT_BYTES[self.dtype], **limit}

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape that fits runs; only tiles that are no variant do not."""
        if cell.tile not in self._variants:
            return f"tile {cell.tile} is none of {', '.join(tile.name for tile in self._variants)}"
        return super().unsupported(cell)

    def kernel_of(self, cell: Cell) -> Hashable:
        """Compiled kernel: tile, masked K or not, aligned pitches or not."""
        return KernelKey.of(cell, self._pitch)

    def time_idle(self, tile: Tile, groups: int, launches: int, *, store: bool = False) -> float:
        """Seconds per launch of a tile's kernel when it does no work: its registers, memory and launch alone.

        Parameters
        ----------
        tile : Tile
        groups : int
            Work-groups launched.
        launches : int
            Back-to-back launches in the timed series.
        store : bool
            Let each work-group store one element.
        """
        cell = Cell(tile, tile.m, tile.n, tile.k)
        key = KernelKey(tile, even_k=True, aligned_k=True, aligned_n=True, wide_a=False)
        with self._on_device():
            self._buffers.reserve([cell])
            kernel = self._warmup(self._kernels.idle, key, _GRID[tile], (), (0,))
            arguments = (*self._buffers.pointers(), *sizes(cell), 2 if store else 0, *_constants(key).values())
            launcher = self._bind(kernel, groups, arguments)
        return float(self._run_queue([launcher], np.array([launches]))[0])

    def time_bare(self, launches: int) -> float:
        """Seconds per launch of a kernel with one work-group, no resources and nothing to do."""
        cell = Cell(Tile.of(64, 64, 64), 64, 64, 64)
        with self._on_device():
            self._buffers.reserve([cell])
            arguments = (*self._buffers.pointers(), *sizes(cell))
            kernel = self._kernels.empty.warmup(*(self._torch_dtype,) * 3, *sizes(cell), grid=(1,))
            launcher = self._bind(kernel, 1, arguments)
        return float(self._run_queue([launcher], np.array([launches]))[0])

    def cores_used(self, cell: Cell) -> int:
        """Run the cell once with a persistent kernel that tells its cores, and count those that differ.

        Raises
        ------
        BackendError
            If the backend was not told how many cores to use.
        """
        if self._cores is None:
            raise BackendError("cores_used needs the option cores: the ordinary kernel does not tell its cores")
        self.prepare([cell])
        key = KernelKey.of(cell, self._pitch)
        programs = self._programs(cell)
        with self._on_device():
            numbers = self._torch.full((programs,), -1, dtype=self._torch.int32, device=f"cuda:{self._index}")
            kernel = self._warmup(
                self._kernels.persistent_cores, key, PERSISTENT[key.tile], (self._torch.int32,), ()
            )
            pointers = (int(numbers.data_ptr()), *self._buffers.pointers())
            self._bind(kernel, programs, (*pointers, *sizes(cell, self._pitch), *_constants(key).values()))()
            return int(numbers.unique().numel())

    @property
    def _variants(self) -> Mapping[Tile, Variant]:
        return _GRID if self._cores is None else PERSISTENT

    def _prepare_kernels(self, cells: Sequence[Cell]) -> None:
        keys = dict.fromkeys(KernelKey.of(cell, self._pitch) for cell in cells)
        missing = [key for key in keys if key not in self._compiled and key not in self._broken]
        if not missing:
            return
        with ThreadPoolExecutor(_COMPILERS) as pool:
            list(pool.map(self._compile, missing))

    def _compile(self, key: KernelKey) -> None:
        kernel = self._kernels.gemm if self._cores is None else self._kernels.persistent
        # The current device is a thread's own.
        with self._torch.cuda.device(self._index):
            try:
                compiled = self._warmup(kernel, key, self._variants[key.tile], (), ())
                # Loads the kernel: a load in the middle of a timing would stop the queue.
                _ = compiled.run
            except self._error as error:
                self._broken[key] = f"{key}: {str(error).splitlines()[0]}"
                return
        self._compiled[key] = compiled

    def _warmup(
        self, kernel: Any, key: KernelKey, variant: Variant, before: tuple[Any, ...], after: tuple[Any, ...]
    ) -> Any:
        """Compile for the current device; ``before`` and ``after`` are arguments around the GEMM's own."""
        return kernel.warmup(
            *before,
            *(self._torch_dtype,) * 3,
            *key.example(),
            *after,
            **_constants(key),
            grid=(1,),
            num_warps=variant.warps,
            num_stages=variant.stages,
        )

    def _programs(self, cell: Cell) -> int:
        tiles = work_groups(cell)
        return tiles if self._cores is None else min(tiles, self._cores)

    def _broken_kernel(self, cell: Cell) -> str | None:
        return self._broken.get(KernelKey.of(cell, self._pitch)) if self._broken else None

    def _launcher(self, cell: Cell) -> Launcher:
        key = KernelKey.of(cell, self._pitch)
        kernel = self._compiled.get(key)
        if kernel is None:
            raise KernelError(self._broken.get(key, f"{key}: not compiled"))
        arguments = (*self._buffers.pointers(), *sizes(cell, self._pitch), *_constants(key).values())
        return self._bind(kernel, self._programs(cell), arguments)

    def _bind(self, kernel: Any, groups: int, arguments: tuple[Any, ...]) -> Launcher:
        """Bind a compiled kernel to its grid and arguments; pointers are addresses, which cost no look-up."""
        return partial(kernel[(groups, 1, 1)], *arguments, stream=self._stream)

    def _resources(self, key: KernelKey) -> dict[str, Any]:
        kernel = self._compiled[key]
        variant = self._variants[key.tile]
        return {
            "tile": str(key.tile),
            "even_k": key.even_k,
            "aligned_k": key.aligned_k,
            "aligned_n": key.aligned_n,
            "wide_a": key.wide_a,
            "warps": variant.warps,
            "stages": variant.stages,
            "registers": int(getattr(kernel, "n_regs", None) or 0),
            "spills": int(getattr(kernel, "n_spills", None) or 0),
            "shared_bytes": int(kernel.metadata.shared),
        }


def _constants(key: KernelKey) -> dict[str, Any]:
    """Compile-time arguments, in the order of the kernels' signatures."""
    tile = key.tile
    first, rest = column_parts(tile)
    return {
        "TM": tile.m,
        "TN": first,
        "TR": rest,
        "TK": tile.k,
        "BAND": BAND,
        "EVEN_K": key.even_k,
        "WIDE_A": key.wide_a,
    }
