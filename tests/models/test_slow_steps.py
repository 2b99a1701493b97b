"""Slow steps: at which sizes, by how much with known costs, and what they make of late work-groups."""

from dataclasses import replace

import numpy as np

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.problem import Problem
from models.ragged_launches import memory_of_waves
from models.slow_steps import granules, masked, misaligned, slowdown
from models.terms.masked_edge import MaskedEdge

TILE = Tile.parse("128x128x32")
COSTS = EdgeCosts((0.6, 1.0), (0.2, 0.4, 1.3), (0.3, 0.6, 0.0), 1.2, byte=1e-7)
SLOWER = (("A off 64 B", 0.02), ("B off 128 B", 0.01), ("masked step", 0.05))
PLAIN = Hardware(cores=12, residency={TILE.name: 2}, edges={TILE.name: COSTS})
SLOW = replace(PLAIN, edges={TILE.name: replace(COSTS, slower=SLOWER)})
WORK = Problem(np.full(4, 700), np.array([960, 928, 960, 928]), np.array([320, 320, 336, 336]), TILE)


def test_sizes_at_which_steps_are_slow():
    assert granules(PLAIN) == (128, 64, 16)
    np.testing.assert_array_equal(masked(WORK), [False, False, True, True])
    found = misaligned(WORK, PLAIN)
    assert list(found) == ["A off 128 B", "A off 64 B", "A off 16 B", "B off 128 B", "B off 64 B", "B off 16 B"]
    np.testing.assert_array_equal(found["A off 64 B"], [False, False, True, True])
    np.testing.assert_array_equal(found["B off 128 B"], [False, True, False, True])
    found.clear()
    assert len(misaligned(WORK, PLAIN)) == 6
    # Rows laid out further apart begin where the wider pitch says.
    apart = misaligned(WORK, replace(PLAIN, pitch_multiple=64))
    assert not any(off.any() for off in apart.values())


def test_the_slowdown_is_the_sum_of_what_is_on():
    np.testing.assert_allclose(slowdown(WORK, SLOW, ALL_MECHANISMS), [0.0, 0.01, 0.07, 0.08])
    np.testing.assert_allclose(slowdown(WORK, SLOW, ALL_MECHANISMS - {"row pitch"}), [0.0, 0.0, 0.05, 0.05])
    np.testing.assert_allclose(slowdown(WORK, SLOW, ALL_MECHANISMS - {"atom remainder"}), [0.0, 0.01, 0.02, 0.03])
    assert not slowdown(WORK, PLAIN, ALL_MECHANISMS).any()
    assert not slowdown(WORK, replace(PLAIN, edges={}), ALL_MECHANISMS).any()
    overlapping = replace(PLAIN, edges={}, overlapping=SLOW.edges)
    np.testing.assert_allclose(slowdown(WORK, overlapping, ALL_MECHANISMS), [0.0, 0.01, 0.07, 0.08])


def test_late_work_groups_are_later_where_steps_are_slow_and_bytes_take_less_of_them():
    late = MaskedEdge().columns(WORK, PLAIN, ALL_MECHANISMS)
    assert late.any()
    slower = MaskedEdge().columns(WORK, SLOW, ALL_MECHANISMS)
    np.testing.assert_allclose(slower, late * (1.0 + slowdown(WORK, SLOW, ALL_MECHANISMS))[:, None])
    some = ALL_MECHANISMS - {"row pitch", "atom remainder"}
    np.testing.assert_allclose(MaskedEdge().columns(WORK, SLOW, some), MaskedEdge().columns(WORK, PLAIN, some))
    memory = [memory_of_waves(WORK, state, state.edges[TILE.name], ALL_MECHANISMS) for state in (PLAIN, SLOW)]
    np.testing.assert_allclose(memory[0], memory[1] * (1.0 + slowdown(WORK, SLOW, ALL_MECHANISMS)))


def test_costs_halfway_have_half_of_a_slowdown_that_is_new():
    half = COSTS.halfway(SLOW.edges[TILE.name])
    assert dict(half.slower) == {kind: value / 2 for kind, value in SLOWER}
    again = SLOW.edges[TILE.name]
    assert EdgeCosts.from_dict(again.to_dict()) == again
