"""How abruptly a cache gives way: planted and found again, and not found where it is as sharp as can be."""

from dataclasses import replace

import numpy as np
import pytest

from harness.samples import Samples
from harness.tile import Tile
from models.blocks import block_labels
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.overlap import Overlap, scales_at
from models.problem import Problem
from models.settled_spill import settle_spill
from models.terms import ALL_TERMS
from models.tile_data import TileData

TILES = [Tile.parse("128x128x32"), Tile.parse("256x128x32")]
SHARP = Hardware(cores=20, cache_bytes=6e6, kept_bytes=6e6)
NAMES = ("base overhead", "waves", "tile work", "memory traffic", "cache spill")
HOW = Overlap(power=12.0)
SIDE, DEPTH = np.arange(1, 13) * 320, np.array([64, 128, 256, 512, 1024])


def planted(truth, seed=0, noise=0.003):
    """Tiles that overlap, of launches whose caches lose what ``truth`` says, and what is known of them before."""
    M, N, K = (axis.ravel() for axis in np.meshgrid(SIDE, SIDE, DEPTH, indexing="ij"))
    data, designs, bounded = {}, {}, {}
    for number, tile in enumerate(TILES):
        problem = Problem(M, N, K, tile, 2, 4)
        design = Design.of([term for term in ALL_TERMS if term.name in NAMES], tile, SHARP)
        names = [column.coefficient.name for column in design.columns(SHARP)]
        costs = {"launch": 2e-5, "wave step": 4e-7 * (1.0 + number), "byte": 2e-12, "spilt byte": 2e-12}
        theta = np.array([costs.get(name, 0.0) for name in names])
        matrix, law = design.matrix(problem, truth), HOW.law(problem, truth, ALL_MECHANISMS)
        kinds = np.array(design.resources(truth))
        launch, compute, memory = (matrix[:, kinds == kind] @ theta[kinds == kind] for kind in KINDS)
        both = (compute**HOW.power + memory**HOW.power) ** (1.0 / HOW.power)
        rng = np.random.default_rng((seed, number))
        time = (launch + both) * np.exp(noise * rng.standard_normal(M.size))
        samples = Samples(M, N, K, np.zeros(M.size, dtype=np.int64), (tile,), time, np.full(M.size, np.nan))
        data[tile.name] = TileData(tile, np.arange(M.size), samples, block_labels(M, N), problem)
        designs[tile.name] = design
        scales = scales_at(design.matrix(problem, SHARP), theta, design.resources(SHARP), law)
        bounded[tile.name] = scales, HOW
    return data, designs, SHARP, bounded, 0


KINDS = ("launch", "compute", "memory")


@pytest.mark.parametrize(("size", "sharpness"), [(3e6, 1.3), (9e6, 2.5)])
def test_a_gradual_cache_is_found(size, sharpness):
    truth = replace(SHARP, kept_bytes=size, kept_sharpness=sharpness)
    found = settle_spill(*planted(truth))
    assert found.cache_bytes == SHARP.cache_bytes
    swept = np.geomspace(1e6, 3e7, 20)
    lost, known = (1.0 / (1.0 + (h.kept_bytes / swept) ** h.kept_sharpness) for h in (found, truth))
    # What a byte costs is free, so the share is known but for a factor.
    np.testing.assert_allclose(lost * (lost @ known) / (lost @ lost), known, atol=0.02)


def test_a_cache_that_keeps_all_it_can_stays_as_it_is():
    assert settle_spill(*planted(SHARP)) is None


def test_nothing_is_looked_for_without_warm_caches_or_overlap():
    data, designs, hardware, bounded, seed = planted(SHARP)
    assert settle_spill(data, designs, replace(hardware, kept_bytes=0.0), bounded, seed) is None
    assert settle_spill(data, designs, hardware, {}, seed) is None
