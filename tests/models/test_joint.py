"""Joint solves against one dense problem with shared columns."""

import itertools

import numpy as np
import pytest
from scipy.optimize import nnls

from models.gram import BlockGram
from models.joint import JointSystem

KEYS = (("launch", None, None), (None, "launch", None, None), (None, None))


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    blocks = [rng.integers(0, 6, 40) for _ in KEYS]
    designs = [rng.uniform(0, 1, (40, len(row))) for row in KEYS]
    for design, row in zip(designs, KEYS, strict=True):
        if "launch" in row:
            design[:, row.index("launch")] = 1.0
    times = [design @ rng.uniform(0, 2, design.shape[1]) + rng.uniform(0.1, 0.6, 40) for design in designs]
    sums = [BlockGram.of(d, t, b, 6) for d, t, b in zip(designs, times, blocks, strict=True)]
    return designs, times, blocks, JointSystem.of(sums, KEYS)


def dense(designs, times, blocks, weight):
    """Stack all rows; the launch is column 0, every other column is a tile's own."""
    own = itertools.count(1)
    places = [[0 if key else next(own) for key in row] for row in KEYS]
    size = next(own)
    stacked, target = [], []
    for design, time, block, place in zip(designs, times, blocks, places, strict=True):
        wide = np.zeros((40, size))
        wide[:, place] = design / time[:, None]
        root = np.sqrt(weight[block])
        stacked.append(wide * root[:, None])
        target.append(root)
    theta = nnls(np.concatenate(stacked), np.concatenate(target))[0]
    return [theta[place] for place in places]


@pytest.mark.parametrize("weight", [np.ones(6), np.array([1.0, 0, 2, 1, 0, 3])], ids=["all", "weighted"])
def test_equals_the_dense_problem(case, weight):
    designs, times, blocks, system = case
    for found, expected in zip(system.solve(weight), dense(designs, times, blocks, weight), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_shared_column_has_one_value(case):
    system = case[-1]
    first, second, _ = system.solve()
    assert first[0] == second[1]
    assert system.size == 8


def test_bootstrap_resamples_blocks_for_all_tiles_together(case):
    designs, times, blocks, system = case
    draws = system.bootstrap(5, np.random.default_rng(7))
    weights = np.random.default_rng(7).multinomial(6, np.full(6, 1 / 6), size=5).astype(float)
    for number, weight in enumerate(weights):
        for found, expected in zip(draws, dense(designs, times, blocks, weight), strict=True):
            np.testing.assert_allclose(found[number], expected, atol=1e-8)


def test_refit_adds_scores_to_the_moments(case):
    designs, times, _, system = case
    scores = np.random.default_rng(3).normal(0.0, 2.0, (4, system.size))
    found = system.refit(scores)
    own = itertools.count(1)
    places = [[0 if key else next(own) for key in row] for row in KEYS]
    gram, moment = np.zeros((system.size, system.size)), np.zeros(system.size)
    for design, time, place in zip(designs, times, places, strict=True):
        scaled = design / time[:, None]
        gram[np.ix_(place, place)] += scaled.T @ scaled
        moment[place] += scaled.sum(axis=0)
    root = np.linalg.cholesky(gram).T
    for number, score in enumerate(scores):
        # The common vector of the system begins with the launch too.
        theta = nnls(root, np.linalg.solve(root.T, moment + score))[0]
        for part, place in zip(found, places, strict=True):
            np.testing.assert_allclose(part[number], theta[place], atol=1e-8)
    given = [np.array([2.0 if key else 1.0 + j for j, key in enumerate(row)]) for row in KEYS]
    about = system.refit(np.zeros((1, system.size)), given)
    for part, costs in zip(about, given, strict=True):
        np.testing.assert_allclose(part[0], costs, atol=1e-8)
    assert [part.shape for part in system.refit(np.empty((0, system.size)))] == [(0, len(row)) for row in KEYS]


def test_a_column_that_the_blocks_of_a_fold_hardly_show_costs_nothing():
    """Rounding would decide what it costs there, and predict nonsense where it is seen."""
    rng = np.random.default_rng(3)
    blocks, design = np.repeat(np.arange(6), 10), rng.uniform(0.5, 1.5, (60, 2))
    design[:, 1] = np.where(blocks == 5, 1.0, 1e-9 * rng.random(60))
    time = design @ np.array([2.0, 0.1]) * (1.0 + 1e-3 * rng.standard_normal(60))
    system = JointSystem.of([BlockGram.of(design, time, blocks, 6)], [(None, None)])
    (theta,) = system.solve((np.arange(6) != 5).astype(float))
    assert theta == pytest.approx([2.0, 0.0], rel=1e-3)
    (theta,) = system.solve()
    assert theta == pytest.approx([2.0, 0.1], rel=2e-2)
