"""Delays at ragged edges: increasing functions of the share outside, and costs halfway between others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from models.edge_costs import EdgeCosts, outside_pieces

delays = st.tuples(*[st.floats(0, 5)] * 3)


@given(delays)
def test_any_multiples_increase_with_what_lies_outside(pieces):
    share = np.linspace(0, 0.999, 200)
    late = outside_pieces(share) @ pieces
    assert late[0] == 0
    assert (np.diff(late) >= -1e-12).all()
    assert late[-1] <= sum(pieces) + 1e-9


def test_a_delay_that_grows_with_a_power_is_told_by_three_pieces():
    share = np.linspace(0.1, 0.95, 18)
    pieces = outside_pieces(share)
    for power in (1.0, 1.5, 2.4, 4.0):
        found = pieces @ nnls(pieces, share**power)[0]
        assert np.abs(found - share**power).max() < 0.07


def test_where_three_shares_are_measured_no_piece_is_a_combination_of_others():
    assert np.linalg.matrix_rank(outside_pieces(np.array([0.25, 0.5, 0.75]))) == 3


@given(delays, delays, st.floats(0, 3))
def test_what_is_masked_in_both_is_slow_times_slow(n, m, corner):
    costs = EdgeCosts((0.5, 1.0), n, m, corner)
    late = costs.delays(np.array([0.0, 0.3, 0.9]), np.array([0.4, 0.0, 0.6]))
    np.testing.assert_allclose(late[:, 2], late[:, 0] * late[:, 1])
    assert late[0, 0] == 0
    assert late[1, 1] == 0
    assert EdgeCosts.from_dict(costs.to_dict()) == costs
    assert costs.halfway(costs) == costs
    none = EdgeCosts((0.5, 1.0))
    np.testing.assert_allclose(costs.halfway(none).delay_n, np.array(n) / 2)
