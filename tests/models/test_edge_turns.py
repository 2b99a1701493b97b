"""Edge costs found by turns: against what the simulator was told, and left alone where edges cost nothing."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.twin import B580, Twin
from models.additive import AdditiveModel

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
