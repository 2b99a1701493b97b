"""The entry point: help in the order of use, exit statuses, and one line for everything that goes wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness.device
from attrib.cli.main import main
from harness.device import load_device
from harness.errors import AttribError
from harness.store import save_cube

COMMANDS = [
    "devices",
    "measure",
    "import",
    "fit",
    "diagnose",
    "attribute",
    "period",
    "claims",
    "optimize",
    "predict",
    "run",
]
PROGRAM = [sys.executable, "-c", "import sys; from attrib.cli.main import main; sys.exit(main())"]


def test_help_lists_the_commands_in_the_order_of_use(attrib):
    ended = attrib("--help")
    assert ended.status == 0
    listed = re.findall(r"^  ([a-z]+)  +\S", ended.out.split("Commands:")[1], re.MULTILINE)
    assert listed[: len(COMMANDS)] == COMMANDS
    assert "..." not in ended.out.split("Commands:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example_and_speaks_json(attrib, command):
    ended = attrib(command, "--help")
    assert ended.status == 0
    assert f"Example:  attrib {command}" in ended.out
    assert "--json" in ended.out


def test_version(attrib):
    assert re.fullmatch(r"attrib \d+\.\d+\.\d+\n", attrib("--version").out)


def test_without_a_command_help_goes_to_stderr(attrib):
    ended = attrib()
    assert ended.status == 2
    assert ended.out == ""
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["measur"], "No such command 'measur'"),
        (["fit"], "Missing argument"),
        (["fit", "--frobnicate"], "No such option: --frobnicate"),
        (["fit", "cube.nc", "--seed", "x"], "Invalid value for '--seed'"),
        (["fit", "cube.nc", "--draws", "1"], "Invalid value for '--draws'"),
        (["import", "t.csv", "-o", "c.nc"], "Missing option '--device'"),
        (["import", "t.csv", "--device", "b580"], "Missing option '-o'"),
        (["run", "a.nc", "b.nc"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line(attrib, arguments, said):
    refusal = attrib(*arguments).refusal
    assert said in refusal
    assert "--help')" in refusal


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (AttribError("two\n  lines"), 2, "attrib: two lines\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "attrib: /x: Permission denied\n"),
        (KeyboardInterrupt(), 130, "attrib: interrupted\n"),
    ],
)
def test_whatever_stops_a_command_is_one_line(attrib, monkeypatch, raised, status, line):
    def stop(_):
        raise raised

    monkeypatch.setattr(harness.device, "load_device", stop)
    ended = attrib("devices", "b580")
    assert (ended.status, ended.out, ended.err) == (status, "", line)


def test_defects_of_the_program_keep_their_traceback(monkeypatch):
    def stop(_):
        raise ZeroDivisionError

    monkeypatch.setattr(harness.device, "load_device", stop)
    with pytest.raises(ZeroDivisionError):
        main(["devices", "b580"])


def test_the_installed_program_refuses_with_one_line(tmp_path):
    ended = subprocess.run(
        [*PROGRAM, "fit", "nowhere.nc"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "attrib: nowhere.nc: no such file\n"


def test_a_closed_pipe_is_no_complaint():
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*PROGRAM, "devices", "h200"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert ended.stderr == ""
    assert ended.returncode == 1


READERS = {
    "fit": ["fit"],
    "attribute": ["attribute"],
    "optimize": ["optimize"],
    "run": ["run"],
}


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_half_written_cube_is_refused(attrib, contents, cube_file, tmp_path, command, kept):
    whole = cube_file.read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: int(kept * len(whole))])
    before = contents(tmp_path)
    refusal = (
        attrib(command, tmp_path / "half.nc", "-o", tmp_path / "out")
        if command != "attribute"
        else attrib(command, tmp_path / "half.nc")
    )
    assert "half.nc" in refusal.refusal
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("kind", ["missing", "folder", "model", "plan", "text", "binary"])
def test_a_file_of_another_kind_is_no_cube(attrib, contents, model_file, plan_file, tmp_path, command, kind):
    path = tmp_path / "thing.nc"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        other = {"text": b"M,N,K\n1,2,3\n", "binary": bytes(range(256)) * 40}
        source = {"model": model_file, "plan": plan_file}.get(kind)
        path.write_bytes(other[kind] if source is None else source.read_bytes())
    before = contents(tmp_path)
    output = [] if command == "attribute" else ["-o", tmp_path / "out"]
    assert "thing.nc" in attrib(command, path, *output).refusal
    assert contents(tmp_path) == before


@pytest.fixture(scope="module")
def plan_file(cube_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.nc"
    assert main(["optimize", str(cube_file), "-o", str(path)]) == 0
    return path


WRITERS = {
    "import": ["import", "table.csv", "--device", "b580", "-o"],
    "fit": ["fit", "CUBE", "-o"],
    "optimize": ["optimize", "CUBE", "-o"],
    "header": ["optimize", "CUBE", "--header"],
    "predict": ["predict", "MODEL", "--shape", "256,256,256", "-o"],
    "run": ["run", "CUBE", "-o"],
}


def filled(words, cube_file, model_file):
    return [{"CUBE": cube_file, "MODEL": model_file}.get(word, word) for word in words]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_missing_folder_is_refused_before_the_work(
    attrib, contents, cube_file, model_file, tmp_path, monkeypatch, writer
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("M,N,K,time_s\n256,256,256,1e-5\n")
    before = contents(tmp_path)
    refusal = attrib(*filled(WRITERS[writer], cube_file, model_file), tmp_path / "none" / "out").refusal
    assert re.search(r"none/out.*: the folder \S*none does not exist", refusal)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_an_unwritable_folder_is_refused_before_the_work(
    attrib, cube_file, model_file, tmp_path, monkeypatch, writer
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("M,N,K,time_s\n256,256,256,1e-5\n")
    refusal = attrib(*filled(WRITERS[writer], cube_file, model_file), "/proc/out").refusal
    assert "/proc/out" in refusal
    assert "cannot write" in refusal


@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "run"])
def test_a_folder_in_the_place_of_the_output_is_refused(
    attrib, contents, cube_file, model_file, tmp_path, monkeypatch, writer
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("M,N,K,time_s\n256,256,256,1e-5\n")
    (tmp_path / "out").mkdir()
    before = contents(tmp_path)
    refusal = attrib(*filled(WRITERS[writer], cube_file, model_file), tmp_path / "out").refusal
    assert "is a folder" in refusal
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["fit", "optimize"])
def test_an_input_is_never_overwritten(attrib, contents, coarse, tmp_path, command):
    save_cube(coarse, tmp_path / "cube.nc")
    before = contents(tmp_path)
    refusal = attrib(command, tmp_path / "cube.nc", "-o", tmp_path / "." / "cube.nc").refusal
    assert "is an input of this command too" in refusal
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["fit", "attribute", "run"])
def test_cubes_of_different_devices_do_not_mix(attrib, coarse, cube_file, tmp_path, command):
    save_cube(coarse.assign_attrs(device=load_device("b580").to_json()), tmp_path / "other.nc")
    output = [] if command == "attribute" else ["-o", tmp_path / "out"]
    refusal = attrib(command, cube_file, "--also", tmp_path / "other.nc", *output).refusal
    assert "was measured on Intel Arc B580" in refusal
    save_cube(coarse.assign_attrs(dtype_out="f32"), tmp_path / "other.nc")
    refusal = attrib(command, cube_file, "--also", tmp_path / "other.nc", *output).refusal
    assert "dtype_out is f32" in refusal
