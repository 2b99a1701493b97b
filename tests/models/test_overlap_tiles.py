"""Which tiles overlap, once the others are known."""

import numpy as np
import pytest

from models.inference.paired import PairedTest
from models.overlap_comparison import OverlapTest
from models.overlap_tiles import expect_overlap


def outcome(p_value, log_ratio=0.1, gain=0.3, memory_bound=0.2):
    return OverlapTest(PairedTest(gain, log_ratio, 0.1, p_value, 1.0), np.zeros(2), memory_bound)


def overlapping(tests, hidden=()):
    return {label for label, test in expect_overlap(tests, set(hidden)).items() if test.overlaps}


def test_tiles_that_show_it_together_all_overlap():
    assert overlapping({"a": outcome(0.3), "b": outcome(0.3), "c": outcome(0.6, -0.1, -0.1)}) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "last", [outcome(0.96, -0.1), outcome(0.3, memory_bound=0.0), outcome(0.3, memory_bound=1.0)]
)
def test_but_not_one_that_refutes_it_or_has_cells_on_one_side_alone(last):
    assert overlapping({"a": outcome(0.01), "b": outcome(0.02), "c": last}) == {"a", "b"}


def test_where_a_sum_is_better_on_the_whole_a_tile_has_to_show_it_by_itself():
    assert overlapping({"a": outcome(0.3), "b": outcome(0.01), "c": outcome(0.6, -0.5)}) == {"b"}
    assert not overlapping({"a": outcome(0.04, gain=-0.1), "b": outcome(0.9, -0.5), "c": outcome(0.6, -0.5)})


def test_two_tiles_are_too_few():
    assert overlapping({"a": outcome(0.01), "b": outcome(0.3)}) == {"a"}


def test_a_library_neither_counts_nor_is_expected_to():
    tests = {"a": outcome(0.01), "b": outcome(0.2), "c": outcome(0.3), "vendor": outcome(0.3, -9.0)}
    assert overlapping(tests, ["vendor"]) == {"a", "b", "c"}
    tests = {"a": outcome(0.01), "b": outcome(0.3), "vendor": outcome(0.01)}
    assert overlapping(tests, ["vendor"]) == {"a", "vendor"}
