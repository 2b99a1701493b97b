"""Attribution: shares that add up, against permutations played out one by one on planted landscapes."""

import dataclasses
from itertools import permutations, product
from math import factorial

import numpy as np
import pytest

from attrib.analysis import landscape_of, later_stages
from attrib.attribution import (
    FLOOR,
    NOISE,
    QUANTITIES,
    UNEXPLAINED,
    Attribution,
    ModelLandscapes,
    attribute,
    attribute_stages,
)
from attrib.measurement_noise import relative_error_of
from attrib.stages import BestTile, FixedTile, Pad, Split, standard_stages
from harness.cube import dense_cube
from harness.device import DeviceRecord
from harness.errors import NotApplicableError
from harness.tile import Tile
from models.additive import AdditiveModel

CORES = 20
KERNELS = {  # of a wave, of its step, of a work-group, of its step: seconds
    "256x128x32": (4e-6, 8e-7, 3e-8, 6e-9),
    "96x128x32": (2.4e-6, 4e-7, 2e-8, 3e-9),
    "64x64x32": (1.1e-6, 1.8e-7, 1e-8, 8e-10),
}
COSTS = ("launch", "wave", "wave step", "work-group", "work-group step")
SIDE, DEPTH = np.arange(128, 2049, 128), np.arange(256, 2049, 256)
VENDOR = Tile.parse("vendor")
BLANK = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
IDEAL = 10.0
NAMES = ("fixed", "best", "pad", "split", "pad and split", "best, pad", "best, split", "best, pad and split")


def seconds(name, M=SIDE, N=SIDE, K=DEPTH, launch=5e-6):
    tm, tn, tk = (int(size) for size in name.split("x"))
    wave, step, group, group_step = KERNELS[name]
    rows, columns, depth = np.ix_(M, N, K)
    groups, steps = -(-rows // tm) * -(-columns // tn), -(-depth // tk)
    return launch + -(-groups // CORES) * (wave + steps * step) + groups * (group + steps * group_step)


def planted(names=tuple(KERNELS), labels=None):
    times = np.stack([seconds(name) for name in names])
    return times, [Tile.labelled(label) for label in labels or names]


def cube_of(times, tiles, repeats=0, noise=0.0, seed=1):
    if not repeats:
        return dense_cube(times, SIDE, SIDE, DEPTH, tiles, BLANK)
    rng = np.random.default_rng(seed)
    all_times = times[..., None] * np.exp(noise * rng.standard_normal((*times.shape, repeats)))
    center = np.median(all_times, axis=-1)
    spread = 1.4826 * np.median(np.abs(all_times - center[..., None]), axis=-1)
    return dense_cube(center, SIDE, SIDE, DEPTH, tiles, BLANK, spread=spread, repeats=all_times)


def run(stage, cube, fit):
    landscape = landscape_of(cube)
    models = ModelLandscapes(landscape, fit)
    return attribute(stage, stage.apply(landscape), models, relative_error_of(cube))


def run_all(stages, cube, fit, **options):
    landscape = landscape_of(cube)
    applied = [(stage, stage.apply(landscape)) for stage in stages]
    options.setdefault("errors", relative_error_of(cube))
    return attribute_stages(applied, ModelLandscapes(landscape, fit), **options)


@pytest.fixture(scope="module")
def clean():
    """Times by the formula above, without noise, and the model that is this formula."""
    times, tiles = planted()
    cube = cube_of(times, tiles)
    fit = AdditiveModel(draws=20).fit(cube)
    assert fit.hardware.cores == CORES
    assert set(fit.hardware.residency.values()) == {1}
    rng, models = np.random.default_rng(0), {}
    for label, item in fit.tiles.items():
        costs = dict(zip(COSTS, (5e-6, *KERNELS[label]), strict=True))
        names = [column.coefficient.name for column in fit.design(label).columns(fit.hardware)]
        theta = np.array([costs.get(name, 0.0) for name in names])
        draws = theta * (1 + 1e-3 * rng.standard_normal((20, theta.size)))
        models[label] = dataclasses.replace(item, theta=theta, draws=draws, overlap=None)
    return cube, dataclasses.replace(fit, tiles=models)


@pytest.fixture(scope="module")
def noisy():
    """Medians of eight noisy repeats, and their fit."""
    cube = cube_of(*planted(), repeats=8, noise=0.02)
    return cube, AdditiveModel(draws=40).fit(cube)


@pytest.fixture(scope="module")
def rugged():
    """Three per cent of lack of fit, holes, and a library with a hidden tile that owes nothing to waves."""
    times, tiles = planted((*KERNELS, "64x64x32"), (*KERNELS, "vendor"))
    rng = np.random.default_rng(3)
    volume = np.multiply.outer(np.multiply.outer(SIDE, SIDE), DEPTH)
    times[3] = 7e-6 + 1.2e-13 * volume * np.where(rng.random(volume.shape) < 0.3, 1.5, 1.0)
    times *= np.exp(0.03 * rng.standard_normal(times.shape))
    times[rng.random(times.shape) < 0.05] = np.nan
    cube = cube_of(times, tiles)
    return cube, AdditiveModel(draws=10).fit(cube)


def ladder_of(landscape):
    return [*standard_stages(landscape), *map(FixedTile, landscape.tiles), Pad(FixedTile(VENDOR))]


def slow_roughness(time):
    """Mean step along N at the largest K, step by step."""
    steps = []
    for m, n in product(range(SIDE.size), range(SIDE.size - 1)):
        left, right = (2e-12 * SIDE[m] * SIDE[j] * DEPTH[-1] / time[m, j, -1] for j in (n, n + 1))
        if np.isfinite(left) and np.isfinite(right):
            steps.append(abs(right - left))
    return sum(steps) / len(steps)


def slow_quantities(time):
    """Every quantity of a landscape without holes, by other means; the ideal is a flat 10 TFLOP/s."""
    rate = 2e-12 * np.multiply.outer(np.multiply.outer(SIDE, SIDE), DEPTH) / time
    along = [np.abs(np.diff(rate, axis=axis)).mean() for axis in range(3)]
    last = rate[..., -1]
    return {
        "slice_N": np.abs(np.diff(last, axis=1)).mean(),
        "slice_M": np.abs(np.diff(last, axis=0)).mean(),
        **dict(zip("MNK", along, strict=True)),
        "mean": np.mean(along),
        "lost_throughput": IDEAL - rate.mean(),
        "slowdown": np.log(IDEAL / rate).mean(),
    }


def slow_stage(stage, times, tiles):
    """Time of a stage, from the definitions of paper section 7."""
    if isinstance(stage, FixedTile):
        return times[tiles.index(stage.tile)]
    if isinstance(stage, BestTile):
        return np.min(times, axis=0)
    below = slow_stage(stage.base, times, tiles)
    if isinstance(stage, Pad):
        cells = np.ndindex(below.shape)
        return np.array([below[m:, n:, k:].min() for m, n, k in cells]).reshape(below.shape)
    least = np.array(below)
    for m, n, k in np.ndindex(least.shape):
        cuts = [least[:m, n, k] + least[:m, n, k][::-1], least[m, :n, k] + least[m, :n, k][::-1]]
        cuts.append(least[m, n, :k] + least[m, n, :k][::-1])
        least[m, n, k] = min([least[m, n, k], *(part.min() for part in cuts if part.size)])
    return least


def slow_shapley(fit, tiles, stage, quantity=slow_roughness):
    """Mean marginal quantity of each mechanism over all orders of switching them on."""
    mesh = [axis.ravel() for axis in np.meshgrid(SIDE, SIDE, DEPTH, indexing="ij")]
    shape = (SIDE.size, SIDE.size, DEPTH.size)
    worth = {}

    def v(on):
        if on not in worth:
            times = [fit.time(t.name, fit.problem(t.name, *mesh), on=on).reshape(shape) for t in tiles]
            worth[on] = quantity(slow_stage(stage, np.stack(times), tiles))
        return worth[on]

    shares = dict.fromkeys(fit.mechanisms, 0.0)
    for order in permutations(fit.mechanisms):
        on = frozenset()
        for name in order:
            shares[name] += (v(on | {name}) - v(on)) / factorial(len(order))
            on |= {name}
    return shares, v(frozenset()), v(frozenset(fit.mechanisms))


# Contract over the ladder


@pytest.mark.parametrize("position", range(13))
def test_the_shares_add_up_to_the_measured_roughness(rugged, position):
    cube, fit = rugged
    landscape = landscape_of(cube)
    stage = ladder_of(landscape)[position]
    found = run(stage, cube, fit)
    assert isinstance(found, Attribution)
    assert found.stage == stage.name
    beside = [name for name in fit.with_all_terms().mechanisms if name not in fit.mechanisms]
    assert set(found.shares) == {*fit.mechanisms, *beside, FLOOR, UNEXPLAINED, NOISE}
    assert list(found.shares)[-3:] == [FLOOR, UNEXPLAINED, NOISE]
    for name in beside:
        assert found.shares[name].share == 0.0
        assert found.shares[name].lower <= 0.0 <= found.shares[name].upper
    assert sum(share.share for share in found.shares.values()) == pytest.approx(found.roughness, rel=1e-12)
    assert found.roughness == pytest.approx(slow_roughness(stage.apply(landscape).time), rel=1e-12)
    explained = sum(s.share for name, s in found.shares.items() if name not in (UNEXPLAINED, NOISE))
    assert found.model_roughness == pytest.approx(explained, rel=1e-12)
    assert -1 <= found.step_correlation <= 1
    assert found.shares[NOISE].share == 0


@pytest.mark.parametrize("position", range(8), ids=NAMES)
def test_a_landscape_of_the_model_leaves_nothing_unexplained(clean, position):
    cube, fit = clean
    landscape = landscape_of(cube)
    stage = standard_stages(landscape)[position]
    found = run(stage, cube, fit)
    expected, floor, everything = slow_shapley(fit, landscape.tiles, stage)
    scale = found.roughness
    assert found.shares[UNEXPLAINED].share == pytest.approx(0, abs=1e-8 * scale)
    assert found.model_roughness == pytest.approx(everything, abs=1e-9 * scale)
    assert found.shares[FLOOR].share == pytest.approx(floor, abs=1e-9 * scale)
    assert found.step_correlation == pytest.approx(1)
    for name in fit.mechanisms:
        assert found.shares[name].share == pytest.approx(expected[name], abs=1e-9 * scale), name
    assert found.shares["wave quantization"].share > 0.05 * scale


@pytest.mark.parametrize("position", [0, 7], ids=[NAMES[0], NAMES[7]])
def test_every_quantity_is_shared_out_by_all_orders(clean, position):
    cube, fit = clean
    landscape = landscape_of(cube)
    stage = standard_stages(landscape)[position]
    ideal = np.full(landscape.shape, IDEAL)
    found = run_all([stage], cube, fit, ideal=ideal)[0]
    assert list(found.quantities) == list(QUANTITIES)
    assert not found.missing
    times = slow_stage(stage, landscape.time, landscape.tiles)
    expected, floor, everything = slow_shapley(
        fit, landscape.tiles, stage, lambda time: np.array(list(slow_quantities(time).values()))
    )
    for place, (key, part) in enumerate(found.quantities.items()):
        near = 1e-8 * abs(part.measured)
        assert part.unit == QUANTITIES[key].unit
        assert part.measured == pytest.approx(slow_quantities(times)[key], rel=1e-12)
        assert sum(share.share for share in part.shares.values()) == pytest.approx(part.measured, rel=1e-12)
        assert part.shares[FLOOR].share == pytest.approx(floor[place], abs=near), key
        assert part.modelled == pytest.approx(everything[place], abs=near), key
        for name in fit.mechanisms:
            assert part.shares[name].share == pytest.approx(expected[name][place], abs=near), (key, name)


def test_switching_waves_off_regains_throughput_and_time(clean):
    cube, fit = clean
    landscape = landscape_of(cube)
    found = run_all(standard_stages(landscape), cube, fit, ideal=np.full(landscape.shape, IDEAL))
    for stage in found:
        for key in ("lost_throughput", "slowdown"):
            assert stage.quantities[key].shares["wave quantization"].share > 0
            assert stage.quantities[key].shares["base overhead"].share > 0
        assert np.isnan(stage.quantities["slowdown"].step_correlation)


def test_quantities_add_up_in_a_rugged_landscape_with_holes(rugged):
    cube, fit = rugged
    landscape = landscape_of(cube)
    found = run_all(ladder_of(landscape), cube, fit, ideal=np.full(landscape.shape, IDEAL))
    assert len(found) == 13
    for stage in found:
        assert not stage.missing
        for part in stage.quantities.values():
            assert sum(share.share for share in part.shares.values()) == pytest.approx(part.measured, rel=1e-11)
            assert set(part.samples) == set(part.shares)
        alone = run_all([s for s in ladder_of(landscape) if s.name == stage.stage], cube, fit)[0]
        assert alone.quantities["M"] == stage.quantities["M"]
        assert set(alone.missing) == {"lost_throughput", "slowdown"}
        assert "no ideal landscape" in alone.missing["slowdown"]


def test_threads_do_not_change_the_result(rugged):
    cube, fit = rugged
    stages = standard_stages(landscape_of(cube))
    one, three = (run_all(stages, cube, fit, workers=workers) for workers in (1, 3))
    for left, right in zip(one, three, strict=True):
        for key, part in left.quantities.items():
            assert part.shares == right.quantities[key].shares


def test_a_mechanism_without_cost_has_no_share(clean):
    cube, fit = clean
    assert "pipeline fill" not in fit.mechanisms
    assert "atom remainder" not in fit.mechanisms
    # 128 is a multiple of 64 and 256 one of 32: nothing of this tile is ever padded.
    found = run(FixedTile(Tile.parse("64x64x32")), cube, fit)
    nothing = found.shares["tile padding"]
    assert (nothing.share, nothing.lower, nothing.upper) == pytest.approx((0, 0, 0), abs=1e-12 * found.roughness)
    assert run(FixedTile(Tile.parse("96x128x32")), cube, fit).shares["tile padding"].share != 0


def test_the_order_of_tiles_changes_nothing(clean):
    cube, fit = clean
    turned = cube.isel(tile=[2, 0, 1])
    for stage in standard_stages(landscape_of(cube)):
        one, two = run(stage, cube, fit), run(stage, turned, fit)
        assert one == two, stage.name


def test_many_mechanisms_are_sampled_and_say_how_well(rugged):
    cube, fit = rugged
    landscape, stage = landscape_of(cube), BestTile()
    result = stage.apply(landscape)
    exact = attribute(stage, result, ModelLandscapes(landscape, fit))
    models = ModelLandscapes(landscape, fit, most_exact=2, pairs=12, seed=3)
    found = attribute(stage, result, models)
    assert not models.exact
    assert sum(share.share for share in found.shares.values()) == pytest.approx(found.roughness, rel=1e-12)
    assert found.modelled == pytest.approx(exact.modelled, rel=1e-12)
    assert found.shares[FLOOR] == exact.shares[FLOOR]
    for name in fit.mechanisms:
        share, truth = found.shares[name], exact.shares[name]
        assert truth.monte_carlo is None
        assert abs(share.share - truth.share) <= 5 * share.monte_carlo + 1e-12
        assert share.lower <= share.share <= share.upper
    assert max(found.shares[name].monte_carlo for name in fit.mechanisms) > 0
    assert attribute(stage, result, ModelLandscapes(landscape, fit, most_exact=2, pairs=12, seed=3)) == found


# Noise and intervals


@pytest.mark.parametrize("name", KERNELS)
def test_planted_noise_is_told_apart(clean, noisy, name):
    stage = FixedTile(Tile.parse(name))
    truth, found = run(stage, *clean), run(stage, *noisy)
    unaware = run(stage, noisy[0].drop_vars("time_spread"), noisy[1])
    noise = found.shares[NOISE].share
    assert truth.shares[NOISE].share == unaware.shares[NOISE].share == 0
    assert noise > 0
    # What noise was planted is known here: the step size that it adds.
    planted_noise = found.roughness - truth.roughness
    assert noise == pytest.approx(planted_noise, abs=0.03 * truth.roughness)
    assert abs(found.shares[UNEXPLAINED].share) < 0.03 * truth.roughness
    assert found.shares[UNEXPLAINED].share == pytest.approx(unaware.shares[UNEXPLAINED].share - noise)


@pytest.mark.parametrize("position", [0, 1, 5, 7], ids=[NAMES[i] for i in (0, 1, 5, 7)])
def test_intervals_contain_the_estimate_and_the_truth_is_near(clean, noisy, position):
    stage = standard_stages(landscape_of(noisy[0]))[position]
    truth, found = run(stage, *clean), run(stage, *noisy)
    for name in noisy[1].mechanisms:
        share = found.shares[name]
        assert share.lower <= share.share <= share.upper, name
        margin = 3 * (share.upper - share.lower)
        assert share.lower - margin <= truth.shares[name].share <= share.upper + margin, name
    unexplained = found.shares[UNEXPLAINED]
    assert unexplained.lower <= unexplained.share <= unexplained.upper
    assert found.shares[NOISE].lower is None


@pytest.mark.parametrize("draws", [0, 1])
def test_a_fit_without_draws_gives_shares_without_intervals(clean, draws):
    cube, fit = clean
    tiles = {
        label: dataclasses.replace(
            item,
            draws=item.draws[:draws],
            all_terms=dataclasses.replace(item.all_terms, draws=item.all_terms.draws[:draws]) if draws else None,
        )
        for label, item in fit.tiles.items()
    }
    stage = FixedTile(Tile.parse("64x64x32"))
    found = run(stage, cube, dataclasses.replace(fit, tiles=tiles))
    expected = run(stage, cube, fit)
    for name, share in found.shares.items():
        assert share.share == expected.shares[name].share
        assert share.lower is None
        assert share.upper is None


def test_progress_counts_coalitions(clean):
    cube, fit = clean
    landscape, calls = landscape_of(cube), []
    stage = BestTile()
    attribute(stage, stage.apply(landscape), ModelLandscapes(landscape, fit), progress=lambda *at: calls.append(at))
    every = sum(2 ** len(game.mechanisms) for game in (fit, fit.with_all_terms()))
    assert calls == [(i + 1, every) for i in range(every)]


def test_intervals_come_from_the_model_of_all_terms(noisy):
    cube, fit = noisy
    alone = dataclasses.replace(
        fit, tiles={label: dataclasses.replace(item, all_terms=None) for label, item in fit.tiles.items()}
    )
    stage = BestTile()
    found, own, every = (run(stage, cube, one) for one in (fit, alone, fit.with_all_terms()))
    for name in own.shares:
        assert found.shares[name].share == own.shares[name].share
        if name not in (UNEXPLAINED, NOISE):
            np.testing.assert_array_equal(found.samples[name], every.samples[name])
    np.testing.assert_allclose(sum(found.samples.values()), found.measured)
    # An estimate that is another in the model of all terms is that much less sure.
    far = max(own.mechanisms, key=lambda name: abs(own.shares[name].share - every.shares[name].share))
    assert found.shares[far].upper - found.shares[far].lower > every.shares[far].upper - every.shares[far].lower


# What has no answer


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 160
    return text


def test_a_tile_without_a_model_is_named(rugged):
    cube, _ = rugged
    fit = AdditiveModel(draws=5).fit(cube.isel(tile=[0, 1]))
    landscape = landscape_of(cube)
    models = ModelLandscapes(landscape, fit)
    for stage, missing in ((BestTile(), "64x64x32"), (Pad(FixedTile(VENDOR)), "vendor")):
        with pytest.raises(NotApplicableError) as error:
            attribute(stage, stage.apply(landscape), models)
        assert missing in one_sentence(error)
        assert stage.name in one_sentence(error)
    known = BestTile(landscape.tiles[:2])
    assert attribute(known, known.apply(landscape), models).roughness > 0


def test_a_slice_without_steps_is_not_attributed(clean):
    cube, fit = clean
    landscape = landscape_of(cube.where(cube["K"] < DEPTH[-1]))
    stage = FixedTile(landscape.tiles[0])
    with pytest.raises(NotApplicableError) as error:
        attribute(stage, stage.apply(landscape), ModelLandscapes(landscape, fit))
    assert "largest K" in one_sentence(error)


def only_the_launch(fit):
    """The fit with all costs but the launch taken out."""
    tiles = {}
    for label, item in fit.tiles.items():
        launch = np.array([estimate.name == "launch" for estimate in item.estimates])
        some = np.where(launch, item.draws, 0.0)
        tiles[label] = dataclasses.replace(item, theta=np.where(launch, item.theta, 0.0), draws=some)
    return dataclasses.replace(fit, tiles=tiles)


def test_a_model_of_nothing_but_the_launch_is_not_attributed(clean):
    cube, fit = clean
    fit = only_the_launch(fit)
    landscape = landscape_of(cube)
    stage = FixedTile(landscape.tiles[0])
    with pytest.raises(NotApplicableError) as error:
        attribute(stage, stage.apply(landscape), ModelLandscapes(landscape, fit))
    assert "takes no time" in one_sentence(error)


def test_later_stages_go_from_tiles_to_padding_to_splitting():
    best, fixed, hidden = BestTile(), FixedTile(Tile.parse("64x64x32")), FixedTile(VENDOR)
    full = (best, Pad(best), Split(Pad(best)))
    assert later_stages(fixed) == full
    assert later_stages(best) == full[1:]
    assert later_stages(Pad(fixed)) == full[1:]
    assert later_stages(Pad(best)) == later_stages(Split(fixed)) == later_stages(Split(best)) == full[2:]
    assert later_stages(Split(Pad(fixed))) == full[2:]
    assert later_stages(Split(Pad(best))) == ()
    # A library is another kernel: no choice among our tiles comes after it.
    for stage in (hidden, Pad(hidden), Split(hidden), Split(Pad(hidden))):
        assert later_stages(stage) == ()


def test_where_all_terms_cannot_be_shared_out_the_fit_still_is(clean):
    """Without a launch cost, a model whose waves cost nothing takes no time with the rest switched off."""
    cube, fit = clean
    silent = {
        label: dataclasses.replace(
            item, all_terms=dataclasses.replace(item.all_terms, theta=0 * item.all_terms.theta)
        )
        for label, item in fit.tiles.items()
    }
    stage = BestTile()
    found, expected = run(stage, cube, dataclasses.replace(fit, tiles=silent)), run(stage, cube, fit)
    for name in fit.mechanisms:
        assert found.shares[name].share == expected.shares[name].share
        assert found.shares[name].lower is None
    assert list(found.shares) == [*fit.mechanisms, FLOOR, UNEXPLAINED, NOISE]
