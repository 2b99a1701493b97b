"""Planted landscapes: what they are made of, and that a fit finds it again."""

import numpy as np
import pytest

from harness.cube import device_of, throughput
from harness.device import load_device
from harness.errors import InputError
from harness.grid import Grid
from harness.tile import Tile
from models.additive import AdditiveModel
from models.hardware import Hardware
from models.planted import planted_costs, planted_cube
from models.planted_truth import true_coefficients, true_model
from models.terms import BaseOverhead, TilePadding, WaveQuantization

HARDWARE = Hardware(cores=20, residency={"128x128x32": 2}, cache_bytes=8e6, line_bytes=64)
GRID = Grid.parse("128:1536:128;128:1536:128;64,256,1024,2048")
TILES = ("256x128x32", "128x128x32")
PLAIN = (BaseOverhead(), WaveQuantization(), TilePadding())


@pytest.fixture(scope="module")
def exact():
    return planted_cube(HARDWARE, TILES, GRID, lack_of_fit=0.0, noise=0.0)


@pytest.fixture(scope="module")
def exact_fit(exact):
    return AdditiveModel(draws=0).fit(exact.cube)


def columns(cube, label):
    shapes = GRID.shapes()
    return shapes[:, 0], shapes[:, 1], shapes[:, 2], cube["time"].sel(tile=label).values.ravel()


def test_times_are_the_costs_counted_one_by_one():
    costs = {"launch": 3e-6, "wave": 2e-6, "wave step": 4e-7, "work-group": 5e-8, "work-group step": 6e-9}
    planted = planted_cube(HARDWARE, TILES[:1], GRID, theta=costs, lack_of_fit=0.0, noise=0.0, terms=PLAIN)
    assert planted.costs("256x128x32") == costs
    for M, N, K, time in zip(*columns(planted.cube, "256x128x32"), strict=True):
        groups, steps = -(-M // 256) * -(-N // 128), -(-K // 32)
        waves = -(-groups // 20)
        expected = 3e-6 + waves * (2e-6 + steps * 4e-7) + groups * (5e-8 + steps * 6e-9)
        assert time == pytest.approx(expected, rel=1e-12)


def test_a_noiseless_landscape_is_fitted_exactly(exact, exact_fit):
    assert exact_fit.hardware.cores == 20
    assert exact_fit.hardware.residency_of("128x128x32") == 2
    for label in TILES:
        tile = exact_fit.tiles[label]
        truth = true_coefficients(exact, exact_fit, label)
        known = np.array([estimate.identifiable for estimate in tile.estimates])
        assert known.sum() >= 9
        np.testing.assert_array_equal(np.isnan(truth), ~known)
        share = np.array([estimate.share for estimate in tile.estimates])
        # In shares of the time: a cost that hardly matters here is not told to many digits.
        costly = known & (truth > 0)
        np.testing.assert_allclose((tile.theta * share)[costly] / truth[costly], share[costly], atol=1e-5)
        assert share[known & ~costly].max(initial=0.0) < 1e-5


def test_merged_columns_carry_each_others_cost(exact, exact_fit):
    # Half of the tile outside, or nothing: "outside" is half of the column of the masked step.
    tile = exact_fit.tiles["256x128x32"]
    names = [estimate.name for estimate in tile.estimates]
    truth = dict(zip(names, true_coefficients(exact, exact_fit, "256x128x32"), strict=True))
    costs = exact.costs("256x128x32")
    assert np.isnan(truth["outside, M"])
    expected = costs["masked step, M"] + 0.5 * costs["outside, M"]
    assert truth["masked step, M"] == pytest.approx(expected, rel=1e-6)


def test_the_true_model_has_the_true_times(exact, exact_fit):
    model = true_model(exact, exact_fit)
    for label in TILES:
        M, N, K, time = columns(exact.cube, label)
        np.testing.assert_allclose(model.time(label, model.problem(label, M, N, K)), time, rtol=1e-12)
        np.testing.assert_allclose(exact.time(label, M, N, K), time, rtol=1e-12)
    assert {"base overhead", "wave quantization"} <= set(model.mechanisms)
    assert "row pitch" not in model.mechanisms  # it costs something, but nothing on this grid


def test_lack_of_fit_and_noise_have_their_size(exact):
    apart = planted_cube(HARDWARE, TILES, GRID, lack_of_fit=0.02, correlation=0.05, noise=0.0, seed=1)
    ratio = np.log(apart.cube["time"].values / exact.cube["time"].values).reshape(2, -1)
    np.testing.assert_allclose(ratio.std(axis=1), 0.02, rtol=0.15)
    assert np.corrcoef(ratio)[0, 1] == pytest.approx(0.5, abs=0.15)
    noisy = planted_cube(HARDWARE, TILES, GRID, lack_of_fit=0.0, noise=0.01, repeats=9, seed=1)
    spread = noisy.cube["time_spread"] / noisy.cube["time"]
    assert float(spread.mean()) == pytest.approx(0.01, rel=0.15)
    assert noisy.cube.sizes["repeat"] == 9


def test_neighbours_share_lack_of_fit(exact):
    together = planted_cube(HARDWARE, TILES[:1], GRID, lack_of_fit=0.02, correlation=(2.0, 2.0, 2.0), noise=0.0)
    ratio = np.log(together.cube["time"].values[0] / exact.cube["time"].values[0])
    step = np.diff(ratio, axis=1)
    assert step.std() < 0.5 * 0.02


def test_seeds_repeat_and_differ():
    first, again, other = (planted_cube(HARDWARE, TILES, GRID, seed=seed).cube["time"].values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_costs_can_be_given_for_all_tiles_or_one():
    planted = planted_cube(HARDWARE, TILES, GRID, theta={"launch": 9e-6, "128x128x32": {"work-group": 0.0}})
    assert [planted.costs(label)["launch"] for label in TILES] == [9e-6, 9e-6]
    assert planted.costs("128x128x32")["work-group"] == 0.0 < planted.costs("256x128x32")["work-group"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta": {"lunch": 1e-6}}, "no tile has a coefficient lunch"),
        ({"theta": {"256x128x32": {"lunch": 1e-6}}}, "256x128x32 has no coefficient lunch"),
        ({"theta": {"64x64x32": {"launch": 1e-6}}}, "64x64x32"),
        ({"theta": {"launch": -1e-6}}, "at least 0"),
        ({"theta": {"launch": np.nan}}, "finite"),
        ({"lack_of_fit": -0.1}, "lack_of_fit"),
        ({"noise": np.inf}, "noise"),
        ({"correlation": (1.0, 1.0)}, "correlation lengths"),
        ({"repeats": -1}, "repeats"),
        ({"terms": (BaseOverhead(),), "theta": {"launch": 0.0}}, "a time of zero"),
    ],
)
def test_what_cannot_be_planted_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        planted_cube(HARDWARE, TILES, GRID, **options)


def test_a_device_record_sets_costs_and_travels_with_the_cube():
    b580 = load_device("b580")
    hardware = Hardware.from_device(b580)
    planted = planted_cube(hardware, ("256x256x32", "vendor"), GRID, device=b580)
    assert device_of(planted.cube).id == "b580"
    assert np.nanmax(throughput(planted.cube)) < 1.05 * 116.5
    # A full wave's step, with its share of what all cores do, runs at the peak.
    costs = planted_costs(hardware, Tile.parse("256x256x32"), b580)
    step = costs["wave step"] + 20 * costs["work-group step"]
    assert 20 * 2 * 256 * 256 * 32 / step == pytest.approx(116.5e12, rel=1e-9)
