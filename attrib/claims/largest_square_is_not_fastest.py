"""The largest square is not the fastest shape."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import Measure
from harness.errors import NotApplicableError

_SIMILAR = np.log(4.0)


def examine(evidence: Evidence) -> Measure:
    """Lead of the fastest shape over the largest square, judged by other repeats than it was chosen by."""
    grid = evidence.landscape
    first, second = (half[evidence.fixed_tile] for half in evidence.halves)
    common = np.intersect1d(np.intersect1d(grid.M, grid.N), grid.K)
    if common.size == 0:
        raise NotApplicableError("no square shape, M = N = K, is in the grid")
    square = tuple(int(np.searchsorted(grid.axis(axis), common[-1])) for axis in "MNK")
    if not (np.isfinite(first[square]) and np.isfinite(second[square])):
        raise NotApplicableError(f"the square of {common[-1]} was not measured twice")
    known = np.isfinite(first) & np.isfinite(second)
    # One half chooses and the other judges: what is fastest by luck is not fastest again.
    best = tuple(int(at) for at in np.unravel_index(np.argmax(np.where(known, first, -np.inf)), first.shape))
    value = float(second[best] - second[square])
    time = np.log(grid.time[evidence.fixed_tile])
    alike = known & (np.abs(time - time[square]) <= _SIMILAR)
    # Of r repeats the second half has r // 2: its variance is the larger part of that of the difference.
    repeats = int(evidence.dense.sizes["repeat"])
    share = (1.0 / (repeats // 2)) / (1.0 / (repeats // 2) + 1.0 / (repeats - repeats // 2))
    error = float(np.sqrt(2.0 * share * np.mean((first - second)[alike] ** 2)))
    reach = float(norm.ppf(0.975)) * error
    p_value = float(2.0 * norm.sf(abs(value) / error)) if error > 0 else None
    shape = "x".join(str(grid.axis(axis)[index]) for axis, index in zip("MNK", best, strict=True))
    detail = (
        f"tile {grid.tiles[evidence.fixed_tile].name}: fastest {shape} at {np.exp(first[best]):.4g} TFLOP/s, "
        f"square of {common[-1]} at {np.exp(first[square]):.4g}"
    )
    return Measure(value, value - reach, value + reach, p_value, int(alike.sum()), detail).as_fraction()


CLAIM = Claim(
    name="the largest square is not the fastest",
    words="The largest square shape is not the fastest.",
    section="3.2, 11",
    null="the fastest shape leads the largest square by no more than noise",
    statistic="log throughput of the fastest shape less that of the largest square, chosen on half of the repeats "
    "and judged by the others; error from repeats of shapes of similar time",
    unit=FRACTION,
    smallest=0.02,
    side=ABOVE,
    examine=examine,
    supported="The biggest square problem is not the best one to quote: another shape is {effect} faster.",
    refuted="The biggest square problem is as fast as any, within {effect}.",
    question="another shape beats the biggest square",
    would_settle="more repeats would narrow the interval",
)
