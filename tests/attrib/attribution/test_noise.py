"""What repeats add to the quantities of a stage: planted noise is found again."""

import numpy as np
import pytest

from attrib.attribution import QUANTITIES
from attrib.attribution.noise import StageNoise
from attrib.landscape import Landscape
from attrib.roughness import roughness
from attrib.stages import BestTile, FixedTile, Pad, Split
from harness.tile import Tile

TILES = (Tile.parse("256x128x32"), Tile.parse("64x128x32"))
SIDE, DEPTH = np.arange(128, 2561, 128), np.arange(256, 2049, 256)
BEST = BestTile()
STAGES = (FixedTile(TILES[0]), BEST, Pad(BEST), Split(BEST), Split(Pad(BEST)))


def seconds(tile, M, N, K):
    groups = -(-M // tile.m) * -(-N // tile.n)
    return 4e-6 + -(-groups // 16) * (2e-6 + K * tile.m * tile.n * 9e-13) + 2e-8 * groups


def landscape(noise=0.0, seed=0):
    times = np.stack([seconds(tile, *np.ix_(SIDE, SIDE, DEPTH)) for tile in TILES])
    error = noise * np.random.default_rng(seed).standard_normal(times.shape)
    return Landscape(times * np.exp(error), TILES, SIDE, SIDE, DEPTH)


SIZES = (0.01, 0.03)
REPEATS = 6


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_planted_noise_is_found_again(stage, size):
    clean = landscape()
    truth = clean.throughput(stage.apply(clean).time)
    smooth = {**roughness(truth).to_dict(), "lost_throughput": -truth.mean(), "slowdown": -np.log(truth).mean()}
    added, told = [], []
    for seed in range(REPEATS):
        grid = landscape(size, seed + 1)
        result = stage.apply(grid)
        rate = grid.throughput(result.time)
        rough = {**roughness(rate).to_dict(), "lost_throughput": -rate.mean(), "slowdown": -np.log(rate).mean()}
        noise = StageNoise(grid, stage, result, np.full(grid.time.shape, size), clean.time)
        added.append([rough[key] - smooth[key] for key in QUANTITIES])
        told.append([noise.of(QUANTITIES[key]) for key in QUANTITIES])
    scale = np.array([1.0 if key == "slowdown" else abs(smooth[key]) for key in QUANTITIES])
    spread = np.std(np.array(added) - told, axis=0) / scale / np.sqrt(REPEATS)
    added, told = np.mean(added, axis=0) / scale, np.mean(told, axis=0) / scale
    assert np.all(np.abs(told - added) < 4 * spread + 0.1 * size + 0.05 * np.abs(added)), (told, added)
    assert np.abs(added).max() > size / 3


def test_picking_the_fastest_looks_faster_than_it_is():
    clean, grid = landscape(), landscape(0.02, 1)
    errors = np.full(grid.time.shape, 0.02)
    lost = [StageNoise(grid, s, s.apply(grid), errors, clean.time).of(QUANTITIES["slowdown"]) for s in STAGES]
    assert abs(lost[0]) < 5e-4
    assert lost[1] < -5e-4
    assert lost[2] < lost[1] - 2e-3
    assert lost[4] < lost[3] - 1e-3


def test_a_slice_is_enough_for_what_is_of_the_slice():
    clean, grid = landscape(), landscape(0.02, 1)
    errors, stage = np.full(grid.time.shape, 0.02), Pad(BEST)
    key = QUANTITIES["slice_N"]
    whole = np.mean([StageNoise(grid, stage, None, errors, clean.time, seed).of(key) for seed in range(5)])
    part = [StageNoise(grid, stage, None, errors, clean.time[..., -1:], seed).of(key) for seed in range(5)]
    assert np.mean(part) == pytest.approx(whole, abs=3 * np.std(part))


def test_without_errors_there_is_no_noise():
    grid = landscape(0.01)
    for errors in (None, np.zeros(grid.time.shape), np.full(grid.time.shape, np.nan)):
        noise = StageNoise(grid, BEST, BEST.apply(grid), errors, grid.time)
        assert [noise.of(quantity) for quantity in QUANTITIES.values()] == [0.0] * len(QUANTITIES)
