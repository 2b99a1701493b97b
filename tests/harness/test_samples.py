"""Samples: the flat view of a cube."""

import numpy as np
import pytest

from harness.cube import STATUS, dense_cube, sparse_cube
from harness.device import load_device
from harness.errors import CubeError
from harness.samples import Samples
from harness.tile import Tile

B580 = load_device("b580")
TILES = (Tile.parse("256x256x32"), Tile.parse("128x128x32"), Tile.parse("vendor"))
AXES = ([1, 2], [3, 4, 5], [6, 7])


def coded(tile, M, N, K):
    """A time that tells its cell."""
    return 1e-9 * (1000 * tile + 100 * M + 10 * N + K)


def make(**options):
    grids = np.meshgrid(range(3), *AXES, indexing="ij")
    return dense_cube(coded(*grids), *AXES, TILES, B580, **options)


def test_every_cell_keeps_its_time():
    samples = Samples.from_cube(make())
    assert samples.size == 36
    assert samples.tiles == TILES
    np.testing.assert_allclose(samples.time, coded(samples.tile, samples.M, samples.N, samples.K))
    assert np.isnan(samples.spread).all()
    for column in (samples.M, samples.N, samples.K, samples.tile):
        assert column.dtype == np.int64


def test_transposed_cube_keeps_its_times():
    samples = Samples.from_cube(make().transpose("K", "tile", "N", "M"))
    np.testing.assert_allclose(samples.time, coded(samples.tile, samples.M, samples.N, samples.K))


@pytest.mark.parametrize("name", [name for name in STATUS if name != "ok"])
def test_only_ok_cells_take_part(name):
    status = np.zeros((3, 2, 3, 2), dtype=np.int8)
    status[1, 0, 2, 1] = STATUS[name]
    samples = Samples.from_cube(make(status=status))
    assert samples.size == 35
    cells = set(zip(samples.tile, samples.M, samples.N, samples.K, strict=True))
    assert (1, 1, 5, 7) not in cells
    assert (1, 1, 5, 6) in cells


def test_nothing_ok_is_refused():
    status = np.full((3, 2, 3, 2), STATUS["failed"], dtype=np.int8)
    with pytest.raises(CubeError, match="nothing to fit"):
        Samples.from_cube(make(status=status))


def test_of_tile_and_take():
    samples = Samples.from_cube(make(spread=np.full((3, 2, 3, 2), 1e-9)))
    part = samples.of_tile(2)
    assert part.size == 12
    assert set(part.tile) == {2}
    assert part.tiles == TILES
    assert part.take(np.array([3, 1])).time.tolist() == [part.time[3], part.time[1]]
    assert samples.take(samples.M == 1).size == 18
    assert (samples.spread == 1e-9).all()


def test_concatenate_unites_tiles_by_label():
    first = Samples.from_cube(sparse_cube([1e-3], [[1, 1, 1]], [TILES[0]], B580))
    second = Samples.from_cube(sparse_cube([2e-3, 3e-3], [[2, 2, 2], [3, 3, 3]], [TILES[2], TILES[0]], B580))
    joined = Samples.concatenate([first, second])
    assert joined.tiles == (TILES[0], TILES[2])
    assert [joined.tiles[i].name for i in joined.tile] == ["256x256x32", "vendor", "256x256x32"]
    assert joined.time.tolist() == [1e-3, 2e-3, 3e-3]
    assert joined.M.tolist() == [1, 2, 3]
