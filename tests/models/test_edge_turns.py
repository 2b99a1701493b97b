"""Edge costs found by turns: against what the simulator was told, and left alone where edges cost nothing."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.blocks import block_labels
from models.design import Design
from models.edge_costs import EdgeCosts
from models.edge_turns import take_turns
from models.hardware import Hardware
from models.terms import ALL_TERMS
from models.tile_data import split_tiles

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


def test_ragged_launches_are_told_as_well_as_whole_ones(fitted):
    _, fit = fitted
    assert all(fit.tiles[label].mape < 0.015 for label in fit.hardware.edges)


def test_tiles_that_always_fit_have_no_edge_costs(fitted):
    _, fit = fitted
    assert set(fit.hardware.edges) == {"256x256x32", "256x128x32", "128x256x32"}


def test_costs_that_turns_began_with_do_not_stay_where_the_fit_has_others():
    """On a grid that cuts tiles in half, launches wait for the same work-groups whatever edges cost, if anything.

    Without padding they do not, and made-up costs would say for which.
    """
    tile, begin = Tile.parse("256x256x32"), EdgeCosts((1.0,), (0.15, 0.3, 0.6), (0.15, 0.3, 0.6), 1.0)
    twin = Twin(B580, off=["cache spill", "memory traffic", "channel hash", "pipeline fill", "core spread"])
    samples = Samples.from_cube(
        twin.landscape(Grid.parse("128:2048:128;128:2048:128;1024:4096:1024"), tiles=[tile])
    )
    every = np.ones(samples.size, dtype=np.bool_)
    item = split_tiles(samples, block_labels(samples.M, samples.N), (2, 4), every)[0][tile.name]
    hardware = Hardware(cores=20, residency={tile.name: 1})
    terms = [term for term in ALL_TERMS if term.name in ("base overhead", "waves", "masked edge")]
    found, _ = take_turns(item, Design.of(terms, tile, hardware), hardware, None, 0, begin)
    assert found is not None
    numbers, kernel = B580.numbers, B580.kernels[tile]
    for axis, delay in (("m", found.delay_m), ("n", found.delay_n)):
        slope, at_once = getattr(numbers, f"edge_{axis}"), getattr(numbers, f"edge_{axis}_constant")
        true = (at_once + slope * 0.5**numbers.edge_power) * kernel.edge_scale
        assert sum(delay[:2]) == pytest.approx(true, rel=0.01)
