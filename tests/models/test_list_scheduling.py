"""Waves on cores that are not equally fast, against events and against limits known by hand."""

import numpy as np
import pytest

from harness.twin.schedule import makespan
from models.list_scheduling import first_wave, waves_taken

CORES = 300


def by_events(groups, spread):
    rates = np.random.default_rng(2).permutation(1.0 - spread * np.arange(CORES) / (CORES - 1))
    last = makespan(np.zeros(groups), np.ones(groups), np.zeros(groups), groups, rates, 1, 1.0, 1.0, np.empty(0))
    return last * (1.0 - spread / 2.0)


@pytest.mark.parametrize("spread", [0.01, 0.06, 0.2])
def test_against_handing_out_work_groups_one_by_one(spread):
    groups = np.array([300, 301, 420, 600, 601, 750, 900, 1200, 1201, 2345, 3000, 3001, 6150])
    slow = np.array([by_events(count, spread) for count in groups.tolist()])
    np.testing.assert_allclose(waves_taken(groups / CORES, spread), slow, atol=0.02)


def test_cores_in_step_take_whole_waves():
    np.testing.assert_array_equal(waves_taken(np.array([0.1, 1.0, 1.01, 2.0, 7.5]), 0.0), [1, 1, 2, 2, 8])


def test_a_small_spread_is_nearly_none_and_more_work_never_takes_less():
    waves = np.linspace(0.05, 30.0, 2000)
    apart = np.abs(waves - np.round(waves)) > 0.02
    np.testing.assert_allclose(waves_taken(waves, 1e-4)[apart], np.ceil(waves)[apart], atol=5e-3)
    for spread in (0.003, 0.05, 0.3):
        assert (np.diff(waves_taken(waves, spread)) >= -1e-9).all()


def test_long_after_cores_fell_out_of_step_half_a_wave_is_lost():
    waves = np.linspace(180.0, 182.0, 41)
    taken = waves_taken(waves, 0.1)
    assert np.abs(np.diff(taken, n=2)).max() < 1e-2  # no step is left
    np.testing.assert_allclose(taken - waves, 0.5, atol=0.1)
    # The formula for many waves goes on where the table ends.
    joint = np.linspace(30.0, 130.0, 2001)
    assert np.diff(waves_taken(joint, 0.1)).max() < 0.08


def test_values_do_not_depend_on_the_other_launches():
    waves = np.array([0.5, 1.0, 2.7, 14.1, 90.0])
    each = np.concatenate([waves_taken(waves[i : i + 1], 0.08) for i in range(waves.size)])
    np.testing.assert_allclose(waves_taken(waves, 0.08), each, rtol=1e-12)


@pytest.mark.parametrize("busy", [1, 3, 14, 20])
def test_a_first_wave_waits_for_its_slowest_core(busy):
    """Against the slowest of some cores drawn at random."""
    rates = 1.0 - 0.1 * np.arange(20) / 19
    rng = np.random.default_rng(busy)
    drawn = np.array([rng.permutation(rates)[:busy].min() for _ in range(4000)])
    found = first_wave(np.array([float(busy)]), 20, 0.1)
    np.testing.assert_allclose(found, 0.95 / drawn.mean(), rtol=3e-3)


def test_a_wave_of_all_cores_is_the_first_of_many():
    assert waves_taken(np.array([1.0]), 0.1)[0] == pytest.approx(first_wave(np.array([20.0]), 20, 0.1)[0])
