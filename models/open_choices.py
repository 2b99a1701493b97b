"""Draws of the costs under all choices that the timings leave open: what intervals of coefficients are made of.

A fit chooses: the terms of each tile, a spill size, channels, how far cores are out of step. Draws of its
coefficients (:mod:`models.draws`) keep these choices, and are sure of a cost that another choice, which explains
the timings as well, has elsewhere: ``docs/constants_coverage.md`` tells how often their intervals hold planted
costs, and how often those of this module do.

So coefficients are drawn again in the model of all terms that apply, which rests on no choice among them. Each draw
then takes one tenable value of every open constant, all equally likely, and moves by what that value moves the
costs; the moves are solved on a sample of the shapes, one constant at a time, and add up, to first order. It is
averaging over models (Buckland, Burnham and Augustin, Biometrics 53, 1997) without weights, as values are tenable
or not. Counts of cores and residents are not among the choices. Of tiles that overlap, the draws keep which cells
wait for memory, and the moves settle it again, by turns that start from the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.all_terms import AllTerms
from models.cells import Cells
from models.constants.constant import Constant, Profile
from models.design import ALL_MECHANISMS, Design
from models.draws import draw_coefficients
from models.gram import BlockGram
from models.hardware import Hardware
from models.joint import JointSystem
from models.open_costs import OpenCosts
from models.overlap import Overlap, scales_at, shown
from models.result import TileFit
from models.term import Term
from models.tile_data import TileData
from models.tile_fit import joint_system, prepare_tiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_MOST_CELLS = 3000
"""Shapes of a tile that a tenable value is solved on."""
_TURNS = 4
"""Times that cells are assigned to computing or memory."""
_MOST_VALUES = 5
"""Tenable values of one constant that are tried, the outermost among them."""
_FEWEST_MIXED = 4000
"""Draws are repeated up to this many, so that few of them meet all values."""


def with_open_choices(fit: TileFit, costs: OpenCosts) -> TileFit:
    """Return the fit of a tile with intervals of its coefficients that keep no choice of the fit.

    The model of all terms is kept with it, for the intervals of whatever is computed from the costs. A coefficient
    that it cannot tell keeps the interval among the terms of the fit.
    """
    estimates = []
    for estimate in fit.estimates:
        if estimate.lower is not None and estimate.estimate is not None:
            ends = costs.interval_of(estimate.name, estimate.estimate)
            if ends is not None:
                estimate = replace(estimate, lower=ends[0], upper=ends[1])
        estimates.append(estimate)
    return replace(fit, estimates=tuple(estimates), all_terms=costs.model)


def draw_open_choices(
    data: Mapping[str, TileData],
    fits: Mapping[str, TileFit],
    terms: Sequence[Term],
    hardware: Hardware,
    open_constants: Sequence[tuple[str, Constant | None]],
    how: Mapping[str, Overlap],
    cells: Cells,
    rng: np.random.Generator,
) -> dict[str, OpenCosts]:
    """Draw the costs of all tiles together, in the model of all terms, each draw at tenable values of constants.

    Parameters
    ----------
    data : mapping of tile label to TileData
    fits : mapping of tile label to TileFit
        With draws among their own terms; where there are none, none are made.
    terms : sequence of Term
        All candidates.
    hardware : Hardware
        With the constants of the fit.
    open_constants : sequence of (str, Constant or None)
        Profiles of ``"cache_bytes"``, ``"channels"`` and, by tile label, of spreads.
    how : mapping of tile label to Overlap
        Of tiles that overlap memory with computing.
    cells : Cells
        Where all samples of the fit lie.
    rng : numpy.random.Generator

    Returns
    -------
    dict of tile label to OpenCosts
        Empty where the fits have no draws.
    """
    draws = min(fit.draws.shape[0] for fit in fits.values())
    if draws == 0:
        return {}
    overlapping = {label: (_costs(fits[label]), law) for label, law in how.items()}
    designs = {
        label: Design.of([t for t in terms if label in how or not t.needs_overlap], item.tile, hardware)
        for label, item in data.items()
    }
    matrices = {label: design.matrix(data[label].problem, hardware) for label, design in designs.items()}
    for label, (costs, law) in overlapping.items():
        matrices[label] = _counted(matrices[label], data[label], designs[label], hardware, costs, law)
    n_blocks = max(int(item.blocks.max()) for item in data.values()) + 1
    prepared = prepare_tiles(data, designs, hardware, n_blocks, matrices)
    system = joint_system(prepared)
    solved = system.solve()
    residuals = [
        item.residuals(data[label], cells, theta)
        for (label, item), theta in zip(prepared.items(), solved, strict=True)
    ]
    drawn = draw_coefficients(system, residuals, draws, rng)
    names = {label: [_names(item.design, hardware)[int(j)] for j in item.kept] for label, item in prepared.items()}
    moves = _moves(data, designs, names, hardware, open_constants, overlapping, rng)
    repeated = -(-_FEWEST_MIXED // draws)
    taken = [rng.integers(len(states), size=draws * repeated) for states in moves]
    found = {}
    for place, (label, item) in enumerate(prepared.items()):
        every = tuple(_names(item.design, hardware))
        theta, own, too_large = (
            item.over_all_columns(part[place]) for part in (solved, drawn.draws, drawn.too_large)
        )
        mixed = np.tile(own, (repeated, 1))
        for states, values in zip(moves, taken, strict=True):
            mixed += np.array([[state[label].get(name, 0.0) for name in every] for state in states])[values]
        model = AllTerms(item.design.names, every, theta, own, too_large)
        told = np.isin(np.arange(len(every)), item.kept)
        found[label] = OpenCosts(model, told, np.maximum(mixed, 0.0))
    return found


def _costs(fit: TileFit) -> dict[str, float]:
    return {estimate.name: float(cost) for estimate, cost in zip(fit.estimates, fit.theta, strict=True)}


def _moves(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    names: Mapping[str, Sequence[str]],
    hardware: Hardware,
    open_constants: Sequence[tuple[str, Constant | None]],
    overlapping: Mapping[str, tuple[Mapping[str, float], Overlap]],
    rng: np.random.Generator,
) -> list[list[dict[str, dict[str, float]]]]:
    """What each value of each open constant adds to the costs: by constant, value, tile and name.

    The first value of each is that of the fit, which adds nothing.
    """
    items = {label: item.thinned(_MOST_CELLS, rng) for label, item in data.items()}
    kept = {label: frozenset(listed) for label, listed in names.items()}
    at_fit: dict[str, dict[str, float]] | None = None
    found = []
    for key, constant in open_constants:
        states = _states(hardware, key, None if constant is None else constant.profile)
        if not states:
            continue
        if at_fit is None:
            at_fit = _solve(items, designs, kept, hardware, overlapping)
        moved = [{label: dict.fromkeys(listed, 0.0) for label, listed in names.items()}]
        for state in states:
            there = {label: Design.of(design.terms, design.tile, state) for label, design in designs.items()}
            costs = _solve(items, there, kept, state, overlapping)
            moved.append(
                {
                    label: {name: costs[label].get(name, 0.0) - at_fit[label].get(name, 0.0) for name in listed}
                    for label, listed in names.items()
                }
            )
        found.append(moved)
    return found


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
    kept: Mapping[str, frozenset[str]],
    hardware: Hardware,
    overlapping: Mapping[str, tuple[Mapping[str, float], Overlap]],
) -> dict[str, dict[str, float]]:
    """Costs by name; cells of tiles that overlap are first assigned by the costs of the fit, then by their own."""
    names = {label: _names(designs[label], hardware) for label in items}
    columns = {label: [j for j, name in enumerate(names[label]) if name in kept[label]] for label in items}
    keys = []
    for label, item in items.items():
        listed = designs[label].columns(hardware)
        shared = [listed[j] for j in columns[label]]
        keys.append([c.coefficient.name if c.term.shared and not item.hidden else None for c in shared])
    matrices = {label: designs[label].matrix(item.problem, hardware) for label, item in items.items()}
    costs = {label: dict(known) for label, (known, _) in overlapping.items()}
    solved: dict[str, dict[str, float]] = {}
    for _ in range(_TURNS if overlapping else 1):
        sums = []
        for label, item in items.items():
            matrix = matrices[label]
            if label in costs:
                how = overlapping[label][1]
                matrix = _counted(matrix, item, designs[label], hardware, costs[label], how)
            used = matrix[:, columns[label]]
            sums.append(BlockGram.of(used, item.samples.time, np.zeros(item.samples.size, dtype=np.int64), 1))
        found = JointSystem.of(sums, keys).solve()
        solved = {
            label: {names[label][j]: float(cost) for j, cost in zip(columns[label], part, strict=True)}
            for label, part in zip(items, found, strict=True)
        }
        costs = {label: solved[label] for label in overlapping}
    return solved


def _counted(
    matrix: Array,
    item: TileData,
    design: Design,
    hardware: Hardware,
    costs: Mapping[str, float],
    how: Overlap,
) -> Array:
    """Design of a tile that overlaps, without what is hidden at some costs."""
    theta = np.array([costs.get(name, 0.0) for name in _names(design, hardware)])
    law, resources = how.law(item.problem, hardware, ALL_MECHANISMS), design.resources(hardware)
    return shown(matrix, scales_at(matrix, theta, resources, law), resources)


def _names(design: Design, hardware: Hardware) -> list[str]:
    return [column.coefficient.name for column in design.columns(hardware)]
