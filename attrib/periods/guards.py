"""Guards: whether a grid can show a period at all, and what would."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from attrib.periods.candidate import WAVES, Candidate
from attrib.periods.harmonics import own_harmonics
from attrib.periods.line import Line

FEWEST_PER_PERIOD = 3
FEWEST_PERIODS = 3
_FEWEST_COLUMNS = 2
"""Columns of tiles in a wave: with fewer, it is undersampled."""


def untestable(candidate: Candidate, lines: Sequence[Line], smaller: Sequence[Candidate]) -> tuple[str, list[int]]:
    """Say why a period cannot be tested, and which lines can test it.

    Parameters
    ----------
    candidate : Candidate
    lines : sequence of Line
    smaller : sequence of Candidate
        Smaller periods, whose harmonics count for nothing.

    Returns
    -------
    reason : str
        Empty where some line can.
    usable : list of int
        Numbers of the lines that can.
    """
    reasons, usable = [], []
    for number, line in enumerate(lines):
        reason = _why_not(candidate, number, line, [item.periods[number] for item in smaller])
        reason = reason or _hidden_by_columns(candidate, number, line, smaller)
        if reason:
            reasons.append(reason)
        else:
            usable.append(number)
    return ("" if usable else reasons[0]), usable


def _why_not(candidate: Candidate, number: int, line: Line, smaller: Sequence[float]) -> str:
    period, step, spacing = candidate.periods[number], line.step, line.spacing
    if period < FEWEST_PER_PERIOD * spacing * (1 - 1e-9):
        finest = max(1, int(period // (FEWEST_PER_PERIOD + 1)))
        return (
            f"{period:g} elements are {period / spacing:.2g} samples at step {spacing:.4g}, fewer than "
            f"{FEWEST_PER_PERIOD}: measure at step {finest} or less"
        )
    if line.span < FEWEST_PERIODS * period * (1 - 1e-9):
        return (
            f"the line of {line.span} elements holds {line.span / period:.2g} periods, fewer than "
            f"{FEWEST_PERIODS}: measure over {int(np.ceil(FEWEST_PERIODS * period))} elements or more"
        )
    if candidate.comb and misses_teeth(period, line):
        return (
            f"no size of the line is a multiple of {period:g} (the least remainder is "
            f"{int(np.min(np.mod(line.x, period)))}): include multiples, and step coprime to {period:g}"
        )
    if not own_harmonics(period, step, line.span, smaller):
        return (
            "every harmonic that the grid resolves is also one of a smaller period: take a finer step, or widths "
            "that are not nested"
        )
    return ""


def _hidden_by_columns(candidate: Candidate, number: int, line: Line, smaller: Sequence[Candidate]) -> str:
    """Say why the columns of tiles that a line is made of hide its waves, if they do.

    Work-groups come in whole columns of tiles, so that a line samples its waves once a column, however fine its
    step: waves of fewer than two columns have their teeth at other periods (aliasing). There they must not be
    taken for waves of more work-groups on a core.
    """
    if not candidate.mechanism.startswith(WAVES):
        return ""
    width = {"M": line.tile.m, "N": line.tile.n}[line.axis]
    other = "N" if line.axis == "M" else "M"
    columns = candidate.periods[number] / width
    remedy = f"measure at a smaller {other} than {line.at[other]}"
    if columns < _FEWEST_COLUMNS:
        return f"a wave is {columns:.2g} columns of tiles, fewer than {_FEWEST_COLUMNS}: {remedy}"
    for item in smaller:
        if item.mechanism.startswith(WAVES) and item.periods[number] < _FEWEST_COLUMNS * width:
            turns = width / item.periods[number]
            if abs(abs(turns - round(turns)) / width - 1.0 / candidate.periods[number]) <= 1.0 / line.span:
                return f"{item.mechanism}, would have its teeth there too, seen once a column of tiles: {remedy}"
    return ""


def misses_teeth(period: float, line: Line) -> bool:
    """Whether a line never reaches a multiple of the period, which a step with a common factor may forbid."""
    whole = round(period)
    if abs(period - whole) > 1e-9 or gcd(whole, line.step) == 1:
        return False
    return not bool(np.any(line.x % whole == 0))
