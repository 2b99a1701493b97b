"""What is found at one count of cores, and how counts compare by what is found."""

import numpy as np
import pytest

from harness.cube import device_of
from harness.grid import Grid
from harness.samples import Samples
from models.blocks import Blocks, fold_labels
from models.core_count import count_cores
from models.device_search import DeviceSearch, search_device
from models.hardware import Hardware
from models.planted import planted_cube
from models.terms import SUMMED_TERMS
from models.tile_data import split_tiles

TILES = ("256x128x32", "128x128x32")


@pytest.fixture(scope="module")
def searched():
    truth = Hardware(cores=20, residency={TILES[1]: 2}, cache_bytes=8e6)
    cube = planted_cube(truth, TILES, Grid.parse("128:3072:128;128:3072:128;512:2048:512"), seed=1).cube
    samples = Samples.from_cube(cube)
    division = Blocks.of(samples.M, samples.N)
    distinct, blocks = np.unique(division.labels(samples.M, samples.N), return_inverse=True)
    data, _ = split_tiles(samples, blocks, (2, 4), np.ones(samples.size, dtype=np.bool_))
    fold_of_block = np.zeros(distinct.size, dtype=np.int64)
    fold_of_block[blocks] = fold_labels(blocks, 8, np.random.default_rng(0))
    waves = count_cores(cube)

    def at(cores):
        return search_device(
            data,
            data,
            Hardware.from_device(device_of(cube)),
            waves.with_cores(cores),
            terms=SUMMED_TERMS,
            fold_of_block=fold_of_block,
            places=tuple(np.divmod(distinct, division.edges_n.size + 1)),
            progress=lambda _: None,
            seed=0,
            streams=(np.random.default_rng(1), np.random.default_rng(2)),
        )

    return waves, {cores: at(cores) for cores in (20, 37)}


def test_the_model_of_the_true_count_fits_best(searched):
    _, found = searched
    assert min(found.values(), key=DeviceSearch.misfit) is found[20]
    assert found[20].misfit() < found[37].misfit() - 10.0
    assert found[20].structure.hardware.cores == 20
    assert found[37].structure.hardware.cores == 37


def test_another_count_has_residents_of_its_own(searched):
    waves, _ = searched
    other = waves.with_cores(40)
    assert (other.cores, other.alone) == (40, waves.alone)
    assert 40 in other.cores_set
    assert other.residency[TILES[0]] == waves.profiles[TILES[0]].residency_at(40)
    assert set(other.residency_set) == set(TILES)
