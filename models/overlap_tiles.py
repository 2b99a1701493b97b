"""Which tiles of a fit overlap memory with computing, and what their designs are then.

Interplay with the joint estimation, kept simple: a tile is judged alone, with a launch cost of its own. Where
overlap wins, the assignment of its cells to computing or memory is settled together with the shared launch cost
(solve all tiles, assign again, until nothing changes), and is from then on as given as the choice of terms: folds
and draws keep it. Held-out cells are assigned by the coefficients of the fold that predicts them.

A tile is judged with all memory terms in its design. In a sum, work-groups stand in for the bytes of D wherever
every size is a multiple of the tile, and either of them is left out; where the two overlap they never meet.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.design import Design
from models.hardware import Hardware
from models.joint import JointSystem
from models.overlap import OverlapTest, compare_overlap, overlapped, waits_for_memory
from models.tile_data import TileData
from models.tile_fit import PreparedTile, prepare_tiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_TURNS = 10


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
        test = compare_overlap(
            designs[label].matrix(item.problem, hardware),
            item.samples.time,
            designs[label].resources(hardware),
            item.blocks,
            fold_of_block,
            places,
            item.problem.flop / item.problem.footprint,
            rng,
        )
        if test is not None:
            found[label] = test
    return found


def prepare_overlapping(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    n_blocks: int,
    tests: Mapping[str, OverlapTest],
) -> dict[str, PreparedTile]:
    """Prepare all tiles, the overlapping ones with the columns of each cell's shorter part at zero.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
    hardware : Hardware
    n_blocks : int
    tests : mapping of tile label to OverlapTest
    """
    matrices = {label: design.matrix(data[label].problem, hardware) for label, design in designs.items()}
    theta = {label: test.theta for label, test in tests.items() if test.overlaps}
    waiting: dict[str, NDArray[np.bool_]] = {}
    for _ in range(_TURNS):
        same = True
        shown = dict(matrices)
        for label, coefficients in theta.items():
            resources = designs[label].resources(hardware)
            now = waits_for_memory(matrices[label], coefficients, resources)
            same &= label in waiting and np.array_equal(now, waiting[label])
            waiting[label] = now
            shown[label] = overlapped(matrices[label], coefficients, resources)
        prepared = prepare_tiles(data, designs, hardware, n_blocks, shown)
        if same:
            break
        system = JointSystem.of(
            [part.sums for part in prepared.values()], [part.keys for part in prepared.values()]
        )
        for label, solved in zip(prepared, system.solve(), strict=True):
            if label in theta:
                theta[label] = np.zeros(matrices[label].shape[1])
                theta[label][prepared[label].kept] = solved
    return prepared


def predicted(
    item: TileData, prepared: PreparedTile, rows: NDArray[np.bool_], theta: Array, overlaps: bool
) -> Array:
    """Times of some cells under the coefficients of a fold, seconds, shape (rows,).

    Parameters
    ----------
    item : TileData
    prepared : PreparedTile
    rows : ndarray of bool, shape (n,)
    theta : ndarray, shape (k,)
        Of the identified columns.
    overlaps : bool
    """
    kept = prepared.kept
    if not overlaps:
        return np.asarray(prepared.matrix[np.ix_(rows, kept)] @ theta)
    matrix = prepared.design.matrix(item.problem.take(np.flatnonzero(rows)), prepared.hardware)[:, kept]
    resources = prepared.design.resources(prepared.hardware)
    return np.asarray(overlapped(matrix, theta, [resources[int(j)] for j in kept]) @ theta)
