"""One invocation of a benchmark program, on the stand-in: control, limits, and every way to end."""

import runpy
import time
from pathlib import Path

import pytest

from harness.backends.sycl_tla.run import BenchmarkProgram
from harness.errors import BackendError

stand_in = runpy.run_path(str(Path(__file__).parent / "stand_in" / "programs.py"))["stand_in"]

SHAPE = (64, 64, 64)
LINE = "Gemm --bm_name=x --m=64 --n=64 --k=64 --l=1 --alpha=1 --beta=0"


@pytest.fixture
def program(stand_in):
    stand_in.times("Gemm", SHAPE, 20e-3)
    return BenchmarkProgram(stand_in.program("gemm", ["Gemm"]), "level_zero:gpu")


def test_a_run_without_trouble(program):
    outcome = program.run([LINE], 5, 60.0)
    assert (outcome.trouble, outcome.last_line) == (None, "")
    assert outcome.report.complete
    (run,) = outcome.report.runs
    assert run.iterations == 5


def test_the_body_runs_once_where_a_time_would_run_it_for_every_guess(program, stand_in, tmp_path):
    passes = tmp_path / "passes"
    stand_in.switch(PASSES=passes)
    program.run([LINE], 100, 60.0)
    assert len(passes.read_text().splitlines()) == 1
    program._run([LINE], {"BENCHMARK_MIN_TIME": "0.5s"}, 60.0)
    assert len(passes.read_text().splitlines()) > 2


def test_the_users_own_control_of_the_library_does_not_reach_the_program(program, monkeypatch):
    monkeypatch.setenv("BENCHMARK_FILTER", "nothing")
    monkeypatch.setenv("BENCHMARK_REPETITIONS", "7")
    monkeypatch.setenv("BENCHMARK_DRY_RUN", "true")
    (run,) = program.run([LINE], 5, 60.0).report.runs
    assert run.iterations == 5


def test_the_selector_reaches_the_program(tmp_path):
    path = tmp_path / "selector"
    path.write_text('#!/bin/sh\necho "$ONEAPI_DEVICE_SELECTOR" >&2\n')
    path.chmod(0o755)
    assert BenchmarkProgram(path, "opencl:cpu").run([LINE], 4, 60.0).last_line == "opencl:cpu"


def test_output_without_meaning_does_no_harm(program, stand_in):
    stand_in.switch(GARBAGE=1)
    assert program.run([LINE], 4, 60.0).report.complete


def test_a_crash_keeps_what_came_before(program, stand_in):
    stand_in.times("Gemm", (128, 64, 64), 1e-3)
    stand_in.switch(CRASH="128x64x64")
    outcome = program.run([LINE, LINE.replace("--m=64", "--m=128")], 4, 60.0)
    assert [run.name for run in outcome.report.runs] == ["Gemm/x/64x64x64x1/manual_time"]
    assert outcome.reason == "killed by SIGSEGV: Segmentation fault in the level_zero driver"


def test_a_hang_is_stopped_with_all_it_started(program, stand_in, tmp_path):
    child = tmp_path / "child"
    stand_in.switch(HANG="64x64x64", CHILD=child)
    start = time.monotonic()
    outcome = program.run([LINE], 4, 1.0)
    assert time.monotonic() - start < 20
    assert outcome.reason == "stopped after 1 s without an end"
    assert outcome.report.context
    assert not outcome.report.runs
    pid = int(child.read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.01)
    assert not _alive(pid)


def _alive(pid):
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.replace("Gemm", "Other"), "killed by SIGABRT: what(): Benchmark not found"),
        (" " + LINE.replace("Gemm", "#"), "killed by SIGABRT: what(): Benchmark not found"),
        (" ", "killed by SIGSEGV"),
    ],
)
def test_what_the_program_cannot_read_ends_it_before_anything_runs(program, line, reason):
    outcome = program.run([LINE, line], 4, 60.0)
    assert not outcome.report.context
    assert outcome.reason == reason


def test_comments_in_the_first_column_and_empty_lines_are_no_benchmarks(program):
    assert len(program.run(["# " + LINE, "", LINE], 4, 60.0).report.runs) == 1


def test_listing_runs_nothing(program):
    listed = program.registers(LINE, 60.0)
    assert (listed.trouble, listed.report.runs) == (None, ())
    assert program.registers("Other --m=1", 60.0).trouble == "killed by SIGABRT"


def test_an_exit_status_is_named(tmp_path):
    path = tmp_path / "fails"
    path.write_text("#!/bin/sh\nprintf 'first\\n  the  last \\n\\n***WARNING*** noise\\n' >&2\nexit 3\n")
    path.chmod(0o755)
    assert BenchmarkProgram(path, "x").run([LINE], 4, 60.0).reason == "exit status 3: the last"


def test_a_program_that_ends_well_and_reports_nothing(tmp_path):
    path = tmp_path / "silent"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert BenchmarkProgram(path, "x").run([LINE], 4, 60.0).reason == "it ended without reporting the benchmark"


def test_a_file_that_is_no_program(tmp_path):
    path = tmp_path / "text"
    path.write_text("not a program")
    path.chmod(0o755)
    with pytest.raises(BackendError, match="cannot be started"):
        BenchmarkProgram(path, "x").run([LINE], 4, 60.0)


def test_what_a_crash_leaves_does_not_land_where_the_user_is(tmp_path):
    path = tmp_path / "where"
    path.write_text("#!/bin/sh\npwd >&2\n")
    path.chmod(0o755)
    where = Path(BenchmarkProgram(path, "x").run([LINE], 4, 60.0).last_line)
    assert where.name.startswith("attrib-sycl-tla-")
    assert not where.exists()


def test_nothing_is_left_behind(program, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    program.run([LINE], 4, 60.0)
    assert list((tmp_path / "temporary").iterdir()) == []
