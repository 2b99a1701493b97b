"""Atom remainder: the matrix instruction works on whole atoms, and a ragged K runs a masked mainloop."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.mainloop_length import mainloop_waves
from models.problem import Problem
from models.slow_steps import ATOM, MASKED_STEP, masked
from models.term import Coefficient, Term
from models.terms.wave_quantization import counted_waves


@dataclass(frozen=True)
class AtomRemainder(Term):
    """FLOP of padded minus useful atoms (DPAS 8x16x16 for BF16), and the extra cost of masked steps.

    Where K is no multiple of the tile's step, compilers emit another mainloop whose loads are masked: it costs
    more in every step, not only in the last. Smooth counterpart: no remainder, no mask.
    """

    name: ClassVar[str] = "atom remainder"
    mechanisms: ClassVar[tuple[str, ...]] = (ATOM,)
    always: ClassVar[bool] = True
    source: ClassVar[str] = "design section 4; DPAS atom of arXiv 2605.29752 section 1"
    identified_by: ClassVar[str] = "sizes that are no multiples of the atom, and K that is no multiple of tile_k"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """Atom FLOP and, where the tile is known, masked waves and steps."""
        m, n, k = hardware.atom
        found = [Coefficient("atom padding", "s/FLOP", f"per FLOP of padding to {m}x{n}x{k} atoms")]
        if not tile.hidden:
            found.append(Coefficient("masked wave", "s/wave", "per wave, where K is no multiple of tile_k"))
            found.append(Coefficient(MASKED_STEP, "s/(wave step)", "per wave and step, likewise"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Padded minus useful FLOP; waves and wave steps of a masked mainloop."""
        m, n, k = hardware.atom
        padded = 2.0 * (m * np.ceil(problem.M / m)) * (n * np.ceil(problem.N / n)) * (k * np.ceil(problem.K / k))
        columns = [padded - problem.flop]
        if not problem.tile.hidden:
            slow = masked(problem)
            length = mainloop_waves(problem, hardware, on)
            columns += [counted_waves(problem, hardware, on) * slow, length * slow * problem.steps(on)]
        return np.stack(columns, axis=1) * float(ATOM in on)
