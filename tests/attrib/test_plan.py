"""Plans: lookup against the stage's own decisions, launches that cover a shape, files without loss."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from attrib.choice import Choice, Parts
from attrib.landscape import Landscape
from attrib.plan import Plan
from attrib.stages import RUN, UNAVAILABLE, BestTile, FixedTile, Pad, Split, StageResult, standard_stages
from harness.errors import CubeError, InputError, NotApplicableError
from harness.tile import Tile

TILES = tuple(Tile.parse(text) for text in ("128x128x32", "256x256x32", "64x64x32"))
VENDOR = Tile(0, 0, 0, "some library")
STACK = Split(Pad(BestTile()))


def make_landscape(seed=0, shape=(5, 6, 4), tiles=TILES, missing=0.1, axes=None):
    rng = np.random.default_rng(seed)
    M, N, K = axes or (128 * np.arange(1, size + 1) for size in shape)
    work = np.multiply.outer(np.multiply.outer(M, N), K) * 1e-12
    time = (work + 2e-8) * rng.uniform(0.5, 2.0, (len(tiles), *work.shape))
    time[rng.random(time.shape) < missing] = np.nan
    return Landscape(time, tiles, M, N, K)


def make_plan(stage=STACK, device="H200", **options):
    landscape = make_landscape(**options)
    return Plan.from_stage(landscape, stage.apply(landscape), device)


def scattered_axes():
    return np.array([1, 64, 100, 128, 4096]), np.array([16, 17, 18]), 128 * np.arange(1, 5)


def shapes_of(plan, count, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, axis[-1] + 1, count) for axis in plan.axes]


def same_plan(first, second):
    xr.testing.assert_identical(first.to_dataset(), second.to_dataset())
    assert first.tiles == second.tiles
    for field in ("tile", "target", "action", "part"):
        one, other = (getattr(plan.decisions, field) for plan in (first, second))
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def covered(launches, shape):
    """How often each (m, n, k) of the shape is multiplied; the first launch of an output has beta 0."""
    products = np.zeros(shape, dtype=int)
    started = np.zeros(shape[:2], dtype=bool)
    for launch in launches:
        m, n, k = (slice(o, o + s) for o, s in zip(launch.offset, launch.size, strict=True))
        assert all(o + s <= e for o, s, e in zip(launch.offset, launch.size, shape, strict=True))
        products[m, n, k] += 1
        assert np.all(started[m, n] == (launch.beta == 1))
        started[m, n] = True
    return products


# --- lookup ---


@pytest.mark.parametrize("index", range(8))
def test_grid_shapes_follow_the_decisions_of_every_stage(index):
    landscape = make_landscape(tiles=(*TILES, VENDOR))
    result = standard_stages(landscape)[index].apply(landscape)
    plan = Plan.from_stage(landscape, result)
    found = plan.lookup_many(*np.ix_(*plan.axes))
    kept = result.decisions
    np.testing.assert_array_equal(found.time, result.time)
    np.testing.assert_array_equal(found.action, kept.action)
    run = kept.action == RUN
    np.testing.assert_array_equal(found.tile, np.where(run, kept.tile, UNAVAILABLE))
    cells = np.unravel_index(kept.target[run], plan.shape)
    target = np.stack([axis[i] for axis, i in zip(plan.axes, cells, strict=True)], axis=-1)
    np.testing.assert_array_equal(found.padded[run], target)
    assert not found.padded[~run].any()
    assert np.all((found.first > 0) == (kept.action > RUN))
    np.testing.assert_allclose(found.throughput, landscape.throughput(result.time), rtol=1e-14)


@pytest.mark.parametrize("axes", [None, scattered_axes()], ids=["uniform", "scattered"])
def test_off_grid_shapes_are_rounded_up(axes):
    plan = make_plan(BestTile() if axes else STACK, missing=0.0, axes=axes)
    M, N, K = shapes_of(plan, 500)
    found = plan.lookup_many(M, N, K)
    for axis, sizes, i in zip(plan.axes, (M, N, K), range(3), strict=True):
        expected = [min(value for value in axis if value >= size) for size in sizes]
        np.testing.assert_array_equal(found.cell[:, i], expected)
    on_grid = plan.lookup_many(*found.cell.T)
    for name in ("action", "tile", "padded", "first", "time", "direct_time"):
        np.testing.assert_array_equal(getattr(found, name), getattr(on_grid, name))
    assert np.all(found.second <= on_grid.second)
    assert np.all(found.throughput <= on_grid.throughput)


def test_one_shape_is_looked_up_like_many():
    plan = make_plan(missing=0.3, seed=3)
    M, N, K = shapes_of(plan, 300)
    found = plan.lookup_many(M, N, K)
    kinds = set()
    for i, shape in enumerate(zip(M.tolist(), N.tolist(), K.tolist(), strict=True)):
        kinds.add(int(found.action[i]))
        if found.action[i] == UNAVAILABLE:
            with pytest.raises(NotApplicableError, match="no time for"):
                plan.lookup(*shape)
            continue
        one = plan.lookup(*shape)
        assert one.shape == shape
        assert one.cell == tuple(found.cell[i])
        assert (one.time, one.throughput) == (found.time[i], pytest.approx(found.throughput[i], rel=1e-15))
        if one.split is None:
            assert one.tile is plan.tiles[found.tile[i]]
            assert one.padded == tuple(found.padded[i])
        else:
            assert one.tile is None
            assert one.padded is None
            assert one.split == ("MNK"[found.action[i] - 1], found.first[i], found.second[i])
    assert kinds >= {0, 1, 2, 3}


def test_what_a_shape_gets_in_numbers():
    """M = 1000 on a 128 grid: padded to 1024, and split in 512 and 488 where that is planned."""
    M = 128 * np.arange(1, 9)
    one = np.array([128])
    time = np.array([9.0, 8.0, 7.0, 3.0, 7.0, 7.0, 7.0, 10.0]).reshape(1, 8, 1, 1)
    landscape = Landscape(time, TILES[:1], M, one, one)
    plan = Plan.from_stage(landscape, Split(Pad(FixedTile(TILES[0]))).apply(landscape), "toy")
    assert plan.lookup(1000, 100, 128) == Choice(
        (1000, 100, 128), (1024, 128, 128), None, None, Parts("M", 512, 488), 6.0, TILES[0], 10.0
    )
    assert plan.lookup(1000, 100, 128).throughput == pytest.approx(2e-12 * 1000 * 100 * 128 / 6)
    first, second = plan.launches(1000, 100, 128)
    assert first == (TILES[0], (0, 0, 0), (512, 100, 128), (512, 128, 128), 0, 3.0)
    assert second == (TILES[0], (512, 0, 0), (488, 100, 128), (512, 128, 128), 0, 3.0)
    padded = plan.lookup(200, 1, 1)
    assert (padded.cell, padded.padded, padded.time) == ((256, 128, 128), (512, 128, 128), 3.0)
    assert "Split" not in repr(plan)
    assert "at most 2 launches" in repr(plan)
    assert plan.launch_counts.ravel().tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_sizes_broadcast():
    plan = make_plan()
    found = plan.lookup_many(np.arange(1, 5)[:, None], np.arange(1, 4), 7)
    assert found.time.shape == (4, 3)
    assert found.cell.shape == found.padded.shape == (4, 3, 3)
    assert plan.lookup_many(np.zeros(0, int), 1, 1).time.shape == (0,)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((641, 1, 1), "M=641 is out of reach: this plan covers M from 1 to 640"),
        ((1, 0, 1), "N=0 is out of reach: this plan covers N from 1 to 768"),
        ((1, 1, 2**40), "this plan covers K from 1 to 512"),
        ((1.5, 1, 1), "M must be whole numbers"),
        ((1, True, 1), "N must be whole numbers"),
        ((1, 1, [3, 600]), "K=600 is out of reach"),
    ],
)
def test_shapes_out_of_reach_are_refused(shape, message):
    plan = make_plan()
    with pytest.raises(InputError, match=message):
        plan.lookup_many(*shape)
    if not isinstance(shape[2], list):
        with pytest.raises(InputError, match=message):
            plan.launches(*shape)


# --- launches ---


def test_launches_of_the_grid_are_those_of_the_stage():
    plan = make_plan(missing=0.2)
    for index in np.ndindex(plan.shape):
        if plan.decisions.action[index] == UNAVAILABLE:
            assert plan.launch_counts[index] == 0
            continue
        launches = plan.launches(*(int(axis[i]) for axis, i in zip(plan.axes, index, strict=True)))
        expected = plan.decisions.launches(*index)
        assert plan.launch_counts[index] == len(launches) == len(expected)
        for launch, original in zip(launches, expected, strict=True):
            assert launch.tile == plan.tiles[original.tile]
            for values, cells in ((launch.size, original.shape), (launch.padded, original.padded)):
                assert values == tuple(axis[i] for axis, i in zip(plan.axes, cells, strict=True))


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(*[st.integers(1, 6)] * 3),
    step=st.integers(1, 3),
    overhead=st.sampled_from([0.0, 0.3, 3.0]),
    missing=st.sampled_from([0.0, 0.3]),
    asked=st.tuples(*[st.floats(0, 1)] * 3),
    stage=st.sampled_from([STACK, Split(BestTile()), Pad(BestTile()), Split(Pad(FixedTile(TILES[1])))]),
)
@example(0, (6, 6, 6), 3, 0.0, 0.0, (1.0, 0.9, 1.0), STACK)
def test_launches_cover_the_shape_and_take_the_planned_time(seed, sizes, step, overhead, missing, asked, stage):
    rng = np.random.default_rng(seed)
    axes = [step * np.arange(1, size + 1) for size in sizes]
    work = np.multiply.outer(np.multiply.outer(axes[0], axes[1]), axes[2])
    time = (work + overhead) * rng.uniform(0.3, 1.0, (3, *sizes))
    time[rng.random(time.shape) < missing] = np.nan
    landscape = Landscape(time, TILES, *axes)
    result = stage.apply(landscape)
    assume(np.any(result.decisions.action != UNAVAILABLE))
    plan = Plan.from_stage(landscape, result)
    shape = tuple(max(1, round(float(axis[-1]) * part)) for axis, part in zip(axes, asked, strict=True))
    if np.isnan(plan.lookup_many(*shape).time):
        with pytest.raises(NotApplicableError):
            plan.launches(*shape)
        return
    choice, launches = plan.lookup(*shape), plan.launches(*shape)
    np.testing.assert_array_equal(covered(launches, shape), 1)
    assert sum(launch.time for launch in launches) == pytest.approx(choice.time, rel=1e-13)
    for launch in launches:
        assert all(1 <= size <= padded for size, padded in zip(launch.size, launch.padded, strict=True))
        cell = tuple(np.searchsorted(axis, size) for axis, size in zip(axes, launch.padded, strict=True))
        assert landscape.time[(plan.tiles.index(launch.tile), *cell)] == launch.time
    split = choice.split
    if split is not None:
        whole = shape["MNK".index(split.axis)]
        assert split.first + split.second == whole
        assert split.first >= 1
        assert split.second >= 1


# --- never slower ---


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tiles", [TILES, (*TILES, VENDOR)], ids=["tiles", "tiles and library"])
def test_a_plan_never_makes_a_shape_slower_than_running_it_as_it_is(seed, tiles):
    landscape = make_landscape(seed, tiles=tiles, missing=0.2)
    for stage in standard_stages(landscape):
        plan = Plan.from_stage(landscape, stage.apply(landscape))
        able = ~np.isnan(plan.direct_time)
        assert np.all(plan.time[able] <= plan.direct_time[able])
        index = np.nonzero(able)
        np.testing.assert_array_equal(landscape.time[(plan.direct_tile[able], *index)], plan.direct_time[able])
        found = plan.lookup_many(*(axis[i] for axis, i in zip(plan.axes, index, strict=True)))
        np.testing.assert_array_equal(found.direct_time, plan.direct_time[able])


def test_alternative_is_the_fastest_tile_of_the_plan():
    landscape = make_landscape(missing=0.0)
    plan = Plan.from_stage(landscape, BestTile().apply(landscape))
    np.testing.assert_array_equal(plan.direct_time, landscape.time.min(axis=0))
    np.testing.assert_array_equal(plan.direct_tile, plan.decisions.tile)
    fixed = Plan.from_stage(landscape, Split(Pad(FixedTile(TILES[2]))).apply(landscape))
    np.testing.assert_array_equal(fixed.direct_time, landscape.time[2])
    assert fixed.lookup(1, 1, 1).direct_tile == TILES[2]


def test_results_of_another_landscape_are_refused():
    landscape = make_landscape()
    faster = dataclasses.replace(landscape, time=landscape.time / 2)
    with pytest.raises(InputError, match="slower than running"):
        Plan.from_stage(faster, STACK.apply(landscape))
    with pytest.raises(InputError, match="has shape"):
        Plan.from_stage(make_landscape(shape=(2, 2, 2)), STACK.apply(landscape))
    nothing = dataclasses.replace(landscape, time=np.full_like(landscape.time, np.nan))
    with pytest.raises(InputError, match="nothing to plan"):
        Plan.from_stage(nothing, STACK.apply(nothing))


# --- consistency ---


def with_entry(plan, field, index, value):
    changed = getattr(plan.decisions, field).copy()
    changed[index] = value
    return dataclasses.replace(plan, decisions=dataclasses.replace(plan.decisions, **{field: changed}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("action", 4, "action is not one of"),
        ("action", -1, "NaN where and only where"),
        ("tile", 3, "not one of the 3 tiles"),
        ("tile", -1, "not one of the 3 tiles"),
        ("target", 5 * 6 * 4, "off the grid"),
        ("target", 0, "does not contain"),
        ("action", 1, "is not smaller"),
    ],
)
def test_contradictions_are_refused(field, value, message):
    plan = make_plan(BestTile(), missing=0.0)
    with pytest.raises(CubeError, match=message):
        with_entry(plan, field, (2, 2, 2), value)


def test_contradictions_of_splits_are_refused():
    plan = make_plan(seed=2)
    cell = tuple(int(i[0]) for i in np.nonzero(plan.decisions.action == 1))
    with pytest.raises(CubeError, match="is not smaller"):
        with_entry(plan, "part", cell, cell[0])
    with pytest.raises(CubeError, match="whose axis is not g, 2g"):
        dataclasses.replace(plan, M=plan.M + 1)
    part = (int(plan.decisions.part[cell]), *cell[1:])
    time = plan.time.copy()
    time[part] = np.nan
    action = np.where(np.isnan(time), UNAVAILABLE, plan.decisions.action).astype(np.int8)
    with pytest.raises(CubeError, match="part of a split is not available"):
        dataclasses.replace(plan, time=time, decisions=dataclasses.replace(plan.decisions, action=action))
    with pytest.raises(CubeError, match="ascend"):
        dataclasses.replace(plan, N=plan.N[::-1])
    with pytest.raises(CubeError, match="has shape"):
        dataclasses.replace(plan, time=plan.time[1:])


# --- files ---


@pytest.mark.parametrize(
    "plan",
    [
        make_plan(missing=0.3, tiles=(*TILES, VENDOR), device="Größe 1"),
        make_plan(BestTile(), axes=scattered_axes()),
        make_plan(FixedTile(VENDOR), tiles=(VENDOR,), shape=(1, 1, 1), missing=0.0, device=""),
    ],
    ids=["stack", "scattered", "one cell"],
)
def test_files_are_without_loss(tmp_path, plan):
    path = tmp_path / "plan.nc"
    plan.save(path)
    same_plan(plan, Plan.open(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.nc"]
    plan.save(str(path))
    opened = Plan.open(str(path))
    opened.save(path)
    same_plan(plan, Plan.open(path))
    assert opened.lookup_many(1, 1, 1).time == plan.lookup_many(1, 1, 1).time


def test_what_is_no_plan_is_refused_in_one_line(tmp_path):
    plan = make_plan()
    plan.save(tmp_path / "plan.nc")
    content = (tmp_path / "plan.nc").read_bytes()
    (tmp_path / "short.nc").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.nc").write_text("M,N,K\n")
    (tmp_path / "empty.nc").write_bytes(b"")
    xr.Dataset({"time": ("M", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    dataset = plan.to_dataset()
    dataset.assign_attrs(plan_version=99).to_netcdf(tmp_path / "later.nc", engine="h5netcdf")
    dataset.drop_vars("part").to_netcdf(tmp_path / "lacking.nc", engine="h5netcdf")
    dataset.assign(target=dataset["target"] * 0).to_netcdf(tmp_path / "wrong.nc", engine="h5netcdf")
    messages = {
        "short": "not a readable plan, or cut short",
        "text": "not a readable plan",
        "empty": "not a readable plan",
        "other": "not a plan: it has no plan_version",
        "later": "update attrib",
        "lacking": "part",
        "wrong": "not a consistent plan",
    }
    for name, message in messages.items():
        with pytest.raises(CubeError, match=message) as caught:
            Plan.open(tmp_path / f"{name}.nc")
        assert f"{name}.nc" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        Plan.open(tmp_path / "missing.nc")
    with pytest.raises(CubeError, match="not a readable plan"):
        Plan.open(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        plan.save(tmp_path / "nowhere" / "plan.nc")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "plan.nc"
    make_plan().save(path)
    before = path.read_bytes()

    def fail(self, target, **options):
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(InputError, match="disk full"):
        make_plan(seed=1).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.nc"]


def test_results_of_a_foreign_stage_are_kept():
    """Any stage's result makes a plan, the times of which need not come from the landscape's cells."""
    landscape = make_landscape(missing=0.0)
    own = BestTile().apply(landscape)
    plan = Plan.from_stage(landscape, StageResult("aligned pitch", own.time * 0.9, own.decisions))
    np.testing.assert_array_equal(plan.time, own.time * 0.9)
    assert plan.stage == "aligned pitch"
