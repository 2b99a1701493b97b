"""The paired test: its size where blocks share their losses, its power, and its degenerate cases."""

import numpy as np
import pytest

from models.inference.paired import paired_test

ROWS, COLUMNS = np.divmod(np.arange(64), 8)


def losses(rng, gain, factor):
    apart = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    root = np.linalg.cholesky(factor**apart)
    field = (root @ rng.standard_normal((8, 8)) @ root.T).ravel()
    return 10.0 + gain + field, np.full(64, 10.0)


@pytest.mark.parametrize("factor", [1e-9, 0.4])
def test_the_size_is_at_most_nominal(factor):
    p_values = [
        paired_test(*losses(np.random.default_rng(s), 0.0, factor), ROWS, COLUMNS, 8).p_value for s in range(500)
    ]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.06


def test_a_gain_is_found_and_neighbours_raise_the_variance():
    found = paired_test(*losses(np.random.default_rng(0), 3.0, 0.4), ROWS, COLUMNS, 8)
    assert found.p_value < 0.01
    assert found.gain == pytest.approx(0.22, abs=0.08)
    assert found.shared > 1.5
    assert paired_test(*reversed(losses(np.random.default_rng(0), 3.0, 0.4)), ROWS, COLUMNS, 8).p_value > 0.9


def test_equal_models_are_not_told_apart():
    same = np.arange(64) + 1.0
    found = paired_test(same, same, ROWS, COLUMNS, 8)
    assert (found.gain, found.p_value) == (0.0, 1.0)
    assert paired_test(np.zeros(64), np.zeros(64), ROWS, COLUMNS, 8).p_value == 1.0
