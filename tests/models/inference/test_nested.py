"""Tests of mechanisms: sizes and power on planted landscapes, surrogates against slow refits, adjustment."""

import numpy as np
import pytest
from scipy import stats

from models.inference.interactions import judge_interactions, product_columns
from models.inference.nested import SMALLEST, NestedTest, _gains, adjusted, judge_additions, tail_probability
from models.inference.surrogates import HeldOut, Surrogates
from models.solve import solve_nonnegative

MODEL = ("base overhead", "waves", "tile work")
OTHERS = ("row pitch", "cache spill", "atom remainder")


def places_of(bench, names):
    places, start = {}, 0
    for name in names:
        width = bench.columns(name).shape[1]
        places[name] = np.arange(start, start + width)
        start += width
    return places


def drawn(bench, theta, seed, factor, extra=0.0, draws=199, scale=0.01):
    rng = np.random.default_rng(seed)
    time = (bench.base @ theta + extra) * np.exp(scale * bench.field(rng, factor))
    columns = bench.columns(*MODEL, *OTHERS)
    return Surrogates.draw(bench.problem, columns, time, bench.folds(rng), draws, rng), time


@pytest.mark.parametrize("factor", [0.0, 0.75])
def test_rejections_without_a_mechanism_are_near_nominal(bench, theta, factor):
    # Enough to see a test that forgets neighbours (it would reject in a quarter of the cases), or never rejects.
    places = places_of(bench, (*MODEL, *OTHERS))
    p_values = []
    for seed in range(40):
        surrogates, _ = drawn(bench, theta, seed, factor, draws=99)
        p_values += [test.p_value for test in judge_additions(surrogates, places, MODEL, OTHERS)]
    rejected = np.mean(np.array(p_values) <= 0.05)
    assert 0.005 <= rejected <= 0.12


def test_a_planted_mechanism_is_found_and_its_share_is_right(bench, theta):
    places = places_of(bench, (*MODEL, *OTHERS))
    base = bench.base @ theta
    spill = bench.columns("cache spill")[:, 0]
    extra = spill * 0.02 / np.mean(spill / base)
    surrogates, _ = drawn(bench, theta, 3, 0.7, extra)
    tests = {test.name: test for test in judge_additions(surrogates, places, MODEL, OTHERS)}
    assert tests["cache spill"].p_value < 0.01
    assert tests["cache spill"].gain > 0.05
    assert tests["cache spill"].share == pytest.approx(0.02, rel=0.3)
    assert tests["cache spill"].criteria.effective.aic < 0
    assert not tests["cache spill"].in_model


def test_a_term_of_the_model_is_tested_by_leaving_it_out(bench, theta):
    places = places_of(bench, (*MODEL, *OTHERS))
    surrogates, _ = drawn(bench, theta, 4, 0.7)
    (waves,) = judge_additions(surrogates, places, MODEL, ["waves"])
    assert waves.in_model
    assert waves.p_value <= 0.01
    assert waves.gain > 0.9


def test_beside_all_terms_none_is_taken_for_another_that_was_not_chosen(bench, theta):
    """Two alike columns, one of which costs something: neither is in the model, and only that one is found."""
    rng = np.random.default_rng(6)
    base = bench.base @ theta
    costs = base * rng.random(base.size)
    alike = costs + 0.5 * base * rng.random(base.size)
    time = (base + 0.05 * costs) * np.exp(0.01 * bench.field(rng, 0.3))
    every = np.column_stack([bench.columns(*MODEL), costs, alike])
    surrogates = Surrogates.draw(bench.problem, every, time, bench.folds(rng), 199, rng)
    places = places_of(bench, MODEL)
    last = every.shape[1]
    places |= {"costs": np.array([last - 2]), "alike": np.array([last - 1])}
    asked = ["costs", "alike"]
    mistaken = {test.name: test.p_value for test in judge_additions(surrogates, places, MODEL, asked)}
    assert mistaken["alike"] < 0.01
    told = {test.name: test for test in judge_additions(surrogates, places, MODEL, asked, [*MODEL, *asked])}
    assert told["costs"].p_value < 0.01
    assert told["alike"].p_value > 0.1
    assert not told["costs"].in_model


def test_held_out_gain_is_that_of_refits_fold_by_fold(bench, theta):
    places = places_of(bench, (*MODEL, *OTHERS))
    rng = np.random.default_rng(5)
    time = bench.base @ theta * np.exp(0.01 * bench.field(rng, 0.7))
    fold = bench.folds(rng)
    columns = bench.columns(*MODEL, *OTHERS)
    surrogates = Surrogates.draw(bench.problem, columns, time, fold, 20, rng)
    base = np.concatenate([places[name] for name in MODEL])
    larger = np.concatenate([base, places["row pitch"]])
    found = surrogates.compare(base, larger)
    weighted = columns / time[:, None]
    fitted = columns @ solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    loss = []
    for chosen in (base, larger):
        design, total = columns[:, chosen] / fitted[:, None], 0.0
        for number in range(8):
            train, out = design[fold != number], design[fold == number]
            part = solve_nonnegative(train.T @ train, (time / fitted)[fold != number] @ train)
            total += np.sum(((time / fitted)[fold == number] - out @ part) ** 2)
        loss.append(total)
    assert found.gain == pytest.approx(1 - loss[1] / loss[0], rel=1e-6, abs=1e-9)
    assert found.null.shape == (20,)


def test_a_cost_at_its_bound_has_the_half_normal_mixture(bench, theta):
    # Independent residuals: twice the log-likelihood ratio of one column is 0 in half of them, else chi-squared.
    places = places_of(bench, (*MODEL, *OTHERS))
    surrogates, _ = drawn(bench, theta, 6, 0.0, draws=1500)
    base = np.concatenate([places[name] for name in MODEL])
    found = surrogates.compare(base, np.concatenate([base, places["cache spill"]]))
    ratio = bench.problem.size * found.null_drop
    assert np.mean(ratio < 1e-6) == pytest.approx(0.5, abs=0.06)
    assert np.mean(ratio > stats.chi2.isf(0.1, 1)) == pytest.approx(0.05, abs=0.02)


def test_a_cost_that_is_none_with_all_blocks_gains_nothing():
    """A fold without which it would cost something is chance; surrogates are judged alike."""
    nulls = np.array([0.03, 0.02, -0.01]), np.array([1e-3, 1e-14, 0.0])
    rest = np.zeros(3), (1.0, 1.0), 2, 2
    gain, null = _gains(HeldOut(0.05, 0.01, nulls[0], 1e-13, nulls[1], *rest))
    assert gain == 0.0
    np.testing.assert_array_equal(null, [0.03, 0.0, -0.01])
    gain, _ = _gains(HeldOut(0.05, 0.01, nulls[0], 1e-3, nulls[1], *rest))
    assert gain == 0.05
    gain, _ = _gains(HeldOut(-0.05, 0.01, nulls[0], 0.0, nulls[1], *rest))
    assert gain == -0.05


def test_in_surrogates_only_what_surely_costs_something_does(bench, theta):
    """A column whose estimate is chance costs nothing there; one that was planted does, and so does the model."""
    places = places_of(bench, (*MODEL, *OTHERS))
    base = np.arange(sum(columns.size for columns in places.values()))
    spill = bench.columns("cache spill")[:, 0]
    planted = spill * 0.02 / np.mean(spill / (bench.base @ theta))
    by_chance, sure = 0, 0
    for seed in range(20):
        surrogates, _ = drawn(bench, theta, seed, 0.5, draws=60)
        costs = surrogates.sure_costs(base)
        np.testing.assert_array_less(0.0, costs[:5])
        by_chance += int(surrogates.compare(base[:5], base).theta[places["cache spill"]].max() > 0.0)
        sure += int(costs[places["cache spill"]].max() > 0.0)
    assert 5 <= by_chance <= 15
    assert sure <= 2
    surrogates, _ = drawn(bench, theta, 0, 0.5, planted, draws=60)
    assert surrogates.sure_costs(base)[places["cache spill"]].max() > 0.0
    # A single column is kept, whatever it costs.
    np.testing.assert_array_equal(surrogates.sure_costs(base[:1]), surrogates.compare(base[:1], base[:1]).theta)


def test_what_the_grid_cannot_tell_is_not_tested(bench, theta):
    columns = np.concatenate([bench.base, np.zeros((bench.problem.size, 1)), 3 * bench.base[:, :1]], axis=1)
    rng = np.random.default_rng(0)
    time = bench.base @ theta * np.exp(0.01 * bench.field(rng, 0))
    surrogates = Surrogates.draw(bench.problem, columns, time, bench.folds(rng), 99, rng)
    places = {"all": np.arange(5), "none": np.array([5]), "again": np.array([6])}
    none, again, everything = judge_additions(surrogates, places, ("all",), ["none", "again", "all"])
    assert none.p_value is again.p_value is everything.p_value is None
    assert none.note.startswith("not testable: zero")
    assert again.note.startswith("not testable: a combination")
    assert everything.note == "not testable: the model has nothing else"
    assert [test.p_holm for test in adjusted([none, again])] == [None, None]


def test_adjusted_p_values():
    tests = [NestedTest(str(p), True, 0.1, 0.1, p, p) for p in (0.01, 0.04, 0.03)]
    tests.insert(1, NestedTest("none", True, 0.0, 0.0, None, None))
    out = adjusted(tests)
    np.testing.assert_allclose([out[i].p_holm for i in (0, 2, 3)], [0.03, 0.06, 0.06])
    np.testing.assert_allclose([out[i].p_bh for i in (0, 2, 3)], [0.03, 0.04, 0.04])
    assert out[1].p_holm is None
    assert adjusted([]) == []


def test_tail_probability_is_a_share_and_then_a_tail():
    null = np.random.default_rng(0).exponential(size=399)
    assert tail_probability(float(np.median(null)), null) == pytest.approx(0.5, abs=0.01)
    assert tail_probability(-1.0, null) == 1.0
    assert tail_probability(6.0, null) == pytest.approx(np.exp(-6.0), rel=1.0)
    assert tail_probability(1e9, null) == SMALLEST
    values = [tail_probability(x, null) for x in np.linspace(0, 9, 200)]
    assert np.all(np.diff(values) <= 0.005)
    assert tail_probability(1.0, np.zeros(99)) == pytest.approx(0.01)


@pytest.mark.parametrize("zeros", [0.5, 0.0])
@pytest.mark.parametrize("degrees", [1, 2])
def test_p_values_are_at_their_level_counted_and_in_the_tail(zeros, degrees):
    """Chi-squared, half of it where a cost is at its bound: that of two degrees has the tail that is fitted."""
    rng = np.random.default_rng(1)
    values = np.where(rng.random((40_000, 200)) < zeros, 0.0, rng.chisquare(degrees, (40_000, 200)))
    p_values = np.array([tail_probability(row[0], row[1:]) for row in values])
    # Some 2000 and 200 values: 2 and 7 % of standard error: a tail fitted to twice as many is off by 5 % at 5 %.
    assert np.mean(p_values <= 0.05) == pytest.approx(0.05, rel=0.03)
    assert 0.8 * 0.005 <= np.mean(p_values <= 0.005) <= 1.15 * 0.005


def test_interactions_have_their_sign_and_leave_sums_alone(bench, theta):
    exact = bench.base @ theta
    parts = {"launch": bench.base[:, :1] @ theta[:1], "waves": bench.base[:, 1:3] @ theta[1:3]}
    product = np.sqrt(parts["launch"] * parts["waves"])
    found = []
    for planted in (-0.15, 0.0):
        rng = np.random.default_rng(7)
        time = (exact + planted * product) * np.exp(0.005 * bench.field(rng, 0.6))
        columns = product_columns({**parts, "idle": np.zeros(time.size)}, time)
        assert list(columns) == ["launch × waves"]
        every = np.concatenate([bench.base, columns["launch × waves"]], axis=1)
        surrogates = Surrogates.draw(bench.problem, every, time, bench.folds(rng), 199, rng, np.arange(5))
        places = {"all": np.arange(5), "launch × waves": np.array([5, 6])}
        found += judge_interactions(surrogates, places, ("all",), ("launch × waves",))
    negative, none = found
    assert negative.p_value < 0.01
    assert negative.share == pytest.approx(-0.15 * np.mean(product / exact), rel=0.4)
    assert none.p_value > 0.05
