"""One tile does not suffice: choosing it by the shape gains over the best single one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, FRACTION, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import Measure, block_sums, measure, ratio
from harness.errors import NotApplicableError

Array = NDArray[np.float64]


def examine(evidence: Evidence) -> Measure:
    """Gain in throughput of a choice that was made on other timings than those it is judged by."""
    if len(evidence.known_tiles) < 2:
        raise NotApplicableError("there is one tile of known size to choose from: measure several")
    rates = evidence.log_rate
    complete = np.isfinite(rates).all(axis=0)
    if not complete.any():
        raise NotApplicableError("no shape was measured with all tiles: measure them on a common grid")
    single = int(np.argmax([float(rate[complete].mean()) for rate in rates]))
    gain, how = _gain(evidence, single)
    sound = _measured(evidence, gain)
    table = _measured(evidence, rates.max(axis=0) - rates[single])
    assert table.upper is not None
    assert sound.upper is not None
    share = float((gain > 0.0).sum() / np.isfinite(gain).sum())
    detail = (
        f"best single tile {evidence.landscape.tiles[single].name}; another was chosen and faster at "
        f"{100 * share:.0f} % of shapes; {how}; by the table {100 * np.expm1(table.value):.3g} %"
    )
    # A choice made on part of the timings gains too little, if anything, and the table, which counts lucky times,
    # too much.
    return replace(sound, upper=max(sound.upper, table.upper), detail=detail).as_fraction()


def _measured(evidence: Evidence, gain: Array) -> Measure:
    sums = block_sums(np.stack([gain.ravel(), np.ones(gain.size)]), evidence.spread_blocks(gain.shape))
    return measure(sums, ratio, 0.0, seed=evidence.seed)


def _gain(evidence: Evidence, single: int) -> tuple[Array, str]:
    """Log gain over one tile, shape (M, N, K): choice and judgement on different repeats, or neighbours along K."""
    try:
        halves = evidence.halves
    except NotApplicableError:
        rates = evidence.log_rate
        if rates.shape[-1] < 2:
            raise NotApplicableError(
                "the cube keeps neither repeats nor several K, and a choice judged by the times it was made on "
                "flatters itself: measure each shape twice"
            ) from None
        nearest = np.concatenate([rates[..., 1:2], rates[..., :-1]], axis=-1)
        return chosen_gain(nearest, rates, single), "the tile was chosen at the neighbour along K"
    gain = 0.5 * (chosen_gain(halves[0], halves[1], single) + chosen_gain(halves[1], halves[0], single))
    return gain, "chosen on half of the repeats, judged by the others"


def chosen_gain(learn: Array, judge: Array, single: int) -> Array:
    """Log throughput of the tile that ``learn`` finds fastest less that of tile ``single``, by ``judge``.

    Parameters
    ----------
    learn, judge : ndarray, shape (tile, ...)
        Log throughput; NaN where not measured.
    single : int

    Returns
    -------
    ndarray, shape (...)
    """
    known = np.where(np.isnan(learn) | np.isnan(judge), -np.inf, learn)
    winner = known.argmax(axis=0)
    return np.asarray(np.take_along_axis(judge, winner[None], axis=0)[0] - judge[single])


CLAIM = Claim(
    name="one tile does not suffice",
    words="One tile does not suffice: choosing it by the shape is faster.",
    section="6",
    null="no tile is faster than the best single one at any shape: what looks so is noise",
    statistic="mean log throughput of the chosen tile less that of the best single tile, where choice and "
    "judgement rest on different timings (upper end: by the table); blocks of (M, N)",
    unit=FRACTION,
    smallest=0.02,
    side=ABOVE,
    examine=examine,
    supported="Choosing the tile for each shape is {effect} faster than the best tile for all.",
    refuted="One tile for all shapes is within {effect} of choosing: a table of tiles is not worth its upkeep.",
    question="choosing the tile for each shape is worth it",
)
