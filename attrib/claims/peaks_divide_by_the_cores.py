"""Peak shapes are those whose work-groups divide by the cores: full last waves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import PER_AXIS, Evidence
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import FEWEST_UNITS, Measure, measure, ratio
from harness.errors import NotApplicableError

Array = NDArray[np.float64]

_TOP = 0.01
_LARGER = 3
"""Blocks an axis: fewer than elsewhere, as means of departures are correlated across a border of two cells."""


def examine(evidence: Evidence) -> Measure:
    """Gain over the neighbours of shapes that divide by the cores, less that of all others."""
    grid, cores = evidence.landscape, evidence.cores
    M, N = np.meshgrid(grid.M, grid.N, indexing="ij")
    rates = evidence.log_rate
    gains, marks = [], []
    labels: dict[int, list[NDArray[np.int64]]] = {_LARGER: [], PER_AXIS: []}
    top: list[tuple[float, float]] = []
    for index, tile in enumerate(evidence.known_tiles):
        groups = -(-M // tile.m) * -(-N // tile.n)
        divides = np.broadcast_to((groups % cores == 0)[..., None], rates[index].shape)
        # A neighbour on both axes: a shape stands out, or it does not.
        gain = 0.5 * (misfit(rates[index], grid.M, "M") + misfit(rates[index], grid.N, "N"))
        gains.append(gain.ravel())
        marks.append(divides.ravel())
        for per_axis, found in labels.items():
            found.append(evidence.spread_blocks(gain.shape, apart=True, per_axis=per_axis))
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
    sums = _within_blocks(gain, mark > 0, np.concatenate(labels[_LARGER]))
    if sums.shape[0] < FEWEST_UNITS:
        # Where few shapes divide, neighbours across a border seldom both do.
        sums = _within_blocks(gain, mark > 0, np.concatenate(labels[PER_AXIS]))
    return measure(sums, ratio, 0.0, seed=evidence.seed, detail=detail).as_fraction()


def _within_blocks(gain: Array, mark: NDArray[np.bool_], labels: NDArray[np.int64]) -> Array:
    """Difference of both kinds in each block that holds both, times its weight, and the weight: shape (B, 2).

    The weight n m / (n + m) is that of the difference of two means. Within a block what is smooth is common to both
    kinds, and under the null hypothesis either is as likely to be ahead.
    """
    known = np.isfinite(gain) & (labels >= 0)
    gain, mark, labels = gain[known], mark[known], labels[known]
    size = int(labels.max(initial=-1)) + 1
    counts = [np.bincount(labels[kind], minlength=size).astype(np.float64) for kind in (mark, ~mark)]
    totals = [np.bincount(labels[kind], gain[kind], minlength=size) for kind in (mark, ~mark)]
    both = (counts[0] > 0) & (counts[1] > 0)
    difference = totals[0][both] / counts[0][both] - totals[1][both] / counts[1][both]
    weight = counts[0][both] * counts[1][both] / (counts[0][both] + counts[1][both])
    return np.stack([weight * difference, weight], axis=1)


CLAIM = Claim(
    name="peaks divide by the cores",
    words="Shapes whose number of work-groups divides by the cores are peaks among their neighbours.",
    section="3.2 names other causes; all its published peaks have this property",
    null="shapes that divide by the cores stand out from their neighbours no more than others do",
    statistic="mean departure of log throughput from the neighbours along M and N, shapes that divide less all "
    "others of the same block of (M, N)",
    unit=FRACTION,
    smallest=0.01,
    side=ABOVE,
    examine=examine,
    supported="Shapes that keep every core busy to the end stand {effect} above their neighbours.",
    refuted="Dividing by the number of cores raises a shape above its neighbours by no more than {effect}: look "
    "for the peaks elsewhere.",
    question="shapes that keep every core busy to the end are the peaks",
)
