"""The twin as a backend: reproducible timings, planned trouble, and cubes that say what they are."""

import json
from time import perf_counter

import numpy as np
import pytest

from harness.backends.backend import BackendOptions, Cell
from harness.backends.twin import TwinBackend, TwinOptions
from harness.device import load_device
from harness.errors import AttribError, BackendError, InputError
from harness.protocol import TOLERANCE
from harness.tile import Tile
from harness.twin import Twin

TILES = Twin().tiles
CELLS = [Cell(tile, M, 512, 1024) for tile in TILES for M in (128, 384, 1024)]
ONES = np.ones(len(CELLS), dtype=np.int64)


def timed(options=None, cache="warm", backend=None):
    return (backend or TwinBackend(options)).time(CELLS, ONES, cache).seconds


def test_without_noise_it_is_the_twin():
    expected = [float(Twin().seconds(cell.M, cell.N, cell.K, cell.tile)) for cell in CELLS]
    np.testing.assert_array_equal(timed(TwinOptions(noise=False)), expected)


def test_passes_differ_by_noise_and_runs_do_not():
    first, second = TwinBackend(), TwinBackend()
    passes = np.array([timed(backend=first) for _ in range(5)])
    assert np.all(passes.std(axis=0) > 0)
    assert np.all(passes.std(axis=0) < 0.003 * passes.mean(axis=0))
    np.testing.assert_array_equal(passes, [timed(backend=second) for _ in range(5)])
    assert np.all(timed(TwinOptions(seed=1)) != passes[0])


def test_the_order_of_cells_does_not_matter():
    shuffled = np.random.default_rng(0).permutation(len(CELLS))
    found = TwinBackend().time([CELLS[i] for i in shuffled], ONES, "warm").seconds
    np.testing.assert_array_equal(found, timed()[shuffled])


def test_a_cell_asked_for_twice_in_one_call_is_two_repeats():
    found = TwinBackend().time([CELLS[0]] * 2, np.ones(2, dtype=np.int64), "warm").seconds
    assert found[0] != found[1]


def test_cold_caches():
    assert np.all(timed(TwinOptions(noise=False), "cold") >= timed(TwinOptions(noise=False)))
    with pytest.raises(BackendError, match="rotating"):
        timed(cache="rotating")


def test_drift_grows_over_the_session():
    backend = TwinBackend(TwinOptions(noise=False, drift=0.1, drift_cells=100))
    first, second = timed(backend=backend), timed(backend=backend)
    assert first[0] == timed(TwinOptions(noise=False))[0]
    np.testing.assert_allclose(second - first, 0.1 * len(CELLS) / 100 * timed(TwinOptions(noise=False)))


def test_pace_takes_real_time():
    backend = TwinBackend(TwinOptions(pace=0.01))
    timed(TwinOptions())  # compiled
    began = perf_counter()
    timed(backend=backend)
    assert perf_counter() - began >= 0.01 * len(CELLS)


def test_planned_trouble():
    backend = TwinBackend(TwinOptions(wrong="64x64x32", broken="256x256x32, 64x128x32"))
    found = backend.time(CELLS, ONES, "warm")
    failed = [i for i, cell in enumerate(CELLS) if cell.tile.name in ("256x256x32", "64x128x32")]
    assert sorted(found.problems) == failed
    assert all(problem.status == "failed" for problem in found.problems.values())
    assert np.isnan(found.seconds[failed]).all()
    assert np.isfinite(np.delete(found.seconds, failed)).all()
    limit = TOLERANCE[backend.dtype_out]
    assert [backend.relative_error(Cell(tile, 8, 8, 8)) > limit for tile in TILES] == [
        tile.name == "64x64x32" for tile in TILES
    ]


def test_what_the_kernel_cannot_run():
    backend = TwinBackend()
    assert backend.unsupported(Cell(TILES[0], 3, 8, 8)) is None
    assert "N = 12" in backend.unsupported(Cell(TILES[0], 8, 12, 8))
    assert "K = 4" in backend.unsupported(Cell(TILES[0], 8, 8, 4))
    assert "32x32x32" in backend.unsupported(Cell(Tile.parse("32x32x32"), 8, 8, 8))


def test_everything_is_labelled_simulated():
    backend = TwinBackend(TwinOptions(off="wave fill, channel hash"))
    assert backend.device.simulated
    assert backend.device.id == "b580-twin"
    assert backend.cube_attributes()["simulated"] == 1
    configuration = backend.configuration()
    assert json.loads(json.dumps(configuration)) == configuration
    assert configuration["off"] == ["channel hash", "wave fill"]
    with pytest.raises(BackendError, match="real hardware"):
        _ = TwinBackend(TwinOptions(record=load_device("b580"))).device


def test_configurations_differ_where_timings_do():
    plain = TwinBackend().configuration()
    for options in (
        TwinOptions(seed=1),
        TwinOptions(noise=False),
        TwinOptions(off="wave fill"),
        TwinOptions(drift=1.0),
    ):
        assert TwinBackend(options).configuration() != plain
    assert TwinBackend(TwinOptions(pace=1.0)).configuration() == plain


def test_plain_options_are_enough():
    assert TwinBackend(BackendOptions(seed=4)).configuration()["seed"] == 4


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (TwinOptions(off="tail"), InputError),
        (TwinOptions(broken="large"), InputError),
        (TwinOptions(device="card"), BackendError),
        (TwinOptions(drift=-1.0), BackendError),
        (TwinOptions(pace=-1.0), BackendError),
        (TwinOptions(dtype="f64"), BackendError),
    ],
)
def test_options_without_a_meaning(options, error):
    with pytest.raises(error):
        TwinBackend(options)


def test_launch_counts_are_checked():
    with pytest.raises(AttribError, match="launch counts"):
        TwinBackend().time(CELLS[:2], np.array([1]), "warm")
