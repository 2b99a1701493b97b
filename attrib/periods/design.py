"""Designs: the widths, step and range with which a test of periods would be conclusive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from attrib.periods.guards import FEWEST_PER_PERIOD
from harness.errors import InputError

_UNIT = 32
"""Tile widths that kernels are built for are multiples of this many elements."""
_SAMPLES_A_PERIOD = 2 * FEWEST_PER_PERIOD
_PERIODS = 16


@dataclass(frozen=True)
class PeriodDesign:
    """A line along which periods can be told apart.

    Attributes
    ----------
    widths : tuple of int
        Tile widths to measure, elements; none divides another.
    first, last, step : int
        Sizes along the axis, elements.
    reason : str
        What it has that other grids lack.
    """

    widths: tuple[int, ...]
    first: int
    last: int
    step: int
    reason: str

    @property
    def axis(self) -> str:
        """The axis as ``attrib measure --grid`` takes it."""
        return f"{self.first}:{self.last}:{self.step}"

    @property
    def samples(self) -> int:
        """Sizes on the line."""
        return (self.last - self.first) // self.step + 1

    def __str__(self) -> str:
        widths = ", ".join(str(width) for width in self.widths)
        return f"tiles {widths} wide on {self.axis} ({self.samples} sizes): {self.reason}"


def nested(widths: Sequence[int]) -> bool:
    """Whether one of several widths divides another, so that the teeth of one are among those of the other."""
    distinct = sorted(set(widths))
    return any(wide % narrow == 0 for place, narrow in enumerate(distinct) for wide in distinct[place + 1 :])


def design(
    widths: Sequence[int], periods: Sequence[float] = (), *, first: int = 1024, fewest_periods: int = _PERIODS
) -> PeriodDesign:
    """Propose widths, step and range.

    Widths that divide each other are replaced by multiples of 32 between the narrowest and the widest that do
    not. The step is coprime to every width and to every other period that is a whole number, so that all
    remainders are reached, 0 among them, and gives at least six samples of the shortest period. The line holds at
    least 16 periods of the longest and as many samples as the longest has remainders.

    Parameters
    ----------
    widths : sequence of int
        Tile widths along the axis that there are, elements.
    periods : sequence of float
        Other periods to tell apart from them (a row pitch, say), elements.
    first : int
        Where the line begins, elements.
    fewest_periods : int
        Of the longest, on the line.

    Raises
    ------
    InputError
        If there is no width and no period, or one is too short to be sampled six times.
    """
    every = [*widths, *periods]
    if not every or first < 1 or any(value <= 0 for value in every):
        raise InputError("a design needs positive tile widths or periods, in elements, and a positive first size")
    chosen = _apart(sorted(set(widths)))
    targets = [float(value) for value in (*chosen, *periods)]
    whole = [round(value) for value in targets if abs(value - round(value)) < 1e-9]
    step = int(min(targets) // _SAMPLES_A_PERIOD)
    while step > 1 and any(gcd(step, value) > 1 for value in whole):
        step -= 1
    if step < 1:
        raise InputError(
            f"a period of {min(targets):g} elements is too short: sizes are whole, and a test takes "
            f"{_SAMPLES_A_PERIOD} samples a period; leave it out"
        )
    longest = max(targets)
    count = max(-(-int(fewest_periods * longest) // step), int(longest))
    what = "no width divides another, " if len(chosen) > 1 else ""
    return PeriodDesign(
        tuple(chosen),
        first,
        first + step * count,
        step,
        f"{what}the step shares no factor with a period, so every remainder is reached, and the shortest period of "
        f"{min(targets):g} elements has {min(targets) / step:.1f} samples",
    )


def _apart(widths: Sequence[int]) -> list[int]:
    """Keep widths of which none divides another; else find as many, up to three, between the ends."""
    if not nested(widths):
        return list(widths)
    low, high = max(widths[0], 3 * _UNIT), max(widths[-1], 6 * _UNIT)
    found: list[int] = []
    for width in range(-(-low // _UNIT) * _UNIT, high + 1, _UNIT):
        if not nested([*found, width]):
            found.append(width)
    if len(found) <= 3:
        return found
    # The ends and what lies nearest to the middle of them, by ratio.
    middle = min(found[1:-1], key=lambda width: abs(width * width - found[0] * found[-1]))
    return [found[0], middle, found[-1]]
