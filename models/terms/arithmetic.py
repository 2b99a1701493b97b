"""Arithmetic: useful FLOP at one rate, for kernels whose tile is hidden."""

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
class Arithmetic(Term):
    """2 M N K at one rate. Smooth in the sizes: its own smooth counterpart."""

    name: ClassVar[str] = "arithmetic"
    always: ClassVar[bool] = True
    hidden_only: ClassVar[bool] = True
    source: ClassVar[str] = "t_compute of arXiv 2605.29752 section 4"
    identified_by: ClassVar[str] = "large shapes"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One FLOP."""
        del tile, hardware
        return (Coefficient("FLOP", "s/FLOP", "per useful FLOP"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Useful FLOP."""
        del hardware, on
        return problem.flop[:, None]
