"""Sum against overlap: planted landscapes of either kind are named rightly, and a fit uses what it found."""

import numpy as np
import pytest

from harness.cube import dense_cube
from harness.device import DeviceRecord
from harness.tile import Tile
from models.additive import AdditiveModel
from models.blocks import Blocks, fold_labels
from models.design import ALL_MECHANISMS
from models.hardware import Hardware
from models.last_wave import LastWave
from models.model_file import open_model, save_model
from models.overlap import (
    LONGER,
    Overlap,
    OverlapLaw,
    overlapped,
    scaled,
    scales_at,
    shown,
)
from models.overlap_comparison import compare_overlap
from models.problem import Problem

DEVICE = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
RESOURCES = ("launch", "compute", "compute", "memory", "memory")
SIDE, DEPTH = np.arange(128, 4097, 248), np.array([64, 256, 1024, 4096])
LAUNCH, WAVE, STEP, BYTE = 5e-6, 2e-6, 6e-7, 4.8e-12


def costs(M, N, K):
    """Launch, compute and memory seconds, written out here."""
    waves = np.ceil(np.ceil(M / 128) * np.ceil(N / 128) / 20)
    compute = waves * (WAVE + STEP * np.ceil(K / 64))
    memory = BYTE * 2.0 * (M * K + K * N + M * N)
    return LAUNCH, compute, memory


def landscape(law, seed, noise=0.004, scale=1.0):
    launch, compute, memory = costs(*np.ix_(SIDE, SIDE, DEPTH))
    memory = scale * memory
    time = launch + (compute + memory if law == "sum" else np.maximum(compute, memory))
    return time * np.exp(noise * np.random.default_rng(seed).standard_normal(time.shape))


def matrix():
    M, N, K = (axis.ravel() for axis in np.meshgrid(SIDE, SIDE, DEPTH, indexing="ij"))
    waves = np.ceil(np.ceil(M / 128) * np.ceil(N / 128) / 20)
    columns = [np.ones(M.size), waves, waves * np.ceil(K / 64), 2.0 * (M * K + K * N), 2.0 * M * N]
    return M, N, K, np.stack(columns, axis=1)


def compared(law, seed, scale=1.0, time=None, last=None):
    M, N, K, columns = matrix()
    division = Blocks.of(M, N)
    distinct, blocks = np.unique(division.labels(M, N), return_inverse=True)
    fold = fold_labels(blocks, 8, np.random.default_rng(seed))
    fold_of_block = np.zeros(distinct.size, dtype=np.int64)
    fold_of_block[blocks] = fold
    places = np.divmod(distinct, division.edges_n.size + 1)
    intensity = M * N * K / (M * K + K * N + M * N)
    time = landscape(law, seed, scale=scale).ravel() if time is None else time
    rng = np.random.default_rng(seed)
    return compare_overlap(columns, time, RESOURCES, blocks, fold_of_block, places, intensity, rng, last)


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.0])
def test_planted_overlap_and_planted_sums_are_named_rightly(scale):
    for seed in range(6):
        overlap, added = compared("overlap", seed, scale), compared("sum", seed, scale)
        assert overlap.overlaps
        assert 0.0 < overlap.memory_bound < 1.0
        assert added is None or not added.overlaps


def test_planted_coefficients_are_recovered():
    found = compared("overlap", 0)
    np.testing.assert_allclose(found.theta, [LAUNCH, WAVE, STEP, BYTE, BYTE], rtol=0.05)
    _, compute, memory = costs(*matrix()[:3])
    assert found.memory_bound == pytest.approx(np.mean(memory > compute), abs=0.03)


def test_without_memory_costs_there_is_nothing_to_overlap():
    assert compared("sum", 0, scale=0.0) is None or not compared("sum", 0, scale=0.0).overlaps


@pytest.mark.parametrize("power", [1.5, 4.0, 16.0, LONGER])
def test_the_effective_design_is_the_derivative(power):
    _, _, _, columns = matrix()
    theta = np.array([LAUNCH, WAVE, STEP, BYTE, BYTE])
    law = OverlapLaw(power)
    design = overlapped(columns, theta, RESOURCES, law)
    launch, compute, memory = columns[:, 0] * LAUNCH, columns[:, 1:3] @ theta[1:3], columns[:, 3:] @ theta[3:]
    both = np.maximum(compute, memory)
    if np.isfinite(power):
        both = (compute**power + memory**power) ** (1 / power)
    # What adds less than a ten-thousandth counts as nothing.
    np.testing.assert_allclose(design @ theta, launch + both, rtol=1e-4 if np.isfinite(power) else 1e-12)
    for j in range(5):
        moved = theta.copy()
        moved[j] *= 1 + 1e-9
        change = (overlapped(columns, moved, RESOURCES, law) @ moved - design @ theta) / (moved[j] - theta[j])
        np.testing.assert_allclose(change, design[:, j], rtol=1e-4, atol=1e-3 * columns[:, j].mean())


def test_costs_that_all_cells_hide_are_not_shown():
    _, _, _, columns = matrix()
    scales = scales_at(columns, np.array([LAUNCH, WAVE, STEP, BYTE, BYTE]), RESOURCES, OverlapLaw(4.0))
    # Bytes of D only where computing is what lasts.
    columns[scales[1] >= 0.5, 4] = 0.0
    scaled_too = scaled(columns, scales, RESOURCES)
    design = shown(columns, scales, RESOURCES)
    assert scaled_too[:, 4].any()
    assert not design[:, 4].any()
    np.testing.assert_array_equal(design[:, :4], scaled_too[:, :4])
    # Nor do a few that are all but nothing tell what many cost.
    columns[scales[1] >= 0.5, 4] = 1e-6 * columns[:, 4].max()
    assert not shown(columns, scales, RESOURCES)[:, 4].any()
    columns[scales[1] >= 0.5, 4] *= 1e4
    assert shown(columns, scales, RESOURCES)[:, 4].any()


@pytest.fixture(scope="module")
def fits():
    tile = [Tile.parse("128x128x64")]
    return {
        law: AdditiveModel(draws=40).fit(dense_cube(landscape(law, 0)[None], SIDE, SIDE, DEPTH, tile, DEVICE))
        for law in ("overlap", "sum")
    }


def test_a_fit_uses_overlap_where_there_is_one(fits):
    label = "128x128x64"
    assert fits["overlap"].tiles[label].overlap
    assert not fits["sum"].tiles[label].overlap
    assert fits["overlap"].tiles[label].mape < 0.006
    assert fits["sum"].tiles[label].mape < 0.006
    M, N, K = np.array([600, 3000]), np.array([90, 3000]), np.array([8000, 200])
    launch, compute, memory = costs(M, N, K)
    problem = fits["overlap"].problem(label, M, N, K)
    np.testing.assert_allclose(
        fits["overlap"].time(label, problem), launch + np.maximum(compute, memory), rtol=0.05
    )
    parts = fits["overlap"].contributions(label, problem)
    np.testing.assert_allclose(sum(parts.values()), fits["overlap"].time(label, problem))
    assert (parts["memory traffic"] > 0).tolist() == (memory > compute).tolist()


def test_the_model_file_keeps_the_overlap(fits, tmp_path):
    label = "128x128x64"
    save_model(fits["overlap"], tmp_path / "model.json")
    again = open_model(tmp_path / "model.json")
    problem = again.problem(label, np.array([512, 64]), np.array([64, 4096]), np.array([64, 64]))
    np.testing.assert_array_equal(
        again.matrix(label, problem, ALL_MECHANISMS), fits["overlap"].matrix(label, problem, ALL_MECHANISMS)
    )
    assert again.tiles[label].overlap
    assert fits["sum"].to_contract()[label]["overlap"] is False


def test_overlap_wave_by_wave_is_told_from_that_of_launches():
    """Where most waves wait for memory, the last one may compute."""
    M, N, K, columns = matrix()
    last = LastWave.of(Problem(M, N, K, Tile.parse("128x128x64")), Hardware(cores=20), ALL_MECHANISMS)
    theta = np.array([LAUNCH, WAVE, STEP, BYTE, BYTE])
    _, compute, memory = costs(M, N, K)
    noise = np.exp(0.004 * np.random.default_rng(5).standard_normal(M.size))
    by_wave = overlapped(columns, theta, RESOURCES, OverlapLaw(last=last)) @ theta
    down, across = np.ceil(M / 128), np.ceil(N / 128)
    waves = np.ceil(down * across / 20)
    left = down * across - (waves - 1) * 20
    # What of the last line of the raster lies outside is not moved.
    line, missing = np.where(across <= down, [across, down - M / 128], [down, across - N / 128])
    part = (left - np.minimum(left, line) * missing) / (down * across - line * missing)
    part = np.where(waves > 1, part, 0.0)
    both = (1 - part) * memory + np.where(waves > 1, compute / waves, 0.0)
    np.testing.assert_allclose(by_wave, LAUNCH + np.maximum(np.maximum(compute, memory), both))
    for truth, time in ((False, LAUNCH + np.maximum(compute, memory)), (True, by_wave)):
        found = compared("", 0, time=time * noise, last=last)
        assert found.overlaps
        assert found.how == Overlap(by_wave=truth)
        np.testing.assert_allclose(found.theta, theta, rtol=0.05)
