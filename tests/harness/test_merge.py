"""Cubes of several devices of a kind, put together."""

import numpy as np
import pytest

from harness.cube import STATUS, dense_cube, is_dense, sparse_cube
from harness.device import load_device
from harness.errors import CubeError
from harness.merge import merge_cubes, offsets_of
from harness.tile import Tile

TILE = Tile.parse("64x64x32")
DEVICE = load_device("b580")
AXIS = np.arange(64, 577, 64)


def cube(pace, rows=slice(None), seed=0, repeats=3, dtype="bf16"):
    rng = np.random.default_rng(seed)
    M, N, K = (axis.ravel() for axis in np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"))
    shapes = np.stack([M, N, K], axis=1)[rows]
    truth = 1e-6 + 1e-13 * shapes.prod(axis=1)
    times = pace * truth[:, None] * (1 + 0.005 * rng.standard_normal((truth.size, repeats)))
    center = np.median(times, axis=1)
    return sparse_cube(center, shapes, [TILE] * truth.size, DEVICE, repeats=times, dtype=dtype)


def test_halves_that_overlap_become_one_grid_with_offsets():
    merged = merge_cubes([cube(1.0, slice(0, 420)), cube(1.03, slice(300, None), seed=1)], ["a", "b"])
    assert is_dense(merged)
    assert (merged["status"].values == STATUS["ok"]).all()
    assert np.bincount(merged["time_repeats"].notnull().sum("repeat").values.ravel()).tolist() == [0] * 3 + [
        609,
        0,
        0,
        120,
    ]
    first, second = offsets_of(merged)
    assert second["fraction"] - first["fraction"] == pytest.approx(0.03, abs=0.002)
    assert (first["device"], first["timings"], second["timings"]) == ("a", 360, 360)


def test_a_cell_has_the_median_of_all_its_repeats():
    one, two = cube(1.0), cube(1.0, seed=1, repeats=2)
    merged = merge_cubes([one, two], ["a", "b"])
    every = np.concatenate([one["time_repeats"].values, two["time_repeats"].values], axis=1)
    assert abs(offsets_of(merged)[1]["fraction"]) < 1e-3
    np.testing.assert_allclose(merged["time"].values.ravel(), np.median(every, axis=1), rtol=2e-3)
    np.testing.assert_array_equal(merged["repeat_device"].values[0, 0, 0, 0], [0, 0, 0, 1, 1])


def test_offsets_of_disjoint_cubes_cannot_be_told():
    merged = merge_cubes([cube(1.0, slice(0, 300)), cube(1.03, slice(300, None))], ["a", "b"])
    assert [offset["timings"] for offset in offsets_of(merged)] == [0, 0]


def test_dense_and_sparse_cubes_merge_and_a_wrong_kernel_stays_wrong():
    status = np.full((1, 2, 1, 1), STATUS["ok"])
    status[0, 1] = STATUS["wrong_result"]
    times = np.array([1e-6, np.nan]).reshape(1, 2, 1, 1)
    dense = dense_cube(times, [64, 128], [64], [64], [TILE], DEVICE, status=status)
    merged = merge_cubes([dense, cube(1.0)], ["a", "b"])
    found = merged["status"].sel(M=[64, 128], N=64, K=64).values.ravel()
    assert found.tolist() == [STATUS["ok"], STATUS["wrong_result"]]
    assert np.isnan(merged["time"].sel(M=128, N=64, K=64).values).all()


def test_cubes_of_other_kinds_are_refused():
    with pytest.raises(CubeError, match="itself"):
        merge_cubes([cube(1.0), cube(1.0)], ["a", "b"])
    cold = cube(1.0, seed=1).assign_attrs(protocol='{"cache": "cold"}')
    with pytest.raises(CubeError, match="undeclared and of cold caches"):
        merge_cubes([cube(1.0), cold], ["a", "b"])
    with pytest.raises(CubeError, match="two cubes"):
        merge_cubes([cube(1.0)], ["a"])
    with pytest.raises(CubeError, match="dtype bf16 and f16"):
        merge_cubes([cube(1.0), cube(1.0, dtype="f16")], ["a", "b"])
    other = sparse_cube([1e-6], [[64, 64, 64]], [TILE], load_device("h200"))
    with pytest.raises(CubeError, match="cannot be merged"):
        merge_cubes([cube(1.0), other], ["a", "b"])
