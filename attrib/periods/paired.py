"""Paired lines: what changing one thing takes away, from the same shapes measured with and without it.

On the line log T(with) - log T(without) whatever both cubes have cancels: the smooth trend, the width of the tile,
the waves, and noise that belongs to the shape. What is left is the period of the mechanism that was changed, also
where a mechanism that stays has the very same period and no test on one cube can tell the two apart. Costs add up
and their logarithms do not, so that a large cost that stays may leave a little of itself: periods of what was not
changed are tested too, and what is found of them is said.

The null: the logarithm of the ratio of both times has no period of that length beside its trend. It is tested as on
one cube (:mod:`attrib.periods.one_period`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from attrib.periods.candidate import PITCH, Candidate, Facts, every_candidate, merged
from attrib.periods.family import DETECTED, DRAWS, MOST_LINES, PeriodFinding, checked_draws, judge_candidates
from attrib.periods.laws import LawComparison, compare_laws_of_lines, lines_of_tiles
from attrib.periods.line import FEWEST_SAMPLES, Line, lines_of, some_lines
from harness.cube import device_of, tiles_of
from harness.errors import InputError, NotApplicableError
from harness.tile import Tile

CHANGED = "pitch_multiple"
"""The attribute of a cube that states what was changed: padding rows takes the row pitch away."""
_SAME = ("device", "dtype", "dtype_out", "layout", "core_limit", "vector_bytes")


def removed_pitch(cube: xr.Dataset, without: xr.Dataset) -> int:
    """Check that two cubes differ in the padding of rows alone.

    Parameters
    ----------
    cube : xarray.Dataset
        Measured with rows directly after each other.
    without : xarray.Dataset
        Measured with padded rows.

    Returns
    -------
    int
        Elements: rows of the second cube are a multiple of them apart.

    Raises
    ------
    InputError
        If nothing was changed, something else was, or the cubes are the wrong way round.
    """
    mine, theirs = ({**part.attrs, "device": device_of(part).id} for part in (cube, without))
    for name in _SAME:
        if mine.get(name) != theirs.get(name):
            raise InputError(
                f"the cubes of a pair differ in {name} ({mine.get(name)}, without: {theirs.get(name)}); only "
                f"{CHANGED} may differ"
            )
    rows, padded = (int(part.attrs.get(CHANGED, 1)) for part in (cube, without))
    if rows == padded:
        raise InputError(f"both cubes of the pair have {CHANGED} {rows}: nothing was changed between them")
    if rows != 1:
        raise InputError(
            f"the cube has {CHANGED} {rows}, without: {padded}; expected rows as they come (1) first, padded ones "
            "as those without the row pitch"
        )
    return padded


def paired_lines(
    cube: xr.Dataset, without: xr.Dataset, axis: str, tile: Tile, at: Mapping[str, int] | None = None
) -> tuple[Line, ...]:
    """Take the lines that two cubes share, and what throughput the first has relative to the second.

    Parameters
    ----------
    cube, without : xarray.Dataset
        Landscape cubes with and without a mechanism (:func:`removed_pitch`).
    axis : {"M", "N", "K"}
    tile : Tile
        One of both cubes'.
    at : mapping of str to int, optional
        Sizes of the other axes to hold, elements.

    Returns
    -------
    tuple of Line
        Over the sizes that both cubes have; ``log_throughput`` is log T(without) - log T(with).

    Raises
    ------
    InputError
        If the cubes are no pair.
    NotApplicableError
        If the second lacks the tile, or they share no line.
    """
    removed_pitch(cube, without)
    if tile not in tiles_of(without):
        known = ", ".join(item.name for item in tiles_of(without))
        raise NotApplicableError(f"tile {tile.name} is not in the cube without the mechanism, which has {known}")
    mine = lines_of(cube, axis, tile, at)
    try:
        theirs = {frozenset(line.at.items()): line for line in lines_of(without, axis, tile, at)}
    except NotApplicableError as refusal:
        raise NotApplicableError(f"in the cube without the mechanism, {refusal}") from None
    found = []
    for line in mine:
        other = theirs.get(frozenset(line.at.items()))
        if other is None:
            continue
        x, left, right = np.intersect1d(line.x, other.x, assume_unique=True, return_indices=True)
        if x.size >= FEWEST_SAMPLES:
            ratio = line.log_throughput[left] - other.log_throughput[right]
            found.append(Line(axis, tile, x, ratio, line.at))
    if not found:
        raise NotApplicableError(
            f"tile {tile.name}: the cubes share no line along {axis} of at least {FEWEST_SAMPLES} sizes; measure "
            "both at the same shapes"
        )
    return tuple(found)


def paired_candidates(lines: Sequence[Line], facts: Facts, padded: int) -> tuple[tuple[Candidate, ...], set[str]]:
    """List what may be left on paired lines, and name what was removed.

    Rows a multiple of ``padded`` elements apart lack every pitch period that divides it. A mechanism that stays
    and has the period of one that goes is not listed: it cancels.

    Returns
    -------
    candidates : tuple of Candidate
        Largest first.
    removed : set of str
        Mechanisms, as the candidates name them.

    Raises
    ------
    NotApplicableError
        If no period along this axis goes with the row pitch.
    """
    every = every_candidate(lines, facts)
    removed = [item for item in every if item.mechanism.startswith(PITCH) and padded % item.period == 0]
    if not removed:
        raise NotApplicableError(
            f"rows padded to {padded} elements take no period away along {lines[0].axis}: expected an axis that is "
            f"the length of rows, here {' or '.join(facts.pitched)}, and rows padded to whole lines"
        )
    gone = {item.periods for item in removed}
    stays = [item for item in every if item.periods not in gone]
    return merged([*removed, *stays]), {item.mechanism for item in removed}


def find_paired_periods(
    cube: xr.Dataset,
    without: xr.Dataset,
    axis: str,
    tile: Tile,
    at: Mapping[str, int] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    most_lines: int = MOST_LINES,
) -> tuple[PeriodFinding, ...]:
    """Test which periods a change took away, and whether it left those of other mechanisms alone.

    Parameters
    ----------
    cube, without, axis, tile, at
        As for :func:`paired_lines`.
    draws : int
        Block permutations of each test.
    seed : int
    most_lines : int
        Lines pooled, evenly taken from all.

    Returns
    -------
    tuple of PeriodFinding
        From the largest period down; not predicted ones last.

    Raises
    ------
    InputError, NotApplicableError
        If an argument is wrong, the cubes are no pair, or share no line.
    """
    checked_draws(draws)
    lines = some_lines(paired_lines(cube, without, axis, tile, at), most_lines)
    predicted, removed = paired_candidates(lines, Facts.of(cube), removed_pitch(cube, without))
    return tuple(_of_pair(item, removed) for item in judge_candidates(lines, predicted, draws=draws, seed=seed))


def compare_paired_laws(
    cube: xr.Dataset,
    without: xr.Dataset,
    axis: str,
    at: Mapping[str, int] | None = None,
    *,
    draws: int = 499,
    seed: int = 0,
) -> LawComparison:
    """Compare the laws of what a change took away, over all tiles (:func:`attrib.periods.compare_laws`)."""
    lines = lines_of_tiles(tiles_of(cube), lambda tile: paired_lines(cube, without, axis, tile, at))
    return compare_laws_of_lines(axis, lines, draws=draws, seed=seed)


def _of_pair(finding: PeriodFinding, removed: set[str]) -> PeriodFinding:
    """Say that the null is of a ratio, and of what stayed why some of it may be left."""
    reason = finding.reason
    if finding.status == DETECTED and finding.mechanism is not None and finding.mechanism not in removed:
        left = "was not changed, and cancels in part, as costs do that add up rather than multiply"
        reason = f"{reason}; {left}" if reason else left
    null = f"in the ratio of both times, {finding.null}" if finding.null else ""
    return replace(finding, null=null, reason=reason)
