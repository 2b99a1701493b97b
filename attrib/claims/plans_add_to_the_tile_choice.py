"""Padding and splitting do not duplicate the choice of the tile: they gain on the best tile too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.replay import replay
from attrib.claims.sign_flips import Measure, block_sums, measure, ratio
from attrib.landscape import Landscape
from attrib.stages import RUN, BestTile, Decisions, Pad, Split, Stage
from harness.errors import NotApplicableError

Array = NDArray[np.float64]


def examine(evidence: Evidence) -> Measure:
    """Gain over the best tile of a plan that was made on half of the repeats and is judged by the others.

    A plan made on fewer repeats is no better than one made on all: this gain is too small, if anything. The gain
    by the table itself is too large, if anything, for it counts lucky times. The interval reaches from the lower
    end of the one to the upper end of the other.
    """
    if len(evidence.known_tiles) < 2:
        raise NotApplicableError("there is one tile of known size, so that there is no choice to add to")
    grid = evidence.landscape
    volume = 2e-12 * grid.M[:, None, None].astype(np.float64) * grid.N[:, None] * grid.K
    first, second = (volume / np.exp(half) for half in evidence.halves)
    sound = _measured(evidence, [_gain(grid, first, second), _gain(grid, second, first)])
    table = _measured(evidence, [_gain(grid, grid.time, grid.time)])
    assert table.upper is not None
    assert sound.upper is not None
    detail = f"{_stage(grid).name}; by the table {100 * np.expm1(table.value):.2g} %"
    return replace(sound, upper=max(sound.upper, table.upper), detail=detail).as_fraction()


def _measured(evidence: Evidence, gains: Sequence[tuple[Array, Decisions]]) -> Measure:
    """Mean gain; a shape's block is that of the shape it is padded to, for others share its noise."""
    blocks = np.broadcast_to(evidence.blocks[:, :, None], gains[0][0].shape).ravel()
    labels = [
        np.where(plan.action.ravel() == RUN, blocks[np.maximum(plan.target.ravel(), 0)], blocks)
        for _, plan in gains
    ]
    gain = np.concatenate([values.ravel() for values, _ in gains])
    sums = block_sums(np.stack([gain, np.ones(gain.size)]), np.concatenate(labels))
    return measure(sums, ratio, 0.0, seed=evidence.seed)


def _gain(grid: Landscape, learn: Array, judge: Array) -> tuple[Array, Decisions]:
    """Log of the time on the best tile over that of the full plan, by ``judge``; and the plan."""
    known = np.where(np.isnan(judge), np.nan, learn)
    taught = Landscape(known, grid.tiles, grid.M, grid.N, grid.K)
    before = replay(BestTile().apply(taught).decisions, judge)
    plan = _stage(grid).apply(taught).decisions
    return np.asarray(np.log(before / replay(plan, judge))), plan


def _stage(grid: Landscape) -> Stage:
    """Padding and splitting; padding alone where the grid is not closed under splitting."""
    full = Split(Pad(BestTile()))
    try:
        full.apply(grid)
    except NotApplicableError:
        return Pad(BestTile())
    return full


CLAIM = Claim(
    name="plans add to the tile choice",
    words="Padding and splitting do not duplicate the choice of the tile: they gain on the best tile too.",
    section="7.4, 11",
    null="on the best tile padding and splitting gain nothing: what looks so is noise",
    statistic="mean log time on the best tile less that with padding and splitting, where plan and judgement rest "
    "on different repeats (upper end: by the table); blocks of (M, N)",
    unit=FRACTION,
    smallest=0.01,
    side=ABOVE,
    examine=examine,
    supported="Padding and splitting still gain {effect} after the best tile has been chosen: do both.",
    refuted="Once the best tile is chosen, padding and splitting gain little ({effect}): choosing the tile is "
    "enough.",
    question="padding and splitting still help once the tile is chosen",
    would_settle="more repeats would bring the gain by the table and the one that is sure together",
)
