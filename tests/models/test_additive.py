"""The whole fit on planted landscapes: truth recovered, claims honest, files and errors."""

import json
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from harness.cube import dense_cube, device_of, sparse_cube
from harness.device import load_device
from harness.errors import FitError, InputError
from harness.samples import Samples
from harness.tile import Tile
from models.additive import AdditiveModel
from models.model_file import open_model, save_model

MODEL = AdditiveModel(draws=60)
COARSE = np.arange(512, 4097, 512)


@pytest.fixture(scope="module")
def fit(planted):
    return AdditiveModel().fit(planted)


@pytest.fixture(scope="module")
def samples(planted):
    return Samples.from_cube(planted)


@pytest.fixture(scope="module")
def coarse(machine):
    """A smaller cube of two tiles, for what needs many fits."""
    return machine.cube(COARSE, COARSE, COARSE[::2], kernels=machine.kernels[:2])


def as_sparse(cube, order=None):
    flat = Samples.from_cube(cube)
    rows = np.arange(flat.size) if order is None else order
    return sparse_cube(
        flat.time[rows],
        np.stack([flat.M, flat.N, flat.K], axis=1)[rows],
        [flat.tiles[index] for index in flat.tile[rows]],
        device_of(cube),
        spread=flat.spread[rows],
    )


def truth(machine, kernel):
    levels = kernel.residency
    planted = {
        "launch": machine.launch,
        "wave": kernel.wave[-1],
        "wave step": kernel.step[-1],
        "work-group": kernel.group,
        "work-group step": kernel.group_step,
    }
    if levels > 1:
        del planted["wave"], planted["wave step"]
        for name, cost in (("wave", kernel.wave), ("step", kernel.step)):
            # What each resident adds; what the second one adds is counted of the first, too.
            added = np.diff([0.0, *cost])
            added[0] -= added[1]
            names = ["residents to 1", "residents to 2", "resident 3", "resident 4"][:levels]
            if levels > 2:
                names[-1] = "last resident"
            planted |= {f"{name}, {each}": value for each, value in zip(names, added, strict=True)}
    return planted


def shapes(*rows):
    return np.array(rows, dtype=np.int64).T


def test_cores_and_residencies_are_counted(machine, fit):
    for kernel in machine.kernels:
        constants = fit.tiles[kernel.name].constants
        assert (constants["cores"].estimate, constants["cores"].values) == (20, (20,))
        assert constants["cores"].status == "identified"
        assert constants["residency"].estimate == kernel.residency
        assert constants["slots"].estimate == 20 * kernel.residency
        assert constants["cores_of_this_tile_alone"].estimate == 20


def test_coefficients_are_recovered(machine, fit):
    inside = total = 0
    for kernel in machine.kernels:
        found = {e.name: e for e in fit.tiles[kernel.name].estimates if e.identifiable}
        for name, value in truth(machine, kernel).items():
            # Costs of a wave by residents trade with each other: 1 % of a launch is what the noise leaves open.
            leeway = 0.01 * machine.launch if name.startswith("wave, ") else 0.0
            assert found[name].estimate == pytest.approx(value, rel=0.15, abs=leeway), name
            inside += found[name].lower <= value <= found[name].upper
            total += 1
        full = [c.estimate for name, c in found.items() if name.startswith(("wave step", "step, "))]
        held = np.arange(1, len(full) + 1) if kernel.residency < 3 else np.array([1, 2, 1])
        assert np.dot(full, held) == pytest.approx(kernel.step[-1], rel=0.005)
    assert inside >= total - 4  # 95 % intervals, 20 of them


def test_the_launch_is_shared(fit):
    launches = {e.estimate for tile in fit.tiles.values() for e in tile.estimates if e.name == "launch"}
    assert len(launches) == 1
    assert launches.pop() == pytest.approx(6e-6, rel=0.01)


def test_held_out_error_is_near_the_noise(fit):
    for tile in fit.tiles.values():
        assert tile.mape == pytest.approx(0.003 * np.sqrt(2 / np.pi), rel=0.05)
        assert tile.median_ape < tile.mape
        assert tile.coverage == pytest.approx(0.9, abs=0.035)
        assert tile.noise == pytest.approx(0.003)


def test_shares_add_up_to_the_time(fit):
    for tile in fit.tiles.values():
        assert sum(e.share for e in tile.estimates) == pytest.approx(1, abs=1e-3)


def test_what_the_grid_cannot_tell_is_said(fit):
    estimates = {e.name: e for e in fit.tiles["256x256x32"].estimates}
    for name in ("atom padding", "masked wave", "masked step"):
        assert not estimates[name].identifiable
        assert (estimates[name].estimate, estimates[name].lower, estimates[name].upper) == (None, None, None)
        assert "would be identified by" in estimates[name].reason
    left_out = fit.tiles["256x256x32"].left_out
    assert left_out["row pitch"].startswith("zero on this grid")
    assert "open" in left_out["channel hash"]
    assert "memory traffic" not in fit.tiles["256x256x32"].terms or "memory traffic" not in left_out


def test_contributions_add_up_to_the_model_time(fit, samples):
    for index, tile in enumerate(samples.tiles):
        part = samples.of_tile(index)
        problem = fit.problem(tile.name, part.M, part.N, part.K)
        time = fit.time(tile.name, problem)
        parts = fit.contributions(tile.name, problem)
        np.testing.assert_allclose(sum(parts.values()), time, rtol=1e-12)
        assert all((seconds >= 0).all() for seconds in parts.values())
        np.testing.assert_allclose(fit.predict(tile.name, part.M, part.N, part.K).time, time)


def test_switching_mechanisms_off_makes_the_model_smooth(fit):
    """Without waves, fill and padding the time of one tile is a polynomial of the sizes."""
    N = np.arange(1024, 2048)
    problem = fit.problem("256x256x32", np.full_like(N, 2048), N, np.full_like(N, 2048))
    assert set(fit.mechanisms) >= {"base overhead", "wave quantization", "wave fill", "tile padding"}
    smooth = fit.time("256x256x32", problem, set())
    assert np.abs(np.diff(smooth, 2)).max() < 1e-9 * smooth.max()
    assert (smooth <= fit.time("256x256x32", problem)).all()


def test_predictions_on_all_grid_points(fit, samples):
    for index, tile in enumerate(samples.tiles):
        part = samples.of_tile(index)
        predicted = fit.predict(tile.name, part.M, part.N, part.K)
        assert not predicted.extrapolated.any()
        assert (predicted.lower < predicted.time).all()
        assert (predicted.time < predicted.upper).all()
        inside = (part.time >= predicted.lower) & (part.time <= predicted.upper)
        assert inside.mean() == pytest.approx(0.9, abs=0.03)
        volume = 2e-12 * part.M * part.N * part.K
        np.testing.assert_allclose(predicted.tflops, volume / predicted.time)


def test_predictions_between_grid_points(machine, fit):
    for kernel in machine.kernels:
        M, N, K = shapes((320, 640, 1024), (1920, 704, 544), (4032, 3968, 4000), (1088, 2112, 96 * 32))
        expected = [machine.seconds(kernel, *(int(size) for size in shape)) for shape in zip(M, N, K, strict=True)]
        np.testing.assert_allclose(fit.predict(kernel.name, M, N, K).time, expected, rtol=0.01)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1024, 1024, 1024), False),
        ((1280, 1024, 1088), False),
        ((1088, 1024, 1024), True),  # M no multiple of 256: the masked edge was never seen
        ((8192, 1024, 1024), True),
        ((1024, 128, 1024), True),
        ((1024, 1024, 128), True),
        ((1024, 1024, 1040), True),  # K no multiple of 32: the masked mainloop was never seen
        ((1025, 1024, 1024), True),  # padded atoms
        ((1024, 1040, 1024), True),  # rows of B off the cache line: a term left out, being zero on the grid
    ],
)
def test_extrapolation_is_marked(fit, shape, expected):
    assert fit.predict("256x256x32", *shapes(shape)).extrapolated[0] == expected


def test_save_and_open_are_inverse(fit, tmp_path):
    path = tmp_path / "model.json"
    save_model(fit, path)
    again = open_model(path)
    M, N, K = shapes((300, 500, 700), (4096, 4096, 4096))
    for label in fit.tiles:
        for name in ("time", "lower", "upper", "tflops", "extrapolated"):
            left, right = (getattr(each.predict(label, M, N, K), name) for each in (fit, again))
            np.testing.assert_array_equal(left, right)
    assert again.to_contract() == fit.to_contract()
    assert (again.device, again.hardware) == (fit.device, fit.hardware)
    save_model(again, tmp_path / "twice.json")
    assert (tmp_path / "twice.json").read_text() == path.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "twice.json"]


def edited(**changes):
    def edit(data):
        return {**data, **changes}

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        edited(format=99),
        edited(tiles=[]),
        edited(tiles={"a": 1}),
        edited(hardware=[]),
        edited(hardware={}),
        edited(device={"id": "x"}),
        edited(device=3),
        lambda _: [],
        lambda _: {},
        lambda _: None,
        lambda data: {key: value for key, value in data.items() if key != "folds"},
    ],
)
def test_a_broken_model_file_is_one_line(fit, tmp_path, edit):
    path = tmp_path / "model.json"
    save_model(fit, path)
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    with pytest.raises(InputError) as caught:
        open_model(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"time,M\n1,2\n", b"cut"])
def test_what_is_no_model_is_one_line(tmp_path, content, fit):
    path = tmp_path / "model.json"
    if content == b"cut":
        save_model(fit, path)
        content = path.read_bytes()[:1000]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*not a model[^\n]*$"):
        open_model(path)


def test_a_missing_file_and_an_unknown_tile(fit, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_model(tmp_path / "none.json")
    for call in (fit.problem, fit.predict):
        with pytest.raises(InputError, match="no tile '8x8x8': it knows 256x256x32"):
            call("8x8x8", *shapes((1, 1, 1)))
    with pytest.raises(InputError, match="no tile"):
        fit.design("8x8x8")


def test_a_sparse_cube_fits_as_its_dense_form(coarse):
    dense, sparse = MODEL.fit(coarse), MODEL.fit(as_sparse(coarse))
    assert dense.to_contract() == sparse.to_contract()


def test_the_order_of_samples_is_irrelevant(coarse):
    order = np.random.default_rng(0).permutation(coarse["time"].size)
    found = MODEL.fit(as_sparse(coarse, order))
    expected = MODEL.fit(coarse)
    for label, tile in expected.tiles.items():
        np.testing.assert_allclose(found.tiles[label].theta, tile.theta, rtol=1e-6)
        assert found.tiles[label].mape == pytest.approx(tile.mape, rel=1e-6)


def test_the_order_of_tiles_is_irrelevant(coarse):
    found, expected = MODEL.fit(coarse.isel(tile=[1, 0])), MODEL.fit(coarse)
    for label, tile in expected.tiles.items():
        np.testing.assert_allclose(found.tiles[label].theta, tile.theta, rtol=1e-6)
        np.testing.assert_allclose(found.tiles[label].draws, tile.draws, rtol=1e-4, atol=1e-12)
        assert found.tiles[label].mape == pytest.approx(tile.mape, rel=1e-6)
        assert found.tiles[label].constants["cores"].estimate == 20


def test_results_repeat_with_the_seed(coarse):
    first, second, other = (replace(MODEL, seed=seed).fit(coarse) for seed in (3, 3, 4))
    assert first.to_contract() == second.to_contract()
    assert first.to_contract() != other.to_contract()
    for label, tile in first.tiles.items():
        np.testing.assert_allclose(other.tiles[label].theta, tile.theta)  # only the validation is random


def test_a_fit_keeps_to_one_thread_and_gives_the_others_back(coarse):
    def threads(_=""):
        seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})

    seen = []
    with threadpool_limits(2):
        threads()
        MODEL.fit(coarse, progress=threads)
        threads()
    assert seen[0] == seen[-1] == {2}
    assert len(seen) > 3
    assert all(each == {1} for each in seen[1:-1])


def test_missing_cells_are_left_out(machine, coarse):
    holes = coarse.copy(deep=True)
    lost = np.random.default_rng(0).random(holes["time"].shape) < 0.3
    holes["status"].values[lost] = 1
    holes["time"].values[lost] = np.nan
    found = MODEL.fit(holes)
    for index, kernel in enumerate(machine.kernels[:2]):
        tile = found.tiles[kernel.name]
        assert tile.n == int((~lost[index]).sum())
        assert tile.constants["residency"].estimate == kernel.residency
        assert tile.mape < 0.004


def test_a_tile_measured_on_a_part_of_the_grid(machine, planted):
    part = planted.copy(deep=True)
    part["status"][1, 8:] = 1
    part["time"][1, 8:] = np.nan
    found = MODEL.fit(part)
    assert found.tiles["128x256x32"].constants["residency"].estimate == 2
    assert found.predict("128x256x32", *shapes((4096, 1024, 1024))).extrapolated[0]


def test_launches_of_one_wave_count_no_cores(machine):
    """Each tile's constant is its own though launch and wave cannot be told apart; the record's cores stand."""
    side = np.arange(64, 1025, 64)
    wide = replace(machine, cores=132)
    cube = wide.cube(side, side, (512, 1024, 4096))
    found = MODEL.fit(cube)
    for tile in found.tiles.values():
        assert tile.constants["cores"].status.startswith("not identifiable on this grid: ")
        assert tile.constants["residency"].status.startswith("not identifiable on this grid: ")
        assert tile.mape < 0.003
        launch = next(e for e in tile.estimates if e.name == "launch")
        assert (launch.identifiable, launch.estimate) == (False, None)
        assert tile.constants["base_overhead_s"].estimate is None
    known = MODEL.fit(wide.cube(side, side, (512, 1024, 4096), device=load_device("h200")))
    assert known.hardware.cores == 132
    assert all(tile.mape < 0.003 for tile in known.tiles.values())


def test_other_cubes_identify_what_the_grid_cannot(machine):
    kernels = tuple(replace(c, masked_step=2e-7, pitch_step=1e-7) for c in machine.kernels[:1])
    grid = machine.cube(COARSE, COARSE, COARSE, kernels=kernels)
    fine = machine.cube((1024, 2048, 3072), (1024, 1040, 2064, 3072), np.arange(1024, 2049, 16), kernels=kernels)
    alone, both = MODEL.fit(grid), MODEL.fit(grid, also=[fine])
    name = kernels[0].name
    assert alone.tiles[name].left_out["row pitch"].startswith("zero")
    found = {e.name: e for e in both.tiles[name].estimates}
    assert found["masked step"].identifiable
    assert found["masked step"].estimate == pytest.approx(2e-7, rel=0.1)
    assert found["B off 128 B"].estimate == pytest.approx(1e-7, rel=0.1)
    assert both.tiles[name].n == grid["time"].size + fine["time"].size
    ragged = shapes((2048, 1040, 1040))
    assert alone.predict(name, *ragged).extrapolated[0]
    prediction = both.predict(name, *ragged)
    assert prediction.time[0] == pytest.approx(machine.seconds(kernels[0], 2048, 1040, 1040), rel=0.02)


def test_a_masked_edge_is_recovered_and_taken_for_no_wave(machine):
    kernels = tuple(replace(c, edge_step=5e-7, edge_share=4e-6) for c in machine.kernels[:2])
    side = np.arange(192, 4097, 192)
    found = MODEL.fit(machine.cube(side, side, COARSE[::2], kernels=kernels))
    for kernel in kernels:
        fit = found.tiles[kernel.name]
        assert "masked edge" in fit.terms
        assert fit.constants["cores"].values == (20,)
        assert fit.constants["residency"].estimate == kernel.residency
        assert fit.mape < 0.004
        estimates = {e.name: e for e in fit.estimates}
        for axis in "NM":
            assert estimates[f"masked step, {axis}"].estimate == pytest.approx(5e-7, rel=0.15)
            second = estimates[f"mostly outside, {axis}"]
            if (kernel.name, axis) == ("128x256x32", "M"):  # 192 leaves half of 128 outside, or nothing
                assert second.reason.startswith("zero on this grid")
            else:  # three quarters outside: a quarter of it, where 1e-6 was planted
                assert second.estimate == pytest.approx(4e-6, rel=0.1)


def test_a_kernel_without_a_masked_path_gets_none(machine):
    side = np.arange(192, 4097, 192)
    found = MODEL.fit(machine.cube(side, side, COARSE[::2], kernels=machine.kernels[:2]))
    for fit in found.tiles.values():
        assert fit.left_out["masked edge"] == "does not lower the held-out error"


def test_a_tile_of_another_cube_only_is_left_out(machine, coarse):
    extra = machine.cube(COARSE, COARSE, COARSE, kernels=machine.kernels[2:])
    found = MODEL.fit(coarse, also=[extra])
    assert set(found.tiles) == {"256x256x32", "128x256x32"}
    assert dict(found.too_few) == {"96x160x32": 0}


def vendor_cube(device, seed=0):
    side = np.arange(256, 4097, 256)
    M, N, K = np.meshgrid(side, side, COARSE, indexing="ij")
    time = 5e-6 + 2.2e-14 * M * N * K + 4e-12 * (M * K + K * N + M * N)
    time = time * np.exp(0.003 * np.random.default_rng(seed).standard_normal(time.shape))
    return dense_cube(time[np.newaxis], side, side, COARSE, [Tile.parse("vendor")], device)


@pytest.mark.parametrize("device", ["planted", "b580"])
def test_a_hidden_tile_alone(planted, device):
    record = device_of(planted) if device == "planted" else load_device(device)
    found = MODEL.fit(vendor_cube(record))
    tile = found.tiles["vendor"]
    for term in ("waves", "tile work", "pipeline fill"):
        assert tile.left_out[term] == "the library hides its tile"
        assert term not in tile.terms
    estimates = {e.name: e.estimate for e in tile.estimates}
    assert estimates["FLOP"] == pytest.approx(1.1e-14, rel=0.02)
    assert estimates["launch"] == pytest.approx(5e-6, rel=0.02)
    assert tile.mape < 0.003
    assert np.isnan(tile.noise)
    assert "cores" not in tile.constants
    assert "tile padding" not in found.mechanisms
    json.dumps(found.to_contract(), allow_nan=False)


@pytest.mark.parametrize(
    ("pick", "match"),
    [
        ({"M": [0]}, "8 blocks .* 16 are needed"),
        ({"M": [0, 1], "N": [0, 1]}, "blocks"),
        ({"M": slice(0, 6), "N": slice(0, 6), "K": [0]}, "no tile has 40 samples"),
    ],
)
def test_too_little_to_fit_is_one_line(coarse, pick, match):
    with pytest.raises(FitError, match=match) as caught:
        MODEL.fit(coarse.isel(pick))
    assert "\n" not in str(caught.value)


def test_the_contract_is_plain_data(fit):
    text = json.dumps(fit.to_contract(), allow_nan=False)
    tile = json.loads(text)["96x160x32"]
    expected = {"estimate": 20.0, "set": [20.0], "status": "identified", "unit": "cores"}
    assert expected.items() <= tile["constants"]["cores"].items()
    assert tile["coverage_90"] == pytest.approx(0.9, abs=0.05)
    assert {"term", "name", "unit", "estimate", "share_of_time", "identifiable", "reason"} <= set(tile["terms"][0])


def test_without_draws_there_are_estimates_but_no_intervals(planted, fit):
    plain = AdditiveModel(draws=0).fit(planted)
    for label, tile in plain.tiles.items():
        assert {(e.lower, e.upper) for e in tile.estimates} == {(None, None)}
        np.testing.assert_array_equal(tile.theta, fit.tiles[label].theta)


def test_load_paths_that_were_not_measured_are_extrapolated(machine, planted, fit):
    label = "256x256x32"
    aligned, off_line, off_vector = (np.array([1024 + extra]) for extra in (0, 16, 1))
    M, K = np.array([1024]), np.array([1024])
    assert not fit.predict(label, M, aligned, K).extrapolated[0]
    assert fit.predict(label, M, off_line, K).extrapolated[0]
    assert fit.predict(label, M, off_vector, K).extrapolated[0]
    assert fit.tiles[label].paths == ((0, 0),)


def test_cubes_that_find_the_caches_differently_are_no_one_fit(planted):
    warm, cold = (planted.assign_attrs(protocol=f'{{"cache": "{state}"}}') for state in ("warm", "cold"))
    with pytest.raises(FitError, match="caches alike, these cold and warm"):
        MODEL.fit(warm, also=[cold])


def test_cubes_of_two_dtypes_are_no_one_fit(planted):
    other = planted.assign_attrs(dtype="f32")
    with pytest.raises(FitError, match="one device and one dtype"):
        MODEL.fit(planted, also=[other])


def test_a_kernel_may_ask_for_coarser_alignment_than_the_device(planted):
    found = MODEL.fit(planted.assign_attrs(vector_bytes=32))
    assert found.hardware.vector_bytes == 32
