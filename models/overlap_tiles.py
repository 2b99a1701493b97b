"""Which tiles of a fit overlap memory with computing, and what their designs are then.

Interplay with the joint estimation, kept simple: tiles are judged with a launch cost of their own, and together: a
device moves data in one way, and one tile alone seldom shows which (:func:`expect_overlap`). Where overlap wins,
the assignment of its cells to computing or memory is found together with the shared launch cost (solve all tiles,
assign again, until nothing changes or for some turns; the best turn counts), and is from then on as given as the
choice of terms: folds and draws keep it. Held-out cells are assigned by the coefficients of the fold that predicts
them.

A tile is judged with all memory terms in its design. In a sum, work-groups stand in for the bytes of D wherever
every size is a multiple of the tile, and either of them is left out; where the two overlap they never meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.last_wave import LastWave
from models.overlap import MEMORY, OverlapLaw, overlapped, parts_of, scales_at, shown
from models.overlap_comparison import OverlapTest, compare_overlap
from models.solve import solve_nonnegative
from models.term import Term
from models.terms.operand_rereads import OperandRereads
from models.tile_data import TileData
from models.tile_fit import PreparedTile, joint_system, prepare_tiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_TURNS = 24
_SETTLED = 1e-4
"""Largest change of a scale after which the turns have arrived."""
_HARDLY = 0.005
"""Of a launch's time: memory that adds less is as good as hidden."""
_FEWEST = 3
"""Tiles that together can tell how a device moves data."""


def with_memory(design: Design, terms: Sequence[Term], hardware: Hardware) -> Design:
    """Add all memory terms: in a sum, others stand in for traffic that a kernel hides most of the time."""
    names = design.names
    return Design.of(
        [term for term in terms if term.name in names or term.resource == MEMORY], design.tile, hardware
    )


def find_overlap(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    fold_of_block: Indices,
    places: tuple[Indices, Indices],
    seed: int,
    waiting: Mapping[str, NDArray[np.bool_]],
    power: float,
) -> dict[str, OverlapTest]:
    """Compare sum and overlap on every tile that has a memory cost to overlap.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        With all memory terms.
    hardware : Hardware
    fold_of_block : ndarray of int64, shape (B,)
    places : tuple of ndarray of int64, shape (B,)
        Row and column of each block.
    seed : int
        Of the cells that large landscapes are thinned to.
    waiting : mapping of tile label to ndarray of bool, shape (n,)
        Launches that were found to wait for memory before.
    power : float
        Of the law, as it was found before.
    """
    found = {}
    for number, (label, item) in enumerate(data.items()):
        rng = np.random.default_rng((seed, 2, number))
        again = OperandRereads()
        traffic = item.problem.footprint.copy()
        if again.applies(item.tile, hardware) is None:
            traffic += again.columns(item.problem, hardware, frozenset())[:, 0]
        test = compare_overlap(
            designs[label].matrix(item.problem, hardware),
            item.samples.time,
            designs[label].resources(hardware),
            item.blocks,
            fold_of_block,
            places,
            item.problem.flop / traffic,
            rng,
            LastWave.of(item.problem, hardware, ALL_MECHANISMS),
            waiting.get(label),
            power,
        )
        if test is not None:
            found[label] = test
    hidden = {label for label, item in data.items() if item.hidden}
    return expect_overlap(found, hidden)


def expect_overlap(tests: Mapping[str, OverlapTest], hidden: AbstractSet[str]) -> dict[str, OverlapTest]:
    """Expect overlap of all tiles where, taken together, it tells their held-out blocks better than a sum.

    A device moves data in one way, so its tiles are a choice between two models, not a test of each: the logarithm
    of the held-out loss falls on average over all blocks and tiles. No margin is asked for. Where costs add up,
    the sum is better by far even if memory takes a twentieth of the time (``docs/inference_sizes.md``); where it
    takes nothing, either model says the same. But where they overlap and much else is missed, as on small grids,
    hardly any tile proves it beyond chance, and a sum then blames what it misses on mechanisms that are not there.

    Parameters
    ----------
    tests : mapping of tile label to OverlapTest
    hidden : set of str
        Tiles of other makers' kernels, which are left as they are and not counted.
    """
    known = [test.test.log_ratio for label, test in tests.items() if label not in hidden]
    if len(known) < _FEWEST or not np.mean(known) > 0:
        return dict(tests)
    return {label: test if label in hidden else replace(test, expected=True) for label, test in tests.items()}


def launches_that_compute(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    tests: Mapping[str, OverlapTest],
) -> dict[str, NDArray[np.bool_]]:
    """Find, for every tile of known size that overlaps, the launches that memory hardly adds to, shape (n,)."""
    found = {}
    for label, test in tests.items():
        if test.overlaps and not data[label].hidden:
            problem, resources = data[label].problem, designs[label].resources(hardware)
            matrix, law = designs[label].matrix(problem, hardware), test.how.law(problem, hardware, ALL_MECHANISMS)
            scales = scales_at(matrix, test.theta, resources, law)
            moving, _ = parts_of(resources)
            found[label] = scales[1] * (matrix[:, moving] @ test.theta[moving]) < _HARDLY * (matrix @ test.theta)
    return found


def prepare_overlapping(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    wide: Mapping[str, Design],
    hardware: Hardware,
    n_blocks: int,
    tests: Mapping[str, OverlapTest],
) -> tuple[dict[str, PreparedTile], frozenset[str]]:
    """Prepare all tiles, the overlapping ones with the columns of each cell's shorter part at zero.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        Of the sum.
    wide : mapping of tile label to Design
        With all memory terms, of tiles that overlap.
    hardware : Hardware
    n_blocks : int
    tests : mapping of tile label to OverlapTest

    Returns
    -------
    prepared : dict of tile label to PreparedTile
    overlapping : frozenset of str
        Tiles that overlap; one that a sum fits better, with a launch cost that all share, is left a sum.
    """
    theta = {label: test.theta for label, test in tests.items() if test.overlaps}
    chosen = {label: wide[label] if label in theta else designs[label] for label in data}
    matrices = {label: design.matrix(data[label].problem, hardware) for label, design in chosen.items()}
    laws = {label: tests[label].how.law(data[label].problem, hardware, ALL_MECHANISMS) for label in theta}
    best: dict[str, PreparedTile] = {}
    losses: dict[str, float] = {}
    scales: dict[str, Array] = {}
    for _ in range(_TURNS):
        before, scales = (
            scales,
            {
                label: scales_at(matrices[label], coefficients, chosen[label].resources(hardware), laws[label])
                for label, coefficients in theta.items()
            },
        )
        counted = dict(matrices)
        for label, now in scales.items():
            counted[label] = shown(matrices[label], now, chosen[label].resources(hardware))
        prepared = prepare_tiles(data, chosen, hardware, n_blocks, counted)
        for label, solved in zip(prepared, joint_system(prepared).solve(), strict=True):
            if label in theta:
                theta[label] = prepared[label].over_all_columns(solved)
        # Cells may go on changing sides for ever: what counts is how well the coefficients do.
        loss = {
            label: _loss(
                matrices[label],
                data[label].samples.time,
                theta[label],
                chosen[label].resources(hardware),
                laws[label],
            )
            for label in theta
        }
        if not best or sum(loss.values()) < sum(losses.values()):
            best, losses = prepared, loss
        if all(label in before and np.abs(scales[label] - before[label]).max() < _SETTLED for label in theta):
            break
    worse = {
        label for label, loss in losses.items() if loss >= _least_sum(matrices[label], data[label].samples.time)
    }
    if worse:
        others = {label: test for label, test in tests.items() if label not in worse}
        return prepare_overlapping(data, designs, wide, hardware, n_blocks, others)
    return best, frozenset(theta)


def _loss(matrix: Array, time: Array, theta: Array, resources: Sequence[str], law: OverlapLaw) -> float:
    """Sum of squared relative residuals of overlap."""
    return float(np.sum((1.0 - overlapped(matrix, theta, resources, law) @ theta / time) ** 2))


def _least_sum(matrix: Array, time: Array) -> float:
    """Sum of squared relative residuals of the best sum."""
    weighted = matrix / time[:, None]
    theta = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    return float(np.sum((1.0 - weighted @ theta) ** 2))


def predicted(
    item: TileData, prepared: PreparedTile, rows: NDArray[np.bool_], theta: Array, overlap: OverlapTest | None
) -> Array:
    """Times of some cells under the coefficients of a fold, seconds, shape (rows,).

    Parameters
    ----------
    item : TileData
    prepared : PreparedTile
    rows : ndarray of bool, shape (n,)
    theta : ndarray, shape (k,)
        Of the identified columns.
    overlap : OverlapTest or None
        Of a tile that overlaps.
    """
    kept = prepared.kept
    if overlap is None:
        return np.asarray(prepared.matrix[np.ix_(rows, kept)] @ theta)
    problem = item.problem.take(np.flatnonzero(rows))
    matrix = prepared.design.matrix(problem, prepared.hardware)[:, kept]
    resources = prepared.design.resources(prepared.hardware)
    law = overlap.how.law(problem, prepared.hardware, ALL_MECHANISMS)
    return np.asarray(overlapped(matrix, theta, [resources[int(j)] for j in kept], law) @ theta)
