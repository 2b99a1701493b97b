"""From the store to the cube."""

import dataclasses
import json

import numpy as np
import pytest
from fake_backend import QUICK, SHAPES, Fake, fake, make_table, sweep, true_seconds

from harness.backends import Problem
from harness.cube import STATUS, is_dense, validate
from harness.errors import BackendError, CubeError, InputError
from harness.samples import Samples
from harness.store import open_cube, save_cube
from harness.sweep.collect import cube_of, grid_axes
from harness.sweep.store import SweepStore

SPARSE = SHAPES[[0, 3, 7, 8, 21]]


def flat(cube, name):
    """A variable of a dense cube in the order of the cell table."""
    return cube[name].values.reshape(len(make_table()), *cube[name].values.shape[4:])


@pytest.mark.parametrize("shapes", [SHAPES, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_cube_survives_the_disk(store, tmp_path, shapes, suffix):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    sweep(store, table=make_table(shapes=shapes))
    cube = cube_of(store)
    assert is_dense(cube) == (shapes is SHAPES)
    save_cube(cube, tmp_path / f"cube{suffix}")
    again = open_cube(tmp_path / f"cube{suffix}")
    validate(again)
    for name in cube.variables:
        np.testing.assert_array_equal(again[name].values, cube[name].values)
    assert set(again.attrs) == set(cube.attrs)
    assert json.loads(again.attrs["drift"]) == json.loads(cube.attrs["drift"])


def test_the_cube_says_what_was_measured(store):
    tally = sweep(store)
    cube = cube_of(store)
    table = make_table()
    truth = np.array([true_seconds(cell) for cell in table.cells(range(len(table)))])
    np.testing.assert_array_equal(flat(cube, "time_repeats"), tally.repeats)
    np.testing.assert_array_equal(flat(cube, "time"), np.median(tally.repeats, axis=1))
    np.testing.assert_allclose(flat(cube, "time"), truth, rtol=0.1)
    np.testing.assert_array_equal(flat(cube, "launches"), tally.launches)
    expected = tally.precision(QUICK).error * np.median(tally.repeats, axis=1)
    np.testing.assert_allclose(flat(cube, "time_error"), expected)
    assert cube["time_error"].attrs["units"] == "s"
    assert (flat(cube, "outliers") == 0).all()
    assert "repeat_device" not in cube
    assert (flat(cube, "status") == STATUS["ok"]).all()
    drift = json.loads(cube.attrs["drift"])
    assert len(drift["sentinels"]) == QUICK.sentinels
    assert json.loads(cube.attrs["protocol"])["repeats"] == 3
    assert cube.attrs["seed"] == 4
    assert cube.attrs["measured_at"].startswith("20")
    assert json.loads(cube.attrs["software"])["fake"]["driver"] == "1.0"
    assert json.loads(cube.attrs["largest_relative_error"]) == {"64x64x32": 1e-3, "256x256x32": 1e-3}


def test_every_problem_has_its_status_and_reason(store):
    cells = make_table().cells([7, 9, 30])
    backend = fake(wrong_tile="256x256x32")
    backend.smallest_m = 500
    backend.answers = {cells[0]: Problem("failed", "out of memory"), cells[1]: np.nan}
    sweep(store, backend)
    cube = cube_of(store)
    status = flat(cube, "status")
    table = make_table()
    small = table.shapes[:, 0] < 500
    assert (status[small] == STATUS["unsupported"]).all()
    assert (status[~small & (table.tile == 1)] == STATUS["wrong_result"]).all()
    assert status[[7, 9]].tolist() == [STATUS["failed"]] * 2
    assert (status == STATUS["ok"]).sum() == 18 - 2
    problems = json.loads(cube.attrs["problems"])
    assert problems == {
        "failed: out of memory": ["1 cells", "64x64x32 512x64x256"],
        "failed: a timing of nan s": ["1 cells", "64x64x32 512x128x256"],
        "wrong_result: relative error 0.5 of kernel 256x256x32, above 0.01": [
            "18 cells",
            "256x256x32 512x64x64",
            "256x256x32 512x128x64",
            "256x256x32 1024x64x64",
        ],
        "unsupported: M is below 500": ["12 cells", *(f"64x64x32 8x{nk}" for nk in ("64x64", "64x256", "128x64"))],
    }
    for name in ("time", "time_error", "time_spread"):
        assert np.isfinite(flat(cube, name)).tolist() == (status == STATUS["ok"]).tolist()


def test_models_see_only_what_is_ok(store):
    backend = fake(wrong_tile="256x256x32")
    backend.answers = {make_table().cells([7])[0]: Problem("failed", "no")}
    sweep(store, backend)
    samples = Samples.from_cube(cube_of(store))
    assert samples.size == len(SHAPES) - 1
    assert {samples.tiles[i].name for i in samples.tile} == {"64x64x32"}


def test_a_kernel_found_wrong_later_loses_its_times(path):
    with SweepStore(path) as store:
        sweep(store, protocol=dataclasses.replace(QUICK, verified_per_kernel=0))
        assert (flat(cube_of(store), "status") == STATUS["ok"]).all()
    backend = Fake()
    backend.wrong = {make_table().cells([2])[0]: np.nan}
    with SweepStore(path) as store:
        sweep(store, backend, protocol=dataclasses.replace(QUICK, verified_per_kernel=99))
        cube = cube_of(store)
    status = flat(cube, "status")
    assert (status == np.where(make_table().tile == 0, STATUS["wrong_result"], STATUS["ok"])).all()
    assert np.isnan(flat(cube, "time_repeats")[status != STATUS["ok"]]).all()


def test_an_outlier_is_counted_and_kept(store):
    class Hiccup(Fake):
        def seconds(self, cell, number_of_pass):
            slow = 8 if number_of_pass == 2 and (cell.M, cell.N) == (512, 64) else 1
            return slow * super().seconds(cell, number_of_pass)

    sweep(store, Hiccup())
    cube = cube_of(store)
    found = cube["outliers"].values
    assert found.sum() == 4
    assert (cube["outliers"].sel(M=512, N=64) == 1).all()
    repeats = cube["time_repeats"].sel(M=512, N=64)
    assert (repeats.max("repeat") > 6 * repeats.median("repeat")).all()


@pytest.mark.parametrize("calls", [0, 1, 4, 9])
def test_an_unfinished_sweep_gives_a_cube(path, tmp_path, calls):
    backend = fake(lost_after=calls)
    backend.batch_cells = 12
    with SweepStore(path) as store, pytest.raises(BackendError):
        sweep(store, backend)
    with SweepStore(path) as store:
        cube = cube_of(store)
    status = flat(cube, "status")
    measured = min(calls - 4, 4) * 12 if calls > 4 else 0
    if calls < 9:
        assert set(status) == {STATUS["not_measured"]}
        with pytest.raises(CubeError, match="nothing to fit"):
            Samples.from_cube(cube)
    else:
        assert 0 < (status == STATUS["ok"]).sum() <= measured
    save_cube(cube, tmp_path / "part.nc")
    assert open_cube(tmp_path / "part.nc").attrs["kernel_seconds"] >= 0


def test_all_kernels_wrong(store):
    backend = Fake()
    table = make_table()
    backend.wrong = dict.fromkeys(table.cells(range(len(table))), 0.5)
    sweep(store, backend)
    cube = cube_of(store)
    assert (cube["status"].values == STATUS["wrong_result"]).all()


def test_all_cells_failed(store):
    backend = Fake()
    table = make_table()
    backend.answers = dict.fromkeys(table.cells(range(len(table))), Problem("failed", "no"))
    sweep(store, backend)
    cube = cube_of(store)
    assert (cube["status"].values == STATUS["failed"]).all()
    assert json.loads(cube.attrs["drift"])["trend"] is None


def test_a_single_repeat_has_no_spread(store):
    sweep(store, protocol=dataclasses.replace(QUICK, repeats=1, max_repeats=1))
    cube = cube_of(store)
    assert np.isnan(cube["time_spread"].values).all()
    assert np.isnan(cube["time_error"].values).all()
    assert np.isfinite(cube["time"].values).all()


class Late(Fake):
    """The same device in another host: a later start on it."""

    def __init__(self, label, slower):
        super().__init__()
        self.label, self.slower = label, slower

    def configuration(self):
        return {"uuid": self.label}


def test_repeats_of_several_devices(store, monkeypatch):
    monkeypatch.setattr("harness.sweep.run.fingerprint", lambda *_: {})
    two = dataclasses.replace(QUICK, repeats=2, max_repeats=2)
    sweep(store, Late("A", 0.0), protocol=two)
    sweep(store, Late("B", 0.1), protocol=dataclasses.replace(two, repeats=4, max_repeats=4))
    cube = cube_of(store)
    assert json.loads(cube.attrs["device_labels"]) == ["A", "B"]
    assert flat(cube, "repeat_device")[0].tolist() == [0, 0, 1, 1]
    offsets = json.loads(cube.attrs["device_offsets"])
    assert offsets[1]["fraction"] - offsets[0]["fraction"] == pytest.approx(0.1, abs=0.01)
    # The devices' paces are no drift.
    assert json.loads(cube.attrs["drift"])["range"] < 0.07


def test_nothing_was_begun(store):
    with pytest.raises(InputError, match="no sweep was begun"):
        cube_of(store)


def test_grids_are_told_from_lists():
    assert [axis.tolist() for axis in grid_axes(make_table())] == [[8, 512, 1024, 2048], [64, 128, 4096], [64, 256]]
    assert grid_axes(make_table(shapes=SHAPES[::-1])) is None
    assert grid_axes(make_table(shapes=SHAPES[:-1])) is None
    assert [axis.size for axis in grid_axes(make_table(shapes=SHAPES[:1]))] == [1, 1, 1]


def test_many_starts_and_reasons_fit_into_the_cube(path, tmp_path):
    """Attributes have no practical limit: a reason for every cell and hundreds of starts are kept."""

    class Wordy(Fake):
        def unsupported(self, cell):
            return f"no {'really, ' * 400} {cell}" if cell.M == 8 else None

        def environment(self):
            return {"state": "x" * 5000}

    for _ in range(30):
        with SweepStore(path) as store:
            sweep(store, Wordy())
    with SweepStore(path) as store:
        cube = cube_of(store)
    save_cube(cube, tmp_path / "cube.nc")
    again = open_cube(tmp_path / "cube.nc")
    assert {entry["start"] for entry in json.loads(again.attrs["environment"])} == set(range(1, 31))
    assert again.attrs["problems"] == cube.attrs["problems"]
