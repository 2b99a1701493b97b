"""Stages over batches of landscapes, against the stages one by one."""

import numpy as np
import pytest

from attrib.attribution import stage_tiles, stage_times
from attrib.attribution.routes import Route
from attrib.landscape import Landscape
from attrib.stages import BestTile, FixedTile, Pad, Split, Stage, standard_stages
from harness.errors import NotApplicableError
from harness.tile import Tile

VENDOR = Tile.parse("vendor")
TILES = (Tile.parse("128x128x32"), VENDOR, Tile.parse("64x64x32"), Tile.parse("256x128x32"))


def landscapes(seed=0):
    rng = np.random.default_rng(seed)
    axes = [96 * np.arange(1, size + 1) for size in (5, 6, 4)]
    times = rng.uniform(1e-6, 9e-6, (3, 4, 5, 6, 4))
    times[rng.random(times.shape) < 0.15] = np.nan
    return times, [Landscape(times[i], TILES, *axes) for i in range(3)]


@pytest.mark.parametrize("seed", range(4))
def test_batched_stages_equal_the_stages_one_by_one(seed):
    times, found = landscapes(seed)
    stages = [*standard_stages(found[0]), *map(FixedTile, TILES), Pad(FixedTile(VENDOR))]
    for stage in [*stages, BestTile((TILES[3], TILES[1])), Split(BestTile(), ("N",))]:
        batch = stage_times(stage, found[0], times)
        for i, landscape in enumerate(found):
            np.testing.assert_array_equal(batch[i], stage.apply(landscape).time, err_msg=stage.name)


def test_batches_of_an_unknown_stage_are_refused():
    class Mystery(Stage):
        name = "mystery"

        def apply(self, _):
            raise AssertionError("a stage that cannot be attributed is never applied")

    times, found = landscapes()
    with pytest.raises(NotApplicableError, match="mystery"):
        stage_times(Mystery(), found[0], times)
    with pytest.raises(NotApplicableError, match="cannot be applied to batches"):
        Route.of(Pad(Split(BestTile())), TILES)
    assert stage_tiles(Mystery(), found[0]) == [0, 1, 2, 3]


def test_a_stage_names_the_tiles_it_chooses_from():
    _, (landscape, *_) = landscapes()
    assert stage_tiles(FixedTile(VENDOR), landscape) == [1]
    assert stage_tiles(Split(Pad(BestTile())), landscape) == [0, 2, 3]
    assert stage_tiles(Pad(BestTile((VENDOR, TILES[0]))), landscape) == [1, 0]


def test_a_route_is_what_a_stage_does():
    assert Route.of(Split(Pad(BestTile()), ("N",)), TILES) == Route((0, 2, 3), True, ("N",))
    assert not Route.of(Split(Pad(BestTile()), ("N",)), TILES).whole
    assert Route.of(Split(FixedTile(VENDOR)), TILES).whole
