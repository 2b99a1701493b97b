"""Costs of work-groups at ragged edges, and the chains that launches end with, found by turns.

Chains (:mod:`models.ragged_launches`) are counted at given costs, and costs are fitted to given counts; each turn
does both once, beginning with the costs of a fit without chains. The turn that fits best counts, and only where it
fits better than no chains do, with fewer coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.core_count import SPREADS
from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.overlap import Overlap, fit_overlap
from models.solve import solve_nonnegative
from models.tile_data import LEAST_SAMPLES, TileData

Array = NDArray[np.float64]
Bounded = tuple[Array, Overlap]
"""What each launch of a tile that overlaps counts of computing and of memory, shape (2, n), and how it overlaps."""

_TURNS = 8
_FEW_TURNS = 4
"""To compare residencies by."""
_LEAST_LOSS = 1e-300
"""Of a logarithm: an exact fit has none."""
_ALIKE = 1e-6
"""Sums of squares this close differ by rounding only."""
_LEAST_LEVEL = 0.01
"""Of a wave of R: whatever a fit says, one resident takes some time."""


def find_edge_costs(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
) -> dict[str, EdgeCosts]:
    """Find the edge costs of tiles whose launches are told better by chains of work-groups.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum, or with all memory terms where a tile overlaps.
    hardware : Hardware
        Without edge costs.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap.
    """
    found = {}
    for label, item in data.items():
        costs, _ = _take_turns(item, designs[label], hardware, bounded.get(label))
        if costs is not None:
            found[label] = costs
    return found


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
        if counted == 1 or not _has_edges(item):
            continue
        scores = []
        for residency in range(1, counted + 1):
            state = hardware.with_waves(hardware.cores, {**hardware.residency, label: residency})
            losses = [
                _take_turns(item, designs[label], other, bounded.get(label), _FEW_TURNS)[1]
                for other in (replace(state, core_spread={label: spread}) for spread in SPREADS)
            ]
            scores.append(blocks * np.log(max(min(losses), _LEAST_LOSS)) + 2.0 * residency * np.log(blocks))
        found[label] = 1 + int(np.argmin(scores))
    return found


def _has_edges(item: TileData) -> bool:
    """Whether enough launches of known tiles are ragged."""
    return not item.hidden and int(item.problem.ragged.sum()) >= LEAST_SAMPLES


def _take_turns(
    item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None, turns: int = _TURNS
) -> tuple[EdgeCosts | None, float]:
    """Find the edge costs of a tile, if any, and the sum of squared relative residuals of the fit that counts."""
    theta, least = _solved(item, design, hardware, bounded)
    best, before, state = None, None, hardware
    for _ in range(turns if _has_edges(item) else 0):
        costs = edge_costs(item, design, state, theta, overlapping=bounded is not None)
        if costs is None:
            break
        # Taken whole, new costs make other chains, which bring the old ones back.
        before = costs if before is None else before.halfway(costs)
        state = replace(hardware, edges={item.tile.name: before})
        theta, loss = _solved(item, design, state, bounded)
        if loss < least * (1.0 - _ALIKE):
            best, least = before, loss
    return best, least


def _solved(item: TileData, design: Design, hardware: Hardware, bounded: Bounded | None) -> tuple[Array, float]:
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
    item: TileData, design: Design, hardware: Hardware, theta: Array, *, overlapping: bool = False
) -> EdgeCosts | None:
    """Take relative costs from the coefficients of a design; ``None`` where a wave costs nothing."""
    costs = {
        column.coefficient.name: float(value) for column, value in zip(design.columns(hardware), theta, strict=True)
    }
    steps = float(np.median(item.problem.steps(ALL_MECHANISMS)))
    levels = np.zeros(hardware.residency_of(item.tile.name))
    held = np.arange(1.0, levels.size + 1.0)
    for name, value in costs.items():
        kind, _, capped = name.partition(", ")
        if kind not in ("wave", "step", "wave step"):
            continue
        each = value * (1.0 if kind == "wave" else steps)
        if capped == "last resident":
            levels += each * (held == levels.size)
        else:
            levels += each * np.minimum(held, float(capped.removeprefix("residents to ") or 1.0))
    if levels[-1] <= 0.0:
        return None

    def late(axis: str) -> list[float]:
        kinds = ("masked step", "outside", "mostly outside")
        return [steps * costs.get(f"{kind}, {axis}", 0.0) / float(levels[-1]) for kind in kinds]

    corner = steps * costs.get("masked corner", 0.0) / float(levels[-1])
    relative = np.maximum(levels / levels[-1], _LEAST_LEVEL)
    byte = costs.get("byte", 0.0) / float(levels[-1]) if overlapping else 0.0
    return EdgeCosts.of(np.array([*relative, *late("N"), *late("M"), corner, byte, steps]))
