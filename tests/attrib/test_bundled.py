"""The bundled H200 landscapes say where they come from, and the analysis explains what they show."""

import json
from pathlib import Path

import numpy as np
import pytest

from attrib.analysis import analyse
from attrib.attribution import FLOOR, UNEXPLAINED
from harness.cube import STATUS, device_of, tiles_of, validate
from harness.device import load_device
from harness.errors import InputError
from harness.landscapes import BUNDLED, bundled_cube
from harness.timings import read_timings
from models.additive import AdditiveModel

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HOME = Path(__file__).parents[2]
TILES = ("256x128x64", "128x256x64", "128x128x64", "128x64x64", "64x128x64", "64x64x64", "vendor")
LARGEST = TILES[:3]


@pytest.fixture(scope="module", params=list(BUNDLED))
def cube(request):
    return bundled_cube(request.param)


@pytest.fixture(scope="module")
def analysis():
    """The whole analysis of the whole grid, once; fewer bootstrap draws than a report uses."""
    grid = bundled_cube("h200_bf16_grid")
    return analyse(grid, fit=AdditiveModel(draws=10).fit(grid))


# Provenance


def test_it_says_who_measured_what_and_how(cube):
    attrs = cube.attrs
    assert device_of(cube).id == "h200"
    assert attrs["simulated"] == 0
    assert (attrs["dtype"], attrs["dtype_out"], attrs["layout"]) == ("bf16", "bf16", "NN")
    assert int(attrs["seed"]) > 0
    assert (HOME / attrs["script"]).is_file()
    assert attrs["measured_at"].startswith("20")
    assert attrs["packed"]
    assert int(attrs["repeats_measured"]) >= 4
    protocol, software = json.loads(attrs["protocol"]), json.loads(attrs["software"])
    assert protocol["repeats"] == attrs["repeats_measured"]
    assert protocol["seed"] == attrs["seed"]
    assert {"cache", "center", "order"} <= set(protocol)
    assert "H200" in software["device"]
    assert {"cuda", "driver", "host", "kernels"} <= set(software)
    assert {"torch", "triton"} <= set(software)


def test_its_references_are_those_of_an_h200(cube):
    attrs, device = cube.attrs, device_of(cube)
    assert 5e-7 < attrs["empty_kernel_s"] < 5e-6
    peak, bandwidth = device.peak("bf16"), device.number("bandwidth_bytes_per_s")
    assert 0.6 * peak < attrs["peak_matrix_rate_flop_per_s"] < device.peak("bf16", "boost")
    assert 0.7 * bandwidth < attrs["copy_bandwidth_bytes_per_s"] < bandwidth
    for name in ("reference_before", "reference_after"):
        reference = json.loads(attrs[name])
        assert reference["empty_kernel_s"] == pytest.approx(attrs["empty_kernel_s"], rel=0.2)
        assert reference["copy_bandwidth_bytes_per_s"] <= attrs["copy_bandwidth_bytes_per_s"] * (1 + 1e-12)


def test_every_kernel_was_checked_against_a_reference_product(cube):
    errors = json.loads(cube.attrs["largest_relative_error"])
    assert set(errors) == set(TILES)
    assert all(0 < error < 1e-2 for error in errors.values())


def test_every_cell_was_measured(cube):
    assert np.all(cube["status"].values == STATUS["ok"])
    time, spread = cube["time"].values, cube["time_spread"].values
    assert np.all(time > cube.attrs["empty_kernel_s"])
    assert np.all(time < 1.0)
    assert np.all(np.isfinite(spread))
    assert np.median(spread / time) < 0.02
    kept = cube["time_repeats"].values
    assert np.isfinite(kept).all()
    assert cube.sizes["repeat"] < cube.attrs["repeats_measured"]
    assert np.median(np.abs(kept / time[..., None] - 1)) < 0.02


def test_no_time_beats_the_matrix_units(cube):
    flop = 2.0 * cube["M"] * cube["N"] * cube["K"]
    rate = (flop / cube["time"]).max()
    assert float(rate) < device_of(cube).peak("bf16", "boost")


def test_its_tiles_are_the_six_variants_and_the_library(cube):
    assert tuple(tile.name for tile in tiles_of(cube)) == TILES
    assert tiles_of(cube)[-1].hidden
    assert cube.equals(validate(cube))


def test_the_grid_is_128_to_4096():
    grid = bundled_cube("h200_bf16_grid")
    assert dict(grid.sizes) == {"tile": 7, "M": 32, "N": 32, "K": 32, "repeat": grid.sizes["repeat"]}
    for axis in "MNK":
        np.testing.assert_array_equal(grid[axis].values, np.arange(128, 4097, 128))


def test_the_lines_are_fine_and_the_scatter_is_off_the_grid():
    lines, scatter = bundled_cube("h200_bf16_lines"), bundled_cube("h200_bf16_scatter")
    assert all(np.all(lines[axis].values % 16 == 0) for axis in "MNK")
    assert any(np.any(lines[axis].values % 128) for axis in "MNK")
    for axis in "MNK":
        values = scatter[axis].values
        assert values.min() >= 16
        assert values.max() <= 8192
        assert np.any(values % 2)
    for sparse in (lines, scatter):
        rows = np.stack([sparse[axis].values for axis in "MNK"], axis=1)
        counts = np.unique(sparse["tile"].values, return_counts=True)[1]
        assert counts.min() > 1000
        cells = np.column_stack([rows, np.unique(sparse["tile"].values, return_inverse=True)[1]])
        assert np.unique(cells, axis=0).shape == cells.shape


def test_a_landscape_that_is_not_bundled_is_refused_with_the_names_there_are():
    with pytest.raises(InputError, match="h200_bf16_lines"):
        bundled_cube("b580")


# Analysis


def test_the_fit_counts_the_cores_of_an_h200(analysis):
    for name in TILES[:-1]:
        cores = analysis.fit.tiles[name].constants["cores"]
        assert cores.estimate == 132
        assert cores.status == "identified"


def test_the_launch_costs_what_an_empty_kernel_does(analysis):
    found = analysis.fit.tiles[TILES[0]].constants["base_overhead_s"].estimate
    assert found == pytest.approx(analysis.cube.attrs["empty_kernel_s"], rel=0.15)


@pytest.mark.parametrize("name", LARGEST)
def test_large_tiles_are_explained(analysis, name):
    found = analysis.stage(f"fixed {name}").attribution
    assert abs(found.shares[UNEXPLAINED].share) < 0.05 * found.roughness
    assert found.step_correlation > 0.98
    assert found.model_roughness == pytest.approx(found.roughness, rel=0.05)
    assert analysis.fit.tiles[name].mape < 0.02


def test_every_stage_is_attributed_in_full(analysis):
    assert len(analysis.stages) == 8 + 6
    assert all(stage.note == "" for stage in analysis.stages)
    last = analysis.stage("best tile + pad + split")
    for stage in analysis.stages:
        shares = stage.attribution.shares
        assert sum(share.share for share in shares.values()) == pytest.approx(stage.roughness.slice_N)
        assert abs(shares["noise"].share) < 0.05 * stage.roughness.slice_N
        # Lucky picks, shared by neighbours, can smooth a padded or split landscape; noise alone cannot.
        assert shares["noise"].share >= 0 or "pad" in stage.name or "split" in stage.name
        assert shares[FLOOR].share >= 0
        if "vendor" not in stage.name:
            assert _by_mechanisms(stage) > 0.75 * stage.roughness.slice_N
            assert sum(stage.removable.values()) == pytest.approx(stage.roughness.slice_N - last.roughness.slice_N)


def test_software_makes_the_landscape_faster_and_whole_tiles_and_waves_stay(analysis):
    best, full = analysis.stage("best tile"), analysis.stage("best tile + pad + split")
    assert full.mean_tflops > best.mean_tflops > analysis.stage(f"fixed {TILES[0]}").mean_tflops
    shares = full.attribution.shares
    counted = sum(shares[name].share for name in ("tile padding", "wave fill", "wave quantization"))
    assert counted > 0.7 * full.roughness.slice_N


def test_a_coarse_grid_tells_the_same_story(analysis):
    coarse = analysis.cube.isel(M=slice(1, None, 2), N=slice(1, None, 2), K=slice(3, None, 4)).sel(
        tile=["256x128x64", "128x128x64", "64x64x64"]
    )
    found = analyse(coarse, fit=AdditiveModel(draws=10).fit(coarse))
    assert 132 in found.fit.tiles[LARGEST[0]].constants["cores"].values
    for stage in found.stages[:2]:
        assert abs(stage.attribution.shares[UNEXPLAINED].share) < 0.05 * stage.roughness.slice_N


# Data that others measured


def foreign(name, device):
    path = DATA / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip("the foreign timings are not beside this checkout")
    cube = read_timings(path, load_device(device))
    found = analyse(cube)
    assert found.landscape is None
    assert [stage.name for stage in found.stages] == ["fixed vendor", "fixed vendor + pad"]
    plain, padded = found.stages
    peak = load_device(device).peak("bf16") * 1e-12
    assert 0 < plain.mean_tflops <= padded.mean_tflops
    assert plain.peak_tflops <= padded.peak_tflops < peak
    assert {item.part for item in found.skipped} >= {"stage split", "stage best tile"}
    fit = found.fit.tiles["vendor"]
    assert fit.n == cube.sizes["sample"]
    assert fit.median_ape < fit.mape < 0.25
    assert 0.75 < fit.coverage < 1
    return found


def test_timings_of_a_b60_are_analysed():
    found = foreign("b60_bf16_vllm0.20", "b60")
    launch = found.fit.tiles["vendor"].constants["base_overhead_s"].estimate
    assert 1e-5 < launch < 6e-5


def test_timings_of_an_h200_through_its_library_are_analysed():
    found = foreign("h200_bf16_trtllm1.3.0rc10", "h200")
    assert found.fit.tiles["vendor"].n == 35742


def _by_mechanisms(stage):
    other = {"smooth floor", "unexplained", "noise"}
    return sum(share.share for name, share in stage.attribution.shares.items() if name not in other)
