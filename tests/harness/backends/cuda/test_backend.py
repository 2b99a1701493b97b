"""What the CUDA backends share, with a toy kernel on the stand-in for CUDA."""

from functools import partial

import numpy as np
import pytest

from harness.backends.backend import Cell
from harness.backends.cuda import backend as cuda_backend
from harness.backends.cuda.backend import CudaBackend, CudaOptions
from harness.errors import BackendError
from harness.tile import Tile

TILE = Tile.of(64, 64, 64)


class Toy(CudaBackend):
    """Kernels of M microseconds; those of N = 13 cannot be compiled."""

    tiles = (TILE,)

    def _prepare_kernels(self, cells):
        pass

    def _broken_kernel(self, cell):
        return "no such kernel" if cell.N == 13 else None

    def _launcher(self, cell):
        if cell.N == 17:
            return partial(self._fail)
        return partial(self._torch.cuda.streams[self._index].run, 1e-6 * cell.M)

    def _fail(self):
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might...")


@pytest.fixture
def make(monkeypatch, stand_in_torch):
    monkeypatch.setattr(cuda_backend, "import_cuda_torch", lambda: stand_in_torch)
    return lambda **options: Toy(CudaOptions(**options))


def cells(*sizes):
    return [Cell(TILE, m, n, 64) for m, n in sizes]


@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_times(make, cache):
    found = make().time(cells((5, 64), (20, 64), (7, 64)), np.array([1, 2, 3]), cache)
    np.testing.assert_allclose(found.seconds, [5e-6, 20e-6, 7e-6], rtol=1e-3)
    assert not found.problems


def test_a_kernel_that_cannot_be_compiled_is_the_problem_of_its_cells(make):
    found = make().time(cells((5, 64), (20, 13), (7, 64)), np.array([1, 2, 3]), "warm")
    np.testing.assert_allclose(found.seconds, [5e-6, np.nan, 7e-6], rtol=1e-3)
    assert {row: (problem.status, problem.reason) for row, problem in found.problems.items()} == {
        1: ("failed", "no such kernel")
    }


def test_a_lost_device_stops_the_sweep_with_one_line(make):
    with pytest.raises(BackendError, match="illegal memory access") as caught:
        make().time(cells((5, 17)), np.array([1]), "warm")
    assert "\n" not in str(caught.value)


def test_an_unknown_cache_state(make):
    with pytest.raises(BackendError, match="warm or cold"):
        make().time(cells((5, 64)), np.array([1]), "rotating")


def test_a_second_device_gets_everything(make, stand_in_torch):
    backend = make(device="cuda:1")
    backend.time(cells((5, 64)), np.array([2]), "cold")
    assert stand_in_torch.cuda.streams[0].launched == 0
    assert {device for _, _, device in stand_in_torch.allocated} == {"cuda:1"}
    assert backend.configuration()["uuid"] == "uuid-1"


@pytest.mark.parametrize(
    ("device", "message"),
    [("2", "no CUDA device 2: torch sees 2"), ("gpu", "no CUDA index"), ("-1", "no CUDA index")],
)
def test_a_device_that_is_not_there(make, device, message):
    with pytest.raises(BackendError, match=message):
        make(device=device)


@pytest.mark.parametrize("pitch", [0, -8, 1.5])
def test_a_pitch_that_is_none(make, pitch):
    with pytest.raises(BackendError, match="pitch must be a positive whole number"):
        make(pitch=pitch)


def test_room_for_padded_rows(make, stand_in_torch):
    make(pitch=64).prepare(cells((100, 65), (10, 200)))
    flat = [elements for elements, dtype, _ in stand_in_torch.allocated if dtype == "bfloat16"]
    assert flat == [100 * 64, 64 * 256, 100 * 128]


def test_cells_beyond_the_memory_are_unsupported(make):
    backend = make()
    assert backend.unsupported(Cell(TILE, 1000, 1000, 1000)) is None
    assert "do not fit" in backend.unsupported(Cell(TILE, 40000, 40000, 64))


def test_what_a_cube_keeps(make):
    backend = make(pitch=32, dtype="f16")
    configuration = backend.configuration()
    assert configuration == backend.configuration()
    assert configuration["dtype"] == "f16"
    assert backend.cube_attributes() == {"pitch_multiple": 32}
    assert backend.device.id == "h200"
    backend.time(cells((5, 64)), np.array([1]), "warm")
    assert backend.configuration() == configuration
    assert backend.environment()["groups"] >= 1


def test_a_dtype_that_is_not_offered(make):
    with pytest.raises(BackendError, match="bf16 or f16"):
        make(dtype="f32")
