"""Levels of waves: what cores can cost is a sum of theirs, and launches are counted by them."""

import numpy as np
import pytest

from models.fill_levels import fill_levels, of_waves
from models.residents import residents
from models.solve import solve_nonnegative


@pytest.mark.parametrize("residency", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("alone", [0.1, 0.3, 0.55, 1.0])
def test_cores_that_few_residents_cannot_keep_busy_are_told_exactly(residency, alone):
    """A wave lasts as long as a work-group alone does, or as all of them keep the core busy."""
    time = np.maximum(alone, np.arange(1.0, residency + 1.0) / residency)
    basis = np.stack(list(fill_levels(residency).values()), axis=1)
    theta = solve_nonnegative(basis.T @ basis, basis.T @ time)
    np.testing.assert_allclose(basis @ theta, time, rtol=1e-9)


def test_the_second_resident_adds_at_most_what_the_first_costs():
    """Two waves of one are no wave of two."""
    for costs in np.random.default_rng(2).uniform(0.0, 1.0, (50, 3)):
        time = np.stack(list(fill_levels(3).values()), axis=1) @ costs
        assert time[1] <= 2.0 * time[0] + 1e-12
        assert (np.diff(time) >= 0.0).all()


@pytest.mark.parametrize("residency", [1, 2, 3, 4])
def test_launches_have_the_costs_of_their_waves(residency):
    """Of 1 to 40 work-groups on three cores, waves are counted one by one."""
    counts = of_waves(residents(np.arange(1.0, 41.0), 3, residency))
    levels = np.stack(list(fill_levels(residency).values()), axis=1)
    for groups in range(1, 41):
        left, expected = groups, np.zeros(residency)
        while left > 0:
            now = min(left, 3 * residency)
            expected += levels[-(-now // 3) - 1]
            left -= now
        np.testing.assert_allclose(counts[groups - 1], expected)
