"""Intervals keep no choice of the fit: other terms, spill sizes, channels and spreads are tried."""

from dataclasses import replace

import numpy as np
import pytest

import models.open_choices as open_choices
from harness.grid import Grid
from harness.samples import Samples
from models.additive import AdditiveModel
from models.all_terms import AllTerms
from models.cells import Cells
from models.constants.constant import IDENTIFIED, Constant, Profile
from models.draws import interval_of
from models.hardware import Hardware
from models.open_choices import draw_open_choices, with_open_choices
from models.open_costs import OpenCosts
from models.overlap import Overlap
from models.planted import planted_cube
from models.terms import ALL_TERMS, SUMMED_TERMS
from models.tile_data import split_tiles

TILES = ("256x128x32", "128x128x32")
HARDWARE = Hardware(cores=20, cache_bytes=8e6, channels=6, interleave_bytes=256)
GRID = Grid.parse("128:2048:128;128:2048:128;64,512,2048")
DRAWS = 40


@pytest.fixture(scope="module")
def plan():
    return planted_cube(HARDWARE, TILES, GRID, lack_of_fit=0.005, noise=0.0)


@pytest.fixture(scope="module")
def samples(plan):
    return Samples.from_cube(plan.cube)


@pytest.fixture(scope="module")
def data(samples):
    blocks = (samples.M // 512 * 4 + samples.N // 512).astype(np.int64)
    return split_tiles(samples, blocks, (2, 2), np.ones(samples.size, dtype=np.bool_))[0]


@pytest.fixture(scope="module")
def fits(plan):
    """Fits without the traffic of memory, whose costs go to others then."""
    terms = tuple(term for term in SUMMED_TERMS if term.name not in ("memory traffic", "pipeline fill"))
    return AdditiveModel(terms, draws=DRAWS).fit(plan.cube).tiles


def constant(*values, tenable=None):
    kept = tenable or (True,) * len(values)
    candidates = tuple(value if isinstance(value, tuple) else (value,) for value in values)
    profile = Profile(("v",), candidates, (0.0,) * len(values), kept)
    return Constant(None, (), IDENTIFIED, profile=profile)


def drawn(data, fits, samples, constants=(), how=None, terms=SUMMED_TERMS, hardware=HARDWARE):
    cells = Cells.of(samples.M, samples.N, samples.K)
    rng = np.random.default_rng(1)
    return draw_open_choices(data, fits, terms, hardware, list(constants), how or {}, cells, rng)


def of(costs, name):
    """Draws of one coefficient."""
    return costs.draws[:, costs.model.names.index(name)]


def test_costs_are_those_of_the_model_of_all_terms(data, fits, samples, plan):
    found = drawn(data, fits, samples)
    for label in TILES:
        truth = plan.costs(label)
        assert "byte" not in {estimate.name for estimate in fits[label].estimates}
        byte = of(found[label], "byte")
        assert np.percentile(byte, 0.5) <= truth["byte"] <= np.percentile(byte, 99.5)
        # Without bytes the fit has a launch cost that it is sure of, and that is another.
        launch = next(e for e in fits[label].estimates if e.name == "launch")
        assert not launch.lower <= truth["launch"] <= launch.upper
        low, high = found[label].interval({"launch": 1.0}, truth["launch"])
        assert low < truth["launch"] < high
    first, second = (of(found[label], "launch") for label in TILES)
    np.testing.assert_allclose(first, second)  # one launch cost of the device


def test_each_draw_takes_one_tenable_value_of_every_constant(data, fits, samples, monkeypatch):
    plain = drawn(data, fits, samples)
    move = {"launch": 1e-6, "byte": -1.0}
    still = {label: dict.fromkeys(costs.model.names, 0.0) for label, costs in plain.items()}
    moved = {label: {**names, **move} for label, names in still.items()}
    monkeypatch.setattr(open_choices, "_moves", lambda *_: [[still, moved]])
    found = drawn(data, fits, samples)
    difference = of(found[TILES[0]], "launch") - of(plain[TILES[0]], "launch")
    assert set(np.round(difference * 1e6, 9)) == {0.0, 1.0}
    assert np.mean(difference > 0) == pytest.approx(0.5, abs=0.05)
    # The same draws move on all tiles, and none below nothing.
    other = of(found[TILES[1]], "launch") - of(plain[TILES[1]], "launch")
    np.testing.assert_allclose(difference, other, atol=1e-15)
    assert of(found[TILES[0]], "byte").min() == 0.0
    np.testing.assert_array_equal(of(found[TILES[0]], "byte") == 0.0, difference > 0)


def test_tenable_values_of_a_constant_move_what_they_should(data, fits, samples, monkeypatch):
    solved = []
    solve = open_choices._solve

    def recorded(items, designs, kept, hardware, overlapping):
        solved.append(hardware)
        return solve(items, designs, kept, hardware, overlapping)

    monkeypatch.setattr(open_choices, "_solve", recorded)
    constants = [
        ("cache_bytes", constant(4e6, 8e6, 9e6, tenable=(True, True, False))),
        ("channels", constant((4.0, 256.0), (6.0, 256.0))),
        (TILES[1], constant(*(0.01 * i for i in range(12)))),
        ("cache_bytes", None),
    ]
    found = drawn(data, fits, samples, constants)
    assert solved[0] == HARDWARE  # what moves are measured from
    assert solved[1].cache_bytes == 4e6
    assert (solved[2].channels, solved[2].interleave_bytes) == (4, 256)
    tried = [state.core_spread_of(TILES[1]) for state in solved[3:]]
    assert len(tried) <= 5
    assert max(tried) == pytest.approx(0.11)
    assert all(state != HARDWARE for state in solved[1:])
    plain = drawn(data, fits, samples)
    spilt, alone = (of(costs[TILES[0]], "spilt byte") for costs in (found, plain))
    assert np.ptp(spilt) > 1.5 * np.ptp(alone)


def test_channels_of_a_device_without_any_are_no_choice(data, fits, samples):
    unknown = replace(HARDWARE, channels=None)
    pairs = ("channels", constant((4.0, 256.0), (6.0, 256.0)))
    assert drawn(data, fits, samples, [pairs], hardware=unknown)[TILES[0]].draws.shape[0] >= DRAWS


def test_tiles_that_overlap_are_drawn_as_they_are_counted(data, fits, samples):
    """Memory that computing hides in every cell is told by nothing; in a sum the same bytes are told."""
    hidden = {label: replace(fit, theta=np.where(memory_of(fit), 0.0, fit.theta)) for label, fit in fits.items()}
    sizes = ("cache_bytes", constant(6e6, 8e6))
    together = drawn(data, hidden, samples, [sizes], dict.fromkeys(TILES, Overlap()), terms=ALL_TERMS)
    added = drawn(data, fits, samples, [sizes])
    for label in TILES:
        for costs, told in ((together[label], False), (added[label], True)):
            assert costs.told[costs.model.names.index("byte")] == told
        assert not of(together[label], "byte").any()
        assert np.ptp(of(together[label], "launch")) > 0


def memory_of(fit):
    return np.array([estimate.name.endswith("byte") for estimate in fit.estimates])


def test_without_draws_there_are_no_intervals(data, fits, samples, plan):
    bare = {label: replace(fit, draws=fit.draws[:0]) for label, fit in fits.items()}
    assert drawn(data, bare, samples) == {}
    fit = AdditiveModel(SUMMED_TERMS, draws=0).fit(plan.cube)
    assert fit.with_all_terms() is None
    assert all(estimate.lower is None for tile in fit.tiles.values() for estimate in tile.estimates)


def test_draws_repeat(data, fits, samples):
    first, second = (drawn(data, fits, samples, [("cache_bytes", constant(4e6, 8e6))]) for _ in range(2))
    for label in TILES:
        np.testing.assert_array_equal(of(first[label], "launch"), of(second[label], "launch"))


def costs_of(draws, too_large=None, untold=()):
    """Costs of which each name has some draws."""
    names = tuple(draws)
    matrix = np.stack(list(draws.values()), axis=1)
    errors = np.array([(too_large or {}).get(name, 0.0) for name in names])
    model = AllTerms(("term",), names, matrix.mean(axis=0), matrix, errors)
    return OpenCosts(model, np.array([name not in untold for name in names]), matrix)


def test_an_interval_of_a_sum_counts_what_draws_have_in_common():
    up, down = np.linspace(0.0, 2.0, 101), np.linspace(2.0, 0.0, 101)
    costs = costs_of({"a": up, "b": down})
    assert costs.interval({"a": 1.0, "b": 1.0, "unknown": 1.0}, 2.0) == pytest.approx((2.0, 2.0))
    low, high = costs.interval({"a": 1.0}, 1.0)
    assert (low, high) == pytest.approx((0.031, 1.969), abs=0.01)
    assert costs.interval({"a": 2.0}, 2.0) == pytest.approx((2 * low, 2 * high))
    assert costs.interval({"unknown": 1.0}, 2.0) is None


def test_what_is_not_told_has_no_interval_nor_has_a_sum_with_it():
    costs = costs_of({"a": np.linspace(1.0, 2.0, 101), "b": np.zeros(101)}, untold=("b",))
    assert costs.interval_of("b", 1.0) is None
    assert costs.interval({"a": 1.0, "b": 1.0}, 1.5) is None
    assert costs.interval({"a": 1.0}, 1.5) is not None


def test_an_interval_holds_its_estimate_and_reaches_as_far_as_bounds_bias_it():
    a = np.linspace(1.0, 2.0, 101)
    costs = costs_of({"a": a, "b": a, "c": a, "d": a}, {"b": 0.25, "c": -0.25, "d": 3.0})
    assert costs.interval_of("a", 5.0)[1] == 5.0
    low, high = costs.interval_of("a", 1.5)
    assert costs.interval_of("b", 1.5) == pytest.approx((low - 0.25, high))
    assert costs.interval_of("c", 1.5) == pytest.approx((low, high + 0.25))
    assert costs.interval_of("d", 1.5)[0] == 0.0  # no cost is negative


def test_estimates_take_these_intervals(fits):
    fit = fits[TILES[0]]
    names = [estimate.name for estimate in fit.estimates]
    costs = costs_of({name: np.linspace(1.0, 2.0, 101) for name in names}, untold=("wave",))
    found = with_open_choices(fit, costs)
    assert found.all_terms is costs.model
    for old, new in zip(fit.estimates, found.estimates, strict=True):
        assert new.estimate == old.estimate
        if old.name == "wave" or old.lower is None:
            assert new == old
        else:
            assert new.lower == pytest.approx(min(old.estimate, 1.01), abs=0.02)
            assert new.upper == pytest.approx(1.99, abs=0.02)


def test_the_model_of_all_terms_tells_times_too(plan):
    terms = tuple(term for term in SUMMED_TERMS if term.name != "memory traffic")
    fit = AdditiveModel(terms, draws=DRAWS).fit(plan.cube)
    every = fit.with_all_terms()
    assert every.with_all_terms() is None
    for label in TILES:
        assert set(every.tiles[label].terms) >= set(fit.tiles[label].terms)
        assert every.tiles[label].draws.shape == (DRAWS, every.tiles[label].theta.size)
        M, N, K = np.array([[1024, 512, 640], [2048, 512, 896], [2048, 512, 512]])
        problem = fit.problem(label, M, N, K)
        np.testing.assert_allclose(every.time(label, problem), fit.time(label, problem), rtol=0.03)


def test_a_whole_fit_holds_the_launch_that_its_own_draws_miss():
    """Of one landscape where that is so, of fourteen tried: docs/constants_coverage.py says how often."""
    grid = Grid.parse("256:4096:256;256:4096:256;512,1024,2304,3840")
    hard = planted_cube(HARDWARE, TILES, grid, lack_of_fit=0.03, noise=0.003, seed=5)
    fit = AdditiveModel(draws=DRAWS).fit(hard.cube)
    missed = 0
    for label, tile in fit.tiles.items():
        true = hard.costs(label)["launch"]
        place = [estimate.name for estimate in tile.estimates].index("launch")
        launch = tile.estimates[place]
        assert tile.constants["base_overhead_s"].values == (launch.lower, launch.upper)
        assert launch.lower <= launch.estimate <= launch.upper
        assert launch.lower <= true <= launch.upper
        low, high = interval_of(tile.draws[:, place])
        missed += not low <= true <= high
    assert missed == len(TILES)
