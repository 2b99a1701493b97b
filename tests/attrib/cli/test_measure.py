"""attrib measure through real files and a third party's backend, found by its entry point."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attrib.cli import measure_screen
from harness.cube import STATUS, is_dense
from harness.store import open_cube
from harness.sweep.store import SweepStore

FOLDER = Path(__file__).parents[2] / "harness" / "sweep" / "stand_in"
GRID = "8,512;64,128,4096;64,256"
CELLS = 24


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages in which a third party has installed backends, one of them without its module."""
    site = tmp_path / "site"
    info = site / "third_party_gemm-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-gemm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[gemm_attrib.backends]\n"
        "fake = fake_backend:Fake\nundescribed = fake_backend:Undescribed\nbroken = no_such_module:Backend\n"
    )
    (site / "fake_backend.py").write_bytes((FOLDER / "fake_backend.py").read_bytes())
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def cube(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "cube.nc"


@pytest.fixture
def measure(attrib, site, monkeypatch):
    from harness.protocol import Protocol

    # Half a second of warm-up for each of these commands would be most of their time.
    monkeypatch.setattr(Protocol.__init__, "__defaults__", (*Protocol.__init__.__defaults__[:-1], 0.0))

    monkeypatch.setattr(measure_screen, "_STAGE_EVERY_S", 0.0)

    def run(*arguments):
        return attrib("measure", *arguments)

    return run


def files(cube):
    return sorted(path.name for path in cube.parent.iterdir())


def test_from_backend_to_cube_and_message(measure, cube):
    found = measure("--backend", "fake", "--grid", GRID, "-o", cube, "--max-repeats", "4")
    assert found.status == 0, found.err
    assert files(cube) == ["cube.nc", "cube.nc.sweep"]
    saved = open_cube(cube)
    assert is_dense(saved)
    assert (saved["status"].values == STATUS["ok"]).all()
    assert saved.sizes["repeat"] == 4
    assert saved.attrs["backend"] == "fake"
    first, *rest = found.out.splitlines()
    assert first == f"{cube}: Intel Arc B580, {CELLS} cells: {CELLS} ok; dense"
    text = "\n".join(rest)
    assert "repeats: 4 to 4 a cell; median cell: spread of one" in text
    assert "checked results: largest relative error 0.001" in text
    assert f"every repeat is kept in {cube}.sweep" in text
    stages = re.findall(r"^ +[\d.]+ s  ([a-z ]+)", found.err, re.MULTILINE)
    assert stages[0] == "compiling and warming up"
    assert {"verifying results", "rough pass", "done"} <= set(stages)


def test_json_alone_on_stdout(measure, cube):
    found = measure("--backend", "fake", "--grid", GRID, "-o", cube, "--json", "--option", "wrong_tile=64x64x32")
    facts = json.loads(found.out)
    assert found.status == 0
    assert facts["status"] == {"ok": CELLS // 2, "wrong_result": CELLS // 2}
    assert (facts["form"], facts["tiles"], facts["cells"]) == ("dense", ["64x64x32", "256x256x32"], CELLS)
    assert facts["repeats"][0] >= 4
    assert facts["median_error"] < 0.02
    assert facts["drift"].keys() == {"trend", "p_value", "range", "noise", "beyond_noise"}
    assert facts["time_s"][0] < facts["time_s"][1]
    assert "rough pass" in found.err


def test_nothing_right_is_said_as_such(measure, cube):
    found = measure("--backend", "fake", "--tiles", "64x64x32", "--grid", GRID, "-o", cube, "--option", "noise=0",
                    "--option", "wrong_tile=64x64x32")  # fmt: skip
    assert found.status == 0
    assert "no cell was measured" in found.out
    assert "wrong_result: relative error 0.5 of kernel 64x64x32" in found.out


def test_a_table_of_shapes_becomes_a_sparse_cube(measure, cube):
    table = cube.parent / "shapes.csv"
    table.write_text("M,N,K\n512,64,64\n8,100,72\n\n512,64,64\n")
    found = measure("--backend", "fake", "--shapes", table, "--tiles", "256x256x32", "-o", cube)
    assert found.status == 0, found.err
    saved = open_cube(cube)
    assert not is_dense(saved)
    assert np.stack([saved[axis].values for axis in "MNK"], axis=1).tolist() == [[8, 100, 72], [512, 64, 64]]


def test_a_dry_run_writes_nothing(measure, cube):
    plain = measure("--backend", "fake", "--grid", GRID, "-o", cube, "--dry-run")
    assert plain.status == 0, plain.err
    assert plain.out.startswith(f"{CELLS} cells, {CELLS} of them supported\n2 kernels, ")
    assert files(cube) == []
    found = json.loads(measure("--backend", "fake", "--grid", GRID, "--dry-run", "--json").out)
    assert (found["cells"], found["timings"], found["most_timings"]) == (CELLS, CELLS * 5, CELLS * 13)
    assert found["seconds"] > 0


def test_a_finished_sweep_is_not_measured_again(measure, cube):
    arguments = ("--backend", "fake", "--grid", GRID, "-o", cube)
    first = measure(*arguments)
    before = open_cube(cube)
    cube.unlink()
    again = measure(*arguments)
    assert again.status == 0
    assert "nothing left to measure" in again.err
    assert "compiling" not in again.err
    assert again.out == first.out
    np.testing.assert_array_equal(open_cube(cube)["time_repeats"].values, before["time_repeats"].values)


def test_a_lost_device_is_one_line_and_the_same_command_goes_on(measure, cube):
    settings = ("--backend", "fake", "--grid", GRID, "-o", cube)
    lost = measure(*settings, "--option", "lost_after=3")
    assert lost.status == 2
    assert lost.out == ""
    expected = f"the device fell off the bus; {cube}.sweep keeps every finished batch, the same command goes on"
    assert lost.err.splitlines()[-1] == f"attrib: {expected}"
    assert files(cube) == ["cube.nc.sweep"]
    with SweepStore(Path(f"{cube}.sweep")) as store:
        assert len(list(store.results())) == 3
    assert measure(*settings).status == 0
    assert (open_cube(cube)["status"].values == STATUS["ok"]).all()


def test_ctrl_c_says_how_to_go_on(measure, cube):
    stopped = measure("--backend", "fake", "--grid", GRID, "-o", cube, "--option", "interrupt_after=3")
    assert stopped.status == 130
    assert f"{cube}.sweep keeps every finished batch, the same command goes on" in stopped.err
    assert files(cube) == ["cube.nc.sweep"]


def test_more_repeats_are_added(measure, cube):
    for repeats in (2, 5):
        limits = ("--repeats", repeats, "--max-repeats", repeats)
        assert measure("--backend", "fake", "--grid", GRID, "-o", cube, *limits).status == 0
        assert open_cube(cube).sizes["repeat"] == repeats


def test_failed_cells_are_measured_again_on_request(measure, cube):
    settings = ("--backend", "fake", "--grid", GRID, "-o", cube, "--json")
    found = json.loads(measure(*settings, "--option", "failing_m=8").out)
    assert found["status"] == {"ok": CELLS // 2, "failed": CELLS // 2}
    assert list(found["problems"]) == ["failed: a timing of nan s"]
    assert json.loads(measure(*settings).out)["status"]["failed"] == CELLS // 2
    assert json.loads(measure(*settings, "--retry-failed").out)["status"] == {"ok": CELLS}


def test_the_list_of_backends(measure):
    found = measure("--backends")
    assert found.status == 0, found.err
    lines = found.out.splitlines()
    start = lines.index("fake: A made-up device for the tests.")
    assert lines[start + 1] == "    element types bf16, f16; cache warm"
    assert "    --option noise=...  relative standard deviation of one timing [0.01]" in lines
    assert any(
        line.startswith("broken: backend 'broken' cannot be loaded from no_such_module:Backend") for line in lines
    )
    listed = {entry["backend"]: entry for entry in json.loads(measure("--backends", "--json").out)}
    assert {"fake", "undescribed", "broken", "triton"} <= set(listed)
    assert listed["undescribed"]["cache"] == ["rotating", "warm"]
    assert {option["name"] for option in listed["fake"]["options"]} >= {"device", "noise", "sleep"}


def test_the_first_cache_state_is_the_default(measure, cube):
    assert measure("--backend", "undescribed", "--grid", "8", "-o", cube).status == 0
    assert json.loads(open_cube(cube).attrs["protocol"])["cache"] == "rotating"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", GRID], "--backend is needed"),
        (["--backend", "fake", "--grid", GRID, "-o", ""], "is a folder|-o"),
        (["--backend", "cutlass", "--grid", GRID], "backend 'cutlass' is unknown: registered are broken, fake"),
        (["--backend", "broken", "--grid", GRID], "'broken' cannot be loaded from no_such_module:Backend"),
        (["--backend", "fake", "--grid", GRID, "--option", "speed=9"], "option 'speed' is unknown here"),
        (["--backend", "fake", "--grid", GRID, "--option", "noise=loud"], "noise='loud': expected a number"),
        (["--backend", "fake", "--grid", GRID, "--option", "noise"], "'noise': expected NAME=VALUE"),
        (["--backend", "fake", "--grid", "128:64:8"], "axis '128:64:8'"),
        (["--backend", "fake", "--grid", "1:2000:1"], "8,000,000,000 shapes, more than can be measured"),
        (["--backend", "fake", "--grid", "a;b"], "grid 'a;b'"),
        (["--backend", "fake"], "give either --grid first:last:step or --shapes CSV"),
        (["--backend", "fake", "--grid", GRID, "--shapes", "x.csv"], "give either --grid"),
        (["--backend", "fake", "--shapes", "missing.csv"], "missing.csv: no such file"),
        (["--backend", "fake", "--grid", GRID, "--tiles", "64x64"], "tile '64x64' is not MxNxK"),
        (["--backend", "fake", "--grid", GRID, "--tiles", "32x32x32"], "none of the cells can run here: no kernel"),
        (["--backend", "fake", "--grid", GRID, "--dtype", "f64"], "dtype 'f64' is not offered here"),
        (["--backend", "fake", "--grid", GRID, "--cache", "hot"], "cache 'hot' is unknown"),
        (["--backend", "fake", "--grid", GRID, "--cache", "cold"], "cache 'cold' cannot be had .* expected warm"),
        (["--backend", "fake", "--grid", GRID, "--cache", "cold", "--dry-run"], "cache 'cold' cannot be had"),
        (["--backend", "fake", "--grid", GRID, "--record", "b999"], "b999"),
        (["--backend", "fake", "--grid", GRID, "--target-error", "0"], "target_error must be positive"),
        (["--backend", "fake", "--grid", GRID, "--repeats", "5", "--max-repeats", "2"], "is below repeats"),
        (["--backend", "fake", "--grid", GRID, "--option", "refuse=yes"], "this device is out of order"),
        (["--backend", "fake", "--emit-configs", "folder"], "goes with --backend sycl-tla"),
        (["--emit-configs", "folder", "--backend", "sycl-tla", "--grid", GRID], "--grid cannot go with it"),
        (["--collect", "a.sweep", "--merge", "b.nc"], "cannot be given together"),
        (["--backend", "fake", "--grid", GRID, "--device", "0", "--devices", "0,1"], "cannot be given together"),
        (
            ["--backend", "fake", "--grid", GRID, "--dask", "tcp://x:1", "--devices", "0,1"],
            "cannot be asked for at",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(measure, cube, arguments, message):
    given = arguments if "-o" in arguments else [*arguments, "-o", cube]
    assert re.search(message, measure(*given).refusal)
    assert files(cube) == []


def test_no_output_or_none_that_can_be(measure, cube):
    assert "-o CUBE is needed" in measure("--backend", "fake", "--grid", GRID).refusal
    missing = cube.parent / "missing" / "cube.nc"
    assert "does not exist" in measure("--backend", "fake", "--grid", GRID, "-o", missing).refusal
    assert "is a folder" in measure("--backend", "fake", "--grid", GRID, "-o", cube.parent).refusal
    assert files(cube) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M,N,K\n1,2,x\n", "line 2: expected M,N,K as three positive whole numbers, got 1,2,x"),
        ("M,N,K\n1,2,3\n\n4,-5,6\n", "line 4: expected M,N,K"),
        ("M,N,K\n1,2,3.5\n", "line 2"),
        ("M,N,K\n1,2,99999999999999999999\n", "line 2"),
        ("M,N\n1,2\n", "missing column K"),
        ("M,N,K,tile\n1,2,3,64x64x32\n", "column 'tile' is not heeded here"),
    ],
)
def test_a_bad_table_of_shapes(measure, cube, tmp_path, text, message):
    table = tmp_path / "shapes.csv"
    table.write_text(text)
    assert message in measure("--backend", "fake", "--shapes", table, "-o", cube).refusal
    assert files(cube) == []


def test_another_sweep_of_the_same_name_is_refused(measure, cube):
    assert measure("--backend", "fake", "--grid", GRID, "-o", cube).status == 0
    before = cube.read_bytes()
    for change, message in (
        (["--seed", "1"], "protocol.seed: 0 there, 1 here"),
        (["--option", "driver=2"], 'configuration.fake.driver: "1.0" there, "2" here'),
        (["--tiles", "64x64x32"], "other cells"),
    ):
        refusal = measure("--backend", "fake", "--grid", GRID, "-o", cube, *change).refusal
        assert f"{cube}.sweep: holds another sweep ({message})" in refusal
    assert cube.read_bytes() == before


def test_a_file_in_the_place_of_the_store(measure, cube):
    store = cube.with_name("cube.nc.sweep")
    store.write_text("precious notes\n" * 100)
    before = store.read_bytes()
    assert "not a sweep store" in measure("--backend", "fake", "--grid", GRID, "-o", cube).refusal
    assert store.read_bytes() == before
    assert files(cube) == ["cube.nc.sweep"]


def test_in_a_process_of_its_own(site, cube):
    """The installed command finds the third party's backend on PYTHONPATH."""
    command = [sys.executable, "-c", "from attrib.cli.main import main; raise SystemExit(main())", "measure"]
    settings = ["--backend", "fake", "--grid", "8", "-o", str(cube), "--json", "--repeats", "1"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([*command, *settings], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["status"] == {"ok": 2}
    assert "compiling and warming up" in done.stderr


def test_a_cube_of_an_unfinished_store_without_the_device(measure, cube):
    measure("--backend", "fake", "--grid", GRID, "-o", cube, "--repeats", "2", "--max-repeats", "2")
    other = cube.with_name("collected.nc")
    found = measure("--collect", f"{cube}.sweep", "-o", other)
    assert found.status == 0, found.err
    assert open_cube(other).identical(open_cube(cube))
    assert measure("--collect", cube.with_name("none.sweep"), "-o", other).status == 2
    assert measure("--collect", cube, "-o", other).status == 2  # a cube is no store


def test_merged_cubes(measure, cube):
    parts = [cube.with_name(name) for name in ("a.nc", "b.nc")]
    for part, seed in zip(parts, ("1", "2"), strict=True):
        run = (
            "--backend",
            "fake",
            "--grid",
            GRID,
            "-o",
            part,
            "--seed",
            seed,
            "--repeats",
            "2",
            "--max-repeats",
            "2",
        )
        assert measure(*run).status == 0
    found = measure("--merge", parts[0], "--merge", parts[1], "-o", cube)
    assert found.status == 0, found.err
    assert open_cube(cube).sizes["repeat"] == 4
    assert f"device {parts[0]}: times" in found.out
    told = json.loads(measure("--merge", parts[0], "--merge", parts[1], "-o", cube, "--json").out)
    assert [entry["timings"] for entry in told["device_offsets"]] == [2 * CELLS, 2 * CELLS]
    assert measure("--merge", parts[0], "-o", cube).status == 2


def test_rarer_settings_of_the_protocol(measure, cube):
    arguments = ("--backend", "fake", "--grid", GRID, "-o", cube, "--repeats", "1", "--max-repeats", "1")
    found = measure(*arguments, "--protocol", "max_launches=2", "--protocol", "outlier-threshold=7")
    assert found.status == 0, found.err
    declared = json.loads(open_cube(cube).attrs["protocol"])
    assert (declared["max_launches"], declared["outlier_threshold"]) == (2, 7.0)
    for wrong in ("repeats=3", "max_launches=many", "max_launches"):
        refused = measure(*arguments, "--protocol", wrong)
        assert refused.status == 2
        assert refused.err.count("\n") == 1
