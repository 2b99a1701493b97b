"""What terms ask of a set of mechanisms: by name, and no more than they need."""

from dataclasses import replace

import numpy as np
import pytest

from harness.tile import Tile
from models.consulted import Consulted
from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.limits import Limit
from models.problem import Problem
from models.terms import ALL_TERMS

TILE = Tile.parse("256x128x32")
COSTS = EdgeCosts((0.7, 1.0), (0.2, 0.1, 0.3), (0.4, 0.2, 0.0), 0.5)
PLAIN = Hardware(cores=20, residency={TILE.name: 2}, cache_bytes=8e6, channels=6, interleave_bytes=256)
FOLLOWED = replace(PLAIN, edges={TILE.name: COSTS})


def test_a_consulted_set_notes_what_was_asked():
    on = Consulted({"wave fill"}, ALL_MECHANISMS)
    assert "wave fill" in on
    assert "row pitch" not in on
    assert on.answers == {"wave fill": True, "row pitch": False}
    assert len(on & {"wave fill"}) == 1
    assert list(on) == ["wave fill"]
    assert on.asked >= ALL_MECHANISMS


def test_one_that_stands_before_another_passes_questions_on_but_no_more():
    behind = Consulted({"wave fill"}, ALL_MECHANISMS)
    before = Consulted(behind)
    assert "row pitch" not in before
    assert before.answers == {"row pitch": False}
    assert behind.asked == {"row pitch"}
    with pytest.raises(TypeError, match="by name"):
        list(before)


@pytest.mark.parametrize("limit", [None, *Limit])
@pytest.mark.parametrize("hardware", [PLAIN, FOLLOWED], ids=["plain", "followed"])
def test_terms_ask_for_few_mechanisms_by_name(hardware, limit):
    """A term that asked for all would be evaluated anew in each of hundreds of coalitions."""
    problem = Problem(*np.array([[2100, 512, 300], [1900, 512, 1024], [320, 512, 333]]), TILE)
    for term in Design.of(ALL_TERMS, TILE, hardware).terms:
        for off in [None, *sorted(ALL_MECHANISMS)]:
            on = Consulted(ALL_MECHANISMS - {off})
            if limit is None:
                term.columns(problem, hardware, on)
            else:
                term.limit_columns(limit, problem, hardware, on)
            most = 4 if hardware is PLAIN else 7
            assert len(on.asked) <= most, (term.name, sorted(on.asked))
