"""The whole analysis on every form of cube: what applies is done, what does not is named with a reason."""

import numpy as np
import pytest

from attrib.analysis import analyse, landscape_of
from attrib.measurement_noise import relative_error_of
from attrib.roughness import roughness
from attrib.stages import pad_samples
from harness.cube import STATUS, dense_cube, sparse_cube
from harness.device import DeviceRecord, load_device
from harness.tile import Tile
from models.additive import AdditiveModel

NAMES = ("256x128x32", "96x128x32", "64x64x32")
SIDE, DEPTH = np.arange(128, 2049, 128), np.arange(256, 2049, 256)
BLANK = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
KNOWN = DeviceRecord(
    id="known",
    name="Known",
    vendor="tests",
    kind="gpu",
    cores=20,
    peak_flops_per_s={"bf16": 6e13},
    bandwidth_bytes_per_s=5e11,
    memory_channels=12,
    channel_interleave_bytes=256,
)
QUICK = AdditiveModel(draws=5)
REFERENCES = "ideal and optimal landscapes, tau, rho and level"
LADDER = [
    "fixed 256x128x32",
    "best tile",
    "fixed 256x128x32 + pad",
    "fixed 256x128x32 + split",
    "fixed 256x128x32 + pad + split",
    "best tile + pad",
    "best tile + split",
    "best tile + pad + split",
]


def seconds(name, M, N, K):
    """Launch, waves of 20 work-groups, and 2 % that depend on the shape in no way a mechanism knows."""
    tm, tn, tk = (int(size) for size in name.split("x"))
    groups, steps = -(-M // tm) * -(-N // tn), -(-K // tk)
    cost = tm * tn / 32768
    ripple = 1 + 0.02 * np.sin(M * 0.013 + N * 0.029 + K * 0.007 + tm)
    time = 5e-6 + -(-groups // 20) * (1e-6 + 3e-6 * cost + steps * (1e-7 + 7e-7 * cost)) + groups * steps * 4e-9
    return time * ripple


def times_on(M=SIDE, N=SIDE, K=DEPTH, names=NAMES):
    return np.stack([seconds(name, *np.ix_(M, N, K)) for name in names])


def cube_on(times=None, M=SIDE, N=SIDE, K=DEPTH, names=NAMES, device=BLANK, **more):
    times = times_on(M, N, K, names) if times is None else times
    return dense_cube(times, M, N, K, [Tile.labelled(name) for name in names], device, **more)


def quick(cube, **options):
    fit = options.pop("fit", None) or QUICK.fit(cube)
    return analyse(cube, fit=fit, **options)


def skipped(analysis):
    """Reasons by part, without the terms of the model."""
    assert all(item.part and item.reason for item in analysis.skipped)
    return {item.part: item.reason for item in analysis.skipped if not item.part.startswith("term ")}


def names_of(analysis):
    return [stage.name for stage in analysis.stages]


@pytest.fixture(scope="module")
def dense():
    return quick(cube_on(device=KNOWN))


@pytest.fixture(scope="module")
def fit():
    return QUICK.fit(cube_on())


# Dense


def test_a_dense_cube_gets_every_stage(dense):
    assert names_of(dense) == [*LADDER, "fixed 96x128x32", "fixed 64x64x32"]
    assert skipped(dense) == {}
    assert dense.device == KNOWN
    for stage in dense.stages:
        assert stage.note == ""
        assert stage.attribution.roughness == pytest.approx(stage.roughness.slice_N)
        assert 0 < stage.optimality.tau < 1.01
        assert stage.peak_tflops >= stage.mean_tflops > 0


def test_reports_state_the_stage_that_ran(dense):
    for stage in dense.stages:
        rate = dense.landscape.throughput(stage.result.time)
        assert stage.mean_tflops == pytest.approx(rate.mean())
        assert stage.peak_tflops == pytest.approx(rate.max())
        assert stage.slice_mean_tflops == pytest.approx(rate[:, :, -1].mean())
        assert stage.roughness == roughness(rate)
        assert dense.stage(stage.name) is stage


def test_more_software_is_never_slower(dense):
    time = {stage.name: stage.result.time for stage in dense.stages}
    for slow, fast in (
        ("fixed 256x128x32", "best tile"),
        ("best tile", "best tile + pad"),
        ("best tile + pad", "best tile + pad + split"),
        ("fixed 256x128x32 + split", "fixed 256x128x32 + pad + split"),
    ):
        assert np.all(time[fast] <= time[slow])


def test_references_bound_the_landscape(dense):
    assert dense.ideal.shape == dense.optimal.shape == (16, 16, 8)
    assert np.all(dense.ideal <= 60.0 * (1 + 1e-9))
    assert np.all(dense.optimal <= 60.0 * (1 + 1e-9))


def test_removable_parts_lead_to_the_full_stack(dense):
    last = dense.stage("best tile + pad + split")
    for stage in dense.stages:
        assert sum(stage.removable.values()) == pytest.approx(stage.roughness.slice_N - last.roughness.slice_N)
    assert list(dense.stage("fixed 256x128x32").removable) == LADDER[1:2] + LADDER[5:6] + LADDER[7:]
    assert list(dense.stage("best tile + split").removable) == ["best tile + pad + split"]
    assert dict(last.removable) == {}


def test_the_fixed_tile_is_the_largest_or_the_one_asked_for(dense):
    analysis = quick(cube_on(device=KNOWN), tile=Tile.parse("64x64x32"), fit=dense.fit)
    assert names_of(analysis)[0] == "fixed 64x64x32"
    assert "fixed 64x64x32 + pad + split" in names_of(analysis)
    assert names_of(analysis)[-2:] == ["fixed 256x128x32", "fixed 96x128x32"]
    assert analysis.stage("best tile").attribution == dense.stage("best tile").attribution


def test_a_fit_is_made_with_the_seed_and_progress_is_told():
    said = []
    cube = cube_on(names=NAMES[:1])
    analysis = analyse(cube, seed=5, progress=said.append)
    assert analysis.fit.seed == 5
    assert "counting cores" in said
    assert f"stage {LADDER[0]}" in said


def test_the_order_of_tiles_changes_no_stage(dense):
    cube = cube_on(device=KNOWN)
    turned = quick(cube.isel(tile=[1, 2, 0]), fit=dense.fit)
    for name in LADDER:
        one, two = dense.stage(name), turned.stage(name)
        np.testing.assert_array_equal(one.result.time, two.result.time)
        assert one.roughness == two.roughness
        assert one.attribution == two.attribution
        assert one.removable == two.removable


# Open device records


def test_a_device_with_an_open_peak_gets_no_grades():
    analysis = quick(cube_on(device=load_device("cpu")))
    assert list(skipped(analysis)) == [REFERENCES]
    assert "bf16" in skipped(analysis)[REFERENCES]
    assert analysis.ideal is None
    assert analysis.optimal is None
    assert all(stage.optimality is None and stage.attribution is not None for stage in analysis.stages)


def test_open_cores_are_counted_from_the_timings():
    analysis = quick(cube_on(device=BLANK))
    assert analysis.fit.hardware.cores == 20
    assert "cores" not in skipped(analysis)[REFERENCES]


def test_open_channels_are_named():
    record = DeviceRecord(
        "half", "Half", "tests", "gpu", cores=20, peak_flops_per_s={"bf16": 6e13}, bandwidth_bytes_per_s=5e11
    )
    analysis = quick(cube_on(device=record))
    assert analysis.optimal is not None
    assert "channels" in skipped(analysis)["channel hash in the optimal landscape"]


# Hidden and missing tiles


def test_a_library_alone_gets_its_own_stages():
    analysis = quick(cube_on(names=("vendor",), times=times_on(names=("64x64x32",)), device=KNOWN))
    assert names_of(analysis) == [f"fixed vendor{more}" for more in ("", " + pad", " + split", " + pad + split")]
    assert analysis.ideal is None
    found = skipped(analysis)
    assert found[REFERENCES] == "every tile is hidden"
    assert [part for part in found if part.startswith("stage")] == [
        f"stage best tile{more}" for more in ("", " + pad", " + split", " + pad + split")
    ]
    for stage in analysis.stages:
        assert sum(share.share for share in stage.attribution.shares.values()) == pytest.approx(
            stage.roughness.slice_N
        )
        later = [f"fixed vendor{more}" for more in (" + pad", " + pad + split")]
        expected = {"fixed vendor": later, later[0]: later[1:], later[1]: []}
        assert list(stage.removable) == expected.get(stage.name, later[1:])


def test_a_library_beside_tiles_is_no_choice_of_theirs():
    cube = cube_on(names=(*NAMES[:2], "vendor"), times=times_on() * np.array([1, 1, 0.1])[:, None, None, None])
    analysis = quick(cube, tile=Tile.parse("vendor"))
    assert np.all(analysis.stage("best tile").result.time > analysis.stage("fixed vendor").result.time)
    for stage in analysis.stages:
        assert bool(stage.removable) == ("vendor" not in stage.name and stage.name != LADDER[-1])


def test_one_tile_has_no_best():
    analysis = quick(cube_on(names=NAMES[:1]))
    assert names_of(analysis) == [name for name in LADDER if name.startswith("fixed")]
    assert "at least two tiles" in skipped(analysis)["stage best tile + pad"]


def test_a_tile_with_too_few_samples_is_left_unattributed():
    times = times_on()
    times[2].reshape(-1)[30:] = np.nan
    analysis = quick(cube_on(times))
    assert "64x64x32" not in analysis.fit.tiles
    for stage in analysis.stages:
        lacks = stage.name == "fixed 64x64x32" or stage.name.startswith("best tile")
        assert (stage.attribution is None) == lacks
        assert ("no model of tile 64x64x32" in stage.note) == lacks


def test_a_tile_that_was_never_measured_is_named(dense):
    status = np.zeros((3, 16, 16, 8), dtype=np.int8)
    status[1] = STATUS["unsupported"]
    times = times_on()
    times[1] = np.nan
    analysis = quick(cube_on(times, status=status, device=KNOWN))
    assert skipped(analysis) == {
        "tile 96x128x32": "only 0 samples: too few to fit",
        "stage fixed 96x128x32": "none of its shapes was measured",
    }
    assert analysis.stage(LADDER[0]).roughness == dense.stage(LADDER[0]).roughness


# Missing cells


def test_missing_cells_stay_missing(fit):
    times = times_on()
    holes = np.random.default_rng(4).random(times.shape) < 0.1
    times[holes] = np.nan
    analysis = quick(cube_on(times), fit=fit)
    fixed, best = analysis.stage(LADDER[0]), analysis.stage("best tile")
    np.testing.assert_array_equal(np.isnan(fixed.result.time), holes[0])
    np.testing.assert_array_equal(np.isnan(best.result.time), holes.all(axis=0))
    for stage in analysis.stages:
        assert sum(share.share for share in stage.attribution.shares.values()) == pytest.approx(
            stage.roughness.slice_N
        )
        assert np.isfinite(stage.mean_tflops)


@pytest.mark.parametrize("device", [BLANK, KNOWN], ids=["blank", "known"])
def test_an_empty_slice_is_reported_as_such(fit, device):
    times = times_on()
    times[0, :, :, -1] = np.nan
    analysis = quick(cube_on(times, device=device), fit=fit)
    fixed = analysis.stage(LADDER[0])
    assert fixed.slice_mean_tflops is None
    assert fixed.roughness.slice_N is None
    assert fixed.roughness.N > 0
    assert fixed.optimality is None
    assert fixed.attribution is None
    assert "largest K" in fixed.note
    assert analysis.stage("best tile").attribution is not None


def test_only_cells_that_are_ok_count():
    times = times_on()
    status = np.zeros(times.shape, dtype=np.int8)
    status[0, 3, 4, 5] = STATUS["wrong_result"]
    status[0, 3, 4, 6] = STATUS["failed"]
    times[0, 3, 4, 6] = 0.0
    cube = cube_on(times, status=status, spread=0.01 * times)
    landscape, error = landscape_of(cube), relative_error_of(cube)
    assert np.isnan(landscape.time[0, 3, 4, 5:7]).all()
    assert np.count_nonzero(np.isnan(landscape.time)) == np.count_nonzero(np.isnan(error)) == 2


def test_relative_errors_shrink_with_repeats():
    times = times_on()
    repeats = np.repeat(times[..., None], 4, axis=-1)
    kept = cube_on(times, spread=0.01 * times, repeats=repeats)
    packed = kept.isel(repeat=[0]).assign_attrs(repeats_measured=16)
    # The median of four is nearly as good as their mean, that of many loses a quarter to it.
    np.testing.assert_allclose(relative_error_of(kept), 0.01 * 1.092 / 0.73 / 2, rtol=1e-3)
    np.testing.assert_allclose(relative_error_of(packed), 0.01 * np.sqrt(np.pi / 2) / 4, rtol=1e-4)
    assert relative_error_of(cube_on(times)) is None


# Grids


def test_uneven_axes_skip_splitting_and_say_so():
    uneven = np.array([*range(128, 1537, 128), 1792, 2048, 3072, 4096])
    analysis = quick(cube_on(M=uneven))
    found = skipped(analysis)
    splits = [f"stage {name}" for name in LADDER if "split" in name]
    assert [part for part in found if part.startswith("stage")] == splits
    assert all("along M" in found[part] for part in splits)
    assert "M" in found["comparison of roughness between axes"]
    full = analysis.stage("best tile + pad").roughness.slice_N
    for stage in analysis.stages:
        assert sum(stage.removable.values()) == pytest.approx(stage.roughness.slice_N - full)


def test_a_single_depth_is_enough():
    analysis = quick(cube_on(K=DEPTH[-1:]))
    for stage in analysis.stages:
        assert stage.roughness.K is None
        assert stage.roughness.mean is None
        assert stage.attribution is not None


def test_a_single_column_has_no_steps_to_attribute(fit):
    analysis = quick(cube_on(N=SIDE[:1]), fit=fit)
    for stage in analysis.stages:
        assert stage.attribution is None
        assert "along N" in stage.note
        assert dict(stage.removable) == {}


# Sparse


def samples(rows, names=NAMES, device=BLANK, status=None):
    """Cube of the given (M, N, K), the tiles dealt in turn."""
    tiles = [names[i % len(names)] for i in range(len(rows))]
    times = [seconds(name, *map(np.int64, row)) for name, row in zip(tiles, rows, strict=True)]
    return sparse_cube(times, rows, [Tile.parse(name) for name in tiles], device, status=status)


def scattered(count=900):
    rng = np.random.default_rng(7)
    return 16 * rng.integers(1, 129, (count, 3))


def test_scattered_samples_get_what_needs_no_grid():
    cube = samples(scattered())
    analysis = quick(cube)
    found = skipped(analysis)
    assert analysis.landscape is None
    assert analysis.ideal is None
    assert names_of(analysis) == [f"fixed {name}{pad}" for name in NAMES for pad in ("", " + pad")]
    assert "no grid" in found["roughness, ideal and optimal landscapes, attribution"]
    assert "no grid" in found["stage split"]
    assert "common grid" in found["stage best tile"]
    for name in NAMES:
        rows = np.flatnonzero(cube["tile"].values == name)
        M, N, K, time = (cube[axis].values[rows] for axis in ("M", "N", "K", "time"))
        plain, padded = analysis.stage(f"fixed {name}"), analysis.stage(f"fixed {name} + pad")
        assert plain.mean_tflops == pytest.approx(np.mean(2e-12 * M * N * K / time))
        faster = pad_samples(M, N, K, time)[0]
        assert padded.mean_tflops == pytest.approx(np.mean(2e-12 * M * N * K / faster))
        assert padded.mean_tflops >= plain.mean_tflops
        for stage in (plain, padded):
            assert (stage.roughness, stage.attribution, stage.optimality, stage.result) == (None,) * 4
            assert stage.note


def test_scattered_samples_of_one_kernel_have_no_best():
    analysis = quick(samples(scattered(), names=NAMES[:1]))
    assert skipped(analysis)["stage best tile"] == "there is one kernel to choose from"


def test_scattered_samples_that_failed_are_left_out():
    rows = scattered()
    status = np.zeros(len(rows), dtype=np.int8)
    status[::10] = STATUS["failed"]
    cube = samples(rows, status=status)
    cube["time"][::10] = 0.0
    analysis = quick(cube)
    assert sum(item.n for item in analysis.fit.tiles.values()) == 810
    assert all(np.isfinite(stage.peak_tflops) for stage in analysis.stages)


def test_samples_that_fill_a_grid_are_taken_as_one(fit):
    whole = cube_on()
    flat = whole.stack(sample=("tile", "M", "N", "K"))
    order = np.random.default_rng(0).permutation(flat.sizes["sample"])
    shapes = np.stack([flat[axis].values for axis in "MNK"], axis=1)[order]
    tiles = [Tile.parse(str(name)) for name in flat["tile"].values[order]]
    analysis = quick(sparse_cube(flat["time"].values[order], shapes, tiles, BLANK), fit=fit)
    expected = quick(whole, fit=fit)
    assert "sample" not in analysis.cube.dims
    for name in LADDER:
        assert analysis.stage(name).roughness == expected.stage(name).roughness
        assert analysis.stage(name).attribution.shares == expected.stage(name).attribution.shares


def test_other_cubes_teach_the_fit(dense):
    lines = 16 * np.random.default_rng(1).integers(1, 65, (200, 3))
    taught = analyse(cube_on(names=NAMES[:1], device=KNOWN), also=[samples(lines, NAMES[:1], KNOWN)])
    assert taught.fit.tiles[NAMES[0]].n == dense.fit.tiles[NAMES[0]].n + 200
    assert taught.landscape.shape == dense.landscape.shape
    assert taught.stage(LADDER[0]).roughness == dense.stage(LADDER[0]).roughness
    for stage in taught.stages:
        assert sum(share.share for share in stage.attribution.shares.values()) == pytest.approx(
            stage.roughness.slice_N
        )
