"""What a grid cannot tell apart is reported, never estimated."""

import numpy as np

from models.design import Column
from models.identify import unidentified, unidentified_jointly
from models.term import Coefficient
from models.terms import BaseOverhead


def columns(count):
    return [Column(BaseOverhead(), Coefficient(f"c{j}", "s", "a cost")) for j in range(count)]


def gram(design):
    return design.T @ design


def test_zero_and_combined_columns_are_named_with_the_remedy():
    rng = np.random.default_rng(0)
    design = rng.uniform(0, 1, (50, 5)) * [1, 1e-9, 1e6, 1, 1]
    design[:, 3] = 0
    design[:, 4] = 3 * design[:, 0] + 1e-6 * design[:, 2]
    reasons = unidentified(gram(design), columns(5))
    assert set(reasons) == {3, 4}
    assert reasons[3].startswith("zero on this grid")
    assert reasons[4].startswith("a combination of other columns")
    assert all(BaseOverhead.identified_by in reason for reason in reasons.values())


def test_independent_columns_are_all_kept_whatever_their_units():
    rng = np.random.default_rng(1)
    assert unidentified(gram(rng.uniform(0, 1, (50, 8)) * 10.0 ** np.arange(-12, 4, 2)), columns(8)) == {}


def test_nearly_collinear_columns_are_told_apart_down_to_a_millionth():
    rng = np.random.default_rng(2)
    x, noise = rng.uniform(1, 2, 500), rng.normal(size=500)
    for size, dropped in ((1e-2, False), (1e-4, True)):
        assert bool(unidentified(gram(np.column_stack([x, x + size * noise])), columns(2))) is dropped


def test_one_tile_that_tells_a_shared_cost_apart_fixes_it_for_all():
    rng = np.random.default_rng(3)
    ones = np.ones(40)
    stuck = gram(np.column_stack([ones, ones, rng.uniform(0, 1, 40)]))
    telling = gram(np.column_stack([ones, rng.integers(1, 5, 40), rng.uniform(0, 1, 40)]))
    keys = ("launch", None, None)
    assert unidentified_jointly([stuck, telling], [columns(3)] * 2, [keys] * 2) == ({}, {})
    alone = unidentified_jointly([stuck, stuck], [columns(3)] * 2, [keys] * 2)
    assert [set(reasons) for reasons in alone] == [{0}, {0}]
    assert alone[0][0].startswith("a combination")


def test_a_shared_cost_that_is_zero_everywhere():
    design = np.column_stack([np.zeros(5), np.arange(5.0)])
    (reasons,) = unidentified_jointly([gram(design)], [columns(2)], [("launch", None)])
    assert set(reasons) == {0}
    assert reasons[0].startswith("zero")
