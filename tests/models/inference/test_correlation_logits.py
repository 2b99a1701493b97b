"""Logits stand for correlations, and their slopes are those of small differences."""

import numpy as np
import pytest

from models.inference.correlation_logits import Logits


def measure(correlation):
    """Some smooth number of a correlation, with its slopes by the shares and by phi."""
    weights, slopes = np.arange(1.0, 9.0).reshape(2, 2, 2), np.array([3.0, -2.0, 5.0])
    value = float((weights * correlation.shares).sum() + slopes @ np.array(correlation.neighbours))
    return value, weights, slopes


@pytest.mark.parametrize(
    ("used", "count"), [((True, True, True), 10), ((True, False, True), 5), ((False, True, False), 2)]
)
def test_slopes_are_those_of_small_differences(used, count):
    logits = Logits(used)
    at = np.random.default_rng(0).standard_normal(count)
    _, by_shares, by_neighbours = measure(logits.correlation(at, 1))
    found = logits.slope(at, by_shares, by_neighbours)
    step = 1e-6 * np.eye(count)
    ends = [[measure(logits.correlation(at + side * one, 1))[0] for side in (1, -1)] for one in step]
    np.testing.assert_allclose(found, [(up - down) / 2e-6 for up, down in ends], rtol=1e-6, atol=1e-8)


def test_shares_are_of_the_axes_that_have_neighbours():
    correlation = Logits((True, False, True)).correlation(np.zeros(5), 1)
    assert correlation.shares.sum() == pytest.approx(1.0)
    assert not correlation.shares[:, 1].any()
    assert correlation.neighbours[1] == 0.0


@pytest.mark.parametrize("smoothness", [1, 2])
def test_thinned_ranks_are_farther_apart(smoothness):
    logits, at = Logits((True, True, True)), np.zeros(10)
    near, far = (logits.correlation(at, smoothness, stride).neighbours[2] for stride in (3, 1))
    assert near ** (3**smoothness) == pytest.approx(far)
