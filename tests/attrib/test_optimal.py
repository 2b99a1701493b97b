"""Optimal landscape and channel efficiency: what the literal formulas give (facts sheet, 12, items 2-6)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrib.optimal import memory_time, optimal_throughput, wave_efficiency
from attrib.roughness import axis_roughness, roughness
from harness.errors import InputError
from harness.tile import Tile
from models.channels import channel_efficiency

GRID = np.arange(128, 4097, 128)
TILES = tuple(Tile.of(side, side, 32) for side in (256, 128, 64))
DEVICE = {
    "peak_flops_per_s": 108.2e12,
    "cores": 20,
    "bandwidth_bytes_per_s": 451e9,
    "tiles": TILES,
    "channels": 6,
    "interleave_bytes": 256,
}


@pytest.fixture(scope="module")
def cube():
    return optimal_throughput(*np.ix_(GRID, GRID, GRID), **DEVICE)


def test_slice_and_cube_of_the_literal_formula(cube):
    measured = roughness(cube)
    assert cube[..., -1].mean() == pytest.approx(100.886, abs=5e-4)
    assert measured.slice_N == pytest.approx(5.483, abs=5e-4)
    assert measured.slice_M == pytest.approx(2.754, abs=5e-4)
    assert cube.max() == pytest.approx(108.2)
    assert cube.mean() == pytest.approx(90.308, abs=5e-4)
    assert pytest.approx(8.514, abs=5e-4) == measured.N
    assert pytest.approx(2.358, abs=5e-4) == measured.M
    assert pytest.approx(5.915, abs=5e-4) == measured.K
    assert measured.mean == pytest.approx(5.596, abs=5e-4)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((128, 128, 4096), 21.640),
        ((256, 256, 4096), 54.332),
        ((128, 4096, 4096), 52.780),
        ((4096, 128, 4096), 52.780),
        ((512, 768, 4096), 57.133),
        ((512, 896, 4096), 100.987),
        ((1024, 1024, 4096), 106.535),
        ((4096, 4096, 128), 27.989),
        ((4096, 4096, 4096), 108.094),
    ],
)
def test_check_points(cube, shape, expected):
    assert float(optimal_throughput(*shape, **DEVICE)) == pytest.approx(expected, abs=5e-4)
    assert cube[tuple(size // 128 - 1 for size in shape)] == pytest.approx(expected, abs=5e-4)


def test_variants_without_hash_and_without_memory():
    mesh = np.ix_(GRID, GRID, GRID[-1:])
    plain = optimal_throughput(*mesh, **{**DEVICE, "channels": 1})
    assert plain.mean() == pytest.approx(102.44, abs=5e-3)
    assert float(axis_roughness(plain, "N")) == pytest.approx(2.612, abs=5e-4)
    compute = optimal_throughput(*mesh, **{**DEVICE, "bandwidth_bytes_per_s": 1e30})
    assert compute.mean() == pytest.approx(105.72, abs=5e-3)
    assert float(axis_roughness(compute, "N")) == pytest.approx(1.960, abs=5e-4)


def test_agrees_with_a_plain_evaluation():
    rng = np.random.default_rng(0)
    for m, n, k in 128 * rng.integers(1, 33, (50, 3)):
        times = []
        for tile in TILES:
            groups = int(np.ceil(m / tile.m) * np.ceil(n / tile.n))
            wave = groups / (np.ceil(groups / 20) * 20)
            eta = [channel_efficiency(e, dim, 6, 256) for e, dim in ((2, k), (2, n), (4, n))]
            memory = (2 * m * k / eta[0] + 2 * k * n / eta[1] + 4 * m * n / eta[2]) / 451e9
            times.append(max(2 * m * n * k / (108.2e12 * wave), memory))
        expected = 2 * m * n * k / min(times) / 1e12
        assert float(optimal_throughput(m, n, k, **DEVICE)) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("side", "line", "all_lines"), [(256, 1.915, 5.655), (128, 2.799, 5.34), (64, 0.963, 1.982)]
)
def test_wave_fill_of_table_15(side, line, all_lines):
    wave = wave_efficiency(*np.ix_(GRID, GRID), tile=Tile.of(side, side, 32), cores=20)
    steps = np.abs(np.diff(wave, axis=1))
    assert 108.2 * steps[-1].mean() == pytest.approx(line, abs=5e-4)
    assert 108.2 * steps.mean() == pytest.approx(all_lines, abs=5e-3)
    if side == 128:
        assert 116.5 * steps[-1].mean() == pytest.approx(3.014, abs=5e-4)


@pytest.mark.parametrize(("side", "share"), [(256, 0.1996), (128, 0.702)])
def test_active_share_of_table_15(side, share):
    groups = np.multiply.outer(-(-GRID // side), -(-GRID // side))
    waves = -(-groups // 20)
    assert np.mean(np.diff(waves, axis=1) != 0) == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize(
    ("m", "n", "expected"),
    [(4096, 2048, 98.9), (2560, 1536, 108.2), (4096, 1024, 86.6), (2048, 2048, 86.6), (4096, 4096, 106.5)],
)
def test_wave_efficiency_of_aligned_points(m, n, expected):
    assert 108.2 * float(wave_efficiency(m, n, tile=TILES[0], cores=20)) == pytest.approx(expected, abs=0.05)


def test_example_of_the_paper_21_groups_fill_two_waves_by_half():
    wave = wave_efficiency(21 * 256, 256, tile=TILES[0], cores=20)
    assert float(wave) == pytest.approx(21 / 40)


def test_channel_efficiency_dips_where_the_sheet_says():
    eta_b = channel_efficiency(2, GRID, 6, 256)
    eta_d = channel_efficiency(4, GRID, 6, 256)
    np.testing.assert_allclose(eta_b[GRID % 768 == 0], 1 / 3)
    np.testing.assert_allclose(eta_b[GRID % 768 == 384], 2 / 3)
    np.testing.assert_allclose(eta_d[GRID % 384 == 0], 2 / 3)
    assert float(channel_efficiency(2, 4096, 6, 256)) == 1.0


@given(
    element=st.sampled_from([1, 2, 4, 8]),
    pitch=st.integers(1, 600),
    channels=st.integers(1, 9),
    interleave=st.sampled_from([1, 3, 16, 64]),
)
def test_channel_efficiency_counts_the_channels_that_rows_start_on(element, pitch, channels, interleave):
    starts = {(row * pitch * element // interleave) % channels for row in range(channels * interleave)}
    expected = min(channels, min(channels, element) * len(starts)) / channels
    assert float(channel_efficiency(element, pitch, channels, interleave)) == pytest.approx(expected)


def test_ridge_of_the_two_ceilings():
    assert pytest.approx(239.9, abs=0.05) == 108.2e12 / 451e9
    assert float(memory_time(1, 1, 1, bandwidth_bytes_per_s=8.0, channels=1, interleave_bytes=256)) == 1.0


@pytest.mark.parametrize("change", [{"tiles": ()}, {"cores": 0}, {"channels": 0}])
def test_refuses_empty_devices(change):
    with pytest.raises(InputError):
        optimal_throughput(128, 128, 128, **{**DEVICE, **change})
