"""N is more sensitive than M: the same shape turned over, with the tile turned over."""

from __future__ import annotations

import numpy as np

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import PER_AXIS, Evidence, set_apart
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import Measure, block_sums, measure
from harness.errors import NotApplicableError


def examine(evidence: Evidence) -> Measure:
    """Ruggedness along N over that along M of the transposed shape and tile.

    A shape and its transpose, and a tile and its transpose, do the same work: on a device that treats both axes
    alike every pair is as likely one way round as the other.
    """
    grid = evidence.landscape
    common = np.intersect1d(grid.M, grid.N)
    if common.size < 5:
        raise NotApplicableError(
            f"M and N have {common.size} sizes in common, and five are needed: measure a square"
        )
    rows, columns = np.searchsorted(grid.M, common), np.searchsorted(grid.N, common)
    rates = evidence.log_rate[:, rows][:, :, columns]
    sizes = {(tile.m, tile.n, tile.k): index for index, tile in enumerate(grid.tiles)}
    pairs = [(index, sizes[n, m, k]) for (m, n, k), index in sizes.items() if (n, m, k) in sizes]
    if not pairs:
        raise NotApplicableError(
            "no tile has its transpose in the cube: measure 256x128 with 128x256, or a square one"
        )
    group = np.arange(common.size) * PER_AXIS // common.size
    low, high = np.minimum.outer(group, group), np.maximum.outer(group, group)
    # Shape and transpose lie in mirrored blocks: both together are one.
    label = set_apart(low * PER_AXIS + high)[:, :, None]
    along_n, along_m, labels = [], [], []
    for tile, turned in pairs:
        rough_n = np.abs(misfit(rates[tile], common, "N"))
        rough_m = np.abs(misfit(rates[turned], common, "M").transpose(1, 0, 2))
        along_n.append(rough_n.ravel())
        along_m.append(rough_m.ravel())
        labels.append(np.broadcast_to(label, rough_n.shape).ravel())
    totals = np.stack([np.concatenate(along_n), np.concatenate(along_m)])
    found = block_sums(totals, np.concatenate(labels))
    names = ", ".join(f"{grid.tiles[a].name} with {grid.tiles[b].name}" for a, b in pairs if a <= b)
    return measure(
        found, lambda sums: np.log(sums[..., 0] / sums[..., 1]), 0.0, seed=evidence.seed, detail=f"pairs: {names}"
    ).as_fraction()


CLAIM = Claim(
    name="N is rougher than M",
    words="Throughput is more sensitive to N than to M.",
    section="3.3",
    null="shape and tile may be transposed: ruggedness along N and along M are alike",
    statistic="mean ruggedness along N over that along M of the transposed shape under the transposed tile, less "
    "one; mirrored pairs of (M, N) blocks",
    unit=FRACTION,
    smallest=0.05,
    side=ABOVE,
    examine=examine,
    supported="Changing N is {effect} rougher than changing M: where you are free to swap them, let the ragged one "
    "be M.",
    refuted="N is no rougher than M ({effect}): swapping them gains nothing.",
    question="N is rougher than M",
)
