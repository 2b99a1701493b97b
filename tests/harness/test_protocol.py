"""The protocol: what is declared is checked, and stored with its rules."""

import json

import pytest

from harness.cube import ELEMENT_BYTES
from harness.errors import InputError
from harness.protocol import CACHE_STATES, TOLERANCE, Protocol


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"repeats": 0}, "repeats must be positive, got 0"),
        ({"max_launches": 0}, "max_launches must be positive"),
        ({"series_seconds": 0.0}, "series_seconds must be positive"),
        ({"target_error": -0.01}, "target_error must be positive"),
        ({"target_error": float("nan")}, "target_error must be positive"),
        ({"outlier_threshold": 0.0}, "outlier_threshold must be positive"),
        ({"seed": -1}, "seed must not be negative"),
        ({"sentinels": -1}, "sentinels must not be negative"),
        ({"verified_per_kernel": -1}, "verified_per_kernel must not be negative"),
        ({"warmup_seconds": -0.1}, "warmup_seconds must not be negative"),
        ({"repeats": 5, "max_repeats": 4}, r"max_repeats \(4\) is below repeats \(5\)"),
        ({"cache": "hot"}, "cache 'hot' is unknown: expected warm or cold or rotating"),
    ],
)
def test_nonsense_is_refused(setting, message):
    with pytest.raises(InputError, match=message):
        Protocol(**setting)


@pytest.mark.parametrize("cache", CACHE_STATES)
def test_plain_data_tells_numbers_and_rules(cache):
    protocol = Protocol(repeats=2, cache=cache, seed=7)
    data = json.loads(json.dumps(protocol.to_dict()))
    assert Protocol(**{name: data[name] for name in Protocol.__dataclass_fields__}) == protocol
    assert data["cache_rule"].startswith(cache)
    assert {"order", "center", "stopping"} <= set(data)


def test_every_tolerance_is_of_a_known_type():
    assert set(TOLERANCE) <= set(ELEMENT_BYTES)
