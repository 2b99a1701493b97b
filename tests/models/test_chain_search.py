"""Where turns begin: how far cores are out of step, and residents, told beside what edges cost."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.blocks import block_labels
from models.chain_search import find_edge_costs, recount_by_chains
from models.design import Design
from models.hardware import Hardware
from models.overlap import Overlap
from models.terms import ALL_TERMS
from models.tile_data import split_tiles


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


def computing_launches(names, residency):
    """Launches of a twin of 20 cores that compute, most of them ragged, with the residents that are given."""
    side = np.arange(1, 17) * 240 - 96
    samples = Samples.from_cube(
        Twin().landscape(Grid(side, side, np.array([1024, 2048])), tiles=[Tile.parse(name) for name in names])
    )
    every = np.ones(samples.size, dtype=np.bool_)
    data, _ = split_tiles(samples, block_labels(samples.M, samples.N), (2, 4), every)
    held = dict(zip(names, residency, strict=True))
    hardware = Hardware(cores=20, residency=held, cache_bytes=1.8e7, kept_bytes=1.8e7)
    return data, {label: Design.of(ALL_TERMS, item.tile, hardware) for label, item in data.items()}, hardware


def test_spreads_are_told_by_what_the_turns_end_with():
    """With the costs that turns begin with, two of these tiles are told no better by cores 10 % apart."""
    names = ("256x256x32", "256x128x32", "128x128x32")
    _, spreads = find_edge_costs(*computing_launches(names, (1, 2, 4)), {}, 0)
    assert spreads == pytest.approx(dict.fromkeys(names, B580.numbers.core_spread), abs=0.025)


def test_fewer_residents_are_seen_with_chains():
    """Costly edges bend waves of lone work-groups as several residents would; four that are there stay four."""
    data, designs, hardware = computing_launches(("256x256x32", "128x128x32"), (4, 4))
    assert recount_by_chains(data, designs, hardware, {}) == {"256x256x32": 1, "128x128x32": 4}
    # The same where overlap was found with the residents that were counted first: all these launches compute.
    computing = {label: (np.tile([[1.0], [0.0]], item.samples.size), Overlap()) for label, item in data.items()}
    assert recount_by_chains(data, designs, hardware, computing) == {"256x256x32": 1, "128x128x32": 4}
