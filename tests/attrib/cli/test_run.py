"""``attrib run``: the whole folder, or none of it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

import attrib.report.page
import harness.landscapes
from attrib.cli.main import main
from attrib.cli.run import BUNDLED_ALSO, BUNDLED_GRID, FILES
from attrib.plan import Plan
from harness.errors import InputError
from harness.store import save_cube
from models.model_file import open_model

SCHEMA = Path(__file__).parents[3].parent / "shared" / "summary.schema.json"


@pytest.fixture(scope="module")
def pair_file(coarse, tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "pair.nc"
    save_cube(coarse.isel(tile=[0, 1]), path)
    return path


@pytest.fixture(scope="module")
def folder(pair_file, tmp_path_factory):
    """A folder that ``attrib run`` filled."""
    path = tmp_path_factory.mktemp("run") / "report"
    assert main(["run", str(pair_file), "-o", f"{path}/"]) == 0
    return path


def test_the_folder_holds_all_four_files_and_nothing_else(folder):
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    (ordinary := folder.parent.parent / "ordinary").mkdir(exist_ok=True)
    assert oct(folder.stat().st_mode) == oct(ordinary.stat().st_mode)
    page = (folder / "report.html").read_text()
    assert "</html>" in page
    assert Plan.open(folder / "plan.nc").stage == "best tile + pad + split"
    fit = open_model(folder / "model.json")
    assert json.loads((folder / "summary.json").read_text())["fit"] == fit.to_contract()


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schema of the contract is not here")
def test_the_summary_follows_the_contract(folder):
    summary = json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)
    jsonschema.validate(summary, json.loads(SCHEMA.read_text()))


def test_numbers_and_the_way_to_the_report_are_said(attrib, one_tile_file, model_file, tmp_path):
    ended = attrib("run", one_tile_file, "--model", model_file, "-o", tmp_path / "report")
    assert ended.status == 0
    assert ended.out.splitlines()[-1] == f"report: {tmp_path / 'report' / 'report.html'}"
    assert "held-out error" in ended.out
    assert "coverage of the 90 % interval" in ended.out
    assert "fixed 256x128x64 + pad + split" in ended.out
    assert "writing the report" in ended.err
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out + ended.err
    assert open_model(tmp_path / "report" / "model.json").to_contract() == open_model(model_file).to_contract()


def test_json_is_the_summary_and_the_files(attrib, one_tile_file, model_file, tmp_path):
    ended = attrib("run", one_tile_file, "--model", model_file, "-o", tmp_path / "report", "--json")
    data = json.loads(ended.out)
    files = data.pop("files")
    assert data == json.loads((tmp_path / "report" / "summary.json").read_text())
    assert files == {Path(name).stem: str(tmp_path / "report" / name) for name in FILES}


def test_a_folder_that_is_there_keeps_its_other_files(attrib, sparse_file, folder, model_file, tmp_path):
    target = tmp_path / "report"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    for name in FILES:
        (target / name).write_bytes((folder / name).read_bytes())
    ended = attrib("run", sparse_file, "--model", model_file, "-o", target)
    assert ended.status == 0
    # Samples without a grid have no plan: that of the run before would tell of another cube.
    assert {path.name for path in target.iterdir()} == {"notes.txt", *FILES} - {"plan.nc"}
    assert (target / "notes.txt").read_text() == "mine"
    assert json.loads((target / "summary.json").read_text())["cube"]["form"] == "sparse"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("raised", "status"), [(InputError("no"), 2), (KeyboardInterrupt(), 130), (OSError(28, "No space left"), 2)]
)
def test_a_run_that_fails_late_leaves_everything_as_it_was(
    attrib, contents, monkeypatch, one_tile_file, model_file, tmp_path, there, raised, status
):
    target = tmp_path / "report"
    if there:
        target.mkdir()
        (target / "summary.json").write_text("old")
    before = contents(tmp_path)

    def stop(_, path, *links):
        Path(path).write_text("<html>half")
        raise raised

    monkeypatch.setattr(attrib_page, "write_report", stop)
    ended = attrib("run", one_tile_file, "--model", model_file, "-o", target)
    assert ended.status == status
    assert ended.err.splitlines()[-1].startswith("attrib: ")
    assert contents(tmp_path) == before


attrib_page = attrib.report.page


def test_a_file_in_the_place_of_the_folder_is_refused(attrib, contents, one_tile_file, tmp_path):
    (tmp_path / "report").write_text("a file")
    before = contents(tmp_path)
    assert (
        "is a file, expected the name of a folder"
        in attrib("run", one_tile_file, "-o", tmp_path / "report").refusal
    )
    assert contents(tmp_path) == before


def test_ctrl_c_leaves_nothing_behind(cube_file, tmp_path):
    program = "import sys; from attrib.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", str(cube_file), "-o", "report"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background with interrupts ignored, and the tests may run there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    first = process.stderr.readline()  # the work has begun
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "counting cores" in first
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "attrib: interrupted"
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_without_a_cube_the_bundled_ones_are_used(attrib, monkeypatch, coarse, tmp_path):
    opened = []

    def bundled(name):
        opened.append(name)
        part = coarse.isel(tile=[0])
        return part if name == BUNDLED_GRID else part.isel(K=[0])

    monkeypatch.setattr(harness.landscapes, "bundled_cube", bundled)
    monkeypatch.chdir(tmp_path)
    assert attrib("run").status == 0
    assert opened == [BUNDLED_GRID, *BUNDLED_ALSO]
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(FILES)
