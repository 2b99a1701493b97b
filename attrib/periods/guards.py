"""Guards: whether a grid can show a period at all, and what would."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from attrib.periods.candidate import Candidate
from attrib.periods.harmonics import own_harmonics
from attrib.periods.line import Line

FEWEST_PER_PERIOD = 3
FEWEST_PERIODS = 3


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


def misses_teeth(period: float, line: Line) -> bool:
    """Whether a line never reaches a multiple of the period, which a step with a common factor may forbid."""
    whole = round(period)
    if abs(period - whole) > 1e-9 or gcd(whole, line.step) == 1:
        return False
    return not bool(np.any(line.x % whole == 0))
