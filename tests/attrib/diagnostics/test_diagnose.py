"""Diagnosing a fit: planted oddities are named, and each number is that of a slow reference."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import statsmodels.api as sm

from attrib.diagnostics import diagnose
from attrib.diagnostics.autocorrelation import autocorrelation
from attrib.diagnostics.collinearity import collinearity
from attrib.diagnostics.leverage import leverage
from attrib.diagnostics.pure_error import pure_error_of
from harness.cube import STATUS, dense_cube, sparse_cube
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.samples import Samples
from harness.tile import Tile
from models.additive import AdditiveModel

DEVICE = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
SIDE, DEPTH = np.arange(256, 4097, 256), np.array([256, 1024, 2048, 4096])
TILES = [Tile.parse("256x128x32"), Tile.parse("128x96x32")]
NOISE = 0.004


def seconds(tile, M, N, K):
    waves = np.ceil(np.ceil(M / tile.m) * np.ceil(N / tile.n) / 20)
    step = 4e-7 * tile.m * tile.n / 32768
    return 5e-6 + waves * (2e-6 + step * np.ceil(K / tile.k))


def cube(repeats=3, ripple=0.01, seed=0):
    rng = np.random.default_rng(seed)
    axes = np.ix_(SIDE, SIDE, DEPTH)
    exact = np.stack([seconds(tile, *axes) for tile in TILES])
    exact = exact * (1 + ripple * np.sin(axes[0] / 900) * np.cos(axes[1] / 1100))
    drawn = exact[..., None] * (1 + NOISE * rng.standard_normal((*exact.shape, repeats)))
    more = {"repeats": drawn, "spread": drawn.std(axis=-1, ddof=1)} if repeats > 1 else {}
    return dense_cube(np.median(drawn, axis=-1), SIDE, SIDE, DEPTH, TILES, DEVICE, **more)


@lru_cache
def fitted():
    data = cube()
    return data, AdditiveModel(draws=40).fit(data)


@pytest.fixture(scope="module")
def found():
    return diagnose(*fitted(), draws=99)


def test_noise_is_told_from_lack_of_fit(found):
    for tile in found.tiles.values():
        fit = tile.lack_of_fit
        assert fit.testable
        assert fit.noise == pytest.approx(NOISE * np.sqrt(1.160**2 / 3), rel=0.05)
        assert fit.lack_of_fit == pytest.approx(0.005, rel=0.25)
        assert fit.p_value < 1e-6
        assert 0 < fit.noise_share < 0.5


def test_correlated_residuals_are_seen(found):
    for tile in found.tiles.values():
        assert tile.autocorrelation.moran > 0.5
        assert tile.autocorrelation.p_value < 1e-6
        assert tile.effective_size < 0.3 * tile.M.size
        assert tile.effective.bic > tile.naive.bic


def test_what_the_model_needs_and_what_it_does_not(found):
    for tile in found.tiles.values():
        tests = {test.name: test for test in tile.terms}
        assert tests["waves"].in_model
        assert tests["waves"].p_holm < 0.05
        assert tests["base overhead"].p_holm < 0.05
        assert tests["row pitch"].note.startswith("not testable: zero")
        assert all(test.p_holm >= test.p_value for test in tile.terms if test.p_value is not None)
        assert all(test.p_bh <= test.p_holm for test in tile.terms if test.p_value is not None)
        assert not tile.uses_overlap


def test_repeats_itself(found):
    again = diagnose(*fitted(), draws=99)
    assert str(again.to_dict()) == str(found.to_dict())


def test_an_odd_cell_is_named_and_not_dropped():
    data, fit = fitted()
    odd = data.copy(deep=True)
    odd["time"][0, 3, 4, 2] *= 1.5
    tile = diagnose(odd, fit, draws=99).tiles[TILES[0].name]
    assert tile.M.size == SIDE.size**2 * DEPTH.size
    assert tile.shape_of(int(tile.robust.outliers[0])) == (SIDE[3], SIDE[4], DEPTH[2])
    assert tile.to_dict()["robust"]["outlying"][0]["M"] == SIDE[3]


def test_without_repeats_noise_is_not_testable():
    data, fit = fitted()
    bare = data.drop_vars(["time_spread", "time_repeats"])
    tile = diagnose(bare, fit, draws=99).tiles[TILES[0].name]
    assert tile.lack_of_fit.note == "not testable: no repeats"


def test_samples_off_a_grid_and_failed_cells():
    data, fit = fitted()
    gaps = data.copy(deep=True)
    gaps["status"][0, ::3, 2] = STATUS["failed"]
    gaps["time"][0, ::3, 2] = np.nan
    flat = Samples.from_cube(gaps)
    rows = np.random.default_rng(0).permutation(flat.size)[:900]
    tiles = [flat.tiles[index] for index in flat.tile[rows]]
    shapes = np.stack([flat.M, flat.N, flat.K], axis=1)[rows]
    found = diagnose(sparse_cube(flat.time[rows], shapes, tiles, DEVICE), fit, draws=99)
    assert sum(tile.M.size for tile in found.tiles.values()) == 900
    assert all(tile.terms and tile.note == "" for tile in found.tiles.values())


def test_too_few_blocks_are_said_to_be():
    data, fit = fitted()
    tile = diagnose(data.isel(M=[0, 5, 9], N=[1, 7, 15]), fit, draws=99).tiles[TILES[0].name]
    assert tile.note.startswith("not testable: fewer than 16 blocks")
    assert tile.terms == tile.interactions == ()
    assert tile.overlap is None


def test_a_cube_of_other_tiles_is_refused():
    data, fit = fitted()
    other = replace(fit, tiles={"9x9x9": fit.tiles[TILES[0].name]})
    with pytest.raises(InputError, match="no cells of the model's tiles 9x9x9"):
        diagnose(data, other)


def test_pure_error_from_repeats_and_from_their_spread():
    data = cube(repeats=5)
    kept = pure_error_of(data)
    assert kept.degrees == 4
    assert np.sqrt(kept.variance.mean()) == pytest.approx(NOISE * 1.198 / np.sqrt(5), rel=0.03)
    packed = data.isel(repeat=slice(0, 2)).assign_attrs(repeats_measured=5)
    assert np.sqrt(pure_error_of(packed).variance.mean()) == pytest.approx(NOISE * 1.198 / np.sqrt(5), rel=0.05)
    assert "2 kept repeats of each cell, of 5 measured" in pure_error_of(packed).source
    spread = pure_error_of(data.drop_vars("time_repeats"))
    assert spread.degrees == np.inf
    assert pure_error_of(data.drop_vars(["time_repeats", "time_spread"])) is None


def test_hat_values_are_those_of_the_dense_projector():
    rng = np.random.default_rng(0)
    X = rng.random((60, 3)) * [1, 1e-6, 1e3]
    M, N, K = rng.integers(1, 4, (3, 60))
    found = leverage(X, M, N, K)
    np.testing.assert_allclose(found.values, np.diag(X @ np.linalg.inv(X.T @ X) @ X.T))
    assert found.values.sum() == pytest.approx(3)
    assert found.largest[0] == np.argmax(found.values)
    assert found.by_edge["smallest M"] == pytest.approx((found.values[M == 1].sum() / 3, np.mean(M == 1)))
    enough = np.sort(found.values)[::-1][: round(found.half * 60)]
    assert enough.sum() >= 1.5 > enough[:-1].sum()


def test_collinearity_names_the_entangled():
    rng = np.random.default_rng(0)
    X = rng.random((200, 4)) + 0.1
    X[:, 3] = X[:, 1] + 1e-3 * rng.random(200)
    found = collinearity(X, ("a", "b", "c", "d"))
    ((index, names),) = found.entangled
    assert names == ("b", "d")
    scaled = X / np.linalg.norm(X, axis=0)
    assert index == pytest.approx(np.linalg.cond(scaled), rel=1e-6)
    np.testing.assert_allclose(found.proportions.sum(axis=0), 1.0)
    for j in range(4):
        others = np.delete(X, j, axis=1)
        left = sm.OLS(X[:, j], others).fit().ssr
        assert found.inflation[j] == pytest.approx(X[:, j] @ X[:, j] / left, rel=1e-5)


def test_moran_by_brute_force_and_its_size():
    rng = np.random.default_rng(0)
    M, N = (axis.ravel() for axis in np.meshgrid(np.arange(9), np.arange(7), indexing="ij"))
    ones = np.ones(M.size, dtype=np.int64)
    z = rng.standard_normal(M.size)
    near = np.abs(np.subtract.outer(M, M)) + np.abs(np.subtract.outer(N, N)) == 1
    centred = z - z.mean()
    expected = M.size / near.sum() * (centred @ near @ centred) / (centred @ centred)
    assert autocorrelation(z, M, N, ones).moran == pytest.approx(expected)
    p_values = [autocorrelation(rng.standard_normal(M.size), M, N, ones).p_value for _ in range(600)]
    assert 0.03 <= np.mean(np.array(p_values) <= 0.05) <= 0.075


def test_too_few_neighbours_have_no_moran():
    M = np.array([1, 5, 9])
    found = autocorrelation(np.array([1.0, 2.0, 0.5]), M, M[::-1], np.ones(3, dtype=np.int64))
    assert found.moran is None
    assert np.isnan(found.by_lag["M"]).all()
