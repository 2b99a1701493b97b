"""Pipeline fill: a mainloop shorter than its prefetch depth cannot hide its loads.

What it waits for is the latency of loads, during which neither memory nor the engines are busy: like the first
operands of a wave (:mod:`models.terms.exposed_prologue`), it is hidden by nothing. The few K at which it acts are
those at which launches wait for memory; hidden by that, it would be seen nowhere.
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
from models.terms.wave_quantization import counted_waves

_DEPTH = 3
"""Steps that fill a software pipeline of three to four stages."""


@dataclass(frozen=True)
class PipelineFill(Term):
    """Steps that a wave's mainloop lacks to fill its pipeline, max(0, depth - I) per wave."""

    name: ClassVar[str] = "pipeline fill"
    mechanisms: ClassVar[tuple[str, ...]] = ("pipeline fill",)
    needs_tile: ClassVar[bool] = True
    resource: ClassVar[str] = "launch"
    source: ClassVar[str] = "arXiv 2605.29752 section 2.3 (prefetch hides latency only if K is long enough)"
    identified_by: ClassVar[str] = "several K below three mainloop steps"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """One missing step of one wave."""
        del tile, hardware
        return (Coefficient("missing step", "s/(wave step)", "per wave and step short of the prefetch depth"),)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Waves times missing steps; zero where switched off."""
        waves = counted_waves(problem, hardware, on)
        missing = np.maximum(0.0, _DEPTH - problem.steps(on))
        return (waves * missing * float("pipeline fill" in on))[:, None]
