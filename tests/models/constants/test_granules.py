"""Granularities of K and of the pitches from planted neighbourhoods."""

import numpy as np
import pytest

from harness.samples import Samples
from harness.tile import Tile
from models.constants.granules import GRANULES, granularities
from models.design import problem_of
from models.hardware import Hardware
from models.terms import ALL_TERMS
from models.tile_data import TileData


def found(data, hardware, seed=0):
    return next(iter(granularities(data, hardware, ALL_TERMS, np.random.default_rng(seed)).values()))


@pytest.mark.parametrize(("along_k", "along_n"), [(32, 32), (64, 64), (8, 64), (16, 32)])
def test_planted_granules_are_recovered(landscape, hardware, off_grid, along_k, along_n):
    granules = found(landscape(off_grid, granule_k=along_k, granule_n=along_n), hardware)
    assert granules.k_granularity.identified
    assert along_k in granules.k_granularity.values
    assert granules.k_granularity.estimate == along_k
    assert granules.k_granularity.unit == "elements"
    assert f"a row pitch of A of {2 * along_k} B" in granules.k_granularity.note
    assert granules.row_pitch_b.identified
    assert granules.row_pitch_b.estimate == 2 * along_n
    profile = granules.row_pitch_b.profile
    assert [candidate[0] for candidate in profile.candidates] == list(GRANULES)
    assert profile.tenable[GRANULES.index(2 * along_n)]
    assert int(np.argmin(profile.criterion)) == GRANULES.index(2 * along_n)


def test_the_pitch_of_a_is_not_told_from_the_granularity_of_k(landscape, hardware, off_grid):
    granules = found(landscape(off_grid, granule_k=32), hardware)
    assert not granules.row_pitch_a.identified
    assert granules.row_pitch_a.status.startswith("not identifiable on this grid: ")
    assert "pitch of 64 B" in granules.row_pitch_a.status
    assert "leading dimension" in granules.row_pitch_a.remedy


def test_a_grid_of_whole_lines_tells_nothing(landscape, hardware, on_grid):
    granules = found(landscape(on_grid, granule_k=32, granule_n=64), hardware)
    for constant in (granules.k_granularity, granules.row_pitch_a, granules.row_pitch_b):
        assert constant.estimate is None
        assert constant.status.startswith(
            "not identifiable on this grid: neighbouring shapes differ in no alignment"
        )
        assert constant.remedy


def test_nothing_is_found_where_alignment_costs_nothing(landscape, hardware, off_grid):
    claims = 0
    for seed in range(30):
        granules = found(landscape(off_grid, seed=seed), hardware, seed)
        claims += granules.k_granularity.identified + granules.row_pitch_b.identified
    assert claims <= 3  # of 60; the level is 1 %


def test_lack_of_fit_of_a_neighbourhood_is_not_taken_for_a_granule(landscape, hardware, off_grid):
    """Each neighbourhood is off by a tenth of its own: five times what is looked for."""
    data = landscape(off_grid, granule_k=32, granule_n=64)
    (item,) = data.values()
    rng = np.random.default_rng(0)
    level = dict.fromkeys(map(tuple, -(-np.stack([item.samples.M, item.samples.N, item.samples.K], 1) // 256)))
    level = {key: float(np.exp(0.1 * rng.standard_normal())) for key in level}
    shapes = np.stack([item.samples.M, item.samples.N, item.samples.K], axis=1)
    item.samples.time[:] *= [level[tuple(-(-shape // 256))] for shape in shapes]
    granules = found(data, hardware)
    assert granules.k_granularity.estimate == 32
    assert granules.row_pitch_b.estimate == 128


@pytest.mark.parametrize("dearer", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("granule", [32, 64])
def test_what_steps_and_edges_cost_is_not_taken_for_an_alignment(on_grid, granule, dearer):
    """A tile 64 wide, whose ragged edges are all off 128 B; and long K are dearer by the step than the model knows.

    Of five N in a column of tiles nothing is left to tell an alignment by beside edges that may cost anything.
    """
    tile = Tile.parse("64x64x32")
    rng = np.random.default_rng(2)
    base = rng.integers(3, 16, (24, 3)) * 256
    moved = [(0, 64, d) for d in (0, 8, 16, 32, 64, 128)] + [(0, d, 0) for d in (72, 80, 96, 112, 128)]
    shapes = np.concatenate([on_grid, *(base - np.array(step) for step in moved)])
    M, N, K = shapes.T
    step = 4e-7 * (1 + 0.05 * (K % 32 != 0) + 0.04 * (N % granule != 0) + dearer * (K % 256 == 0))
    waves = np.ceil(np.ceil(M / 64) * np.ceil(N / 64) / 64)
    time = (6e-6 + waves * (2e-6 + np.ceil(K / 32) * step)) * np.exp(0.004 * rng.standard_normal(K.size))
    samples = Samples(M, N, K, np.zeros(K.size, dtype=np.int64), (tile,), time, np.full(K.size, np.nan))
    blocks = np.unique(M // 768 * 100 + N // 768, return_inverse=True)[1]
    item = TileData(tile, np.arange(K.size), samples, blocks, problem_of(samples, tile, 2, 2))
    granules = found({tile.name: item}, Hardware(cores=16, residency={tile.name: 4}))
    assert not granules.row_pitch_b.identified
    assert "differ in no alignment of N that ragged edges do not share" in granules.row_pitch_b.status
