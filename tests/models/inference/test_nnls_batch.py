"""Batched non-negative solves against scipy's, one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.inference.nnls_batch import solve_batch
from models.solve import solve_nonnegative


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_agrees_with_the_solver_of_the_fit(seed, p):
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
