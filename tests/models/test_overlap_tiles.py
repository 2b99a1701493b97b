"""Which tiles overlap, once the others are known."""

import numpy as np
import pytest

from models.inference.paired import PairedTest
from models.overlap import OverlapTest
from models.overlap_tiles import expect_overlap


def outcome(p_value, gain=0.3, memory_bound=0.2):
    return OverlapTest(PairedTest(gain, 0.1, 0.1, p_value, 1.0), np.zeros(2), memory_bound)


def overlapping(tests, hidden=()):
    return {label for label, test in expect_overlap(tests, set(hidden)).items() if test.overlaps}


def test_where_most_tiles_overlap_a_gain_is_enough():
    tests = {"a": outcome(0.01), "b": outcome(0.02), "c": outcome(0.3)}
    assert overlapping(tests) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "last", [outcome(0.9, gain=-0.1), outcome(0.3, memory_bound=0.0), outcome(0.3, memory_bound=1.0)]
)
def test_but_no_gain_or_cells_on_one_side_alone_are_not(last):
    assert overlapping({"a": outcome(0.01), "b": outcome(0.02), "c": last}) == {"a", "b"}


def test_half_of_the_tiles_or_two_of_them_are_too_few():
    assert overlapping({"a": outcome(0.01), "b": outcome(0.3), "c": outcome(0.3), "d": outcome(0.01)}) == {"a", "d"}
    assert overlapping({"a": outcome(0.01), "b": outcome(0.3)}) == {"a"}


def test_a_library_neither_counts_nor_is_expected_to():
    tests = {"a": outcome(0.01), "b": outcome(0.01), "c": outcome(0.3), "vendor": outcome(0.3)}
    assert overlapping(tests, ["vendor"]) == {"a", "b", "c"}
    tests = {"a": outcome(0.01), "b": outcome(0.3), "c": outcome(0.3), "vendor": outcome(0.01)}
    assert overlapping(tests, ["vendor"]) == {"a", "vendor"}
