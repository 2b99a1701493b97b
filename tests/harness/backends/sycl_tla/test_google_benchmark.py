"""Reports of Google Benchmark: real ones, cut ones, and entries of every kind."""

import json
import math
import runpy
from pathlib import Path

import pytest

from harness.backends.sycl_tla.google_benchmark import parse_report
from harness.backends.sycl_tla.run import BenchmarkProgram

stand_in = runpy.run_path(str(Path(__file__).parent / "stand_in" / "programs.py"))["stand_in"]

NAME = "Gemm/cell0/128x128x64x1/manual_time"


def report(*entries):
    return json.dumps({"context": {"host_name": "x"}, "benchmarks": list(entries)})


def entry(**values):
    return {"name": NAME, "run_type": "iteration", "iterations": 4, "real_time": 2.0, "time_unit": "ms", **values}


@pytest.mark.parametrize(("unit", "seconds"), [("ns", 2e-9), ("us", 2e-6), ("ms", 2e-3), ("s", 2.0)])
def test_times_are_in_seconds(unit, seconds):
    (run,) = parse_report(report(entry(time_unit=unit))).runs
    assert run.seconds == pytest.approx(seconds, rel=1e-15)
    assert (run.name, run.iterations, run.error) == (NAME, 4, None)


def test_counters_are_what_the_library_does_not_report_itself():
    (run,) = parse_report(
        report(entry(m=128, avg_runtime_ms=1.5, label="rows", cpu_time=3.0, error_occurred=False))
    ).runs
    assert run.counters == {"m": 128.0, "avg_runtime_ms": 1.5}


def test_bare_nan_and_infinity_are_numbers():
    text = report(entry(avg_runtime_ms=1.0)).replace("1.0", "NaN").replace("2.0", "Infinity")
    (run,) = parse_report(text).runs
    assert math.isnan(run.counters["avg_runtime_ms"])
    assert math.isinf(run.seconds)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"error_occurred": True, "error_message": "Disposition Failed."}, "Disposition Failed."),
        ({"error_occurred": True}, "an error without a message"),
        ({"skipped": True, "skip_message": "not today"}, "not today"),
        ({"error_occurred": False}, None),
    ],
)
def test_a_skipped_benchmark_says_why(values, message):
    (run,) = parse_report(report(entry(**values))).runs
    assert run.error == message


def test_aggregates_and_entries_without_a_name_are_left_out():
    entries = [entry(run_type="aggregate"), {"real_time": 1.0}, "text", entry(name="other")]
    assert [run.name for run in parse_report(report(*entries)).runs] == ["other"]


def test_an_unknown_unit_gives_no_time():
    (run,) = parse_report(report(entry(time_unit="fortnights"))).runs
    assert math.isnan(run.seconds)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "no JSON", '{"context": 3}', '{"context": {}, "benchmarks": 4}']
)
def test_what_is_no_report_has_no_runs(text):
    found = parse_report(text)
    assert (found.context, found.runs, found.complete) == ({}, (), False)


@pytest.fixture
def real_report(stand_in, tmp_path, monkeypatch):
    """The text of a report of three benchmarks, one of them with an error."""
    program = stand_in.program("gemm", ["Gemm"])
    for m in (64, 128, 256):
        stand_in.times("Gemm", (m, 64, 64), m * 1e-6)
    stand_in.switch(WRONG="128x64x64")
    kept = tmp_path / "kept.json"
    # A program that keeps its report: the backend deletes it.
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n"{program}" "$@"\ncp "$BENCHMARK_OUT" "{kept}"\n')
    wrapper.chmod(0o755)
    lines = [f"Gemm --bm_name=x --m={m} --n=64 --k=64" for m in (64, 128, 256)]
    BenchmarkProgram(wrapper, "level_zero:gpu").run(lines, 4, 60.0)
    return kept.read_text()


def test_a_real_report(real_report):
    found = parse_report(real_report)
    assert found.complete
    assert found.context["library_version"].lstrip("v") == "1.9.5"
    assert found.context["executable"] == "unknown"
    first, wrong, last = found.runs
    assert first.name == "Gemm/x/64x64x64x1/manual_time"
    assert first.iterations == 4
    assert first.counters["avg_runtime_ms"] == pytest.approx(0.064, rel=1e-6)
    assert first.seconds == pytest.approx((1.5 + 0.75 + 1 + 1) / 4 * 64e-6, rel=1e-6)
    assert set(first.counters) == {
        *("avg_runtime_ms", "best_runtime_ms", "worst_runtime_ms", "total_runtime_ms", "avg_tflops", "best_tflop"),
        *("avg_throughput", "best_bandwidth", "m", "n", "k", "l", "alpha", "beta"),
    }
    assert (wrong.error, last.error) == ("Disposition Failed.", None)


def test_a_report_cut_anywhere_keeps_what_was_written_whole(real_report):
    whole = parse_report(real_report)
    ends = [real_report.index("\n    }", real_report.index(run.name)) + len("\n    }") for run in whole.runs]
    closed = len(real_report.rstrip())
    for cut in range(len(real_report)):
        found = parse_report(real_report[:cut])
        assert found.runs == whole.runs[: sum(end <= cut for end in ends)]
        assert found.complete == (cut >= closed)
        if found.runs:
            assert found.context == whole.context
