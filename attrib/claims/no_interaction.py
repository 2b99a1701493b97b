"""A slow shape is slow by its M or by its N, not by the two together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import BELOW, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import Measure, block_sums, measure, ratio
from harness.errors import NotApplicableError

Array = NDArray[np.float64]


def examine(evidence: Evidence) -> Measure:
    """Share of the local variance along N that differs from one M to another."""
    sizes = evidence.landscape.N
    if evidence.landscape.M.size < 5:
        raise NotApplicableError(
            f"M has {evidence.landscape.M.size} sizes, and five are needed: measure more of them"
        )
    noisy = False
    try:
        first, second = (misfit(half, sizes, "N") for half in evidence.halves)
        detail = "products of two halves of the repeats, which noise does not raise"
    except NotApplicableError:
        first = second = misfit(evidence.log_rate, sizes, "N")
        noisy, detail = True, "without repeats all of it may be noise: measure each shape twice"
    columns = np.stack([(apart(first) * apart(second)).ravel(), (first * second).ravel()])
    found = block_sums(columns, evidence.spread_blocks(first.shape, apart=True))
    told = measure(found, ratio, 0.0, seed=evidence.seed, detail=detail)
    return replace(told, lower=min(0.0, told.lower or 0.0), p_value=None) if noisy else told


def apart(values: Array) -> Array:
    """Departure of each M from the mean over M at the same N and K, shape (tile, M, N, K).

    Scaled by sqrt(n / (n - 1)), for the mean of n sizes of M holds each of them.
    """
    known = np.isfinite(values)
    count = known.sum(axis=-3, keepdims=True)
    mean = np.where(known, values, 0.0).sum(axis=-3, keepdims=True) / np.maximum(count, 1)
    scale = np.sqrt(np.divide(count, count - 1, out=np.full(count.shape, np.nan), where=count > 1))
    return np.asarray((values - mean) * scale)


CLAIM = Claim(
    name="no M x N interaction",
    words="Slow shapes are slow by their N alone, not by an interaction of M and N.",
    section="8.1, 11",
    null="log throughput is a part of M and a part of N: what is slow at one M is as slow at every other",
    statistic="share of the variance of local departures along N that differs between M at the same N and K; "
    "blocks of (M, N)",
    unit=FRACTION,
    smallest=0.5,
    side=BELOW,
    examine=examine,
    supported="A bad N is bad whatever M is: only {effect} of the jumps depend on both, so that a list of bad N is "
    "enough.",
    refuted="Whether an N is bad depends on M: {effect} of the jumps come from both together, and no list of bad N "
    "will do.",
    question="a bad N is bad whatever M is",
)
