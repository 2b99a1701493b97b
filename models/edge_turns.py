"""Costs of work-groups at ragged edges, and the chains that launches end with, found by turns.

Chains (:mod:`models.ragged_launches`) are counted at given costs, and costs are fitted to given counts; each turn
does both once, beginning with the costs of a fit without chains, or with better ones (:mod:`models.chain_search`).
The turn that fits best counts, and only where it fits better than no chains do, with fewer coefficients.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.fill_levels import fill_levels
from models.hardware import Hardware
from models.overlap import LONGER, Overlap
from models.overlap_fit import fit_overlap
from models.slow_steps import MASKED_STEP, misaligned
from models.solve import solve_nonnegative
from models.sweeps import SHARES
from models.tile_data import LEAST_SAMPLES, TileData

Array = NDArray[np.float64]
Bounded = tuple[Array, Overlap]
"""What each launch of a tile that overlaps counts of computing and of memory, shape (2, n), and how it overlaps."""

_MOVED = ("byte", "spilt byte", "waiting byte")
"""Coefficients of bytes, each moved once by a launch."""

TURNS = 8
LEAST_LOSS = 1e-300
"""Of a logarithm: an exact fit has none."""
_ALIKE = 1e-6
"""Sums of squares this close differ by rounding only."""
_EXACT = 1e-20
"""Squared relative residual of a launch that is rounding: of exact landscapes it would choose the chains."""
_AGAIN, _AKAIKE = 2, 2.0
"""Times that costs are replaced by those of their fit, and what they may lose by it, in B log(loss) of B blocks."""
_LEAST_LEVEL = 0.01
"""Of a wave of R: whatever a fit says, one resident takes some time."""


def has_edges(item: TileData) -> bool:
    """Whether enough launches of known tiles are ragged."""
    return not item.hidden and int(item.problem.ragged.sum()) >= LEAST_SAMPLES


def take_turns(
    item: TileData,
    design: Design,
    hardware: Hardware,
    bounded: Bounded | None,
    turns: int = TURNS,
    begin: EdgeCosts | None = None,
    *,
    to_compare: bool = False,
) -> tuple[EdgeCosts | None, float]:
    """Find the edge costs of a tile, if any, and the sum of squared relative residuals of the fit that counts.

    Costs that are found only to compare their losses with others stay as the best turn had them.
    """
    theta, least = solved(item, design, hardware, bounded)
    exact = _EXACT * item.problem.size
    least = max(least, exact)
    best, before, state = None, begin, hardware
    if begin is not None:
        state = replace(hardware, edges={item.tile.name: begin})
        theta, loss = solved(item, design, state, bounded)
        if max(loss, exact) < least * (1.0 - _ALIKE):
            best, least = begin, loss
    for _ in range(turns if has_edges(item) else 0):
        costs = edge_costs(item, design, state, theta, None if bounded is None else bounded[1].power)
        if costs is None:
            break
        # Taken whole, new costs make other chains, which bring the old ones back.
        before = costs if before is None else before.halfway(costs)
        state = replace(hardware, edges={item.tile.name: before})
        theta, loss = solved(item, design, state, bounded)
        if max(loss, exact) < least * (1.0 - _ALIKE):
            best, least = before, loss
    if best is None or to_compare:
        return best, least
    return _own(item, design, hardware, bounded, best, least)


def _own(
    item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None, costs: EdgeCosts, least: float
) -> tuple[EdgeCosts, float]:
    """Replace costs by those of the fit that is counted with them, unless blocks tell that the fit gets worse.

    Costs that turns began with may count nearly the same chains as those of the kernel do, on a grid that cuts all
    tiles alike, say. Then no turn betters them; but without padding, or without edges, they are not what the kernel
    has. A corner is told in delays, so it takes a time more than these.
    """
    blocks = np.unique(item.blocks).size
    worse = max(least, _EXACT * item.problem.size) * np.exp(_AKAIKE / blocks)
    state = replace(hardware, edges={item.tile.name: costs})
    theta, _ = solved(item, design, state, bounded)
    for _ in range(_AGAIN):
        found = edge_costs(item, design, state, theta, None if bounded is None else bounded[1].power)
        if found is None:
            break
        state = replace(hardware, edges={item.tile.name: found})
        theta, loss = solved(item, design, state, bounded)
        if loss > worse:
            break
        costs, least = found, loss
    return costs, least


def solved(item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None) -> tuple[Array, float]:
    """Coefficients and their sum of squared relative residuals."""
    matrix = design.matrix(item.problem, hardware)
    if bounded is None:
        weighted = matrix / item.samples.time[:, None]
        theta = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
        return theta, float(np.sum((1.0 - weighted @ theta) ** 2))
    scales, how = bounded
    law = how.law(item.problem, hardware, ALL_MECHANISMS)
    return fit_overlap(matrix, item.samples.time, design.resources(hardware), [scales], law)


def edge_costs(
    item: TileData, design: Design, hardware: Hardware, theta: Array, power: float | None
) -> EdgeCosts | None:
    """Take relative costs from the coefficients of a design; ``None`` where a wave costs nothing.

    ``power`` is that with which memory and computing overlap, ``None`` where they add up.
    """
    costs = {
        column.coefficient.name: float(value) for column, value in zip(design.columns(hardware), theta, strict=True)
    }
    steps = float(np.median(item.problem.steps(ALL_MECHANISMS)))
    levels = np.zeros(hardware.residency_of(item.tile.name))
    for name, held in fill_levels(levels.size).items():
        wave, step = (f"wave, {name}", f"step, {name}") if name else ("wave", "wave step")
        levels += (costs.get(wave, 0.0) + costs.get(step, 0.0) * steps) * held
    if levels[-1] <= 0.0:
        return None

    def late(axis: str) -> list[float]:
        kinds = ("masked step", "outside", "mostly outside")
        return [steps * costs.get(f"{kind}, {axis}", 0.0) / float(levels[-1]) for kind in kinds]

    corner = steps * costs.get("masked corner", 0.0) / float(levels[-1])
    relative = np.maximum(levels / levels[-1], _LEAST_LEVEL)
    prices = [0.0 if power is None else costs.get(kind, 0.0) / float(levels[-1]) for kind in _MOVED]
    values = np.array([*relative, *late("N"), *late("M"), corner, *prices, steps])
    found = EdgeCosts.of(values, LONGER if power is None else power)
    kinds = (MASKED_STEP, *misaligned(item.problem.take(np.arange(1)), hardware))
    slower = {kind: steps * costs.get(kind, 0.0) / float(levels[-1]) for kind in kinds}
    kept = tuple(sorted((kind, value) for kind, value in slower.items() if value > 0.0))
    names = [f"{kind} again, {share:g} of the cache" for kind in ("byte", "waiting") for share in SHARES]
    again = tuple(0.0 if power is None else costs.get(name, 0.0) / float(levels[-1]) for name in names)
    return replace(found, seconds=float(levels[-1]), bytes_again=again, slower=kept)
