"""The line that says of a tile what its fit found: samples, cores, residents, and how the cache gives way."""

from dataclasses import replace

import pytest

from attrib.cli.fit_tables import tile_line
from models.hardware import Hardware
from models.model_file import open_model


@pytest.fixture(scope="module")
def spilling(model_file):
    """A tile of a fit, charged for bytes of a working set beyond 3 MiB."""
    label, item = next(iter(open_model(model_file).tiles.items()))
    size = replace(next(iter(item.constants.values())), estimate=3.0 * 2**20)
    estimates = (replace(item.estimates[0], name="spilt byte"),)
    return label, replace(item, estimates=estimates, constants={"cache_spill_bytes": size})


def test_a_sharp_cache_is_said_by_its_size(spilling):
    assert tile_line(*spilling, Hardware(cores=20)).endswith("; cache spills beyond 3.00 MiB")


def test_a_gradual_cache_is_said_by_what_it_loses_half_of(spilling):
    label, item = spilling
    gradual = Hardware(cores=20, cache_bytes=3.0 * 2**20, kept_bytes=7.5 * 2**20, kept_sharpness=1.25)
    assert tile_line(label, item, gradual).endswith("; warm cache loses half of 7.50 MiB, sharpness 1.25")
    assert "cache" not in tile_line(label, replace(item, estimates=()), gradual)
