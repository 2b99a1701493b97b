"""Peak shapes are those whose work-groups divide by the cores: full last waves."""

from __future__ import annotations

import numpy as np

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import Measure, contrast, difference_of_means
from harness.errors import NotApplicableError

_TOP = 0.01


def examine(evidence: Evidence) -> Measure:
    """Gain over the neighbours of shapes that divide by the cores, less that of all others."""
    grid, cores = evidence.landscape, evidence.cores
    M, N = np.meshgrid(grid.M, grid.N, indexing="ij")
    rates = evidence.log_rate
    gains, marks, labels = [], [], []
    top: list[tuple[float, float]] = []
    for index, tile in enumerate(evidence.known_tiles):
        groups = -(-M // tile.m) * -(-N // tile.n)
        divides = np.broadcast_to((groups % cores == 0)[..., None], rates[index].shape)
        # A neighbour on both axes: a shape stands out, or it does not.
        gain = 0.5 * (misfit(rates[index], grid.M, "M") + misfit(rates[index], grid.N, "N"))
        gains.append(gain.ravel())
        marks.append(divides.ravel())
        labels.append(evidence.spread_blocks(gain.shape))
        known = np.isfinite(rates[index])
        best = known & (rates[index] >= np.nanquantile(rates[index], 1.0 - _TOP))
        top.append((float(divides[best].mean()), float(divides[known].mean())))
    gain, mark = np.concatenate(gains), np.concatenate(marks).astype(np.float64)
    if not np.any(mark[np.isfinite(gain)]):
        raise NotApplicableError(
            f"no inner shape of the grid has a number of work-groups that divides by {cores} cores: measure shapes "
            f"of {cores} and {2 * cores} tiles with their neighbours"
        )
    share, base = np.mean(top, axis=0)
    detail = (
        f"{cores} cores; of the fastest {100 * _TOP:.0f} % of shapes {100 * share:.0f} % divide, of all "
        f"{100 * base:.1f} %"
    )
    if share <= base:
        raise NotApplicableError(f"the fastest shapes divide no more often than others: {detail}")
    found = contrast(gain, mark, np.concatenate(labels), difference_of_means, seed=evidence.seed, detail=detail)
    return found.as_fraction()


CLAIM = Claim(
    name="peaks divide by the cores",
    words="Peak shapes are those whose number of work-groups divides by the cores.",
    section="3.2 names other causes; all its published peaks have this property",
    null="shapes that divide by the cores stand out from their neighbours no more than others do",
    statistic="mean departure of log throughput from the neighbours along M and N, shapes that divide less all "
    "others; blocks of (M, N)",
    unit=FRACTION,
    smallest=0.01,
    side=ABOVE,
    examine=examine,
    supported="Shapes that keep every core busy to the end stand {effect} above their neighbours: look for peaks "
    "there.",
    refuted="Dividing by the number of cores raises a shape above its neighbours by no more than {effect}: look "
    "for the peaks elsewhere.",
    question="shapes that keep every core busy to the end are the peaks",
)
