"""Exposed prologue: what a work-group waits for its first operands is hidden neither by computing nor by memory.

While a kernel computes all the time, such waits are a part of what a wave costs, and nothing tells them from it.
Where waves wait for memory, and overlap hides what they compute, the waits are still there: memory is no busier
with them than the engines are.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.limits import FILL, QUANTIZATION
from models.problem import Problem
from models.term import Coefficient, Term
from models.terms.wave_quantization import counted_waves


@dataclass(frozen=True)
class ExposedPrologue(Term):
    """A constant per wave, beside the one that overlap may hide (:mod:`models.terms.wave_quantization`)."""

    name: ClassVar[str] = "exposed prologue"
    mechanisms: ClassVar[tuple[str, ...]] = (FILL, QUANTIZATION)
    needs_tile: ClassVar[bool] = True
    needs_overlap: ClassVar[bool] = True
    resource: ClassVar[str] = "launch"
    source: ClassVar[str] = "arXiv 2605.29752 section 2.3 (first loads have nothing to hide behind)"
    identified_by: ClassVar[str] = "launches of several waves that wait for memory, beside such that compute"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One wave."""
        del tile, hardware
        return (Coefficient("exposed wave", "s/wave", "per wave, whether it computes or waits for memory"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Waves."""
        return counted_waves(problem, hardware, on)[:, None]
