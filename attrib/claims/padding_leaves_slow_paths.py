"""Padding leaves slow paths: it gains where it computes the very same tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import Measure, block_sums, measure, ratio
from attrib.stages import suffix_argmin
from harness.errors import NotApplicableError
from harness.tile import Tile

Array = NDArray[np.float64]


def examine(evidence: Evidence) -> Measure:
    """Time of a shape with ragged tiles over that of the largest shape with the same tiles.

    The target is fixed by the tile and never chosen by its time, so that noise cannot pass for a gain.
    """
    grid = evidence.landscape
    M, N = np.meshgrid(grid.M, grid.N, indexing="ij")
    gains, labels = [], []
    for index, tile in enumerate(evidence.known_tiles):
        rows, columns = fullest(grid.M, tile.m), fullest(grid.N, tile.n)
        ragged = (grid.M[rows][:, None] > M) | (grid.N[columns][None, :] > N)
        time = np.log(grid.time[index])
        gain = (time - time[np.ix_(rows, columns)])[ragged]
        gains.append(gain.ravel())
        # A shape's block is that of the full tile, which all of its ragged shapes share.
        block = evidence.blocks[np.ix_(rows, columns)][ragged]
        labels.append(np.broadcast_to(block[:, None], gain.shape).ravel())
    gain = np.concatenate(gains)
    if gain.size == 0:
        raise NotApplicableError(
            "no shape of the grid has ragged tiles that another fills: measure at a step below the tile"
        )
    found = block_sums(np.stack([gain, np.ones(gain.size)]), np.concatenate(labels))
    return measure(found, ratio, 0.0, seed=evidence.seed, detail=_shares(evidence)).as_fraction()


def fullest(sizes: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Index of the largest size with as many tiles as each size, shape (n,)."""
    tiles = -(-sizes // width)
    return np.asarray(np.searchsorted(tiles, tiles, side="right") - 1, dtype=np.int64)


def _shares(evidence: Evidence) -> str:
    """Say how much of what padding saves on the fixed tile it saves at equal numbers of tiles."""
    grid = evidence.landscape
    time = grid.time[evidence.fixed_tile]
    tile: Tile = grid.tiles[evidence.fixed_tile]
    target = suffix_argmin(time)
    reached = np.maximum(target, 0)
    saved = np.where(target >= 0, np.log(time / time.ravel()[reached]), 0.0)
    places = np.unravel_index(reached, time.shape)
    own = np.indices(time.shape)
    same = np.ones(time.shape, dtype=np.bool_)
    for axis, (sizes, width) in enumerate(((grid.M, tile.m), (grid.N, tile.n), (grid.K, tile.k))):
        same &= -(-sizes[places[axis]] // width) == -(-sizes[own[axis]] // width)
    total = float(np.nansum(saved))
    if total <= 0:
        return f"padding {tile.name} to the fastest larger shape gains nothing"
    share = float(np.nansum(saved[same])) / total
    return (
        f"padding {tile.name} to the fastest larger shape saves {100 * float(np.nanmean(saved)):.2g} %, of which "
        f"{100 * share:.0f} % with as many tiles in each direction and the rest with more"
    )


CLAIM = Claim(
    name="padding leaves slow paths",
    words="What padding gains is the slow path of ragged tiles, not recovered tile waste.",
    section="7, 8.4 claim recovered waste; a launch pays for whole tiles, which padding never makes fewer",
    null="a launch takes as long as its tiles: filling ragged ones gains nothing",
    statistic="mean log time of a shape with ragged tiles less that of the largest shape of the grid with as many "
    "tiles; blocks of (M, N)",
    unit=FRACTION,
    smallest=0.01,
    side=ABOVE,
    examine=examine,
    supported="Filling up ragged tiles saves {effect} although the same tiles are computed: the kernel has a slow "
    "path at the edge, and a better kernel would not need the padding.",
    refuted="Filling up ragged tiles saves nothing worth having ({effect}): where padding pays, it is not because "
    "of the edge.",
    question="padding helps because ragged tiles run on a slow path",
)
