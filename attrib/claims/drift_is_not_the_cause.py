"""Clock and thermal drift do not cause the ruggedness."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from attrib.claims.claim import BELOW, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.ruggedness import misfit
from attrib.claims.sign_flips import FEWEST_UNITS, Measure, block_sums, measure
from harness.errors import NotApplicableError

_WINDOWS_A_GROUP = 4


def examine(evidence: Evidence) -> Measure:
    """Ruggedness that drift may have caused, by sentinels where there are any, or else by repeats."""
    recorded = _decoded(evidence.cube.attrs.get("drift"))
    if isinstance(recorded, dict) and len(recorded.get("ratio") or ()) >= FEWEST_UNITS * _WINDOWS_A_GROUP:
        return _by_sentinels(evidence, np.array(recorded["ratio"], dtype=np.float64))
    protocol = _decoded(evidence.cube.attrs.get("protocol"))
    order = str(protocol.get("order", "")) if isinstance(protocol, dict) else ""
    if "shuffled" not in order:
        raise NotApplicableError(
            "the cube records no sentinels and no shuffled order: measure with 'attrib measure', which has both"
        )
    return _by_repeats(evidence)


def _by_sentinels(evidence: Evidence, windows: np.ndarray[Any, np.dtype[np.float64]]) -> Measure:
    """Mean difference between two random windows of the sentinels' course, over the ruggedness along N."""
    rugged = float(np.nanmean(np.abs(misfit(evidence.log_rate, evidence.landscape.N, "N"))))
    groups = np.arange(windows.size) // _WINDOWS_A_GROUP
    moved = np.abs(windows[:, None] - windows).sum(axis=1) / (windows.size - 1)
    found = block_sums(np.stack([moved, np.full(windows.size, rugged)]), groups)
    detail = f"{windows.size} windows of sentinel timings, their own noise counted in as drift"
    return measure(found, lambda sums: sums[..., 0] / sums[..., 1], 1.0, seed=evidence.seed, detail=detail)


def _by_repeats(evidence: Evidence) -> Measure:
    """Share of the local variance that another pass, in an order of its own, does not bring back."""
    first, second = (misfit(half, evidence.landscape.N, "N") for half in evidence.halves)
    columns = np.stack([(first * second).ravel(), (0.5 * (first**2 + second**2)).ravel()])
    found = block_sums(columns, evidence.spread_blocks(first.shape, apart=True))
    detail = "every pass had an order of its own, so that drift of one pass is not in another; noise is counted in"
    return measure(found, lambda sums: 1.0 - sums[..., 0] / sums[..., 1], 1.0, seed=evidence.seed, detail=detail)


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


CLAIM = Claim(
    name="drift is not the cause",
    words="Drift of the clock or the temperature does not cause the ruggedness.",
    section="5.3, 11",
    null="all of the ruggedness is drift: nothing of it returns in another pass (or sentinels move as much)",
    statistic="share of the local variance along N that does not return in a pass of another order; blocks of "
    "(M, N). With sentinels: their movement over the mean ruggedness; groups of windows",
    unit=FRACTION,
    smallest=0.1,
    side=BELOW,
    examine=examine,
    supported="A device that warms up or changes its clock explains at most {effect} of the ruggedness.",
    refuted="The device itself changed while it was measured: that and noise make up {effect} of the ruggedness.",
    question="a device that changed while it was measured made the jumps",
)
