"""The model on a measured device: the bundled H200 landscape, fitted once."""

import pytest

from harness.landscapes import bundled_cube
from models.additive import AdditiveModel

RESIDENCY = {
    "256x128x64": 1,
    "128x256x64": 1,
    "128x128x64": 1,
    "128x64x64": 2,
    "64x128x64": 2,
    "64x64x64": 3,
}


@pytest.fixture(scope="module")
def fit():
    return AdditiveModel(draws=60).fit(bundled_cube("h200_bf16_grid"))


def test_knows_every_kernel(fit):
    assert set(fit.tiles) == {*RESIDENCY, "vendor"}


@pytest.mark.parametrize("tile", RESIDENCY)
def test_counts_132_multiprocessors(fit, tile):
    cores = fit.tiles[tile].constants["cores"]
    assert (cores.estimate, cores.values, cores.status) == (132, (132,), "identified")
    assert fit.tiles[tile].constants["cores_of_this_tile_alone"].estimate == pytest.approx(132, abs=1)


@pytest.mark.parametrize(("tile", "residency"), RESIDENCY.items())
def test_residencies(fit, tile, residency):
    """Shared memory (96 KiB a work-group) holds 2 of the middle tiles on a core, and 3 of the smallest (64 KiB)."""
    found = fit.tiles[tile].constants["residency"].estimate
    assert found == residency


@pytest.mark.parametrize("tile", ["256x128x64", "128x256x64", "128x128x64"])
def test_large_tiles_are_predicted_within_two_per_cent(fit, tile):
    assert fit.tiles[tile].mape <= 0.02


@pytest.mark.parametrize("tile", [*RESIDENCY, "vendor"])
def test_every_kernel_is_predicted(fit, tile):
    assert fit.tiles[tile].mape <= 0.055
    assert fit.tiles[tile].median_ape < fit.tiles[tile].mape
    assert fit.tiles[tile].coverage == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("tile", RESIDENCY)
def test_a_128_grid_shows_no_remainder(fit, tile):
    unknown = {e.name for e in fit.tiles[tile].estimates if not e.identifiable}
    assert {"atom padding", "masked wave", "masked step"} <= unknown
    assert fit.tiles[tile].left_out["row pitch"].startswith("zero on this grid")


def test_half_of_the_cache_spills(fit):
    """Working sets beyond about half of the 60 MB that two partitions share."""
    found = fit.tiles["256x128x64"].constants["cache_spill_bytes"]
    assert found.status == "identified"
    assert 0.35 < found.estimate / 62_914_560 < 0.65


def test_a_launch_takes_microseconds(fit):
    base = fit.tiles["128x128x64"].constants["base_overhead_s"]
    assert 1e-6 < base.estimate < 4e-6
    low, high = base.values
    assert low <= base.estimate <= high
