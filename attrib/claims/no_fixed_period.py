"""No cause of fixed period: multiples of a cache line, or of a turn over the channels, are like other sizes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.claims.claim import BELOW, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import FEWEST_UNITS, LEVEL, Measure, block_sums, measure, ratio
from attrib.periods import Candidate, Facts, Line, candidates, lines_of
from attrib.periods.candidate import ATOM, TILE, WAVES
from harness.cube import tiles_of
from harness.errors import NotApplicableError

Array = NDArray[np.float64]

AXIS = "N"
STRETCH = 512
"""Elements of a line that stand for one block: eight cache lines of BF16."""


@dataclass(frozen=True)
class _Contrast:
    """Multiples of one fixed period against their neighbours: a value and its block, shape (n,) each."""

    mechanism: str
    period: float
    value: Array
    block: NDArray[np.int64]


def examine(evidence: Evidence) -> Measure:
    """Gain in throughput at multiples of a fixed period over their neighbours within the same tooth of the tile.

    The effect is the largest gain of several fixed periods. Its interval runs from the largest of their lower ends
    to the largest of their upper ends, where all intervals hold at once (each at 0.05 over their number); the
    p-value is the least one, times their number.
    """
    reasons: list[str] = []
    told: list[tuple[str, Array]] = []
    for cube in (*evidence.also, evidence.cube):
        contrasts, why = _contrasts(cube)
        reasons += why
        for item in contrasts:
            sums = block_sums(np.stack([item.value, np.ones(item.value.size)]), item.block)
            if sums.shape[0] >= FEWEST_UNITS:
                told.append((f"{item.mechanism} ({item.period:g} elements)", sums))
    if not told:
        raise NotApplicableError("; ".join(dict.fromkeys(reasons)) or "no fixed period is foretold along N")
    found = [
        (name, measure(sums, ratio, 0.0, seed=evidence.seed, level=LEVEL / len(told)).as_fraction())
        for name, sums in told
    ]
    name, largest = max(found, key=lambda pair: pair[1].value)
    every = ", ".join(f"{name} {100 * item.value:+.2g} %" for name, item in found)
    return Measure(
        largest.value,
        max(item.lower for _, item in found if item.lower is not None),
        max(item.upper for _, item in found if item.upper is not None),
        min(1.0, min(item.p_value for _, item in found if item.p_value is not None) * len(found)),
        largest.units,
        f"largest is {name}; gain at multiples: {every}",
    )


def _contrasts(cube: xr.Dataset) -> tuple[list[_Contrast], list[str]]:
    """Contrasts of every fixed period that the lines of a cube can show, and why others cannot be."""
    parts: dict[tuple[str, float], list[tuple[Array, NDArray[np.int64]]]] = defaultdict(list)
    reasons: list[str] = []
    places: dict[tuple[int, int], int] = {}
    for tile in tiles_of(cube):
        try:
            lines = lines_of(cube, AXIS, tile)
        except NotApplicableError as refusal:
            reasons.append(str(refusal))
            continue
        fixed = [item for item in candidates(lines, Facts.of(cube)) if is_fixed(item)]
        periods = sorted({item.period for item in fixed})
        for item in fixed:
            larger = [period for period in periods if period > item.period and period % item.period == 0]
            for line in lines:
                place = places.setdefault((line.at["M"], line.at["K"]), len(places))
                value, at = contrast(line, round(item.period), tile.n, [round(period) for period in larger])
                stretch = 10_000 * place + at // STRETCH
                if value.size:
                    parts[item.mechanism, item.period].append((value, stretch))
                else:
                    reasons.append(
                        f"{item.mechanism} ({item.period:g} elements): no multiple lies within a tooth of the tile "
                        f"with both neighbours at step {line.step}: measure lines along N at step "
                        f"{max(1, int(item.period) // 4)} or less"
                    )
    told = [
        _Contrast(name, period, np.concatenate([v for v, _ in items]), np.concatenate([b for _, b in items]))
        for (name, period), items in parts.items()
    ]
    return told, reasons


def is_fixed(candidate: Candidate) -> bool:
    """Whether a candidate's period is the same for every tile, and no tile or wave has the same one."""
    return candidate.comb and not any(word in candidate.mechanism for word in (TILE, WAVES, ATOM))


def contrast(line: Line, period: int, tile_width: int, larger: list[int]) -> tuple[Array, NDArray[np.int64]]:
    """Log throughput at multiples of a period less the mean of the neighbours on both sides.

    Neighbours lie in the same tooth of the tile, in which the work-groups are as many: neither tile nor wave can
    make a difference. Multiples of a larger fixed period are left to that one.

    Parameters
    ----------
    line : Line
    period : int
        Elements.
    tile_width : int
        Elements; 0 for a hidden tile, whose teeth cannot be kept apart.
    larger : list of int
        Larger fixed periods.

    Returns
    -------
    value : ndarray, shape (n,)
        Logarithm; a gain at multiples is positive.
    at : ndarray of int64, shape (n,)
        Sizes, elements.
    """
    x, y = line.x, line.log_throughput
    centre, left, right = x[1:-1], x[:-2], x[2:]
    use = (centre % period == 0) & (left % period != 0) & (right % period != 0) & (right - centre == centre - left)
    use &= right - left < 2 * period
    for other in larger:
        use &= centre % other != 0
    if tile_width == 0:
        use &= False
    else:
        use &= (-(-left // tile_width) == -(-right // tile_width)) & (centre % tile_width != 0)
    place = np.flatnonzero(use)
    return np.asarray(y[place + 1] - 0.5 * (y[place] + y[place + 2])), centre[place]


CLAIM = Claim(
    name="no cause of fixed period",
    words="No cause of a fixed period, as cache sets or the row pitch would be, shapes the landscape.",
    section="8.3",
    null="multiples of a fixed period run at the throughput of their neighbours",
    statistic="log throughput at multiples of the period along N less that of both neighbours in the same tooth of "
    f"the tile; stretches of {STRETCH} elements of N at one (M, K) are a block",
    unit=FRACTION,
    smallest=0.01,
    side=BELOW,
    examine=examine,
    supported="Row lengths that fit the memory gain nothing worth having ({effect}).",
    refuted="Row lengths that fit the memory run {effect} faster than their neighbours: pad the rows, not the "
    "shape.",
    question="row lengths that fit the memory run faster",
    would_settle="more lines along N would narrow the interval",
)
