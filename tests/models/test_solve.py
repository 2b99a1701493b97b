"""Non-negative least squares from sums against scipy on the samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls

from models.solve import solve_nonnegative


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
