"""Paces of several devices of a kind."""

import numpy as np
import pytest
from fake_backend import make_table

from harness.sweep.device_offsets import device_offsets
from harness.sweep.order import Batch
from harness.sweep.store import BatchResult
from harness.sweep.tally import Tally


def dealt(pace, passes=6, noise=0.01, seed=0, rows=None):
    """A tally whose cells were dealt to devices at random in every pass."""
    rng = np.random.default_rng(seed)
    table = make_table()
    tally = Tally(table, True)
    truth = 1e-6 + 1e-13 * table.volume
    for number in range(1, passes + 1):
        dealt_to = rng.integers(0, len(pace), len(table)) if rows is None else rows
        for device in range(len(pace)):
            own = np.flatnonzero(dealt_to == device)
            seconds = truth[own] * pace[device] * (1 + noise * rng.standard_normal(own.size))
            batch = Batch(number, device, own, np.zeros(own.size, bool))
            tally.add(BatchResult.of(batch, np.ones(own.size, np.int64), seconds, {}, f"gpu{device}", 1.0))
    return tally


def offsets(tally):
    return device_offsets(tally.repeats, tally.repeat_device, tally.devices)


def test_one_device_has_no_offset():
    assert offsets(dealt([1.0])) == ()


@pytest.mark.parametrize("pace", [[1.0, 1.04], [0.97, 1.0, 1.05], [1.0, 1.0, 1.0, 1.1]])
def test_planted_offsets_are_recovered(pace):
    found = offsets(dealt(pace))
    expected = np.array(pace) / np.median(pace) - 1
    assert [offset.device for offset in found] == [f"gpu{i}" for i in range(len(pace))]
    for offset, truth in zip(found, expected, strict=True):
        assert abs(offset.fraction - truth) < 4 * offset.error + 1e-3
        assert offset.error < 0.004


def test_the_error_is_about_right():
    found = np.array([[o.fraction for o in offsets(dealt([1.0, 1.0], seed=seed))] for seed in range(60)])
    stated = np.mean([o.error for o in offsets(dealt([1.0, 1.0]))])
    # Half the difference of two devices: each is off by 1 / sqrt(2) of what one alone would be.
    assert 0.4 * stated < found[:, 0].std() < 1.6 * stated


def test_disturbed_repeats_do_not_move_it():
    tally = dealt([1.0, 1.03])
    tally._repeats[::9, 0] *= 3
    assert offsets(tally)[1].fraction == pytest.approx(0.015, abs=0.004)


def test_devices_without_a_common_cell():
    table = make_table()
    found = offsets(dealt([1.0, 1.2], rows=np.arange(len(table)) % 2))
    assert np.isnan([offset.fraction for offset in found]).all()
    assert [offset.timings for offset in found] == [0, 0]
