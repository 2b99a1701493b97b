"""Where turns begin: how far cores are out of step, told beside what edges cost."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.chain_search import find_edge_costs


def test_a_spread_that_is_off_makes_no_edge_costly():
    """Cores 10 % apart and edges that cost nothing; waves that end at once tell 6 %."""
    chip = B580.replaced({"cores": 27, "channels": 8})
    twin = Twin(chip, off=["masked edge", "cache spill", "pipeline fill"])
    odd = np.arange(400, 3700, 288)
    grid = Grid(odd, odd + 128, np.array([32, 48, 128, 208, 496, 1088, 1584]))
    fit = AdditiveModel(draws=0).fit(twin.landscape(grid, tiles=[Tile.parse("256x128x32")], repeats=3))
    (tile,) = fit.tiles.values()
    assert fit.hardware.core_spread_of("256x128x32") == pytest.approx(chip.numbers.core_spread, abs=0.005)
    costs = {estimate.name: value for estimate, value in zip(tile.estimates, tile.theta, strict=True)}
    assert not any(value > 0.0 for name, value in costs.items() if "masked step, " in name or "outside" in name)
    assert tile.mape < 0.004


def test_spreads_are_told_by_what_the_turns_end_with(computing_launches):
    """With the costs that turns begin with, two of these tiles are told no better by cores 10 % apart."""
    names = ("256x256x32", "256x128x32", "128x128x32")
    _, spreads = find_edge_costs(*computing_launches(names, (1, 2, 4)), {}, 0)
    assert spreads == pytest.approx(dict.fromkeys(names, B580.numbers.core_spread), abs=0.025)
