"""A batch of cells over as many invocations as its crashes and hangs make necessary."""

import itertools
import math
import runpy
from pathlib import Path

import pytest

from harness.backends import Cell, Problem
from harness.backends.sycl_tla.batch import (
    LONGEST_SECONDS,
    Job,
    iterations_for,
    seconds_of,
    split,
    time_batch,
    time_limit,
)
from harness.backends.sycl_tla.config import Config
from harness.backends.sycl_tla.google_benchmark import BenchmarkRun
from harness.backends.sycl_tla.run import BenchmarkProgram
from harness.errors import BackendError
from harness.tile import Tile

stand_in = runpy.run_path(str(Path(__file__).parent / "stand_in" / "programs.py"))["stand_in"]

TILE = Tile.of(256, 256, 32)
CONFIG = Config("Gemm", TILE, "executable")
SIZES = (64, 128, 192, 256, 320)


def jobs(sizes=SIZES):
    return [Job(position, CONFIG, Cell(TILE, m, 64, 64)) for position, m in enumerate(sizes)]


class Counted(BenchmarkProgram):
    """Keeps the number of benchmarks of every invocation."""

    asked: list[int]

    def run(self, lines, iterations, timeout):
        self.asked.append(len(lines))
        return super().run(lines, iterations, timeout)


@pytest.fixture
def program(stand_in):
    for m in SIZES:
        stand_in.times("Gemm", (m, 64, 64), m * 1e-6)
    counted = Counted(stand_in.program("gemm", ["Gemm"]), "level_zero:gpu")
    object.__setattr__(counted, "asked", [])
    return counted


def shape(m):
    return f"{m}x64x64"


def timed(found):
    return {position for position, result in found.items() if not isinstance(result, Problem)}


def test_a_batch_without_trouble_takes_one_invocation(program):
    found = time_batch(program, jobs(), 4, 60.0)
    assert [found[position] for position in range(5)] == pytest.approx([m * 1e-6 for m in SIZES], rel=1e-6)
    assert program.asked == [5]


def test_a_crash_that_does_not_repeat_costs_one_more_invocation(program, stand_in, tmp_path):
    stand_in.switch(CRASH=shape(192), ONCE=tmp_path)
    assert timed(time_batch(program, jobs(), 4, 60.0)) == {0, 1, 2, 3, 4}
    assert program.asked == [5, 3]


def test_a_crash_that_repeats_costs_its_cell_only(program, stand_in):
    stand_in.switch(CRASH=shape(192))
    found = time_batch(program, jobs(), 4, 60.0)
    assert timed(found) == {0, 1, 3, 4}
    assert found[2] == Problem(
        "failed", "Gemm, twice: killed by SIGSEGV: Segmentation fault in the level_zero driver"
    )
    assert program.asked == [5, 3, 2]


def test_a_hang_that_repeats_costs_its_cell_only(program, stand_in):
    stand_in.switch(HANG=shape(256))
    found = time_batch(program, jobs(), 4, 1.0)
    assert timed(found) == {0, 1, 2, 4}
    assert found[3] == Problem("failed", "Gemm, twice: stopped after 1 s without an end")


def test_a_program_that_nothing_survives_is_given_up(program, stand_in):
    stand_in.switch(CRASH=",".join(shape(m) for m in SIZES))
    found = time_batch(program, jobs(), 4, 60.0)
    assert timed(found) == set()
    assert len(program.asked) == 6
    assert found[2].reason.startswith("Gemm, twice: killed")
    assert found[4].reason.startswith("not reached: 3 cells before it ended the program (killed by SIGSEGV")


def test_good_cells_between_bad_ones_keep_a_batch_going(program, stand_in):
    sizes = (*SIZES, 384)
    stand_in.times("Gemm", (384, 64, 64), 384e-6)
    stand_in.switch(CRASH=",".join(shape(m) for m in sizes[::2]))
    assert timed(time_batch(program, jobs(sizes), 4, 60.0)) == {1, 3, 5}


def test_a_program_without_a_device_stops_the_sweep(program, stand_in):
    stand_in.switch(NO_DEVICE=1)
    message = "gemm ended before its first benchmark: killed by SIGABRT: what\\(\\): No device of requested type"
    with pytest.raises(BackendError, match=message):
        time_batch(program, jobs(), 4, 60.0)
    assert program.asked == [5, 5]


@pytest.mark.parametrize(
    ("switch", "status", "message"),
    [
        ("WRONG", "wrong_result", "Gemm: Disposition Failed."),
        ("UNABLE", "unsupported", "Gemm: GEMM unable to implement given args."),
        ("UNINITIALISED", "failed", "Gemm: GEMM failed to initialize."),
        ("MEMORY", "failed", "Gemm: Device allocation failed."),
    ],
)
def test_what_the_program_reports_of_a_cell(program, stand_in, switch, status, message):
    stand_in.switch(**{switch: shape(192)})
    found = time_batch(program, jobs(), 4, 60.0)
    assert timed(found) == {0, 1, 3, 4}
    assert found[2] == Problem(status, message)
    assert program.asked == [5]


def test_a_time_that_is_not_positive_is_a_failure(program, stand_in):
    stand_in.times("Gemm", (384, 64, 64), 0.0)
    found = time_batch(program, jobs((384, 64)), 4, 60.0)
    assert timed(found) == {1}
    assert "not positive" in found[0].reason


@pytest.mark.parametrize("iterations", [2, 3, 4, 16])
def test_the_average_is_used_where_it_is_a_number(program, iterations):
    """The stand-in's first launch takes half as long again, and its second three quarters."""
    found = time_batch(program, jobs(), iterations, 60.0)
    factor = 1.125 if iterations == 2 else 1.0
    assert [found[p] for p in range(5)] == pytest.approx([factor * m * 1e-6 for m in SIZES], rel=1e-6)


def test_without_counters_the_librarys_own_time_is_used():
    assert seconds_of(BenchmarkRun("x", 4, 2e-3)) == 2e-3
    assert math.isnan(seconds_of(BenchmarkRun("x", 0, math.nan)))


@pytest.mark.parametrize(("launches", "iterations"), [(1, 4), (4, 4), (5, 8), (16, 16), (17, 32), (1000, 1024)])
def test_iterations_are_powers_of_two(launches, iterations):
    assert iterations_for(launches) == iterations


def large(count):
    return [Job(position, CONFIG, Cell(TILE, 8192, 8192, 8192)) for position in range(count)]


def test_batches_keep_the_order_and_bound_the_work():
    batches = list(split([*jobs(), *large(40)], 16))
    assert list(itertools.chain(*batches)) == [*jobs(), *large(40)]
    assert len(batches) > 2
    assert list(split(large(1), 16, most_seconds=1e-3)) == [large(1)]
    assert list(split([], 16)) == []


def test_the_time_limit_grows_with_the_work_up_to_a_bound():
    assert 60.0 < time_limit(jobs(), 4) < time_limit(large(5), 4) < time_limit(large(5), 64)
    assert time_limit(large(1000), 4) == LONGEST_SECONDS
