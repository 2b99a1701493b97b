"""Shares of R^2 from a Gram matrix, against ordinary least squares in every order."""

from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm

from attrib.attribution import lmg_shares, time_variance
from attrib.attribution.variance_shares import MOST_GROUPS, gram_of
from harness.cube import dense_cube
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.tile import Tile
from models.additive import AdditiveModel

ROWS = 300


def data(columns=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, columns)) @ rng.normal(size=(columns, columns)) + 3.0
    return X, X @ rng.normal(size=columns) + 2.0 * rng.normal(size=ROWS)


def slow_lmg(X, y, groups, intercept=True):
    """Mean over all orders of what a group adds to the R^2 of a fit by statsmodels."""

    def r_squared(members):
        if not members:
            return 0.0
        columns = [X[:, j] for group in members for j in groups[group]]
        design = np.column_stack([*columns, *([np.ones(y.size)] if intercept else [])])
        return sm.OLS(y, design, hasconst=intercept).fit().rsquared

    shares = np.zeros(len(groups))
    orders = list(permutations(range(len(groups))))
    for order in orders:
        for place, group in enumerate(order):
            shares[group] += (r_squared(order[: place + 1]) - r_squared(order[:place])) / len(orders)
    return shares


def with_intercept(X, y):
    return gram_of(np.column_stack([np.ones(y.size), X]), y)


@pytest.mark.parametrize("groups", [[[0], [1], [2], [3]], [[0, 2], [1], [3]]])
def test_shares_are_those_of_all_orders(groups):
    X, y = data()
    shares, whole = lmg_shares(with_intercept(X, y), [[j + 1 for j in group] for group in groups], always=[0])
    np.testing.assert_allclose(shares, slow_lmg(X, y, groups), rtol=1e-9)
    assert whole == pytest.approx(sm.OLS(y, sm.add_constant(X)).fit().rsquared, rel=1e-12)
    assert shares.sum() == pytest.approx(whole, rel=1e-12)


def test_without_an_intercept():
    X, y = data(3, 1)
    shares, _ = lmg_shares(gram_of(X, y), [[0], [1], [2]])
    np.testing.assert_allclose(shares, slow_lmg(X, y, [[0], [1], [2]], intercept=False), rtol=1e-9)


def test_a_column_that_others_make_up_shares_with_them():
    X, y = data(2, 2)
    twice = np.column_stack([X, X[:, 0], np.zeros(ROWS)])
    shares, whole = lmg_shares(with_intercept(twice, y), [[1], [2], [3], [4]], always=[0])
    assert shares[0] == pytest.approx(shares[2], rel=1e-9)
    assert shares[3] == 0
    assert whole == pytest.approx(sm.OLS(y, sm.add_constant(X)).fit().rsquared, rel=1e-9)


def test_units_do_not_matter():
    X, y = data(4, 3)
    small = X * [1e-12, 1e-6, 1.0, 1e9]
    groups = [[1], [2], [3], [4]]
    one, two = (lmg_shares(with_intercept(columns, y), groups, always=[0])[0] for columns in (X, small))
    np.testing.assert_allclose(one, two, rtol=1e-7)


def test_the_most_groups_add_up():
    X, y = data(MOST_GROUPS, 4)
    shares, whole = lmg_shares(with_intercept(X, y), [[j + 1] for j in range(MOST_GROUPS)], always=[0])
    assert whole == pytest.approx(sm.OLS(y, sm.add_constant(X)).fit().rsquared, rel=1e-9)
    assert shares.sum() == pytest.approx(whole, rel=1e-9)
    assert (shares >= -1e-12).all()


def test_a_constant_response_has_nothing_to_explain():
    X, _ = data()
    shares, whole = lmg_shares(with_intercept(X, np.ones(ROWS)), [[1], [2]], always=[0])
    assert np.isnan(shares).all()
    assert np.isnan(whole)


def test_columns_are_named_once():
    X, y = data()
    gram = with_intercept(X, y)
    for groups in ([[1], [1]], [[1, 5]], [[0]]):
        with pytest.raises(InputError, match="in one group"):
            lmg_shares(gram, groups, always=[0])
    with pytest.raises(InputError, match="square"):
        lmg_shares(gram[1:], [[1]])


def test_the_variance_of_a_planted_time_is_shared_by_its_terms():
    side, depth = np.arange(128, 2049, 128), np.arange(256, 2049, 256)
    rows, columns, deep = np.ix_(side, side, depth)
    waves = -(-(-(-rows // 128) * -(-columns // 128)) // 20)
    rng = np.random.default_rng(0)
    times = 4e-6 + waves * (1e-6 + 4e-7 * -(-deep // 32)) * np.exp(0.01 * rng.standard_normal((16, 16, 8)))
    device = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
    cube = dense_cube(times[None], side, side, depth, [Tile.parse("128x128x32")], device)
    fit = AdditiveModel(draws=40).fit(cube)
    found = time_variance(fit, cube)["128x128x32"]
    assert found.samples == times.size
    assert sum(found.shares.values()) == pytest.approx(found.r_squared, rel=1e-9)
    assert found.r_squared > 0.995
    assert min(found.shares["waves"], found.shares["base overhead"]) > 0.1
    # The same by hand: relative errors, beyond one constant throughput.
    problem = fit.problem("128x128x32", *(axis.ravel() for axis in np.meshgrid(side, side, depth, indexing="ij")))
    t = times.ravel()[:, None]
    design = fit.matrix("128x128x32", problem) / t
    design = design[:, design.any(axis=0)]
    null = problem.flop[:, None] / t / np.linalg.norm(problem.flop[:, None] / t)
    one = np.ones(t.size)
    left = [
        np.sum((one - columns @ np.linalg.lstsq(columns, one, rcond=None)[0]) ** 2)
        for columns in (null, np.column_stack([null, design / np.linalg.norm(design, axis=0)]))
    ]
    assert found.r_squared == pytest.approx(1 - left[1] / left[0], abs=1e-6)
    assert found.to_dict()["unit"].startswith("fraction of the variance")
