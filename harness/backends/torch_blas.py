"""Backend ``torch-blas``: the vendor's GEMM library as torch calls it. Its tile is hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, Cell
from harness.backends.cuda_host import cuda_device_record, cuda_environment, import_cuda_torch
from harness.backends.cuda_queue import CudaQueue
from harness.backends.gemm_buffers import GemmBuffers
from harness.device import DeviceRecord
from harness.tile import VENDOR, Tile


class TorchBlasBackend(Backend):
    """Times ``torch.mm`` in BF16 on the current CUDA device.

    Parameters
    ----------
    seed : int
        Seed of the operands.
    """

    def __init__(self, seed: int = 0) -> None:
        self._torch = import_cuda_torch()
        self._buffers = GemmBuffers(self._torch, self._torch.bfloat16, seed)
        self._queue = CudaQueue(self._torch)
        self._record = cuda_device_record(self._torch)

    @property
    def device(self) -> DeviceRecord:
        """The record of the CUDA device."""
        return self._record

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The one hidden tile."""
        return (Tile.parse(VENDOR),)

    def environment(self) -> Mapping[str, Any]:
        """Versions and device state."""
        return {
            **cuda_environment(self._torch),
            "groups_measured_again": self._queue.statistics.repeated,
            "groups": self._queue.statistics.groups,
            "event_overhead_s": self._queue.statistics.event_overhead_s,
        }

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape runs; a named tile cannot be asked for."""
        return None if cell.tile.hidden else f"the library chooses its own tile, {cell.tile} cannot be asked for"

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Allocate the largest operands and run each shape class once, so that the library is loaded."""
        self._buffers.reserve(
            max(cell.M * cell.K for cell in cells),
            max(cell.K * cell.N for cell in cells),
            max(cell.M * cell.N for cell in cells),
        )
        self._launcher(cells[0])()
        self._torch.cuda.synchronize()

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds per launch of each cell, back to back on a held queue."""
        return self._queue.time([self._launcher(cell) for cell in cells], launches)

    def relative_error(self, cell: Cell) -> float:
        """Run on fresh random data into a poisoned output and compare with a float32 product."""
        a, b, d = self._buffers.refresh(cell.M, cell.N, cell.K)
        self._torch.mm(a, b, out=d)
        return self._buffers.relative_error(a, b, d)

    def _launcher(self, cell: Cell) -> Callable[[], object]:
        a, b, d = self._buffers.view(cell.M, cell.N, cell.K)
        mm = self._torch.mm
        return lambda: mm(a, b, out=d)
