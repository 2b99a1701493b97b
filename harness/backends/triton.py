"""Backend ``triton``: six tile variants of one Triton GEMM on an NVIDIA GPU."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, Cell
from harness.backends.cuda_host import cuda_device_record, cuda_environment, import_cuda_torch
from harness.backends.cuda_queue import CudaQueue
from harness.backends.gemm_buffers import GemmBuffers
from harness.device import DeviceRecord
from harness.errors import BackendError
from harness.tile import Tile

_BAND = 8
_VECTOR = 16
"""Elements: Triton specialises integers on being multiples of 16. Only rows of such a pitch use vector loads."""


@dataclass(frozen=True)
class Variant:
    """How one tile is compiled."""

    warps: int
    stages: int


VARIANTS: Mapping[Tile, Variant] = {
    # A 256x256 float32 accumulator would fill the whole register file of a core; its place takes 128x64.
    Tile.of(256, 128, 64): Variant(warps=8, stages=4),
    Tile.of(128, 256, 64): Variant(warps=8, stages=4),
    Tile.of(128, 128, 64): Variant(warps=8, stages=4),
    Tile.of(128, 64, 64): Variant(warps=4, stages=4),
    Tile.of(64, 128, 64): Variant(warps=4, stages=4),
    Tile.of(64, 64, 64): Variant(warps=4, stages=4),
}
"""The six tile variants, largest first: the analogue of the paper's six for this kernel."""


@dataclass(frozen=True)
class _Key:
    """What the compiler distinguishes: each key is a kernel of its own."""

    tile: Tile
    even_k: bool
    aligned_k: bool
    aligned_n: bool

    def __str__(self) -> str:
        masked = "whole K steps" if self.even_k else "masked K"
        pitches = [name for name, aligned in (("K", self.aligned_k), ("N", self.aligned_n)) if not aligned]
        return f"{self.tile}, {masked}, {'unaligned ' + ' and '.join(pitches) if pitches else 'aligned'}"

    @classmethod
    def of(cls, cell: Cell) -> _Key:
        return cls(cell.tile, cell.K % cell.tile.k == 0, cell.K % _VECTOR == 0, cell.N % _VECTOR == 0)


class TritonBackend(Backend):
    """Times the Triton GEMM in BF16 (float32 accumulation, BF16 output) on the current CUDA device.

    Parameters
    ----------
    seed : int
        Seed of the operands.
    """

    def __init__(self, seed: int = 0) -> None:
        self._torch = import_cuda_torch()
        self._kernels: Any = importlib.import_module("harness.backends.triton_gemm")
        self._compiled: dict[_Key, Any] = {}
        self._buffers = GemmBuffers(self._torch, self._torch.bfloat16, seed)
        self._queue = CudaQueue(self._torch)
        self._record = cuda_device_record(self._torch)

    @property
    def device(self) -> DeviceRecord:
        """The record of the CUDA device."""
        return self._record

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The six variants."""
        return tuple(VARIANTS)

    def environment(self) -> Mapping[str, Any]:
        """Versions, device state and the resources of every kernel compiled so far."""
        triton: Any = importlib.import_module("triton")
        return {
            **cuda_environment(self._torch),
            "triton": str(triton.__version__),
            "raster_band": _BAND,
            "vector_elements": _VECTOR,
            "groups_measured_again": self._queue.statistics.repeated,
            "groups": self._queue.statistics.groups,
            "event_overhead_s": self._queue.statistics.event_overhead_s,
            "kernels": [self._resources(key) for key in self._compiled],
        }

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape runs; only tiles outside the six do not."""
        return None if cell.tile in VARIANTS else f"tile {cell.tile} is not one of the compiled variants"

    def kernel_of(self, cell: Cell) -> Hashable:
        """Compiled kernel: tile, masked K or not, aligned pitches or not."""
        return _Key.of(cell)

    def prepare(self, cells: Sequence[Cell], threads: int = 8) -> None:
        """Compile all kernels that the cells need and allocate the largest operands."""
        keys = dict.fromkeys(_Key.of(cell) for cell in cells)
        examples = {_Key.of(cell): cell for cell in cells}
        self._buffers.reserve(
            max(cell.M * cell.K for cell in cells),
            max(cell.K * cell.N for cell in cells),
            max(cell.M * cell.N for cell in cells),
        )
        missing = [key for key in keys if key not in self._compiled]
        with ThreadPoolExecutor(threads) as pool:
            for key, kernel in zip(
                missing, pool.map(lambda k: self._compile(k, examples[k]), missing), strict=True
            ):
                self._compiled[key] = kernel

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds per launch of each cell, back to back on a held queue."""
        self.prepare(cells)
        return self._queue.time([self._launcher(cell) for cell in cells], launches)

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
        variant = VARIANTS[tile]
        arguments = (*self._arguments(Cell(tile, tile.m, tile.n, tile.k)), 2 if store else 0)
        constants = {"TM": tile.m, "TN": tile.n, "TK": tile.k, "BAND": _BAND, "EVEN_K": True}
        options = {"num_warps": variant.warps, "num_stages": variant.stages}
        kernel = self._kernels.idle.warmup(*arguments, **constants, **options, grid=(1,))
        runner = kernel[(groups, 1, 1)]
        stream = self._torch.cuda.current_stream().cuda_stream
        every = (*arguments, *constants.values())
        return float(self._queue.time([lambda: runner(*every, stream=stream)], np.array([launches]))[0])

    def time_bare(self, launches: int) -> float:
        """Seconds per launch of a kernel with one work-group, no resources and nothing to do."""
        arguments = self._arguments(Cell(Tile.of(64, 64, 64), 64, 64, 64))
        runner = self._kernels.empty.warmup(*arguments, grid=(1,))[(1, 1, 1)]
        stream = self._torch.cuda.current_stream().cuda_stream
        return float(self._queue.time([lambda: runner(*arguments, stream=stream)], np.array([launches]))[0])

    def relative_error(self, cell: Cell) -> float:
        """Run on fresh random data into a poisoned output and compare with a float32 product."""
        self.prepare([cell])
        a, b, d = self._buffers.refresh(cell.M, cell.N, cell.K)
        self._launcher(cell)()
        return self._buffers.relative_error(a, b, d)

    def _arguments(self, cell: Cell) -> tuple[Any, ...]:
        return (*self._buffers.view(cell.M, cell.N, cell.K), cell.M, cell.N, cell.K, cell.K, cell.N, cell.N)

    def _compile(self, key: _Key, example: Cell) -> Any:
        variant = VARIANTS.get(key.tile)
        if variant is None:
            raise BackendError(f"tile {key.tile} is not one of {', '.join(map(str, VARIANTS))}")
        return self._kernels.gemm.warmup(
            *self._arguments(example),
            TM=key.tile.m,
            TN=key.tile.n,
            TK=key.tile.k,
            BAND=_BAND,
            EVEN_K=key.even_k,
            grid=(1,),
            num_warps=variant.warps,
            num_stages=variant.stages,
        )

    def _launcher(self, cell: Cell) -> Callable[[], object]:
        key = _Key.of(cell)
        groups = -(-cell.M // cell.tile.m) * -(-cell.N // cell.tile.n)
        runner = self._compiled[key][(groups, 1, 1)]
        arguments = (
            *self._arguments(cell),
            cell.tile.m,
            cell.tile.n,
            cell.tile.k,
            _BAND,
            key.even_k,
        )
        stream = self._torch.cuda.current_stream().cuda_stream
        return lambda: runner(*arguments, stream=stream)

    def _resources(self, key: _Key) -> dict[str, Any]:
        kernel = self._compiled[key]
        variant = VARIANTS[key.tile]
        return {
            "tile": str(key.tile),
            "even_k": key.even_k,
            "aligned_k": key.aligned_k,
            "aligned_n": key.aligned_n,
            "warps": variant.warps,
            "stages": variant.stages,
            "registers": int(getattr(kernel, "n_regs", None) or 0),
            "spills": int(getattr(kernel, "n_spills", None) or 0),
            "shared_bytes": int(kernel.metadata.shared),
        }
