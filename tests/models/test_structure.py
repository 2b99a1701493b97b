"""Terms chosen by what bounds each launch: a row pitch that a sum overlooks is not charged to edges."""

import numpy as np
import pytest

from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, Twin
from models.additive import AdditiveModel

CHIP = B580.replaced({"cores": 17, "channels": 8, "interleave_bytes": 512, "cache_bytes": 1.6e7, "line_bytes": 64})
TILE = Tile.parse("128x128x32")


@pytest.fixture(scope="module")
def fit():
    """Every other N is off the cache line, which costs about one per cent of launches that compute."""
    side, depth = np.arange(1, 17) * 240 - 96, np.array([32, 64, 528, 1040, 2048])
    twin = Twin(CHIP, off=("channel hash", "masked edge", "pipeline fill"))
    tiles = [TILE, Tile.parse("256x128x32"), Tile.parse("64x128x32")]
    return AdditiveModel(draws=0).fit(twin.landscape(Grid(side, side, depth), tiles=tiles))


def test_the_pitch_that_costs_something_is_chosen_and_edges_that_cost_nothing_are_not(fit):
    for tile in fit.tiles.values():
        assert tile.overlap is not None
        assert "row pitch" in tile.terms
        assert "masked edge" not in tile.terms
    assert fit.tiles[TILE.name].mape < 0.006


def test_its_cost_is_that_of_the_chip(fit):
    found = {estimate.name: estimate for estimate in fit.tiles[TILE.name].estimates}
    step = sum(
        (found[name].estimate or 0.0) * count
        for name, count in (("step, residents to 1", 1), ("step, residents to 2", 2), ("step, residents to 3", 3))
        if name in found
    ) + (found["step, last resident"].estimate or 0.0)
    full = step + 17 * 4 * (found["work-group step"].estimate or 0.0)
    assert found["B off 64 B"].estimate == pytest.approx(CHIP.numbers.pitch_work * full, rel=0.15)
