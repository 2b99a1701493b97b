"""The period follows the tile: wider tiles, longer teeth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.claims.claim import ABOVE, Claim
from attrib.claims.evidence import Evidence
from attrib.claims.sign_flips import FEWEST_UNITS, Measure, block_sums, measure, ratio
from attrib.periods import LawComparison, Line, compare_laws_of_lines, lines_of
from harness.cube import tiles_of
from harness.errors import NotApplicableError

Array = NDArray[np.float64]

AXIS = "N"
DRAWS = 499
_MOST_SETS = 12
_LEVEL = 0.01
_EXCHANGES = 23
"""Random exchanges of tiles at a place, beside the tiles as they are."""


def examine(evidence: Evidence) -> Measure:
    """Evidence for a period in proportion to the tile over that for a fixed one, as a power of ten.

    Lines of all tiles at the same M and K are one unit. Were the period none of the tile's doing, the lines of a
    place could change tiles: the p-value is the share of such exchanges with as much evidence for the proportional
    law.
    """
    reasons: list[str] = []
    for cube in (*evidence.also, evidence.cube):
        sets = line_sets(cube)
        if len(sets) < FEWEST_UNITS:
            reasons.append(f"{len(sets)} places (M, K) have lines along {AXIS}, and {FEWEST_UNITS} are needed")
            continue
        whole = compare_laws_of_lines(AXIS, [line for lines in sets for line in lines], draws=DRAWS)
        if whole.status == "not testable":
            reasons.append(whole.reason)
            continue
        return _by_place(sets, whole, evidence.seed)
    raise NotApplicableError("; ".join(dict.fromkeys(reasons)))


def line_sets(cube: xr.Dataset) -> list[list[Line]]:
    """Lines along N of all known tiles, together where M and K are the same; at most twelve sets."""
    found: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for tile in tiles_of(cube):
        try:
            lines = () if tile.hidden else lines_of(cube, AXIS, tile)
        except NotApplicableError:
            continue
        for line in lines:
            found[line.at["M"], line.at["K"]].append(line)
    several = [lines for lines in found.values() if len({line.tile.n for line in lines}) > 1]
    places = np.unique(np.linspace(0, len(several) - 1, min(len(several), _MOST_SETS)).round().astype(int))
    return [several[place] for place in places] if several else []


def _by_place(sets: Sequence[Sequence[Line]], whole: LawComparison, seed: int) -> Measure:
    rng = np.random.default_rng(seed)
    tables = [_told_by_exchanges(lines, rng) for lines in sets]
    told = np.array([table[0] for table in tables])
    exchanged = sum((table[rng.integers(table.size, size=DRAWS)] for table in tables), np.zeros(DRAWS))
    slack = 1e-9 * abs(float(told.sum()))
    p_value = float((1 + np.count_nonzero(exchanged >= told.sum() - slack)) / (1 + DRAWS))
    assert whole.p_value is not None
    if whole.p_value > _LEVEL:
        none = f"no period that follows either law along {AXIS} (p = {whole.p_value:.2g})"
        return Measure(float(told.mean()), None, None, p_value, told.size, none)
    detail = (
        f"tiles {', '.join(map(str, whole.widths))} wide; over all places the better law is {whole.law}: fixed at "
        f"{whole.fixed_period:.4g} elements against {whole.proportional_ratio:.3g} tile widths"
    )
    sums = block_sums(np.stack([told, np.ones(told.size)]), np.arange(told.size))
    return replace(measure(sums, ratio, 0.0, seed=seed, detail=detail), p_value=p_value)


def _told_by_exchanges(lines: Sequence[Line], rng: np.random.Generator) -> Array:
    """Decades of evidence at one place: as measured, and with the tiles of its lines exchanged."""
    orders = [np.arange(len(lines)), *(rng.permutation(len(lines)) for _ in range(_EXCHANGES))]
    known: dict[tuple[int, ...], float] = {}
    for order in orders:
        key = tuple(lines[at].tile.n for at in order)
        if key not in known:
            exchanged = [replace(line, tile=lines[at].tile) for line, at in zip(lines, order, strict=True)]
            told = compare_laws_of_lines(AXIS, exchanged, draws=1).log_evidence_ratio
            known[key] = float("nan") if told is None else -told / float(np.log(10.0))
    values = np.array([known[tuple(lines[at].tile.n for at in order)] for order in orders])
    if np.isnan(values).any():
        raise NotApplicableError(
            "the lines of a place differ too much for their tiles to be compared: measure equal lines of all tiles"
        )
    return np.asarray(values)


CLAIM = Claim(
    name="the period follows the tile",
    words="The period of throughput along N follows the width of the tile.",
    section="8.3",
    null="the period has nothing to do with the tile: the lines of a place could change tiles",
    statistic="mean over places (M, K) of the log10 of the evidence for a period in proportion to the tile over "
    "that for one period of all tiles; the lines of a place are a block",
    unit="decades of evidence",
    smallest=1.0,
    side=ABOVE,
    examine=examine,
    supported="The teeth grow with the tile, so it is the tile that makes them.",
    refuted="The strongest teeth are the same for every tile, so that something in the memory makes them and not "
    "the tile.",
    question="the teeth grow with the tile",
    would_settle="lines at more places (M, K), or at a finer step, would narrow the interval",
)
