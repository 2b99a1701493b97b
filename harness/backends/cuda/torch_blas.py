"""Backend ``torch-blas``: the vendor's GEMM library as torch calls it. Its tile is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.backends.backend import Cell
from harness.backends.cuda.backend import CudaBackend, Launcher
from harness.tile import VENDOR, Tile


class TorchBlasBackend(CudaBackend):
    """Times ``torch.mm`` on a CUDA device.

    Parameters
    ----------
    options : CudaOptions, optional
    """

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The one hidden tile."""
        return (Tile.parse(VENDOR),)

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape that fits runs; a named tile cannot be asked for."""
        if not cell.tile.hidden:
            return f"the library chooses its own tile, {cell.tile} cannot be asked for"
        return super().unsupported(cell)

    def _prepare_kernels(self, cells: Sequence[Cell]) -> None:
        """Run one cell, so that the library is loaded."""
        if cells:
            self._launcher(cells[0])()

    def _broken_kernel(self, _: Cell) -> str | None:
        """Nothing is compiled here."""
        return None

    def _launcher(self, cell: Cell) -> Launcher:
        a, b, d = self._buffers.view(cell.M, cell.N, cell.K)
        return partial(self._torch.mm, a, b, out=d)
