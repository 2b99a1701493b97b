"""Roots of covariances, singular ones too."""

import numpy as np
import pytest

from models.matrix_root import matrix_root


@pytest.mark.parametrize("length", [0.5, 3.0, 100.0])
def test_the_root_times_itself_is_the_matrix(length):
    x = np.arange(40.0)
    smooth = np.exp(-((np.subtract.outer(x, x) / length) ** 2))  # singular to rounding at the longer lengths
    root = matrix_root(smooth)
    np.testing.assert_allclose(root @ root.T, smooth, atol=1e-12)


def test_rounding_below_zero_is_nothing():
    root = matrix_root(np.diag([1.0, -1e-17, 4.0]))
    np.testing.assert_allclose(root @ root.T, np.diag([1.0, 0.0, 4.0]), atol=1e-15)
