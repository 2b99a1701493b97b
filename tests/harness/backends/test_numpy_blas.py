"""The BLAS of this machine's processor, really run."""

import numpy as np
import pytest

from harness.backends.backend import Cell
from harness.backends.numpy_blas import NumpyBlasBackend, NumpyOptions
from harness.device import load_device
from harness.errors import BackendError
from harness.protocol import TOLERANCE
from harness.tile import VENDOR, Tile

HIDDEN = Tile.parse(VENDOR)


def cell(*sizes):
    return Cell(HIDDEN, *sizes)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("pitch", [1, 7, 64])
@pytest.mark.parametrize("shape", [(64, 48, 32), (33, 65, 17), (1, 50, 9), (50, 1, 9), (1, 1, 1)])
def test_results_are_right(dtype, pitch, shape):
    error = NumpyBlasBackend(NumpyOptions(dtype=dtype, pitch=pitch)).relative_error(cell(*shape))
    assert error <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_wrong_result_shows(dtype, monkeypatch):
    backend = NumpyBlasBackend(NumpyOptions(dtype=dtype))
    right = np.matmul

    def slightly_wrong(a, b, out):
        right(a, b, out=out)
        out[-1, -1] *= 1.1

    monkeypatch.setattr(np, "matmul", slightly_wrong)
    assert backend.relative_error(cell(40, 30, 20)) > TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_an_output_that_is_not_written_shows(dtype, monkeypatch):
    backend = NumpyBlasBackend(NumpyOptions(dtype=dtype))
    monkeypatch.setattr(np, "matmul", lambda *_, out: out)
    assert backend.relative_error(cell(40, 30, 20)) == float("inf")


@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_times_grow_with_the_work(cache):
    backend = NumpyBlasBackend(NumpyOptions(threads=1, record=load_device("cpu")))
    backend._displaced = np.empty(1 << 20, dtype=np.uint8)  # a small cache, for a quick test
    cells = [cell(16, 16, 16), cell(400, 400, 400)]
    backend.prepare(cells)
    found = backend.time(cells, np.array([4, 4]), cache)
    assert not found.problems
    assert 0 < found.seconds[0] < found.seconds[1] / 20


def test_calls_of_a_series(monkeypatch):
    """Warm, one untimed call precedes a series; cold, the cache is displaced before every call."""
    backend = NumpyBlasBackend(NumpyOptions(record=load_device("cpu")))
    calls = []

    class Displaced:
        def fill(self, _):
            calls.append("displace")

    backend._displaced = Displaced()
    monkeypatch.setattr(np, "matmul", lambda *_, **__: calls.append("call"))
    backend.time([cell(8, 8, 8)], np.array([3]), "warm")
    assert calls == ["call"] * 4
    calls.clear()
    backend.time([cell(8, 8, 8)], np.array([2]), "cold")
    assert calls == ["displace", "call"] * 2


def test_a_cell_without_memory_is_a_problem_of_its_own(monkeypatch):
    backend = NumpyBlasBackend()
    reserve = backend._reserve

    def small_machine(name, elements):
        if elements > 1000:
            raise MemoryError
        return reserve(name, elements)

    monkeypatch.setattr(backend, "_reserve", small_machine)
    found = backend.time([cell(8, 8, 8), cell(100, 100, 100)], np.array([1, 1]), "warm")
    assert np.isfinite(found.seconds).tolist() == [True, False]
    assert found.problems[1].status == "failed"


def test_threads_are_set_while_it_works_only():
    backend = NumpyBlasBackend(NumpyOptions(threads=1))
    before = backend._libraries[0]["num_threads"]
    configuration = backend.configuration()
    assert {library["num_threads"] for library in configuration["blas"]} == {1}
    assert configuration["threads"] == 1
    assert NumpyBlasBackend().configuration()["blas"][0]["num_threads"] == before
    assert backend.cube_attributes() == {"pitch_multiple": 1, "core_limit": 1}


def test_operands_have_the_asked_pitch():
    backend = NumpyBlasBackend(NumpyOptions(pitch=64))
    a, b, d = backend._view(cell(10, 70, 64))
    assert (a.shape, b.shape, d.shape) == ((10, 64), (64, 70), (10, 70))
    assert (a.strides[0], b.strides[0], d.strides[0]) == (4 * 64, 4 * 128, 4 * 128)
    assert backend.cube_attributes()["pitch_multiple"] == 64
    assert backend.cube_attributes()["core_limit"] >= 1


def test_what_it_refuses():
    backend = NumpyBlasBackend()
    assert "cannot be asked for" in backend.unsupported(Cell(Tile.of(64, 64, 64), 1, 1, 1))
    assert "do not fit" in backend.unsupported(cell(1 << 21, 1 << 21, 1))
    assert backend.unsupported(cell(100, 100, 100)) is None
    with pytest.raises(BackendError, match="warm or cold"):
        backend.time([cell(1, 1, 1)], np.array([1]), "rotating")
    for options in ({"dtype": "bf16"}, {"threads": 0}, {"pitch": 0}, {"device": "1"}):
        with pytest.raises(BackendError, match=r"expected|at least|positive"):
            NumpyBlasBackend(NumpyOptions(**options))


def test_vectors_are_another_kernel():
    backend = NumpyBlasBackend()
    assert backend.kernel_of(cell(1, 9, 9)) == backend.kernel_of(cell(9, 1, 9)) != backend.kernel_of(cell(9, 9, 1))
