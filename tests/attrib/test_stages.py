"""Stages: one contract for all, the paper's recursions against slow references, what its model implies."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attrib.landscape import Landscape, throughput
from attrib.stages import (
    BestTile,
    FixedTile,
    Pad,
    Split,
    default_tile,
    pad_samples,
    split_minimum,
    standard_stages,
    suffix_argmin,
    suffix_minimum,
)
from harness.errors import CubeError, InputError, NotApplicableError
from harness.tile import Tile

TILES = tuple(Tile.parse(text) for text in ("128x128x32", "256x256x32", "64x64x32"))
VENDOR = Tile.parse("vendor")


def make_landscape(seed=0, shape=(5, 6, 4), tiles=TILES, missing=0.1):
    rng = np.random.default_rng(seed)
    M, N, K = (128 * np.arange(1, size + 1) for size in shape)
    work = np.multiply.outer(np.multiply.outer(M, N), K) * 1e-12
    time = (work + 2e-6) * rng.uniform(0.5, 2.0, (len(tiles), *shape))
    time[rng.random(time.shape) < missing] = np.nan
    return Landscape(time, tiles, M, N, K)


def slow_pad(time):
    """T1 by the recursion of section 7, from the largest corner down."""
    t1 = np.where(np.isnan(time), np.inf, time)
    for cell in sorted(np.ndindex(time.shape), reverse=True):
        near = [tuple(np.add(cell, step)) for step in product((0, 1), repeat=3)]
        t1[cell] = min(t1[c] for c in near if all(i < n for i, n in zip(c, time.shape, strict=True)))
    return np.where(np.isinf(t1), np.nan, t1)


def slow_split(time):
    """T2 by the recursion of section 7 in units of the step, over all i (not only half of them)."""
    rows, columns, depth = time.shape
    t2 = np.full((rows + 1, columns + 1, depth + 1), np.inf)
    t2[1:, 1:, 1:] = np.where(np.isnan(time), np.inf, time)
    for m, n, k in product(range(1, rows + 1), range(1, columns + 1), range(1, depth + 1)):
        candidates = [t2[m - i, n, k] + t2[i, n, k] for i in range(1, m)]
        candidates += [t2[m, n - j, k] + t2[m, j, k] for j in range(1, n)]
        candidates += [t2[m, n, k - h] + t2[m, n, h] for h in range(1, k)]
        t2[m, n, k] = min([t2[m, n, k], *candidates])
    return np.where(np.isinf(t2), np.nan, t2)[1:, 1:, 1:]


tables = arrays(
    np.float64,
    st.tuples(*[st.integers(1, 6)] * 3),
    elements=st.one_of(st.floats(0.01, 100.0), st.just(np.nan)),
)
full_tables = arrays(np.float64, st.tuples(*[st.integers(1, 7)] * 3), elements=st.floats(0.01, 100.0))


# --- the contract of every stage ---

LADDER = standard_stages(make_landscape())
STAGES = [
    *LADDER,
    FixedTile(TILES[2]),
    BestTile(TILES[:2]),
    Split(Pad(BestTile()), ("M", "N")),
    Split(FixedTile(TILES[0]), ("K",)),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
@pytest.mark.parametrize("seed", range(3))
def test_contract_of_every_stage(stage, seed):
    landscape = make_landscape(seed, missing=0.2)
    before = landscape.time.copy()
    result = stage.apply(landscape)
    np.testing.assert_array_equal(landscape.time, before)
    assert result.name == stage.name
    assert stage.name in repr(result)
    assert result.time.shape == landscape.shape
    assert result.time.dtype == np.float64
    decisions = result.decisions
    for field in dataclasses.fields(decisions):
        assert getattr(decisions, field.name).shape == landscape.shape
    np.testing.assert_array_equal(decisions.action == -1, np.isnan(result.time))
    for cell in np.ndindex(landscape.shape):
        if np.isnan(result.time[cell]):
            with pytest.raises(NotApplicableError, match="no time"):
                decisions.launches(*cell)
            continue
        plan = decisions.launches(*cell)
        cost = sum(landscape.time[launch.tile][launch.padded] for launch in plan)
        assert cost == pytest.approx(result.time[cell], rel=1e-12)
        assert all(np.all(np.greater_equal(launch.padded, launch.shape)) for launch in plan)
        volume = sum(np.prod(np.add(launch.shape, 1)) for launch in plan)
        assert volume == np.prod(np.add(cell, 1))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_stages_are_frozen_and_equal_by_value(stage):
    with pytest.raises(dataclasses.FrozenInstanceError):
        stage.base = None
    assert stage == dataclasses.replace(stage)


def test_ladder_in_order():
    assert [stage.name for stage in LADDER] == [
        "fixed 256x256x32",
        "best tile",
        "fixed 256x256x32 + pad",
        "fixed 256x256x32 + split",
        "fixed 256x256x32 + pad + split",
        "best tile + pad",
        "best tile + split",
        "best tile + pad + split",
    ]
    assert standard_stages(make_landscape(), TILES[0])[0].name == "fixed 128x128x32"


def test_no_stage_is_slower_than_those_it_builds_on():
    landscape = make_landscape(7)
    times = {stage.name: stage.apply(landscape).time for stage in LADDER}
    for name, time in times.items():
        for other, less in times.items():
            if other.startswith(name):
                known = ~np.isnan(time)
                assert np.all(less[known] <= time[known])


# --- each stage ---


def test_fixed_tile_takes_the_times_of_its_tile():
    landscape = make_landscape()
    result = FixedTile(TILES[1]).apply(landscape)
    np.testing.assert_array_equal(result.time, landscape.time[1])
    assert set(np.unique(result.decisions.tile)) == {-1, 1}
    with pytest.raises(NotApplicableError, match="not in this landscape"):
        FixedTile(VENDOR).apply(landscape)


def test_default_tile_is_the_largest_known():
    assert default_tile((VENDOR, *TILES)) == TILES[1]
    assert default_tile((VENDOR,)) == VENDOR


def test_best_tile_is_the_least_that_is_available():
    landscape = make_landscape(missing=0.5)
    result = BestTile().apply(landscape)
    times = np.where(np.isnan(landscape.time), np.inf, landscape.time)
    np.testing.assert_array_equal(np.nan_to_num(result.time, nan=np.inf), times.min(axis=0))


def test_best_tile_leaves_a_library_out_unless_asked():
    landscape = make_landscape(tiles=(VENDOR, *TILES[:2]), missing=0.0)
    assert 0 not in BestTile().apply(landscape).decisions.tile
    assert 0 in BestTile((VENDOR, TILES[0])).apply(landscape).decisions.tile


@pytest.mark.parametrize("tiles", [(VENDOR,), TILES[:1], (VENDOR, TILES[0])])
def test_best_of_one_is_not_applicable(tiles):
    with pytest.raises(NotApplicableError, match="at least two tiles"):
        BestTile().apply(make_landscape(tiles=tiles))


def test_split_needs_an_axis_closed_under_splitting():
    landscape = make_landscape()
    shifted = dataclasses.replace(landscape, N=landscape.N + 64)
    with pytest.raises(NotApplicableError, match="along N"):
        Split(FixedTile(TILES[0])).apply(shifted)
    Split(FixedTile(TILES[0]), ("M", "K")).apply(shifted)


def test_slice_splits_along_its_two_axes():
    landscape = make_landscape(shape=(6, 6, 1))
    slice_only = dataclasses.replace(landscape, K=np.array([4096]))
    actions = Split(FixedTile(TILES[0])).apply(slice_only).decisions.action
    assert set(np.unique(actions)) <= {-1, 0, 1, 2}


def test_order_of_padding_and_splitting():
    split = Split(BestTile())
    with pytest.raises(NotApplicableError, match="padding comes before splitting"):
        Pad(split).apply(make_landscape())
    with pytest.raises(NotApplicableError, match="splits already"):
        Split(split).apply(make_landscape())


def test_landscape_refuses_what_is_none():
    good = make_landscape()
    for change, message in [
        ({"time": good.time[:2]}, "shape"),
        ({"time": -good.time}, "positive"),
        ({"M": good.M[::-1]}, "axis M"),
        ({"tiles": (TILES[0],) * 3}, "once"),
    ]:
        with pytest.raises(CubeError, match=message):
            dataclasses.replace(good, **change)
    assert "256x256x32" in repr(good)


def test_throughput_is_useful_operations_over_time():
    axis = np.array([100, 200])
    assert throughput(np.full((2, 2, 2), 1e-3), axis, axis, axis)[1, 0, 1] == pytest.approx(0.008)


# --- padding ---


@given(tables)
@settings(deadline=None)  # the first example compiles
def test_suffix_minimum_is_the_recursion(table):
    t1 = suffix_minimum(table)
    np.testing.assert_array_equal(t1, slow_pad(table))
    target = suffix_argmin(table)
    np.testing.assert_array_equal(target == -1, np.isnan(t1))
    found = target >= 0
    np.testing.assert_array_equal(table.ravel()[target[found]], t1[found])


@given(tables)
@settings(deadline=None)  # the first example compiles
def test_padding_nothing_where_it_gains_nothing(table):
    own = np.arange(table.size).reshape(table.shape)
    same = suffix_minimum(table) == table
    np.testing.assert_array_equal(suffix_argmin(table)[same], own[same])


def test_batches_pad_and_split_each_cube_alone():
    tables = np.random.default_rng(0).uniform(0.1, 9.0, (3, 2, 4, 5, 6))
    tables[0, 0, 1] = np.nan
    before = tables.copy()
    padded, split = suffix_minimum(tables), split_minimum(tables, workers=2)
    np.testing.assert_array_equal(tables, before)
    for index in np.ndindex(3, 2):
        np.testing.assert_array_equal(padded[index], suffix_minimum(tables[index]))
        np.testing.assert_array_equal(split[index], split_minimum(tables[index]))
    assert suffix_minimum(tables[:0]).shape == split_minimum(tables[:0]).shape == (0, 2, 4, 5, 6)


@given(
    arrays(np.int64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.integers(1, 5)),
    st.integers(0, 9999),
)
@settings(deadline=None)  # the first example compiles
def test_padding_samples_matches_all_pairs(shapes, seed):
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 9, len(shapes)).astype(float)
    time[rng.random(len(shapes)) < 0.2] = np.nan
    padded, target = pad_samples(*shapes.T, time)
    for i, shape in enumerate(shapes):
        containing = time[np.all(shapes >= shape, axis=1) & ~np.isnan(time)]
        if containing.size == 0:
            assert np.isnan(padded[i])
            assert target[i] == -1
        else:
            assert padded[i] == containing.min() == time[target[i]]
            assert np.all(shapes[target[i]] >= shape)


def test_padding_samples_of_a_full_grid_is_the_suffix_minimum():
    landscape = make_landscape()
    mesh = np.meshgrid(landscape.M, landscape.N, landscape.K, indexing="ij")
    padded, _ = pad_samples(*(axis.ravel() for axis in mesh), landscape.time[0].ravel())
    np.testing.assert_array_equal(padded.reshape(landscape.shape), suffix_minimum(landscape.time[0]))


def test_padding_samples_wants_vectors_of_one_length():
    with pytest.raises(InputError, match="one length"):
        pad_samples(np.ones(2, int), np.ones(2, int), np.ones(3, int), np.ones(2))


# --- splitting ---


@given(tables)
@settings(max_examples=50, deadline=None)
def test_split_is_the_recursion(table):
    np.testing.assert_allclose(split_minimum(table), slow_split(table), rtol=1e-12)
    padded = suffix_minimum(table)
    np.testing.assert_allclose(split_minimum(padded), slow_split(padded), rtol=1e-12)


@given(full_tables)
@settings(deadline=None)  # the first example compiles
def test_invariants_of_padding_and_splitting(t0):
    t1 = suffix_minimum(t0)
    t2 = split_minimum(t1)
    assert np.all(t1 <= t0)
    assert np.all(t2 <= t1)
    for axis in range(3):
        assert np.all(np.diff(t1, axis=axis) >= 0)
        assert np.all(np.diff(t2, axis=axis) >= -1e-12 * t2.max())
    np.testing.assert_allclose(suffix_minimum(t2), t2, rtol=1e-12)
    for axis in range(3):
        lines = np.moveaxis(t2, axis, 0)
        for i, j in product(range(len(lines)), repeat=2):
            if i + j + 1 < len(lines):
                assert np.all(lines[i + j + 1] <= lines[i] + lines[j])


def test_split_is_restricted_to_its_axes():
    table = np.random.default_rng(1).uniform(1, 9, (6, 6, 6))
    along_n = split_minimum(table, ("N",))
    for m, k in product(range(6), repeat=2):
        np.testing.assert_array_equal(along_n[m, :, k], slow_split(table[m : m + 1, :, k : k + 1])[0, :, 0])
    np.testing.assert_array_equal(split_minimum(table, ()), table)
    with pytest.raises(InputError, match="M, N, K"):
        split_minimum(table, ("x",))


# --- what the paper's model implies ---


@pytest.mark.parametrize("launch", [0.0, 3.0])
@pytest.mark.parametrize("sides", [(256,), (128,), (256, 128, 64)])
def test_wave_model_leaves_nothing_to_pad_or_split(sides, launch):
    """Item 27: T0 ~ ceil(W/20) is monotone and subadditive, so T1 = T0 = T2 on the whole 32^3 grid."""
    grid = 128 * np.arange(1, 33)
    times = []
    for side in sides:
        groups = np.multiply.outer(-(-grid // side), -(-grid // side))
        waves = -(-groups // 20)
        times.append(launch + side**2 / 4096 * np.multiply.outer(waves, np.arange(1.0, 33.0)))
    t0 = np.minimum.reduce(times)
    t1 = suffix_minimum(t0)
    np.testing.assert_array_equal(t1, t0)
    np.testing.assert_array_equal(split_minimum(t1), t0)
