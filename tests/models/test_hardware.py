"""Hardware constants: what the record leaves open, and round trips."""

import dataclasses
import json

import numpy as np
import pytest

from harness.cube import device_of
from harness.device import load_device
from models.hardware import Hardware


def test_takes_what_the_record_states():
    found = Hardware.from_device(load_device("b580"))
    assert (found.cores, found.channels, found.interleave_bytes, found.atom) == (20, 6, 256, (8, 16, 16))


def test_keeps_defaults_where_the_record_is_silent(planted):
    assert Hardware.from_device(device_of(planted)) == Hardware()


@pytest.mark.parametrize("device", ["b580", "h200", "cpu"])
def test_round_trip_through_json(device):
    found = Hardware.from_device(load_device(device)).with_waves(7, {"64x64x32": 3})
    assert Hardware.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_its_own_spill_size_leaves_hardware_as_it_is():
    rng = np.random.default_rng(0)
    for cache, kept in rng.uniform(1e6, 1e8, (200, 2)):
        gradual = Hardware(cache_bytes=cache, kept_bytes=kept, kept_sharpness=1.5)
        assert gradual.with_spill_size(cache) == gradual
    assert Hardware(kept_bytes=1e6).with_spill_size(2e6).kept_bytes == 1e6


def test_the_pitch_is_the_width_rounded_up():
    widths = np.array([1, 63, 64, 65])
    np.testing.assert_array_equal(Hardware().pitch(widths), widths)
    np.testing.assert_array_equal(Hardware(pitch_multiple=64).pitch(widths), [64, 64, 64, 128])


def test_slots():
    found = Hardware().with_waves(20, {"64x64x32": 3})
    assert found.slots_of("64x64x32") == 60
    assert found.slots_of("unknown") == 20
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.cores = 1
