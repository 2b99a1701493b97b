"""Residents of waves against handing work-groups out one by one, in step and out of it."""

import numpy as np
import pytest

from harness.twin.schedule import makespan
from models.residents import residents, residents_out_of_step, residents_short_last


@pytest.mark.parametrize("residency", [1, 2, 3, 4])
@pytest.mark.parametrize("cores", [1, 7, 20])
def test_residents_against_dealing_work_groups_one_by_one(cores, residency):
    groups = np.arange(1, 3 * cores * residency + 1)
    slow = np.zeros((groups.size, residency))
    for row, count in enumerate(groups):
        left = int(count)
        while left > 0:
            held = [0] * cores
            for slot in range(min(left, cores * residency)):
                held[slot % cores] += 1
            level = max(held)
            slow[row] += np.minimum(level, np.arange(1, residency + 1))
            left -= sum(held)
    np.testing.assert_array_equal(residents(groups.astype(float), cores, residency), slow)
    np.testing.assert_array_equal(slow[:, 0], np.ceil(groups / (cores * residency)))


@pytest.mark.parametrize("residency", [1, 2, 4])
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_scattered_short_work_groups_lose_the_average_of_a_last_wave(residency, spread):
    whole = np.arange(1.0, 400.0)
    equal = residents(whole, 20, residency, spread)
    alike = residents_out_of_step(whole, whole, np.ones(whole.size), 20, residency, spread)
    assert (alike <= equal + 1e-9).all()
    short = residents_out_of_step(whole, 0.9 * whole, np.ones(whole.size), 20, residency, spread)
    assert (short <= alike + 1e-9).all()
    one_wave = whole <= 20 * residency
    np.testing.assert_array_equal(short[one_wave], equal[one_wave])
    assert (np.diff(short, axis=0) >= -1e-9).all()
    # Over whole periods, work-groups a hair shorter lose nearly as much as equal ones on average.
    period = (whole > 20 * residency) & (whole <= 80 * residency)
    hair = residents_out_of_step(whole, whole * (1 - 1e-12), np.ones(whole.size), 20, residency, spread)
    ratio = hair[period].mean(axis=0) / equal[period].mean(axis=0)
    assert ((ratio > 0.95) & (ratio <= 1.0)).all()


@pytest.mark.parametrize("length", [0.25, 0.5, 0.7])
def test_short_work_groups_at_the_end_against_handing_them_out(length):
    full, short = (part.ravel().astype(float) for part in np.meshgrid(np.arange(0, 90, 7), np.arange(1, 60, 3)))
    counts, ahead = residents_short_last(full, short, np.full(full.size, length), 20, 1)
    for f, s, count, early in zip(full, short, counts[:, 0], ahead, strict=True):
        work = np.append(np.ones(int(f)), np.full(int(s), length))
        ends = np.empty(work.size)
        last = makespan(np.zeros(work.size), work, np.zeros(work.size), work.size, np.ones(20), 1, 1.0, 1.0, ends)
        assert count == pytest.approx(last)
        if early > 0:
            assert ends[-1] == pytest.approx(last - early)


def test_short_work_groups_take_whole_slots_of_a_core():
    counts, _ = residents_short_last(np.array([50.0]), np.array([20.0]), np.array([0.5]), 20, 2)
    # 50 fill one wave and 10 slots of the next; 20 more take the other slots: two full waves by level.
    np.testing.assert_array_equal(counts, residents(np.array([70.0]), 20, 2))
    alone, _ = residents_short_last(np.array([0.0]), np.array([50.0]), np.array([0.5]), 20, 2)
    np.testing.assert_allclose(alone, 0.5 * residents(np.array([80.0]), 20, 2))


@pytest.mark.parametrize("spread", [0.0, 0.04, 0.15])
def test_cores_of_one_resident_that_are_not_equally_fast_against_events(spread):
    cores = 200
    rates = np.random.default_rng(5).permutation(1.0 - spread * np.arange(cores) / (cores - 1))
    for groups in (201, 260, 300, 400, 401, 555, 1000, 1001, 3210):
        last = makespan(
            np.zeros(groups), np.ones(groups), np.zeros(groups), groups, rates, 1, 1.0, 1.0, np.empty(0)
        )
        count = residents(np.array([float(groups)]), cores, 1, spread)[0, 0]
        assert count == pytest.approx(last * (1.0 - spread / 2.0), abs=0.02)


@pytest.mark.parametrize(("cores", "residency"), [(8, 1), (8, 4), (20, 2)])
def test_launches_on_few_cores_last_as_long_as_by_events(cores, residency):
    """Until the fastest core is a wave ahead; a continuum of cores would last 0.4 to 1.1 % too long on average."""
    spread, slots = 0.1, cores * residency
    groups = np.arange(slots + 1, 8 * slots + 1)
    rates = np.random.default_rng(1).permutation(1.0 - spread * np.arange(cores) / (cores - 1))
    none, each, ends = np.zeros(groups[-1]), np.ones(groups[-1]), np.empty(0)
    last = np.array([makespan(none, each, none, count, rates, residency, 1.0, 1.0, ends) for count in groups])
    found = residents(groups.astype(float), cores, residency, spread)[:, -1]
    np.testing.assert_allclose(found, last * (1.0 - spread / 2.0), rtol=1e-4)


@pytest.mark.parametrize("groups", [1, 3, 14, 20, 23, 40, 57, 80, 81, 83, 85, 110, 160, 161, 162, 200])
def test_residents_of_cores_that_are_not_equally_fast_against_events(groups):
    """Where residents share a core they cost what they count, where none can use more than its part, nothing."""
    cores, residency, spread = 20, 4, 0.1
    rates = 1.0 - spread * np.arange(cores) / (cores - 1)
    rng = np.random.default_rng(groups)
    found = residents(np.array([float(groups)]), cores, residency, spread)[0]
    for column, solo_rate, work in ((0, 1.0 / residency, 1.0 / residency), (residency - 1, 1.0, 1.0)):
        lasts = [
            makespan(
                np.zeros(groups),
                np.full(groups, work),
                np.zeros(groups),
                groups,
                rng.permutation(rates),
                residency,
                solo_rate,
                1.0,
                np.empty(0),
            )
            for _ in range(300)
        ]
        assert found[column] == pytest.approx(np.mean(lasts) * (1.0 - spread / 2.0), rel=0.02)
