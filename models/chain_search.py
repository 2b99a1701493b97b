"""Where the turns that find chains begin: residents, how far cores are out of step, and costs of waves.

Turns (:mod:`models.edge_turns`) end at a local optimum. Waves that end at once tell the spread of the cores only
roughly, and with a spread that is off, costs of edges that are none make up for it. So the turns begin at the best
of several spreads and costs of waves, and the spread is found by what the turns end with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from models.core_count import SPREADS
from models.design import Design
from models.edge_costs import NO_DELAY, EdgeCosts
from models.edge_turns import LEAST_LOSS, Bounded, edge_costs, has_edges, solved, take_turns
from models.hardware import Hardware
from models.tile_data import TileData

_FEW_TURNS = 4
"""To compare residencies and spreads by."""
_SPREADS = (0.0, 0.04, 0.1)
"""Of the cores' rates, to begin with."""
_NEAR = (0.6, 1.5)
"""Of the best of them: where a better one is looked for."""
_STEPS, _EXACT = 8, 1e-3
"""Of that search: how many, and how near to each other spreads are that are tried."""
_BENDS = (0.4, 0.8)
"""How much less waves of few residents cost, to begin with."""
_WORTH = 2.0
"""Price of a spread: logarithms of the number of blocks."""
_MOST_CELLS = 2048
"""Of a tile, while its spread is looked for; beyond it, cells are drawn at random."""


def find_edge_costs(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
    seed: int,
) -> tuple[dict[str, EdgeCosts], dict[str, float]]:
    """Find the edge costs of tiles whose launches are told better by chains of work-groups, and their spreads.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum, or with all memory terms where a tile overlaps.
    hardware : Hardware
        Without edge costs, with spreads of the cores.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap.
    seed : int
        Of the cells that large landscapes are thinned to while the spread is looked for.

    Returns
    -------
    edges : dict of tile label to EdgeCosts
    spreads : dict of tile label to float
        Of tiles with ragged launches whose cores are out of step.
    """
    edges: dict[str, EdgeCosts] = {}
    spreads: dict[str, float] = {}
    for label, item in data.items():
        state, begin = hardware, None
        if has_edges(item):
            # What one kernel has told of the cores may hold for the next.
            tried = {*_SPREADS, hardware.core_spread_of(item.tile.name), *spreads.values()}
            spread, begin = _beginning(item, designs[label], hardware, bounded.get(label), sorted(tried), seed)
            state = hardware.with_core_spread(item.tile.name, spread)
            if spread > 0.0:
                spreads[label] = spread
        costs, _ = take_turns(item, designs[label], state, bounded.get(label), begin=begin)
        if costs is not None:
            edges[label] = costs
    return edges, spreads


def recount_by_chains(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
) -> dict[str, int]:
    """Count the residents of tiles with ragged launches again, fewer of them tried with their chains.

    Residents are first counted with no other edge than the last work-group's. Where edges cost a lot, more
    residents stand in for them: waves of many levels bend as edges do. With chains, fewer may tell the timings
    as well.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum, or with all memory terms where a tile overlaps.
    hardware : Hardware
        With residencies as counted, without edge costs.
    bounded : mapping of tile label to Bounded

    Returns
    -------
    dict of tile label to int
        The residency whose criterion, B log(loss) + 2 R log(B) over B blocks of (M, N), is the least.
    """
    found = {}
    for label, item in data.items():
        counted, blocks = hardware.residency_of(label), np.unique(item.blocks).size
        if counted == 1 or not has_edges(item):
            continue
        scores = []
        for residency in range(1, counted + 1):
            state = hardware.with_waves(hardware.cores, {**hardware.residency, label: residency})
            losses = [
                take_turns(
                    item, designs[label], state.with_core_spread(label, spread), bounded.get(label), _FEW_TURNS
                )[1]
                for spread in SPREADS
            ]
            scores.append(blocks * np.log(max(min(losses), LEAST_LOSS)) + 2.0 * residency * np.log(blocks))
        found[label] = 1 + int(np.argmin(scores))
    return found


def _beginning(
    item: TileData,
    design: Design,
    hardware: Hardware,
    bounded: Bounded | None,
    spreads: Sequence[float],
    seed: int,
) -> tuple[float, EdgeCosts | None]:
    """Look for the spread of the cores, 0 where it is not worth its price, and for costs to begin with."""
    tile, rows = item.tile.name, item.thinned_rows(_MOST_CELLS, np.random.default_rng(seed))
    part = item.part(rows)
    if bounded is not None:
        bounded = bounded[0][:, rows], bounded[1]
    starts = {each: _best_start(part, design, hardware.with_core_spread(tile, each), bounded) for each in spreads}

    def by_turns(other: float, begin: EdgeCosts | None) -> float:
        state = hardware.with_core_spread(tile, float(other))
        return take_turns(part, design, state, bounded, _FEW_TURNS, begin)[1]

    # Before the turns the costs are too far off for losses to tell spreads apart.
    ends = {each: by_turns(each, begin) for each, begin in starts.items()}
    spread = min(ends, key=lambda each: ends[each])
    begin, least, in_step = starts[spread], ends[spread], ends[0.0]
    blocks = np.unique(part.blocks).size

    def worth(loss: float) -> bool:
        gain = blocks * np.log(max(in_step, LEAST_LOSS) / max(loss, LEAST_LOSS))
        return bool(gain > _WORTH * np.log(blocks))

    if spread > 0.0 and worth(least):
        near = (_NEAR[0] * spread, _NEAR[1] * spread)
        search = minimize_scalar(
            by_turns,
            args=(begin,),
            bounds=near,
            method="bounded",
            options={"xatol": _EXACT, "maxiter": _STEPS},
        )
        if search.fun < least:
            spread, least = float(search.x), float(search.fun)
    return (spread if worth(least) else 0.0), begin


def _best_start(item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None) -> EdgeCosts | None:
    """Choose among no chains, the costs of that fit, its waves alone, and waves of few residents that cost less."""
    tile, residency = item.tile.name, hardware.residency_of(item.tile.name)
    theta, loss = solved(item, design, hardware, bounded)
    tried: list[tuple[EdgeCosts | None, float]] = [(None, loss)]
    own = edge_costs(item, design, hardware, theta, None if bounded is None else bounded[1].power)
    if own is not None:
        alone = replace(own, delay_n=NO_DELAY, delay_m=NO_DELAY, corner=0.0)
        bent = [replace(alone, levels=_bent(residency, bend)) for bend in _BENDS if residency > 1]
        for costs in (own, alone, *bent):
            state = replace(hardware, edges={tile: costs})
            tried.append((costs, solved(item, design, state, bounded)[1]))
    return min(tried, key=lambda each: each[1])[0]


def _bent(residency: int, bend: float) -> tuple[float, ...]:
    """Levels of waves: all alike where ``bend`` is 0, a part for each resident where it is 1."""
    held = np.arange(1.0, residency + 1.0) / residency
    return tuple(float(level) for level in 1.0 - bend * (1.0 - held))
