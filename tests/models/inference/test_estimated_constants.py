"""Estimated constants as columns of nested tests."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from attrib.diagnostics import diagnose
from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.inference.estimated_constants import constant_columns

TILE = Tile.parse("256x128x32")


@pytest.fixture(scope="module")
def measured():
    """A chip without masked edges whose cores fall out of step, and its model."""
    chip = B580.replaced({"cores": 10, "channels": 8})
    rows = np.array([192, 656, 944, 1152, 1520, 1792, 2288, 2512, 2688, 3072, 3504, 3584])
    columns = np.array([304, 592, 768, 1152, 1424, 1792, 2192, 2304, 2816, 3072, 3328, 3840])
    grid = Grid(rows, columns, np.array([32, 64, 112, 336, 768, 1648]))
    cube = Twin(chip, off=("masked edge", "channel hash", "cache spill")).landscape(grid, tiles=[TILE], repeats=3)
    return cube, AdditiveModel(draws=0).fit(cube)


def launches(fit, cube):
    sizes = np.meshgrid(cube.M.values, cube.N.values, cube.K.values, indexing="ij")
    return fit.problem(TILE.name, *(size.ravel().astype(np.int64) for size in sizes))


def test_columns_tell_what_a_slightly_larger_constant_costs(measured):
    cube, fit = measured
    problem = launches(fit, cube)
    found = constant_columns(fit, TILE.name, problem)
    assert "core spread" in found
    spread = fit.hardware.core_spread_of(TILE.name)
    larger = replace(fit, hardware=fit.hardware.with_core_spread(TILE.name, 1.01 * spread))
    change = (larger.time(TILE.name, problem) - fit.time(TILE.name, problem)) / 0.01
    columns = found["core spread"]
    np.testing.assert_array_equal(columns[:, 0], -columns[:, 1])
    # Waves pass from one core to the next in steps, so single launches may differ.
    assert np.corrcoef(columns[:, 0], change)[0, 1] > 0.8


def test_how_abruptly_a_cache_gives_way_has_a_column(measured):
    cube, fit = measured
    problem = launches(fit, cube)
    gradual = replace(fit, hardware=replace(fit.hardware, kept_bytes=1e7, kept_sharpness=1.5))
    tile = gradual.tiles[TILE.name]
    spilt = np.array([estimate.name == "spilt byte" for estimate in tile.estimates])
    gradual = replace(gradual, tiles={TILE.name: replace(tile, theta=np.where(spilt, 2e-12, tile.theta))})
    assert spilt.sum() == 1
    found = constant_columns(gradual, TILE.name, problem)
    sharper = replace(gradual, hardware=replace(gradual.hardware, kept_sharpness=1.515))
    change = (sharper.time(TILE.name, problem) - gradual.time(TILE.name, problem)) / 0.01
    assert np.corrcoef(found["spill sharpness"][:, 0], change)[0, 1] > 0.95
    assert "spill sharpness" not in constant_columns(fit, TILE.name, problem)


def test_constants_that_a_model_lacks_have_no_columns(measured):
    cube, fit = measured
    tile = fit.tiles[TILE.name]
    assert tile.overlap is not None
    plain = replace(tile, overlap=replace(tile.overlap, power=np.inf))
    bare = replace(fit, hardware=replace(fit.hardware, core_spread={}), tiles={TILE.name: plain})
    assert set(constant_columns(bare, TILE.name, launches(fit, cube))) <= {"spill size"}


def test_a_spread_that_is_off_is_not_taken_for_masked_edges(measured, monkeypatch):
    """With half the spread, a test without the columns finds edges that are none."""
    cube, fit = measured
    spread = 0.5 * fit.hardware.core_spread_of(TILE.name)
    off = replace(fit, hardware=fit.hardware.with_core_spread(TILE.name, spread))

    def p_value():
        found = diagnose(cube, off, draws=99, seed=3, only=["masked edge"])
        return found.tiles[TILE.name].terms[0].p_value

    assert p_value() > 0.3
    monkeypatch.setattr(sys.modules["attrib.diagnostics.diagnose"], "constant_columns", lambda *_: {})
    assert p_value() < 0.05
