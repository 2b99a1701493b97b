"""The spread of cores' rates: found where it is planted, in the simulator and in the model, and nowhere else."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.twin import Twin
from harness.twin.chip import B580
from models.additive import AdditiveModel
from models.core_spread import CANDIDATES
from models.hardware import Hardware
from models.planted import planted_cube

GRID = Grid.parse("128:3072:128;128:3072:128;512:2048:512")
TILES = ("256x128x32", "128x128x32")


def planted(spread, seed):
    hardware = Hardware(
        cores=20, residency={TILES[1]: 2}, cache_bytes=8e6, core_spread=dict.fromkeys(TILES, spread)
    )
    return planted_cube(hardware, TILES, GRID, lack_of_fit=0.01, seed=seed).cube


@pytest.mark.parametrize("spread", [0.04, 0.1])
def test_a_planted_spread_is_in_its_set(spread):
    fit = AdditiveModel(draws=0).fit(planted(spread, 3))
    for label in TILES:
        found = fit.tiles[label].constants["core_spread"]
        assert found.identified
        assert min(found.values) <= spread <= max(found.values)
        assert fit.hardware.core_spread_of(label) == found.estimate
        # Beside those that are always tried stands what chains of ragged launches told.
        assert set(found.profile.candidates) == {(value,) for value in (*CANDIDATES, found.estimate)}


def test_cores_in_step_are_not_said_to_be_out_of_it():
    fits = [AdditiveModel(draws=0).fit(planted(0.0, seed)) for seed in range(2)]
    told = [fit.tiles[label].constants["core_spread"] for fit in fits for label in TILES]
    assert sum(found.identified for found in told) <= 1
    for found in told:
        if not found.identified:
            assert found.estimate is None
            assert "cores in step" in found.status
            assert 0.0 in found.values


def test_a_spread_lowers_the_held_out_error_on_a_chip_that_has_one():
    """The simulator hands work-groups out event by event; what is estimated there is no number of its own."""
    twin = Twin(B580.replaced({"cores": 24, "core_spread": 0.12, "bandwidth": 6e11}))
    tiles = [tile for tile in twin.tiles if tile.name in {"256x256x32", "128x128x32"}]
    grid = Grid.parse("128:4096:128;128:4096:128;1024,4096")
    fit = AdditiveModel(draws=0).fit(twin.landscape(grid, tiles=tiles))
    assert fit.hardware.cores == 24
    found = fit.tiles["128x128x32"].constants["core_spread"]
    assert found.identified
    assert found.estimate == pytest.approx(0.12, abs=0.05)
    criterion = np.array(found.profile.criterion)
    assert criterion[0] > criterion.min()


def test_hardware_keeps_its_spread():
    hardware = Hardware(cores=20, core_spread=dict.fromkeys(TILES, 0.08))
    assert Hardware.from_dict(hardware.to_dict()) == hardware
    assert hardware.core_spread_of(TILES[0]) == 0.08
    assert Hardware().core_spread_of(TILES[0]) == 0.0
