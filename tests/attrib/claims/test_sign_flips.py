"""The test is exact where it can be enumerated, and test and interval never disagree."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrib.claims.sign_flips import (
    FEWEST_OF_A_KIND,
    block_sums,
    contrast,
    measure,
    ratio,
)
from harness.errors import NotApplicableError


def mean_of(values, null, seed=0):
    columns = np.stack([values, np.ones(values.size)])
    return measure(block_sums(columns, np.arange(values.size)), ratio, null, seed=seed)


@given(st.lists(st.integers(-50, 50), min_size=6, max_size=9), st.integers(-20, 20))
@settings(max_examples=30)
def test_p_value_is_that_of_all_sign_flips(values, null):
    values = np.array(values, dtype=float)
    far = values - null
    flipped = [abs(np.dot(signs, far)) for signs in product((-1, 1), repeat=far.size)]
    expected = np.mean(np.array(flipped) >= abs(far.sum()) - 1e-9)
    assert mean_of(values, null).p_value == pytest.approx(expected)


@given(st.integers(0, 2**31), st.integers(6, 14))
@settings(max_examples=25)
def test_interval_holds_what_is_not_rejected(seed, count):
    values = np.random.default_rng(seed).normal(size=count)
    found = mean_of(values, 0.0, seed)
    width = found.upper - found.lower
    assert found.lower <= found.value <= found.upper
    for end, inward in ((found.lower, 1), (found.upper, -1)):
        assert mean_of(values, end + inward * 1e-6 * width, seed).p_value > 0.05
        assert mean_of(values, end - inward * 1e-6 * width, seed).p_value <= 0.05


def test_coverage_of_a_ratio():
    rng = np.random.default_rng(3)
    inside = 0
    for draw in range(400):
        weights = rng.uniform(5, 15, 16)
        sums = np.stack([1.7 * weights + rng.normal(0, 2, 16), weights], axis=1)
        found = measure(sums, ratio, 0.0, seed=draw)
        inside += found.lower <= 1.7 <= found.upper
    assert 0.915 <= inside / 400 <= 0.98


def test_estimate_does_not_depend_on_the_order_of_blocks():
    rng = np.random.default_rng(0)
    sums = rng.uniform(1, 2, (8, 2))
    one, other = measure(sums, ratio, 1.0), measure(sums[::-1], ratio, 1.0)
    assert one.value == pytest.approx(other.value)
    assert (one.lower, one.upper, one.p_value) == pytest.approx((other.lower, other.upper, other.p_value))


def test_cells_without_a_value_are_left_out():
    columns = np.array([[1.0, np.nan, 3.0, 4.0], [1.0, 1.0, 1.0, np.nan]])
    assert block_sums(columns, np.array([0, 0, 5, 7])).tolist() == [[1.0, 1.0], [3.0, 1.0]]


def test_few_blocks_are_refused_with_what_is_missing():
    with pytest.raises(NotApplicableError, match=r"5 blocks .* 6 are needed: measure more sizes"):
        mean_of(np.arange(5.0), 0.0)


def test_contrast_needs_both_kinds_in_many_blocks():
    labels = np.repeat(np.arange(16), 2)
    values, mark = np.tile([2.0, 1.0], 16), np.tile([1.0, 0.0], 16)
    assert contrast(values, mark, labels).as_ratio().value == pytest.approx(2.0)
    mark[2 * (FEWEST_OF_A_KIND - 1) :] = 0.0
    with pytest.raises(NotApplicableError, match=f"in question lie in {FEWEST_OF_A_KIND - 1} blocks"):
        contrast(values, mark, labels)
