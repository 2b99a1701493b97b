"""How many work-groups a core holds, counted with the chains that ragged launches end with.

Residents are first counted with no other edge than the last work-group's. Where edges cost a lot, more residents
stand in for them: waves of many levels bend as edges do. Or fewer do, where edges hide how waves bend. So all
numbers are tried: each with cores a little out of step, the best two with other spreads, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.core_count import SPREADS
from models.design import Design
from models.edge_turns import LEAST_LOSS, Bounded, has_edges, take_turns
from models.hardware import Hardware
from models.settled_spreads import FEW_TURNS, thinned
from models.tile_data import TileData
from models.waves import MAX_RESIDENCY

_LIKELY = 0.03
"""Spread of the cores to try all numbers with."""
_CLOSEST = 2
"""Numbers that are tried with all spreads."""


def recount_by_chains(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
    seed: int,
) -> dict[str, int]:
    """Count the residents of tiles with ragged launches again, each number tried with its chains.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum, or with all memory terms where a tile overlaps.
    hardware : Hardware
        With cores, without edge costs.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap.
    seed : int
        Of the cells that large landscapes are thinned to.

    Returns
    -------
    dict of tile label to int
        The residency whose criterion, B log(loss) + 2 R log(B) over B blocks of (M, N), is the least.
    """
    found = {}
    first, *others = sorted(SPREADS, key=lambda spread: abs(spread - _LIKELY))
    for label, item in data.items():
        if not has_edges(item):
            continue
        part, bound = thinned(item, bounded.get(label), seed)
        trial = part, designs[label], hardware, bound
        scores = {residency: _score(*trial, residency, first) for residency in range(1, MAX_RESIDENCY + 1)}
        for residency in sorted(scores, key=lambda each: scores[each])[:_CLOSEST]:
            scores[residency] = min(scores[residency], *(_score(*trial, residency, each) for each in others))
        found[label] = min(scores, key=lambda each: scores[each])
    return found


def _score(
    item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None, residency: int, spread: float
) -> float:
    state = hardware.with_waves(hardware.cores, {**hardware.residency, item.tile.name: residency})
    state = state.with_core_spread(item.tile.name, spread)
    loss = take_turns(item, design, state, bounded, FEW_TURNS, to_compare=True)[1]
    blocks = np.unique(item.blocks).size
    return float(blocks * np.log(max(loss, LEAST_LOSS)) + 2.0 * residency * np.log(blocks))
