"""Numbers are read as an engineer would say them."""

import base64
import struct

import numpy as np
import pytest

from attrib.report.figure import packed
from attrib.report.numbers_with_units import interval, mebibytes, number, percent, scaled, signed


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (7.367e-7, "s/(wave step)", "737 ns/(wave step)"),
        (3.094e-6, "s/wave", "3.09 µs/wave"),
        (9.9996e-7, "s", "1.00 µs"),
        (1.3e-14, "s/byte", "13.0 fs/byte"),
        (8.11e12, "B/s", "8.11 TB/s"),
        (0.0, "s", "0 s"),
        (1e-21, "s", "0.00100 as"),
    ],
)
def test_scaled(value, unit, expected):
    assert scaled(value, unit) == expected


def test_intervals_keep_the_unit_of_their_estimate():
    assert interval(9.5e-7, 1.25e-6, -6) == "0.950 to 1.25"
    assert interval(None, 1.0, 0) == "–"


def test_signs_and_missing_values():
    assert number(-0.04) == "−0.040"
    assert number(-0.0004) == "0.0"
    assert number(-1.25, 2) == "−1.25"
    assert signed(2.0) == "+2.0"
    assert signed(0.01) == "+0.010"
    assert signed(0.0001) == "0.0"
    assert number(float("nan")) == percent(None) == "–"
    assert percent(0.0123) == "1.2 %"
    assert percent(-8e-6) == "0.0 %"
    assert percent(-0.012) == "−1.2 %"
    assert percent(0.71) == "71 %"
    assert mebibytes(31457280) == "30.0 MiB"


def test_packed_arrays_keep_shape_kind_and_gaps():
    whole = packed(np.array([1, 2, 4096]))
    assert whole["dtype"] == "i4"
    assert struct.unpack("<3i", base64.b64decode(whole["bdata"])) == (1, 2, 4096)
    part = packed(np.array([[1.5, np.nan]]))
    assert (part["dtype"], part["shape"]) == ("f4", "1, 2")
    assert np.isnan(struct.unpack("<2f", base64.b64decode(part["bdata"]))[1])
