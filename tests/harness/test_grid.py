"""Axes and grids from text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.grid import Grid, parse_axis, uniform_step


@given(first=st.integers(1, 500), step=st.integers(1, 99), count=st.integers(1, 40))
def test_range_has_both_ends(first, step, count):
    last = first + step * (count - 1)
    axis = parse_axis(f"{first}:{last}:{step}")
    assert axis.dtype == np.int64
    np.testing.assert_array_equal(axis, [first + step * i for i in range(count)])


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_list_is_sorted_without_duplicates(values):
    axis = parse_axis(",".join(map(str, values)))
    assert axis.tolist() == sorted(set(values))


def test_range_ends_at_the_last_step_that_fits():
    assert parse_axis("128:500:128").tolist() == [128, 256, 384]


@pytest.mark.parametrize(
    "text",
    ["", "a", "1,,2", "1:2", "0:128:32", "128:64:32", "1:9:0", "0,1", "-5,1", "1.5", "128:4096:128:1", "9" * 30],
)
def test_bad_axis_is_refused_by_name(text):
    with pytest.raises(InputError, match="axis"):
        parse_axis(text)


def test_grid_of_one_axis_is_a_cube():
    grid = Grid.parse("128:512:128")
    assert grid.shape == (4, 4, 4)


def test_shapes_are_in_c_order():
    grid = Grid.parse("1,2;3;4,5,6")
    assert grid.shape == (2, 1, 3)
    expected = [(m, n, k) for m in (1, 2) for n in (3,) for k in (4, 5, 6)]
    assert [tuple(row) for row in grid.shapes()] == expected


@pytest.mark.parametrize("text", ["1;2", "1;2;3;4", "1;2;x"])
def test_bad_grid_is_refused(text):
    with pytest.raises(InputError):
        Grid.parse(text)


@pytest.mark.parametrize(
    ("values", "step"),
    [([128, 256, 384], 128), ([7], 7), ([], None), ([128, 256, 512], None), ([64, 192, 320], None)],
)
def test_uniform_step(values, step):
    assert uniform_step(np.array(values, dtype=np.int64)) == step
