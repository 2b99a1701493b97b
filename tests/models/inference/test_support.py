"""Columns that one size of an axis alone tells."""

import numpy as np

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.inference.lattice import Lattice
from models.inference.nested import judge_additions
from models.inference.support import ALONE, SizeGrams, one_size
from models.inference.surrogates import Surrogates
from models.problem import Problem
from models.terms.pipeline_fill import PipelineFill

SIDE = np.arange(1, 9) * 240


def shapes(depth):
    M, N, K = (axis.ravel() for axis in np.meshgrid(SIDE, SIDE, np.array(depth), indexing="ij"))
    return Problem(M, N, K, Tile.parse("128x128x32"))


def test_the_only_size_at_which_a_column_acts_is_named():
    problem = shapes([64, 512, 1024])
    columns = np.stack(
        [problem.M, (problem.K == 64) * problem.N, (problem.N == 480) * 1.0, 0.0 * problem.M, problem.K > 64],
        axis=1,
    )
    assert one_size(problem, columns) == ("", "K = 64", "N = 480", "", "")


def test_a_slice_of_one_k_is_not_held_against_its_columns():
    problem = shapes([64])
    assert one_size(problem, problem.M[:, None].astype(float)) == ("",)


def test_fill_is_tested_on_two_short_k_and_not_on_one(bench):
    """All else equal: the same planted cost is found on one grid, and not asked for on the other."""
    fill = PipelineFill()
    for depth, told in (([64, 528, 1040], False), ([32, 64, 528, 1040], True)):
        problem = shapes(depth)
        parts = [np.ones(problem.M.size), problem.M * problem.N / 1e6, problem.flop / 1e9]
        base = np.stack(parts, axis=1) * np.array([6.0, 1.0, 1.0])
        column = fill.columns(problem, bench.hardware, ALL_MECHANISMS)
        rng = np.random.default_rng(0)
        time = (base.sum(axis=1) + 0.2 * column[:, 0]) * np.exp(0.01 * rng.standard_normal(problem.M.size))
        every = np.concatenate([base, column], axis=1)
        fold = rng.permutation(8)[(problem.M // 240 - 1).astype(int)]
        surrogates = Surrogates.draw(problem, every, time, fold, 99, rng)
        places = {"base": np.arange(3), fill.name: np.array([3])}
        test = judge_additions(surrogates, places, ("base",), (fill.name,))[0]
        if told:
            assert test.p_value < 0.01
        else:
            assert test.p_value is None
            assert test.note == (
                "not testable: told by one size alone, K = 64: anything else that is special there may be it"
            )


def test_what_others_leave_of_a_column_may_be_of_one_size():
    """A column of all N that is smooth but for one of them: beside the smooth ones, that one tells it."""
    problem = shapes([64, 512, 1024])
    smooth, jump = problem.N / 960.0, (problem.N == 1200) * 1.0
    every = np.stack([np.ones(problem.size), smooth, smooth + jump, smooth + (problem.N % 480 > 0)], axis=1)
    grams = SizeGrams.of(problem, every, Lattice.of(problem.M, problem.N, problem.K))
    assert grams.told_alone(2, np.array([0, 1])) == "N = 1200"
    assert grams.told_alone(3, np.array([0, 1])) == ""
    # Without the smooth ones, all sizes tell it.
    assert grams.told_alone(2, np.array([], dtype=np.int64)) == ""


def test_squares_by_size_are_those_of_a_least_squares_fit():
    rng = np.random.default_rng(3)
    problem = shapes([64, 512])
    columns = rng.random((problem.size, 5))
    columns[:, 4] += 30.0 * (problem.M == 720)
    left = columns[:, 4] - columns[:, :4] @ np.linalg.lstsq(columns[:, :4], columns[:, 4], rcond=None)[0]
    share = (left[problem.M == 720] ** 2).sum() / (left**2).sum()
    grams = SizeGrams.of(problem, columns, Lattice.of(problem.M, problem.N, problem.K))
    assert share > ALONE
    assert grams.told_alone(4, np.arange(4)) == "M = 720"
    assert grams.told_alone(0, np.arange(1, 5)) == ""
