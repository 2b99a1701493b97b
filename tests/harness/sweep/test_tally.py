"""Totals of a sweep."""

import dataclasses

import numpy as np
import pytest
from fake_backend import QUICK, make_table, sweep

from harness.backends import Problem
from harness.sweep.order import Batch
from harness.sweep.store import BatchResult
from harness.sweep.tally import Tally

FAILED = Problem("failed", "no time")


def add(tally, number_of_pass, rows, seconds, sentinel=None, problems=None, launches=None, device="a"):
    rows = np.array(rows)
    flag = np.zeros(rows.size, bool) if sentinel is None else np.array(sentinel)
    launches = np.ones(rows.size, dtype=np.int64) if launches is None else np.array(launches)
    batch = Batch(number_of_pass, 0, rows, flag)
    tally.add(BatchResult.of(batch, launches, np.array(seconds, float), problems or {}, device, 0.5))


@pytest.fixture
def tally():
    return Tally(make_table(), warm=True)


def test_repeats_stand_in_the_order_of_time(tally):
    for number in range(1, 8):
        add(tally, number, [3, 1], [number, 10 * number], launches=[4, 2])
    assert tally.repeats.shape == (len(make_table()), 7)
    np.testing.assert_array_equal(tally.repeats[3], range(1, 8))
    np.testing.assert_array_equal(tally.repeats[1], np.arange(10, 80, 10))
    assert np.isnan(tally.repeats[0]).all()
    assert (tally.count[3], tally.count[0]) == (7, 0)
    assert (tally.launches[3], tally.launches[0]) == (4, 0)
    assert tally.busy_seconds == 3.5
    assert tally.kernel_seconds == pytest.approx(sum(range(1, 8)) * (5 + 10 * 3))


def test_the_rough_pass_is_not_kept(tally):
    add(tally, 0, [3], [7e-6])
    assert tally.rough[3] == 7e-6
    assert tally.count[3] == 0


def test_sentinels_are_no_repeats(tally):
    add(tally, 1, [3, 5], [1.0, 2.0], sentinel=[False, True])
    assert tally.count.tolist()[3:6] == [1, 0, 0]
    rows, seconds, finished, device = tally.sentinel_timings()
    assert (rows.tolist(), seconds.tolist(), device.tolist()) == ([5], [2.0], [0])
    assert finished[0] > 1e9


def test_a_problem_lasts_until_a_timing_succeeds(tally):
    add(tally, 1, [3], [np.nan], problems={3: FAILED})
    assert tally.problems == {3: FAILED}
    add(tally, 2, [3], [1.0])
    assert tally.problems == {}
    add(tally, 3, [3], [np.nan], problems={3: Problem("failed", "newer")})
    assert tally.problems[3].reason == "newer"
    assert tally.count[3] == 1


def test_a_sentinel_that_fails_is_no_problem_of_its_cell(tally):
    add(tally, 1, [5, 3, 5], [np.nan, 1.0, 2.0], sentinel=[True, False, False], problems={5: FAILED})
    assert tally.problems == {}
    assert tally.count[5] == 1


def test_devices_of_repeats(tally):
    add(tally, 1, [3, 4], [1.0, 1.0], device="a")
    add(tally, 2, [3], [1.0], device="b")
    assert tally.devices == ["a", "b"]
    assert tally.repeat_device[3].tolist() == [0, 1]
    assert tally.repeat_device[4].tolist() == [0, -1]


def test_launches_fill_the_series(tally):
    protocol = dataclasses.replace(QUICK, series_seconds=40e-6, max_launches=16)
    add(tally, 0, [0, 1, 2, 3], [1e-7, 7e-6, 40e-6, 1.0])
    assert tally.planned_launches(protocol)[:4].tolist() == [16, 6, 1, 1]


def test_a_cell_without_a_rough_time_is_launched_as_its_like(tally):
    """It failed in the rough pass and is tried again: one launch would be timed unlike all others."""
    table = make_table()
    rows = np.flatnonzero(np.arange(len(table)) != 7)
    add(tally, 0, rows, 1e-6 + 1e-13 * table.volume[rows])
    protocol = dataclasses.replace(QUICK, series_seconds=40e-6, max_launches=99)
    launches = tally.planned_launches(protocol)
    twin = 7 + len(table) // 2  # the same shape with the other tile
    assert launches[7] == launches[twin] > 1


def test_nothing_was_timed_roughly(tally):
    assert (tally.planned_launches(QUICK) == 1).all()


def test_what_is_due(tally):
    table = make_table()
    excluded = np.arange(len(table)) >= 4
    protocol = dataclasses.replace(QUICK, repeats=2, max_repeats=4, target_error=0.01)
    assert tally.due(protocol, excluded).tolist() == [0, 1, 2, 3]
    add(tally, 1, [0, 1, 2, 3], [1.0, 1.0, 1.0, np.nan], problems={3: FAILED})
    assert tally.due(protocol, excluded).tolist() == [0, 1, 2]
    add(tally, 2, [0, 1, 2], [1.001, 1.2, 0.999])
    assert tally.due(protocol, excluded).tolist() == [1]
    assert tally.due(dataclasses.replace(protocol, max_repeats=2), excluded).size == 0
    for number, value in ((3, 0.8), (4, 1.1)):
        add(tally, number, [1], [value])
    assert tally.due(protocol, excluded).size == 0


def fail(store, number):
    problems = {2: FAILED, 3: Problem("wrong_result", "nonsense")}
    batch = Batch(9, number, np.array([2, 3]), np.zeros(2, bool))
    store.commit(BatchResult.of(batch, np.ones(2, dtype=np.int64), np.full(2, np.nan), problems, "a", 0.1))


def test_one_failure_among_good_repeats_is_forgiven(store):
    table = make_table()
    sweep(store)
    fail(store, 0)
    tally = Tally.read(store, table, True)
    assert set(tally.problems) == {3}  # a wrong result is not
    fail(store, 1)
    assert set(Tally.read(store, table, True).problems) == {2, 3}


@pytest.mark.parametrize("retry", [False, True])
def test_failed_cells_are_due_again_on_request(store, retry):
    table = make_table()
    sweep(store)
    for number in range(2):  # the first failure among good repeats is forgiven
        fail(store, number)
    tally = Tally.read(store, table, True, retry)
    assert set(tally.problems) == ({3} if retry else {2, 3})
    due = tally.due(dataclasses.replace(QUICK, repeats=4, max_repeats=4), np.zeros(len(table), bool))
    assert (2 in due) == retry
    assert 3 not in due


def test_reading_gives_what_adding_gave(store):
    table = make_table()
    added = sweep(store, protocol=dataclasses.replace(QUICK, max_repeats=6, target_error=0.004))
    read = Tally.read(store, table, True)
    for name in ("rough", "launches", "count", "repeats", "repeat_device"):
        np.testing.assert_array_equal(getattr(read, name), getattr(added, name))
    assert read.kernel_seconds == added.kernel_seconds
    assert read.busy_seconds == added.busy_seconds
    for one, other in zip(read.sentinel_timings(), added.sentinel_timings(), strict=True):
        np.testing.assert_array_equal(one, other)
