"""Where turns begin: how far cores are out of step, told beside what edges cost."""

from dataclasses import replace

import numpy as np
import pytest

from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.chain_search import find_edge_costs, turned_again
from models.edge_costs import EdgeCosts
from models.edge_turns import solved


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


def test_without_a_search_nearby_only_spreads_that_are_tried_are_found(computing_launches):
    launches = computing_launches(("256x256x32",), (1,))
    _, spreads = find_edge_costs(*launches, {}, 0, near=False)
    assert spreads["256x256x32"] in (0.04, 0.1)


def test_costs_that_are_known_are_begun_with_and_turned_again(computing_launches):
    """Known costs are no worse begun with, and a few turns from half of them come near to them again."""
    label = "128x128x32"
    data, designs, hardware = computing_launches((label,), (4,))
    edges, spreads = find_edge_costs(data, designs, hardware, {}, 0)

    def loss(costs, spread=spreads[label]):
        state = replace(hardware, edges=costs).with_core_spread(label, spread)
        return solved(data[label], designs[label], state, None)[1]

    spread = hardware.with_core_spread(label, spreads[label])
    again, others = find_edge_costs(data, designs, spread, {}, 0, edges)
    assert loss(again, others[label]) <= 1.001 * loss(edges)
    found = edges[label]
    half = EdgeCosts(found.levels, *(tuple(0.5 * d for d in late) for late in (found.delay_n, found.delay_m)))
    turned = turned_again(data, designs, replace(spread, edges={label: half}), {})
    assert loss(turned) < 0.5 * loss({label: half})
    assert loss(turned) < 1.2 * loss(edges)
    assert turned_again(data, designs, hardware, {}) == {}
