"""Counting cores from a cube, without its device record."""

import numpy as np
import pytest

from harness.cube import dense_cube, device_of
from harness.errors import FitError
from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import Twin
from models.blocks import block_labels
from models.core_count import count_cores, count_residents
from models.design import problem_of
from models.hardware import Hardware
from models.terms import ALL_TERMS
from models.tile_data import LEAST_SAMPLES, TileData


def test_cores_and_residencies_are_counted_without_the_record(machine, planted):
    found = count_cores(planted)
    assert (found.cores, found.cores_set, found.identified) == (20, (20,), True)
    assert dict(found.residency) == {kernel.name: kernel.residency for kernel in machine.kernels}
    for kernel in machine.kernels:
        assert kernel.residency in found.residency_set[kernel.name]
        profile = found.profiles[kernel.name]
        assert profile.criterion.shape == (profile.cores.size, 4)
        assert profile.best == (20, kernel.residency)


def test_a_library_alone_cannot_be_counted(planted):
    times = planted["time"].values[:1]
    axes = (planted[axis].values for axis in "MNK")
    hidden = dense_cube(times, *axes, [Tile.parse("vendor")], device_of(planted))
    with pytest.raises(FitError, match="no tile of known size"):
        count_cores(hidden)


def test_the_count_repeats_with_its_seed(planted):
    first, second = count_cores(planted, seed=3), count_cores(planted, seed=3)
    assert first.cores_set == second.cores_set
    for name, profile in first.profiles.items():
        np.testing.assert_array_equal(profile.criterion, second.profiles[name].criterion)


def test_edges_of_the_twin_are_no_waves():
    """The simulator hands out work-groups one by one; those at a ragged edge take up to several times as long."""
    twin = Twin()
    cube = twin.landscape(Grid.parse("128:4096:128;128:4096:128;1024,4096"))
    found = count_cores(cube)
    assert found.cores == twin.chip.numbers.cores
    assert found.identified
    for tile in twin.tiles:
        assert twin.residents(tile) in found.residency_set[tile.name]
    blind = count_cores(cube, [term for term in ALL_TERMS if term.name != "masked edge"])
    assert blind.cores != twin.chip.numbers.cores


def test_cores_of_the_twin_are_counted_on_a_fine_grid_too():
    """Tiles of several residents show 40 and 80 slots; only the largest tile tells 20 cores from 40."""
    twin = Twin()
    found = count_cores(twin.landscape(Grid.parse("80:4080:80;80:4080:80;1200,4000")))
    assert twin.chip.numbers.cores in found.cores_set
    assert 40 not in found.cores_set
    for tile in twin.tiles:
        assert twin.residents(tile) in found.residency_set[tile.name]


def tile_data(cube, index, sizes=(2, 4)):
    samples = Samples.from_cube(cube)
    rows = np.flatnonzero(samples.tile == index)
    part, tile = samples.take(rows), samples.tiles[index]
    return TileData(tile, rows, part, block_labels(part.M, part.N), problem_of(part, tile, *sizes))


@pytest.mark.parametrize("index", [0, 1, 4])
def test_residents_are_counted_on_launches_that_compute(index):
    """Simulated: memory costs overlap with computing there, and cores are out of step."""
    twin = Twin()
    item = tile_data(twin.landscape(Grid.parse("128:4096:128;128:4096:128;512,4096"), tiles=twin.tiles), index)
    computing = item.samples.K == 4096
    hardware = Hardware(cores=twin.chip.numbers.cores, cache_bytes=18e6)
    found, tenable = count_residents(item, computing, hardware, ALL_TERMS, np.random.default_rng(0))
    assert found == twin.residents(item.tile)
    assert found in tenable


def test_a_handful_of_launches_counts_no_residents(planted):
    item = tile_data(planted, 0)
    few = np.arange(item.samples.size) < LEAST_SAMPLES - 1
    assert count_residents(item, few, Hardware(cores=20), ALL_TERMS, np.random.default_rng(0)) is None
