"""The Triton backend on a CUDA device."""

import numpy as np
import pytest

from harness.backends.backend import Cell
from harness.backends.cuda.triton import TritonBackend, TritonOptions
from harness.backends.cuda.triton_variants import NOT_NESTED
from harness.errors import BackendError
from harness.protocol import TOLERANCE
from harness.tile import Tile

torch = pytest.importorskip("torch", reason="needs the extra 'triton'")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

TILE = Tile.of(128, 128, 64)
SHAPES = [(128, 128, 64), (1, 1, 1), (300, 1032, 100), (777, 16, 1000), (513, 257, 129)]
ONE = np.array([1])


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("pitch", [1, 16, 64])
@pytest.mark.parametrize("cores", [None, 1, 66])
def test_results_are_right(dtype, pitch, cores):
    backend = TritonBackend(TritonOptions(dtype=dtype, pitch=pitch, cores=cores))
    cells = [Cell(tile, *shape) for tile in (*backend.tiles, *NOT_NESTED) for shape in SHAPES]
    backend.prepare(cells)
    assert max(backend.relative_error(cell) for cell in cells) <= TOLERANCE[dtype]
    seconds = backend.time(cells, np.full(len(cells), 2), "warm").seconds
    assert np.isfinite(seconds).all()
    assert (seconds > 0).all()


@pytest.mark.parametrize("cores", [1, 66, 132])
def test_every_program_has_a_core_of_its_own(cores):
    backend = TritonBackend(TritonOptions(cores=cores))
    for tile in (*backend.tiles, *NOT_NESTED):
        assert backend.cores_used(Cell(tile, 4096, 4096, 128)) == cores
    assert backend.cores_used(Cell(TILE, 128, 128, 128)) == 1


def test_half_the_cores_take_twice_as_long():
    # 132 x 8 tiles: as many whole waves on 132 cores as on 66.
    cell = Cell(TILE, 128 * 33, 128 * 32, 1024)
    times = []
    for cores in (132, 66):
        backend = TritonBackend(TritonOptions(cores=cores))
        assert backend.cube_attributes()["core_limit"] == cores
        times.append(np.median([backend.time([cell], ONE, "warm").seconds[0] for _ in range(9)]))
    assert 1.6 < times[1] / times[0] < 2.2


def test_cold_takes_longer_than_warm():
    backend = TritonBackend()
    cell = [Cell(Tile.of(64, 64, 64), 512, 512, 4096)]  # operands that fit the cache, and no time to hide loads
    warm, cold = (
        np.median([backend.time(cell, np.array([4]), cache).seconds[0] for _ in range(9)])
        for cache in ("warm", "cold")
    )
    assert cold > 1.1 * warm


def test_padded_rows_are_faster_where_rows_are_unaligned():
    cell = [Cell(TILE, 2048, 2056, 2048)]
    plain, padded = (
        np.median([TritonBackend(TritonOptions(pitch=pitch)).time(cell, ONE, "warm").seconds[0] for _ in range(3)])
        for pitch in (1, 64)
    )
    assert padded < 0.9 * plain


def test_idle_kernels_cost_a_few_microseconds():
    backend = TritonBackend()
    for store in (False, True):
        assert 0 < backend.time_idle(TILE, 132, 200, store=store) < 2e-5
    assert 0 < backend.time_bare(200) < 2e-5


def test_tiles_in_two_parts_are_there_where_they_are_asked_for():
    ordinary = TritonBackend()
    assert not set(ordinary.tiles) & set(NOT_NESTED)
    more = TritonBackend(TritonOptions(tiles=tuple(NOT_NESTED)))
    assert list(more.configuration()["variants"]) == [tile.name for tile in (*ordinary.tiles, *NOT_NESTED)]
    assert list(ordinary.configuration()["variants"]) == [tile.name for tile in ordinary.tiles]
    assert all(more.unsupported(Cell(tile, 100, 100, 100)) is None for tile in NOT_NESTED)
    assert "is none of 256x128x64, " in more.unsupported(Cell(Tile.of(128, 224, 64), 100, 100, 100))


@pytest.mark.parametrize("tile", NOT_NESTED, ids=str)
def test_tiles_in_two_parts_keep_their_registers(tile):
    """What a kernel spills it loads again in every step: no such tile would be worth measuring."""
    backend = TritonBackend()
    backend.prepare([Cell(tile, 1024, 1024, 1024), Cell(tile, 1024, 1024, 1040)])
    assert [kernel["spills"] for kernel in backend.environment()["kernels"]] == [0, 0]


@pytest.mark.parametrize("cores", [0, -1, 100_000])
def test_cores_that_are_not_there(cores):
    with pytest.raises(BackendError, match="cores must be from 1 to"):
        TritonBackend(TritonOptions(cores=cores))


def test_the_ordinary_kernel_does_not_tell_its_cores():
    with pytest.raises(BackendError, match="needs the option cores"):
        TritonBackend().cores_used(Cell(TILE, 128, 128, 128))


def test_what_a_cube_keeps():
    backend = TritonBackend(TritonOptions(pitch=64))
    assert backend.cube_attributes() == {"pitch_multiple": 64, "vector_bytes": 32}
    configuration = backend.configuration()
    backend.relative_error(Cell(TILE, 100, 100, 100))
    assert backend.configuration() == configuration
    assert backend.environment()["kernels"][0]["shared_bytes"] > 0


def test_each_device_has_its_own():
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    before = torch.cuda.memory_allocated(0)
    backend = TritonBackend(TritonOptions(device="1"))
    assert backend.relative_error(Cell(TILE, 300, 300, 300)) <= TOLERANCE["bf16"]
    assert backend.time([Cell(TILE, 300, 300, 300)], ONE, "cold").seconds[0] > 0
    assert torch.cuda.memory_allocated(0) == before
    assert torch.cuda.current_device() == 0
