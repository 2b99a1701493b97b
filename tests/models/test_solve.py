"""Non-negative least squares from sums against scipy on the samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls

from models.solve import solve_batch, solve_nonnegative


def solve(design, target):
    return solve_nonnegative(design.T @ design, design.T @ target)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_agrees_with_scipy_on_the_samples(seed, columns):
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(40, columns)) * 10.0 ** rng.uniform(-12, 3, columns)  # units differ wildly
    target = rng.normal(size=40)
    found, expected = solve(design, target), nnls(design, target)[0]
    scale = np.linalg.norm(design, axis=0)
    np.testing.assert_allclose(found * scale, expected * scale, atol=1e-8)
    assert (found >= 0).all()


def test_agrees_with_a_second_algorithm():
    rng = np.random.default_rng(3)
    design, target = rng.normal(size=(50, 6)), rng.normal(size=50)
    expected = lsq_linear(design, target, bounds=(0, np.inf), tol=1e-13).x
    np.testing.assert_allclose(solve(design, target), expected, atol=1e-6)


def test_exact_where_the_answer_is_inside():
    rng = np.random.default_rng(4)
    design, truth = rng.uniform(0, 1, (30, 5)), np.array([1.0, 2, 3, 4, 5])
    np.testing.assert_allclose(solve(design, design @ truth), truth, rtol=1e-9)


def test_zero_columns_cost_nothing():
    rng = np.random.default_rng(5)
    design = rng.uniform(0, 1, (30, 4))
    design[:, 2] = 0
    found = solve(design, design @ np.array([1.0, 2, 99, 4]))
    np.testing.assert_allclose(found, [1, 2, 0, 4], rtol=1e-9)
    np.testing.assert_array_equal(solve_nonnegative(np.zeros((3, 3)), np.zeros(3)), 0)


def test_collinear_columns_share_a_cost_and_predict_it():
    rng = np.random.default_rng(6)
    design = rng.uniform(0, 1, (30, 3))
    design = np.column_stack([design, design[:, 0] * 2, design[:, 0] + design[:, 1]])
    target = design[:, :3] @ np.array([1.0, 2, 3])
    found = solve(design, target)
    assert (found >= 0).all()
    np.testing.assert_allclose(design @ found, target, rtol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_negative_cost_is_clipped_at_zero(sign):
    design = np.ones((10, 1))
    assert solve(design, sign * np.full(10, 2.0))[0] == pytest.approx(max(0, 2 * sign))


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_a_batch_agrees_with_one_by_one(seed, p):
    rng = np.random.default_rng(seed)
    columns = rng.random((3, 30, p)) * 10.0 ** rng.uniform(-9, 2, p)
    grams = np.einsum("fni,fnj->fij", columns, columns)
    moments = np.einsum("fni,dfn->dfi", columns, rng.standard_normal((4, 3, 30)) + 0.3)
    found = solve_batch(grams, moments)
    for draw in range(4):
        for fold in range(3):
            expected = solve_nonnegative(grams[fold], moments[draw, fold])
            np.testing.assert_allclose(found[draw, fold], expected, rtol=1e-6, atol=1e-9 * expected.max(initial=0))


def test_zero_and_repeated_columns_do_no_harm():
    rng = np.random.default_rng(0)
    column = rng.random((50, 2))
    design = np.column_stack([column, np.zeros(50), column[:, :1], -column[:, :1]])
    target = column @ [2.0, 3.0]
    theta = solve_batch((design.T @ design)[None], (target @ design)[None, None])[0, 0]
    np.testing.assert_allclose(design @ theta, target, rtol=1e-9)
    assert theta.min() >= 0
    assert theta[2] == 0


def test_opposite_columns_give_either_sign():
    x = np.linspace(1, 2, 40)
    design = np.column_stack([np.ones(40), x, -x])
    theta = solve_batch((design.T @ design)[None], ((5.0 - 0.7 * x) @ design)[None, None])[0, 0]
    np.testing.assert_allclose([theta[0], theta[1] - theta[2]], [5.0, -0.7], rtol=1e-8)
    assert theta[1] == 0


def test_of_columns_that_are_alike_the_first_is_taken_whatever_rounding_says():
    """Turns that average costs would otherwise mix columns that no launch tells apart."""
    rng = np.random.default_rng(4)
    columns = rng.random((200, 3))
    columns[:, 2] = 0.5 * columns[:, 1]
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(200)
        scaled = columns[order] / rng.uniform(0.5, 2.0, (200, 1))
        gram = scaled.T @ scaled
        gram *= 1.0 + 1e-15 * rng.standard_normal(gram.shape)
        theta = solve_nonnegative(0.5 * (gram + gram.T), scaled.sum(axis=0))
        assert theta[1] > 0.0
        assert theta[2] == 0.0
