"""Which tiles of a fit overlap memory with computing, and what their designs are then.

Interplay with the joint estimation, kept simple: a tile is judged alone, with a launch cost of its own. Where
overlap wins, the assignment of its cells to computing or memory is settled together with the shared launch cost
(solve all tiles, assign again, until nothing changes), and is from then on as given as the choice of terms: folds
and draws keep it. Held-out cells are assigned by the coefficients of the fold that predicts them.

A tile is judged with all memory terms in its design. In a sum, work-groups stand in for the bytes of D wherever
every size is a multiple of the tile, and either of them is left out; where the two overlap they never meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.joint import JointSystem
from models.last_wave import LastWave
from models.overlap import MEMORY, Bounds, OverlapTest, bound_by, compare_overlap, overlapped, split
from models.term import Term
from models.terms.operand_rereads import OperandRereads
from models.tile_data import TileData
from models.tile_fit import PreparedTile, prepare_tiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_TURNS = 24
_SETTLED = 0.02
"""Share of a tile's cells that may still change sides after the last turn: those cost the same on either."""


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
        )
        if test is not None:
            found[label] = test
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
        Tiles that overlap; one whose cells go on changing sides is left a sum.
    """
    theta = {label: test.theta for label, test in tests.items() if test.overlaps}
    chosen = {label: wide[label] if label in theta else designs[label] for label in data}
    matrices = {label: design.matrix(data[label].problem, hardware) for label, design in chosen.items()}
    last = {
        label: LastWave.of(data[label].problem, hardware, ALL_MECHANISMS) if tests[label].by_wave else None
        for label in theta
    }
    bounds: dict[str, Bounds] = {}
    changed: dict[str, float] = {}
    for _ in range(_TURNS):
        shown = dict(matrices)
        for label, coefficients in theta.items():
            resources = chosen[label].resources(hardware)
            now = bound_by(matrices[label], coefficients, resources, last[label])
            changed[label] = float(np.mean(now != bounds[label])) if label in bounds else 1.0
            bounds[label] = now
            shown[label] = split(matrices[label], now, resources, last[label])
        prepared = prepare_tiles(data, chosen, hardware, n_blocks, shown)
        if not any(changed.values()):
            break
        system = JointSystem.of(
            [part.sums for part in prepared.values()], [part.keys for part in prepared.values()]
        )
        for label, solved in zip(prepared, system.solve(), strict=True):
            if label in theta:
                theta[label] = np.zeros(matrices[label].shape[1])
                theta[label][prepared[label].kept] = solved
    restless = {label for label, share in changed.items() if share > _SETTLED}
    if restless:
        settled = {label: test for label, test in tests.items() if label not in restless}
        return prepare_overlapping(data, designs, wide, hardware, n_blocks, settled)
    return prepared, frozenset(theta)


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
    last = LastWave.of(problem, prepared.hardware, ALL_MECHANISMS) if overlap.by_wave else None
    return np.asarray(overlapped(matrix, theta, [resources[int(j)] for j in kept], last) @ theta)
