"""Edge costs found by turns: against what the simulator was told, and left alone where edges cost nothing."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.blocks import block_labels
from models.chain_search import recount_by_chains
from models.design import Design
from models.hardware import Hardware
from models.overlap import Overlap
from models.terms import ALL_TERMS
from models.tile_data import split_tiles

pytestmark = pytest.mark.xdist_group("edge_turns")  # one worker: the fit is shared
GRID = Grid.parse("128:4096:128;128:4096:128;1024:4096:1024")


@pytest.fixture(scope="module")
def fitted():
    chip = B580.replaced({"cores": 16, "edge_m": 2.0, "edge_n": 2.5})
    twin = Twin(chip)
    tiles = [tile for tile in twin.tiles if tile.m > 64]
    cube = twin.landscape(GRID, tiles=tiles)
    return chip, AdditiveModel(draws=0).fit(cube)


def test_delays_and_levels_are_those_of_the_chip(fitted):
    chip, fit = fitted
    numbers = chip.numbers
    average = 1.0 - numbers.core_spread / 2.0
    for label in ("256x256x32", "256x128x32", "128x256x32"):
        kernel = next(kernel for tile, kernel in chip.kernels.items() if tile.name == label)
        residents = numbers.subgroups_per_core // kernel.sub_groups
        levels = np.maximum(1.0 / kernel.solo_rate, np.arange(1.0, residents + 1.0))
        found = fit.hardware.edges[label]
        np.testing.assert_allclose(found.levels, levels / levels[-1], atol=0.05)
        for axis, size in (("m", kernel.m), ("n", kernel.n)):
            told = sum(getattr(found, f"delay_{axis}")[:2])  # half of the tile is outside wherever any is
            if size == 128:
                assert told == 0.0
                continue
            slope, at_once = getattr(numbers, f"edge_{axis}"), getattr(numbers, f"edge_{axis}_constant")
            true = (at_once + slope * 0.5**numbers.edge_power) * kernel.edge_scale / kernel.solo_rate / levels[-1]
            assert told == pytest.approx(true * average, rel=0.1)


def test_chains_tell_how_far_cores_are_out_of_step(fitted):
    chip, fit = fitted
    for label in fit.hardware.edges:
        assert fit.hardware.core_spread_of(label) == pytest.approx(chip.numbers.core_spread, abs=0.015)
        assert fit.tiles[label].constants["core_spread"].estimate == fit.hardware.core_spread_of(label)


def test_a_spread_that_is_off_makes_no_edge_costly():
    """Cores 10 % apart and edges that cost nothing: with cores 8 % apart, edges would seem to."""
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


def test_ragged_launches_are_told_as_well_as_whole_ones(fitted):
    _, fit = fitted
    assert all(fit.tiles[label].mape < 0.015 for label in fit.hardware.edges)


def test_tiles_that_always_fit_have_no_edge_costs(fitted):
    _, fit = fitted
    assert set(fit.hardware.edges) == {"256x256x32", "256x128x32", "128x256x32"}


def test_fewer_residents_are_seen_with_chains():
    """Costly edges bend waves of lone work-groups as several residents would; four that are there stay four."""
    side = np.arange(1, 17) * 240 - 96
    twin, tiles = Twin(), [Tile.parse("256x256x32"), Tile.parse("128x128x32")]
    samples = Samples.from_cube(twin.landscape(Grid(side, side, np.array([1024, 2048])), tiles=tiles))
    every = np.ones(samples.size, dtype=np.bool_)
    data, _ = split_tiles(samples, block_labels(samples.M, samples.N), (2, 4), every)
    hardware = Hardware(cores=20, residency=dict.fromkeys(data, 4), cache_bytes=1.8e7, kept_bytes=1.8e7)
    designs = {label: Design.of(ALL_TERMS, item.tile, hardware) for label, item in data.items()}
    assert recount_by_chains(data, designs, hardware, {}) == {"256x256x32": 1, "128x128x32": 4}
    # The same where overlap was found with the residents that were counted first: all these launches compute.
    computing = {label: (np.tile([[1.0], [0.0]], item.samples.size), Overlap()) for label, item in data.items()}
    assert recount_by_chains(data, designs, hardware, computing) == {"256x256x32": 1, "128x128x32": 4}
