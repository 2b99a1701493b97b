"""Where the turns that find chains begin: residents, how far cores are out of step, and costs of waves.

Turns (:mod:`models.edge_turns`) end at a local optimum. Waves that end at once tell the spread of the cores only
roughly, and with a spread that is off, costs of edges that are none make up for it. So the turns begin at the best
of several spreads and costs of waves, and the spread is found by what the turns end with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.design import Design
from models.edge_costs import EdgeCosts
from models.edge_turns import LEAST_LOSS, Bounded, edge_costs, has_edges, solved, take_turns
from models.hardware import Hardware
from models.ragged_launches import MASKED
from models.settled_spreads import FEW_TURNS, search_near, thinned
from models.tile_data import TileData

_SPREADS = (0.0, 0.04, 0.1)
"""Of the cores' rates, to begin with."""
_BENDS = (0.4, 0.8)
"""How much less waves of few residents cost, to begin with."""
_ALONE = (0.4, 0.55, 0.75)
"""What a wave of lone work-groups takes of a full one where these cannot keep a core busy, to begin with."""
_DELAYS = (0.05, 0.15, 0.5)
"""Of work-groups at edges of which little lies outside, in waves, to begin with."""
_WORTH = 2.0
"""Price of a spread: logarithms of the number of blocks."""


def find_edge_costs(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
    seed: int,
    known: Mapping[str, EdgeCosts] | None = None,
    *,
    near: bool = True,
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
    known : mapping of tile label to EdgeCosts, optional
        Costs that were found before, to begin with as well.
    near : bool
        Whether spreads near the best of those that are tried are looked at, too.

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
            before = (known or {}).get(label)
            spread, begin = _beginning(
                item, designs[label], hardware, bounded.get(label), sorted(tried), before, seed, near
            )
            state = hardware.with_core_spread(item.tile.name, spread)
            if spread > 0.0:
                spreads[label] = spread
        costs, _ = take_turns(item, designs[label], state, bounded.get(label), begin=begin)
        if costs is not None:
            edges[label] = costs
    return edges, spreads


def turned_again(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
) -> dict[str, EdgeCosts]:
    """Take a few more turns from the edge costs that are known, with the spreads that are.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
    hardware : Hardware
        With edge costs and spreads of the cores.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap.

    Returns
    -------
    dict of tile label to EdgeCosts
        Of the tiles that had some, but those whose launches are told better without by now.
    """
    found = {}
    for label, known in hardware.edges.items():
        without = replace(hardware, edges={k: v for k, v in hardware.edges.items() if k != label})
        costs, _ = take_turns(data[label], designs[label], without, bounded.get(label), FEW_TURNS, known)
        if costs is not None:
            found[label] = costs
    return found


def _beginning(
    item: TileData,
    design: Design,
    hardware: Hardware,
    bounded: Bounded | None,
    spreads: Sequence[float],
    known: EdgeCosts | None,
    seed: int,
    near: bool,
) -> tuple[float, EdgeCosts | None]:
    """Look for the spread of the cores, 0 where it is not worth its price, and for costs to begin with."""
    tile = item.tile.name
    part, bounded = thinned(item, bounded, seed)

    def turned(spread: float, begin: EdgeCosts | None, turns: int) -> tuple[EdgeCosts | None, float]:
        state = hardware.with_core_spread(tile, spread)
        return take_turns(part, design, state, bounded, turns, begin, to_compare=True)

    # Before the turns the costs are too far off for losses to tell spreads apart.
    ends = {
        each: turned(
            each, _best_start(part, design, hardware.with_core_spread(tile, each), bounded, known), FEW_TURNS
        )
        for each in spreads
    }
    spread = min(ends, key=lambda each: ends[each][1])
    (begin, least), in_step = ends[spread], ends[0.0][1]
    blocks = np.unique(part.blocks).size

    def worth(loss: float) -> bool:
        gain = blocks * np.log(max(in_step, LEAST_LOSS) / max(loss, LEAST_LOSS))
        return bool(gain > _WORTH * np.log(blocks))

    if near and spread > 0.0 and worth(least):
        spread, begin, least = search_near(spread, begin, least, turned)
    return (spread, begin) if worth(least) else (0.0, ends[0.0][0])


def _best_start(
    item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None, known: EdgeCosts | None
) -> EdgeCosts | None:
    """Choose no chains, costs of that fit or known ones, or other costs of few residents and delays."""
    tile, residency = item.tile.name, hardware.residency_of(item.tile.name)
    theta, loss = solved(item, design, hardware, bounded)
    own = edge_costs(item, design, hardware, theta, None if bounded is None else bounded[1].power)
    if own is None:
        return None

    def best(tried: Sequence[EdgeCosts]) -> tuple[float, EdgeCosts]:
        states = [replace(hardware, edges={tile: costs}) for costs in tried]
        losses = [solved(item, design, state, bounded)[1] for state in states]
        least = int(np.argmin(losses))
        return losses[least], tried[least]

    alone = own.without_delays()
    levels = [_bent(residency, bend) for bend in _BENDS if residency > 1]
    levels += [_busy(residency, least) for least in _ALONE if residency > 2]
    before = [known] if known is not None and len(known.levels) == residency else []
    found = [best([own, alone, *(replace(alone, levels=each) for each in levels), *before])]
    if MASKED in design.names:
        # Without chains delays come out anyhow, and turns that begin there end far from those of the kernel.
        found.append(best([_late(alone, delay) for delay in _DELAYS]))
        if levels:
            found.append(best([replace(found[-1][1], levels=each) for each in levels]))
    least, start = min(found, key=lambda each: each[0])
    return start if least < loss else None


def _late(costs: EdgeCosts, delay: float) -> EdgeCosts:
    """Costs with delays at both edges alike, longer where more lies outside, and at the corner more than both."""
    delays = (delay, 2.0 * delay, 4.0 * delay)
    return replace(costs, delay_n=delays, delay_m=delays, corner=1.0)


def _busy(residency: int, least: float) -> tuple[float, ...]:
    """Levels of waves of which each work-group uses as much of a core as it can alone, or its part of it."""
    return tuple(max(least, held / residency) for held in range(1, residency + 1))


def _bent(residency: int, bend: float) -> tuple[float, ...]:
    """Levels of waves: all alike where ``bend`` is 0, a part for each resident where it is 1."""
    held = np.arange(1.0, residency + 1.0) / residency
    return tuple(float(level) for level in 1.0 - bend * (1.0 - held))
