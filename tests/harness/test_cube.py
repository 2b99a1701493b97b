"""The cube's schema: what validation accepts, derives and refuses, and that both forms hold the same."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cube import (
    DENSE_DIMS,
    STATUS,
    cache_state_of,
    dense_cube,
    densify,
    device_of,
    element_bytes_of,
    is_dense,
    output_bytes_of,
    sparse_cube,
    throughput,
    tiles_of,
    validate,
)
from harness.device import load_device
from harness.errors import CubeError
from harness.samples import Samples
from harness.tile import Tile

B580 = load_device("b580")
TILES = (Tile.parse("256x256x32"), Tile.parse("vendor"))
AXES = (np.array([128, 256, 384]), np.array([64, 100]), np.array([32, 64, 96, 128]))
SHAPE = (2, 3, 2, 4)


def make(repeats=False, seed=0, **options):
    rng = np.random.default_rng(seed)
    time = rng.uniform(1e-5, 1e-3, SHAPE)
    if repeats:
        options |= {"repeats": time[..., None] * rng.uniform(0.9, 1.1, (*SHAPE, 3)), "spread": 0.01 * time}
    return dense_cube(time, *AXES, TILES, B580, **options)


def make_sparse(rows=None, **options):
    """The cells of the dense cube as samples, in the given order."""
    cube = make(**options)
    rows = np.arange(np.prod(SHAPE)) if rows is None else rows
    tile, *index = np.unravel_index(rows, SHAPE)
    shapes = np.stack([axis[i] for axis, i in zip(AXES, index, strict=True)], axis=1)
    flat = {
        name: cube[source].values.reshape(-1, *cube[source].shape[4:])[rows]
        for name, source in (("status", "status"), ("spread", "time_spread"), ("repeats", "time_repeats"))
        if source in cube
    }
    time = cube["time"].values.ravel()[rows]
    return sparse_cube(time, shapes, [TILES[i] for i in tile], B580, **flat)


def table(samples):
    columns = (samples.M, samples.N, samples.K, samples.time, samples.spread)
    names = [samples.tiles[i].name for i in samples.tile]
    return sorted(zip(names, *(column.tolist() for column in columns), strict=True))


def test_dense_cube_explains_itself():
    cube = make(attrs={"protocol": {"repeats": 3}, "seed": 7, "clocks": [1, 2]})
    assert is_dense(cube)
    assert cube["time"].dims == DENSE_DIMS
    assert cube["time"].attrs["units"] == "s"
    assert cube["status"].dtype == np.int8
    assert cube["status"].attrs["flag_meanings"].split() == list(STATUS)
    assert cube["status"].attrs["flag_values"].tolist() == list(STATUS.values())
    assert device_of(cube) == B580
    assert json.loads(cube.attrs["protocol"]) == {"repeats": 3}
    assert cube.attrs["clocks"] == "[1, 2]"
    assert tiles_of(cube) == TILES
    assert cube["tile_m"].values.tolist() == [256, 0]
    assert element_bytes_of(cube) == output_bytes_of(cube) == 2
    assert output_bytes_of(cube.assign_attrs(dtype_out="f32")) == 4


def test_validation_is_idempotent():
    for cube in (make(repeats=True), make_sparse(repeats=True)):
        xr.testing.assert_identical(validate(cube), cube)


def test_validation_leaves_its_argument_alone():
    cube = make().drop_vars("status").transpose("K", "N", "M", "tile")
    before = cube.copy(deep=True)
    validate(cube)
    xr.testing.assert_identical(cube, before)


@given(order=st.permutations(DENSE_DIMS))
@settings(max_examples=24)
def test_order_of_dimensions_is_irrelevant(order):
    cube = make(repeats=True)
    turned = cube.transpose(*order, "repeat")
    xr.testing.assert_identical(validate(turned), cube)
    assert table(Samples.from_cube(turned)) == table(Samples.from_cube(cube))


def test_throughput_is_work_over_time():
    cube = make()
    tflops = throughput(cube)
    assert tflops.dims == DENSE_DIMS
    assert tflops.attrs["units"] == "TFLOP/s"
    at = cube.isel(tile=1, M=2, N=1, K=3)
    expected = 2 * 384 * 100 * 128 / float(at["time"]) / 1e12
    assert float(tflops.isel(tile=1, M=2, N=1, K=3)) == pytest.approx(expected, rel=1e-14)
    assert throughput(make_sparse()).dims == ("sample",)


def test_unmeasured_cells_get_a_status():
    time = make()["time"].values.copy()
    time[0, 0, 0, 0] = np.nan
    cube = dense_cube(time, *AXES, TILES, B580)
    assert cube["status"].values[0, 0, 0, 0] == STATUS["not_measured"]
    assert (cube["status"].values == STATUS["ok"]).sum() == time.size - 1


def test_repeat_dimension_of_time_is_split():
    kept = make(repeats=True)["time_repeats"].copy()
    kept[0, 0, 0, 0, :] = np.nan
    kept[0, 0, 0, 1, 1:] = np.nan
    raw = make().drop_vars(["time", "status"]).assign(time=kept.transpose("repeat", ...))
    cube = validate(raw)
    assert cube["time"].dims == DENSE_DIMS
    values = kept.values[1]
    np.testing.assert_allclose(cube["time"].values[1], np.median(values, axis=-1), rtol=1e-15)
    deviation = np.abs(values - np.median(values, axis=-1)[..., None])
    np.testing.assert_allclose(cube["time_spread"].values[1], 1.4826 * np.median(deviation, axis=-1), rtol=1e-12)
    np.testing.assert_array_equal(cube["time_repeats"].values, kept.values)
    assert cube["status"].values[0, 0, 0, :2].tolist() == [STATUS["not_measured"], STATUS["ok"]]
    assert np.isnan(cube["time_spread"].values[0, 0, 0, :2]).all()


def test_labels_are_stripped_and_whole_floats_become_integers():
    cube = make()
    loose = cube.assign_coords(tile=[" 256x256x32", "vendor "], M=AXES[0].astype(float))
    xr.testing.assert_identical(validate(loose.drop_vars(["tile_m", "tile_n", "tile_k"])), cube)


@given(rows=st.permutations(range(48)))
@settings(max_examples=20)
def test_dense_and_sparse_hold_the_same_samples(rows):
    dense, sparse = make(repeats=True), make_sparse(np.array(rows), repeats=True)
    assert not is_dense(sparse)
    assert table(Samples.from_cube(dense)) == table(Samples.from_cube(sparse))
    back = densify(sparse)
    xr.testing.assert_identical(back.sel(tile=[tile.name for tile in TILES]), dense)


def test_densify_wants_a_full_grid():
    dense = make()
    assert densify(dense) is dense
    assert densify(make_sparse(np.arange(47))) is None
    twice = np.array([*range(47), 0])  # as many samples as cells, one of them twice
    assert densify(make_sparse(twice)) is None


def without(*names):
    return lambda cube: cube.drop_vars(names)


def attr(**changes):
    return lambda cube: cube.assign_attrs(changes)


def bare(key):
    def change(cube):
        cube = cube.copy()
        del cube.attrs[key]
        return cube

    return change


def cells(name, values):
    return lambda cube: cube.assign({name: (cube["time"].dims, np.full(cube["time"].shape, values))})


FAULTS = {
    "no version": (bare("schema_version"), "schema_version"),
    "odd version": (attr(schema_version="new"), "whole number"),
    "version of the future": (attr(schema_version=2), "update attrib"),
    "no time": (without("time"), "'time'"),
    "no device": (bare("device"), "'device'"),
    "no dtype": (bare("dtype"), "'dtype'"),
    "unknown dtype": (attr(dtype="bf17"), "bf17.*expected one of"),
    "unknown output dtype": (attr(dtype_out="bf17"), "dtype_out"),
    "no axis": (lambda cube: cube.drop_vars("M").isel(M=slice(None)), "no coordinate 'M'"),
    "lost dimension": (lambda cube: cube.isel(M=0), "dimensions .*expected"),
    "fraction of an element": (lambda cube: cube.assign_coords(M=[1.5, 2.0, 3.0]), "whole numbers"),
    "infinite size": (lambda cube: cube.assign_coords(M=[1.0, 2.0, np.inf]), "whole numbers"),
    "text as size": (lambda cube: cube.assign_coords(M=["a", "b", "c"]), "whole numbers"),
    "zero size": (lambda cube: cube.assign_coords(M=[0, 1, 2]), "must be positive, got 0"),
    "descending": (lambda cube: cube.isel(M=slice(None, None, -1)), "ascending"),
    "doubled size": (lambda cube: cube.assign_coords(M=[1, 1, 2]), "ascending"),
    "no tile": (without("tile"), "'tile'"),
    "doubled tile": (lambda cube: cube.assign_coords(tile=["vendor", "vendor"]), "duplicates"),
    "bad tile": (lambda cube: cube.assign_coords(tile=["256x256", "vendor"]), "tile label '256x256'"),
    "tile contradicts": (lambda cube: cube.assign_coords(tile_m=("tile", [1, 0])), "'tile_m' contradicts"),
    "unknown status": (cells("status", 9), "'status' holds 9"),
    "status beyond int8": (cells("status", 256), "'status' holds 256"),
    "status unknown": (cells("status", np.nan), "'status' holds nan"),
    "status as text": (cells("status", "ok"), "'status' must hold numbers"),
    "status elsewhere": (lambda cube: cube.assign(status=cube["status"].isel(K=0)), "'status' has dimensions"),
    "spread elsewhere": (lambda cube: cube.assign(time_spread=cube["time"].isel(K=0)), "'time_spread' has"),
    "repeats without dim": (lambda cube: cube.assign(time_repeats=cube["time"]), "'time_repeats' has"),
    "time as text": (cells("time", "1"), "'time' must hold numbers"),
    "ok without time": (cells("time", np.nan), "48 cells with status ok"),
    "time zero": (cells("time", 0.0), "not positive"),
    "time negative": (cells("time", -1.0), "not positive"),
    "time infinite": (cells("time", np.inf), "not positive and finite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_cube_is_refused(fault):
    change, message = FAULTS[fault]
    with pytest.raises(CubeError, match=message) as caught:
        validate(change(make()))
    assert "\n" not in str(caught.value)


def test_broken_sparse_cube_is_refused():
    with pytest.raises(CubeError, match=r"\(sample, 3\)"):
        sparse_cube([1e-3], [[1, 2]], [TILES[0]], B580)
    with pytest.raises(CubeError, match="dtype"):
        sparse_cube([1e-3], [[1, 2, 3]], [TILES[0]], B580, dtype="complex")
    scalar = make_sparse().drop_vars("tile").assign_coords(tile="vendor")
    with pytest.raises(CubeError, match="'tile' has dimensions"):
        validate(scalar)


def test_sparse_cube_needs_no_order():
    cube = sparse_cube([1e-3, 2e-3, 3e-3], [[9, 9, 9], [1, 1, 1], [9, 9, 9]], [TILES[1]] * 3, B580)
    assert cube["M"].values.tolist() == [9, 1, 9]
    assert tiles_of(cube) == (TILES[1],)


@pytest.mark.parametrize(
    ("attrs", "state"),
    [
        ({"protocol": '{"cache": "cold", "seed": 1}'}, "cold"),
        ({"protocol": '{"cache": "warm: one untimed launch"}'}, "warm"),
        ({"twin": '{"cache": "warm"}'}, "warm"),
        ({"protocol": "we ran it often", "twin": '{"cache": "cold"}'}, "cold"),
        ({"protocol": '{"cache": 3}'}, None),
        ({"protocol": "[1]"}, None),
        ({}, None),
    ],
)
def test_a_cube_tells_how_launches_found_the_caches(attrs, state):
    assert cache_state_of(xr.Dataset(attrs=attrs)) == state
