"""Numbers that can be read aloud."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrib.cli.quantities import cost, interval, number, percent, seconds


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (7.4e-7, "s/wave", "740 ns/wave"),
        (9.997e-7, "s", "1.00 us"),
        (2.5, "s", "2.50 s"),
        (1234.0, "s", "1,234 s"),
        (0.0, "s/wave", "0 s/wave"),
        (2.5e-13, "s/byte", "250 fs/byte (4,000 GB/s)"),
        (1.25e-15, "s/FLOP", "1.25 fs/FLOP (800 TFLOP/s)"),
        (3e-21, "s", "0.00300 as"),
        (math.nan, "s", "-"),
    ],
)
def test_costs(value, unit, text):
    assert cost(value, unit) == text


@pytest.mark.parametrize(
    ("lower", "upper", "estimate", "text"),
    [
        (6.9e-7, 1.01e-6, 7.4e-7, "690 to 1,010"),
        (0.0, 4e-10, 0.0, "0 to 400 ps"),
        (0.0, 0.0, 0.0, "0 to 0"),
        (None, None, 1e-6, "-"),
    ],
)
def test_an_interval_is_in_the_unit_of_its_estimate(lower, upper, estimate, text):
    assert interval(lower, upper, estimate) == text


@given(st.floats(1e-18, 1e3))
def test_a_scaled_time_is_the_time(value):
    scales = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15, "as": 1e-18}
    text, unit = seconds(value).split()
    assert float(text.replace(",", "")) * scales[unit] == pytest.approx(value, rel=6e-3)
    assert text.isascii()
    assert unit.isascii()


def test_no_minus_before_zero():
    assert number(-0.04) == "-0.040"
    assert number(-0.0004) == "0.0"
    assert number(None) == percent(None) == percent(math.nan) == "-"
    assert percent(-0.1234) == "-12.3 %"
