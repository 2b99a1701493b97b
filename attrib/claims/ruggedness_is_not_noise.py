"""Ruggedness is not noise: it returns in every repeat."""

from __future__ import annotations

import numpy as np

from attrib.claims.claim import ABOVE, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.ruggedness import DEFINITION, misfit
from attrib.claims.sign_flips import Measure, block_sums, measure, ratio


def examine(evidence: Evidence) -> Measure:
    """Ruggedness along N over what the repeats' noise alone gives.

    The mean of two halves of the repeats holds landscape and noise, half their difference noise of the same size
    and nothing else: without a landscape both are equally rugged.
    """
    first, second = evidence.halves
    sizes = evidence.landscape.N
    seen = np.abs(misfit(0.5 * (first + second), sizes, "N"))
    noise = np.abs(misfit(0.5 * (first - second), sizes, "N"))
    columns = np.stack([seen.ravel(), noise.ravel()])
    found = block_sums(columns, evidence.spread_blocks(seen.shape, apart=True))
    detail = f"mean departure {100 * np.nanmean(seen):.2g} %, that of the noise {100 * np.nanmean(noise):.2g} %"
    return measure(found, ratio, 1.0, seed=evidence.seed, detail=detail)


CLAIM = Claim(
    name="ruggedness is not noise",
    words="Ruggedness is a property of the shapes, not noise of the measurement.",
    section="8.2",
    null="what is not smooth is noise: the repeats' mean is as rugged as half their difference",
    statistic=f"mean ruggedness along N ({DEFINITION}) over that of the noise; blocks of (M, N)",
    unit="times",
    smallest=2.0,
    side=ABOVE,
    examine=examine,
    supported="The jumps are real: they are {effect} as large as noise makes them, and come back when measured "
    "again.",
    refuted="Most of the jumps are noise: they are {effect} as large as noise alone makes them, so measure with "
    "more repeats.",
    question="the jumps are more than noise",
)
