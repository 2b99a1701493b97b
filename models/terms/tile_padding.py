"""Tile padding: work-groups compute whole tiles and whole mainloop steps, also past the edge."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.problem import PADDING, Problem
from models.term import Coefficient, Term


@dataclass(frozen=True)
class TilePadding(Term):
    """Cost of a work-group and of its mainloop step in what all cores share (cache bandwidth, power).

    The padded tile counts also enter the wave term; switching the mechanism off makes them fractional in both.
    """

    name: ClassVar[str] = "tile work"
    mechanisms: ClassVar[tuple[str, ...]] = (PADDING,)
    always: ClassVar[bool] = True
    needs_tile: ClassVar[bool] = True
    source: ClassVar[str] = "design section 4; partial-tile waste of arXiv 2605.29752 section 3.3"
    identified_by: ClassVar[str] = "shapes that fill the last wave to different degrees"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """A work-group and its mainloop step."""
        del tile, hardware
        return (
            Coefficient("work-group", "s/work-group", "per work-group, beyond its wave"),
            Coefficient("work-group step", "s/(work-group step)", "per work-group and mainloop step"),
        )

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """W and W I."""
        del hardware
        groups = problem.work_groups(on)
        return np.stack([groups, groups * problem.steps(on)], axis=1)
