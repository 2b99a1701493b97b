"""What a cube records about its measurement, in words."""

import pytest

from attrib.report.provenance import _text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("passes", 3, "3"),
        ("sleep_s", 2e-3, "2.00 ms"),
        ("tiles", ["a", "b"], "a, b"),
        ("state", {"clock": "locked", "power": {"limit": 700}}, "clock locked, power limit 700"),
        (
            "environment",
            [{"read": 1.7e9, "gpu": "H200"}, {"read": 1.7e9 + 60, "gpu": "H200"}],
            "read 2023-11-14 22:13:20 UTC, gpu H200; read 2023-11-14 22:14:20 UTC, gpu H200",
        ),
    ],
)
def test_records_are_said_in_words(name, value, expected):
    assert _text(name, value).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_long_records_are_cut():
    assert len(_text("notes", ["x" * 300, "y" * 300])) < 410
