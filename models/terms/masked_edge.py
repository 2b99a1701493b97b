"""Masked edge: work-groups that reach past the edge of the matrix take a slower, masked path.

Their padded work is counted elsewhere; this is what masking costs beyond it. Whichever way a raster runs, it ends
in the last tile row and column. The last work-group to start is thus at the edge wherever an edge is ragged, and
no other work hides its delay: a launch lasts longer by it once, however many waves it has. What the earlier edge
work-groups lose, other cores work off meanwhile: columns for it, spread over the slots or counted as further waves,
hardly lower a held-out error beside this one.

How the delay grows with the share s of the tile that lies outside is left to the timings: any increasing function
that is linear on 0 < s <= 1/2 and on 1/2 <= s < 1, with a jump at 0. It is a sum of three non-negative multiples.
A work-group at both edges costs both delays, and more by the part of it that lies outside of both.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.problem import Problem
from models.term import Coefficient, Term

MASKED = "masked edge"


def outside(size: NDArray[np.int64], tile: int) -> NDArray[np.float64]:
    """Share of the last tile along an axis that lies outside the matrix: 0 where tiles fit, below 1."""
    return np.asarray(-size % tile / tile)


@dataclass(frozen=True)
class MaskedEdge(Term):
    """Delay of the last work-group of a launch, by mainloop step, where it is masked in N or in M.

    Smooth counterpart: every work-group takes the plain path.
    """

    name: ClassVar[str] = "masked edge"
    mechanisms: ClassVar[tuple[str, ...]] = (MASKED,)
    needs_tile: ClassVar[bool] = True
    source: ClassVar[str] = (
        "arXiv 2605.29752 section 3.3, Table 14 (sizes off the tile cost more than their padding)"
    )
    identified_by: ClassVar[str] = (
        "N and M that are no multiples of the tile's, with few and with most of its columns and rows outside"
    )

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """For N and for M: a masked step, and what it costs more as the tile leaves the matrix; the corner."""
        del tile, hardware
        found = []
        for axis in "NM":
            of = f"per step of a launch that is ragged in {axis}"
            found.append(Coefficient(f"masked step, {axis}", "s/step", of))
            found.append(Coefficient(f"first half outside, {axis}", "s/step", f"{of}, half the tile outside"))
            found.append(
                Coefficient(f"second half outside, {axis}", "s/step", f"{of}, from half to the whole tile")
            )
        found.append(Coefficient("masked corner", "s/step", "per step and share of the tile outside of both edges"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Steps of a launch, by what of its last work-group lies outside; zero where switched off."""
        del hardware
        shares = outside(problem.N, problem.tile.n), outside(problem.M, problem.tile.m)
        columns = []
        for share in shares:
            columns += [share > 0, np.minimum(2.0 * share, 1.0), np.maximum(2.0 * share - 1.0, 0.0)]
        columns.append(shares[0] * shares[1])
        return np.stack(columns, axis=1) * problem.steps(on)[:, None] * float(MASKED in on)
