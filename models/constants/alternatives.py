"""How far the choices that timings leave open move the fitted costs, and the constants behind them.

Draws of the coefficients keep what a fit has chosen: a spill size, channels, how far cores are out of step, the
terms of each tile. Where other choices explain the timings as well, what is derived from the costs is no better
known than they agree. So the model is solved again under other tenable choices, one at a time, on a sample of the
shapes. The interval of a constant holds those of all that are tried (:mod:`models.constants.rates`), that of a
coefficient those under other values of a constant that its own column is made of, beside the terms of the fit and
beside all that apply: what a spilt byte costs is known as well as the size from which bytes spill. Counts of cores
and residents are not among the choices. Which cells of a tile that overlaps wait for memory is settled again, by
turns that start from the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.constants.constant import Constant, Profile
from models.design import ALL_MECHANISMS, Design
from models.gram import BlockGram
from models.hardware import Hardware
from models.joint import JointSystem
from models.overlap import Overlap, scales_at, shown
from models.result import TileFit
from models.term import Term
from models.tile_data import TileData

Array = NDArray[np.float64]

_MOST_CELLS = 3000
"""Shapes of a tile that an alternative is solved on."""
_TURNS = 4
"""Times that cells are assigned to computing or memory."""
_MOST_VALUES = 5
"""Tenable values of one constant that are tried, the outermost among them."""


@dataclass(frozen=True)
class Alternative:
    """Costs of every tile under one choice.

    Attributes
    ----------
    hardware : Hardware
    costs : mapping of tile label to mapping of coefficient name to float
        Seconds per what the coefficient counts.
    redefined : mapping of tile label to frozenset of str
        Coefficients that count something else than in the fit, because a constant is another.
    """

    hardware: Hardware
    costs: Mapping[str, Mapping[str, float]]
    redefined: Mapping[str, frozenset[str]] = field(default_factory=dict)


def solved_alternatives(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    terms: Sequence[Term],
    hardware: Hardware,
    open_constants: Sequence[tuple[str, Constant | None]],
    theta: Mapping[str, Array],
    how: Mapping[str, Overlap],
    rng: np.random.Generator,
) -> list[Alternative]:
    """Solve the model under the choices of the fit, which come first, and under each tenable alternative.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the chosen terms.
    terms : sequence of Term
        All candidates: a model of all that apply is an alternative to the choice.
    hardware : Hardware
        With the constants of the fit.
    open_constants : sequence of (str, Constant or None)
        Profiles of ``"cache_bytes"``, ``"channels"`` and, by tile label, of spreads.
    theta : mapping of tile label to ndarray, shape (p,)
        Of tiles that overlap memory with computing: the coefficients of their designs, which assign their cells.
    how : mapping of tile label to Overlap
        How these do.
    rng : numpy.random.Generator
        Draws the sample of the shapes.

    Returns
    -------
    list of Alternative
        Of the choices of the fit alone, where there is no alternative.
    """
    items = {label: item.thinned(_MOST_CELLS, rng) for label, item in data.items()}
    every = {
        label: Design.of([term for term in terms if label in theta or not term.needs_overlap], item.tile, hardware)
        for label, item in items.items()
    }
    start = {
        label: dict(zip(_names(designs[label], hardware), map(float, costs), strict=True))
        for label, costs in theta.items()
    }
    found = [Alternative(hardware, _solve(items, designs, hardware, start, how))]
    if any(every[label].names != designs[label].names for label in items):
        found.append(Alternative(hardware, _solve(items, every, hardware, start, how)))
    for key, constant in open_constants:
        profile = None if constant is None else constant.profile
        for state in _states(hardware, key, profile):
            # A term that was not chosen may have been so for want of this very value.
            for some in (designs, every) if key == "cache_bytes" else (designs,):
                kept = {label: Design.of(design.terms, items[label].tile, state) for label, design in some.items()}
                redefined = {
                    label: _redefined(items[label], design, kept[label], hardware, state)
                    for label, design in some.items()
                }
                found.append(Alternative(state, _solve(items, kept, state, start, how), redefined))
    return found


def _redefined(
    item: TileData, design: Design, other: Design, hardware: Hardware, state: Hardware
) -> frozenset[str]:
    """Coefficients of a tile whose columns another constant changes."""
    before, after = (
        dict(zip(_names(one, known), one.matrix(item.problem, known).T, strict=True))
        for one, known in ((design, hardware), (other, state))
    )
    return frozenset(name for name in before if name in after and not np.array_equal(before[name], after[name]))


def with_open_constants(fit: TileFit, others: Sequence[Alternative]) -> TileFit:
    """Return the fit of a tile with intervals of coefficients that hold those under other tenable constants."""
    label = fit.tile.name
    estimates = []
    for estimate in fit.estimates:
        moves = [
            other.costs[label][estimate.name] - others[0].costs[label][estimate.name]
            for other in others
            if estimate.name in other.redefined.get(label, frozenset())
        ]
        if estimate.lower is not None and estimate.upper is not None and moves:
            low, high = widened(estimate.lower, estimate.upper, moves)
            estimate = replace(estimate, lower=max(0.0, low), upper=high)
        estimates.append(estimate)
    return replace(fit, estimates=tuple(estimates))


def widened(low: float, high: float, moves: Sequence[float]) -> tuple[float, float]:
    """Move an interval as far to each side as any alternative moves the estimate: all their intervals together."""
    return low + min(0.0, min(moves, default=0.0)), high + max(0.0, max(moves, default=0.0))


def _states(hardware: Hardware, key: str, profile: Profile | None) -> list[Hardware]:
    """Hardware with each tenable value of a constant but the one that it has."""
    if profile is None:
        return []
    tenable = [value for value, kept in zip(profile.candidates, profile.tenable, strict=True) if kept]
    places = np.unique(np.linspace(0, len(tenable) - 1, min(len(tenable), _MOST_VALUES)).round().astype(int))
    found = []
    for value in (tenable[place] for place in places):
        if key == "cache_bytes":
            state = hardware.with_spill_size(value[0])
        elif key == "channels":
            if hardware.channels is None:
                continue
            state = replace(hardware, channels=int(value[0]), interleave_bytes=int(value[1]))
        else:
            state = hardware.with_core_spread(key, value[0])
        if state != hardware:
            found.append(state)
    return found


def _solve(
    items: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    start: Mapping[str, Mapping[str, float]],
    how: Mapping[str, Overlap],
) -> dict[str, dict[str, float]]:
    """Costs by name; cells of tiles that overlap are first assigned by the costs of the fit, then by their own."""
    names = {label: _names(designs[label], hardware) for label in items}
    keys = [
        [
            c.coefficient.name if c.term.shared and not item.hidden else None
            for c in designs[label].columns(hardware)
        ]
        for label, item in items.items()
    ]
    matrices = {label: designs[label].matrix(item.problem, hardware) for label, item in items.items()}
    costs = {label: dict(known) for label, known in start.items()}
    solved: dict[str, dict[str, float]] = {}
    for _ in range(_TURNS if start else 1):
        sums = []
        for label, item in items.items():
            matrix = matrices[label]
            if label in costs:
                theta = np.array([costs[label].get(name, 0.0) for name in names[label]])
                law = how[label].law(item.problem, hardware, ALL_MECHANISMS)
                resources = designs[label].resources(hardware)
                matrix = shown(matrix, scales_at(matrix, theta, resources, law), resources)
            sums.append(BlockGram.of(matrix, item.samples.time, np.zeros(item.samples.size, dtype=np.int64), 1))
        found = JointSystem.of(sums, keys).solve()
        solved = {
            label: dict(zip(names[label], map(float, part), strict=True))
            for label, part in zip(items, found, strict=True)
        }
        costs = {label: solved[label] for label in start}
    return solved


def _names(design: Design, hardware: Hardware) -> list[str]:
    return [column.coefficient.name for column in design.columns(hardware)]
