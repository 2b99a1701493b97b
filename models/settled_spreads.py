"""How far cores fall out of step, settled near what was found before, when all else is known.

Spreads are found while terms, overlap and caches are not yet what they will be. A spread that is off by a tenth
misses launches of a few waves by up to a per cent, as whole waves go by: costs of edges that are none would make up
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from models.design import Design
from models.edge_costs import EdgeCosts
from models.edge_turns import Bounded, take_turns
from models.hardware import Hardware
from models.tile_data import TileData

FEW_TURNS = 4
"""To compare spreads and residencies by."""
_NEAR = (0.6, 1.5)
"""Of a spread: where a better one is looked for."""
_STEPS, _EXACT = 10, 3e-4
"""Of that search: how many, and how near to each other spreads are that are tried."""
_BETTER = 1e-3
"""Part of the sum of squares that another spread has to save: less is not worth it."""
_MOST_CELLS = 2048
"""Of a tile, while its spread is looked for; beyond it, cells are drawn at random."""


def settle_spreads(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
    seed: int,
) -> dict[str, tuple[float, EdgeCosts | None]]:
    """Look near the spreads of the cores for ones that tell the timings better.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum, or with all memory terms where a tile overlaps.
    hardware : Hardware
        With spreads of the cores and edge costs.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap.
    seed : int
        Of the cells that large landscapes are thinned to.

    Returns
    -------
    dict of tile label to tuple of float and EdgeCosts or None
        The spread and the edge costs, of those tiles alone for which there are better ones. Tiles in step stay so.
    """
    settled = {}
    for label, item in data.items():
        if not item.hidden and hardware.core_spread_of(item.tile.name) > 0.0:
            found = _settle(item, designs[label], hardware, bounded.get(label), seed)
            if found is not None:
                settled[label] = found
    return settled


def thinned(item: TileData, bounded: Bounded | None, seed: int) -> tuple[TileData, Bounded | None]:
    """Return as many cells as a spread is looked for with, and what they count."""
    rows = item.thinned_rows(_MOST_CELLS, np.random.default_rng(seed))
    return item.part(rows), None if bounded is None else (bounded[0][:, rows], bounded[1])


def search_near(
    spread: float, costs: EdgeCosts | None, least: float, turned: Callable[..., tuple[EdgeCosts | None, float]]
) -> tuple[float, EdgeCosts | None, float]:
    """Look for a better spread near one that is known, each time beginning with its costs.

    Beginning with the best costs so far would favour spreads that are tried late: turns go on bettering costs.

    Parameters
    ----------
    spread : float
        With its ``costs`` and their loss, ``least``.
    turned : callable
        Of a spread, costs to begin with and a number of turns: better costs and their loss.

    Returns
    -------
    tuple of float, EdgeCosts or None, float
        The spread of the least loss that was met, its costs and the loss.
    """
    best = (spread, costs, least)

    def loss(other: float) -> float:
        nonlocal best
        found, value = turned(float(other), costs, FEW_TURNS)
        if value < best[2]:
            best = (float(other), found, value)
        return value

    minimize_scalar(
        loss,
        bounds=(_NEAR[0] * spread, _NEAR[1] * spread),
        method="bounded",
        options={"xatol": _EXACT, "maxiter": _STEPS},
    )
    return best


def _settle(
    item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None, seed: int
) -> tuple[float, EdgeCosts | None] | None:
    """Settle one tile; ``None`` where the spread that it has is as good."""
    tile = item.tile.name
    spread, costs = hardware.core_spread_of(tile), hardware.edges.get(tile)
    part, bounded = thinned(item, bounded, seed)
    without = replace(hardware, edges={k: v for k, v in hardware.edges.items() if k != tile})

    def turned(other: float, begin: EdgeCosts | None, turns: int) -> tuple[EdgeCosts | None, float]:
        state = without.with_core_spread(tile, other)
        return take_turns(part, design, state, bounded, 0 if costs is None else turns, begin, to_compare=True)

    before, least = turned(spread, costs, FEW_TURNS)
    other, found, loss = search_near(spread, before, least, turned)
    return (other, found) if loss < least * (1.0 - _BETTER) else None
