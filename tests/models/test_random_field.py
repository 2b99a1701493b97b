"""Random fields: variance, correlation by distance, and what is refused."""

import numpy as np
import pytest

from harness.errors import InputError
from models.random_field import random_field

AXES = ([0.0, 0.5, 2.0], [0.0, 1.0], [0.0])


def correlation(draws):
    flat = draws.reshape(len(draws), -1)
    return flat.T @ flat / len(flat)


@pytest.mark.parametrize("smooth", [False, True])
def test_correlation_is_a_product_over_the_axes(smooth):
    rng = np.random.default_rng(3)
    draws = np.stack([random_field(AXES, (1.0, 2.0, 1.0), rng, smooth=smooth) for _ in range(8000)])
    assert draws.shape[1:] == (3, 2, 1)
    expected = np.ones((1, 1))
    for axis, length in zip(AXES, (1.0, 2.0, 1.0), strict=True):
        gap = np.abs(np.subtract.outer(axis, axis)) / length
        expected = np.kron(expected, np.exp(-0.5 * gap**2 if smooth else -gap))
    np.testing.assert_allclose(correlation(draws), expected, atol=0.06)


def test_length_zero_shares_nothing_along_an_axis():
    rng = np.random.default_rng(4)
    draws = np.stack([random_field(AXES, (0.0, 100.0, 1.0), rng) for _ in range(4000)])
    found = correlation(draws)
    np.testing.assert_allclose(found[0, 2:], 0.0, atol=0.06)
    assert found[0, 1] == pytest.approx(1.0, abs=0.06)


def test_one_length_serves_all_axes_and_seeds_repeat():
    first = random_field(AXES, 0.7, np.random.default_rng(5))
    second = random_field(AXES, (0.7, 0.7, 0.7), np.random.default_rng(5))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("lengths", [-1.0, np.nan, (1.0, 2.0), (1.0, -2.0, 1.0)])
def test_bad_lengths_are_refused(lengths):
    with pytest.raises(InputError, match="correlation lengths"):
        random_field(AXES, lengths, np.random.default_rng(0))
