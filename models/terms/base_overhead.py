"""Base overhead: what a launch costs before and after any work."""

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


@dataclass(frozen=True)
class BaseOverhead(Term):
    """One constant per launch, the same for every tile. Smooth counterpart: no launch cost at all."""

    name: ClassVar[str] = "base overhead"
    mechanisms: ClassVar[tuple[str, ...]] = ("base overhead",)
    always: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    resource: ClassVar[str] = "launch"
    source: ClassVar[str] = "design section 4; the launch cost of arXiv 2605.29752 section 4"
    identified_by: ClassVar[str] = "shapes of one wave or less beside shapes of many waves"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One launch."""
        del tile, hardware
        return (Coefficient("launch", "s", "per launch"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """A column of ones."""
        del hardware
        return np.full((problem.size, 1), float("base overhead" in on))
