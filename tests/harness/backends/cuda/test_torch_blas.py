"""The vendor's library on a CUDA device."""

import numpy as np
import pytest

from harness.backends.backend import Cell
from harness.backends.cuda.backend import CudaOptions
from harness.backends.cuda.torch_blas import TorchBlasBackend
from harness.protocol import TOLERANCE
from harness.tile import VENDOR, Tile

torch = pytest.importorskip("torch", reason="needs the extra 'triton'")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

HIDDEN = Tile.parse(VENDOR)
SHAPES = [(128, 128, 64), (1, 1, 1), (300, 1032, 100), (777, 16, 1000), (513, 257, 129)]


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("pitch", [1, 16, 64])
def test_results_are_right(dtype, pitch):
    backend = TorchBlasBackend(CudaOptions(dtype=dtype, pitch=pitch))
    cells = [Cell(HIDDEN, *shape) for shape in SHAPES]
    backend.prepare(cells)
    assert max(backend.relative_error(cell) for cell in cells) <= TOLERANCE[dtype]
    for cache in backend.cache_states:
        assert (backend.time(cells, np.full(len(cells), 2), cache).seconds > 0).all()


def test_a_named_tile_cannot_be_asked_for():
    assert "cannot be asked for" in TorchBlasBackend().unsupported(Cell(Tile.of(64, 64, 64), 1, 1, 1))
