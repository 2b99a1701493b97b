"""The power with which memory and computing overlap, planted and found again."""

import numpy as np
import pytest

from harness.samples import Samples
from harness.tile import Tile
from models.blocks import block_labels
from models.design import Design
from models.hardware import Hardware
from models.inference.paired import PairedTest
from models.overlap import LONGER, Overlap
from models.overlap_comparison import OverlapTest
from models.overlap_power import with_power
from models.problem import Problem
from models.terms import ALL_TERMS
from models.tile_data import TileData

TILES = [Tile.parse("128x128x32"), Tile.parse("256x128x32")]
HARDWARE = Hardware(cores=20)
NAMES = ("base overhead", "waves", "memory traffic")
THETA = np.array([5e-6, 1e-6, 4e-7, 3e-12])
SIDE, DEPTH = np.arange(1, 13) * 320, np.array([64, 128, 256, 512, 1024])


def planted(power, seed, noise=0.003):
    """Tiles whose launches take the p-norm of computing and memory, written out here."""
    M, N, K = (axis.ravel() for axis in np.meshgrid(SIDE, SIDE, DEPTH, indexing="ij"))
    data, designs, tests = {}, {}, {}
    for number, tile in enumerate(TILES):
        problem = Problem(M, N, K, tile, 2, 4)
        design = Design.of([term for term in ALL_TERMS if term.name in NAMES], tile, HARDWARE)
        launch, wave, step, byte = (design.matrix(problem, HARDWARE) * THETA * (1.0 + 0.5 * number)).T
        both = np.maximum(wave + step, byte)
        if np.isfinite(power):
            both = ((wave + step) ** power + byte**power) ** (1 / power)
        rng = np.random.default_rng((seed, number))
        time = (launch + both) * np.exp(noise * rng.standard_normal(M.size))
        samples = Samples(M, N, K, np.zeros(M.size, dtype=np.int64), (tile,), time, np.full(M.size, np.nan))
        data[tile.name] = TileData(tile, np.arange(M.size), samples, block_labels(M, N), problem)
        designs[tile.name] = design
        shown = PairedTest(0.5, 1.0, 0.1, 0.001, 1.0)
        tests[tile.name] = OverlapTest(shown, THETA, 0.4, Overlap())
    return tests, data, designs, HARDWARE, 0


@pytest.mark.parametrize("power", [2.0, 4.0, 12.0, LONGER])
def test_a_planted_power_is_found(power):
    for seed in range(5):
        tests, found = with_power(*planted(power, seed))
        assert found == pytest.approx(power, rel=0.1)
        for number, tile in enumerate(TILES):
            assert tests[tile.name].how == Overlap(power=found)
            np.testing.assert_allclose(tests[tile.name].theta, THETA * (1.0 + 0.5 * number), rtol=0.03)


def test_tiles_that_do_not_overlap_are_left_alone():
    tests, *rest = planted(4.0, 0)
    first = TILES[0].name
    tests[first] = OverlapTest(PairedTest(-0.1, -1.0, 0.1, 0.99, 1.0), THETA, 0.4, Overlap())
    found, _ = with_power(tests, *rest)
    assert found[first] is tests[first]
    assert found[TILES[1].name].how.power == pytest.approx(4.0, rel=0.02)
