"""Spreads of the cores, settled near what was found before."""

from dataclasses import replace

import pytest

from harness.twin import B580
from models.edge_costs import EdgeCosts
from models.edge_turns import take_turns
from models.settled_spreads import search_near, settle_spreads

LABEL = "128x128x32"


@pytest.fixture(params=[True, False], ids=["late at edges", "never late"])
def found(request, computing_launches):
    """Launches, designs, hardware and, where work-groups are late at edges, what that costs."""
    data, designs, hardware = computing_launches((LABEL,), (4,), () if request.param else ("masked edge",))
    state = hardware.with_core_spread(LABEL, B580.numbers.core_spread)
    costs = take_turns(data[LABEL], designs[LABEL], state, None)[0] if request.param else None
    return data, designs, replace(hardware, edges={} if costs is None else {LABEL: costs})


@pytest.mark.parametrize("off_by", [0.75, 1.3])
def test_a_spread_that_is_off_is_settled(found, off_by):
    data, designs, hardware = found
    truth = B580.numbers.core_spread
    spread, costs = settle_spreads(data, designs, hardware.with_core_spread(LABEL, off_by * truth), {}, 0)[LABEL]
    assert spread == pytest.approx(truth, abs=0.015)
    assert (costs is None) == (LABEL not in hardware.edges)


def test_a_settled_spread_is_settled_again_to_the_same(found):
    data, designs, hardware = found
    spread, costs = settle_spreads(data, designs, hardware.with_core_spread(LABEL, 0.08), {}, 0)[LABEL]
    state = replace(hardware, edges={} if costs is None else {LABEL: costs}).with_core_spread(LABEL, spread)
    again = settle_spreads(data, designs, state, {}, 0)
    assert not again or again[LABEL][0] == pytest.approx(spread, abs=0.003)


def test_cores_in_step_stay_in_step(found):
    data, designs, hardware = found
    assert settle_spreads(data, designs, hardware, {}, 0) == {}


def test_the_search_finds_the_least_loss_near_a_spread_and_always_begins_alike():
    begun = []

    def turned(spread, costs, turns):
        begun.append(costs)
        return EdgeCosts((1.0,), corner=spread), (spread - 0.12) ** 2

    first = EdgeCosts((1.0,))
    spread, costs, loss = search_near(0.1, first, 1.0, turned)
    assert spread == pytest.approx(0.12, abs=5e-4)
    assert costs.corner == spread
    assert loss == (spread - 0.12) ** 2
    assert set(map(id, begun)) == {id(first)}
    # Nothing better nearby: what was known stays.
    assert search_near(0.1, first, -1.0, turned) == (0.1, first, -1.0)
