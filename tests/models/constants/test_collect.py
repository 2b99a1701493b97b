"""Constants of one tile beside each other: they have to agree."""

import numpy as np

from harness.grid import Grid
from harness.twin import B580, Twin
from models.additive import AdditiveModel
from models.constants.collect import STATED


def test_a_core_count_that_is_stated_says_so_and_makes_the_slots():
    """Tiles of 2 and 4 residents on a small grid: twice the cores with half the residents explain them alike."""
    twin = Twin(B580.replaced({"cores": 21}))
    tiles = [tile for tile in twin.tiles if twin.residents(tile) > 1][:3]
    side = np.arange(1, 17) * 240 - 96
    cube = twin.landscape(Grid(side, side, np.array([64, 528, 1040, 2048])), tiles=tiles, repeats=3)
    for label, fit in AdditiveModel(draws=0).fit(cube).tiles.items():
        cores = fit.constants["cores"]
        assert cores.estimate == 21
        assert cores.note.startswith(STATED)
        assert "alone they say 42" in cores.note
        assert fit.constants["slots"].estimate == 21 * fit.constants["residency"].estimate, label
