"""Row pitch: rows that do not start on a cache line make the mainloop's loads split."""

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
from models.slow_steps import PITCH, granules, misaligned
from models.term import Coefficient, Term


@dataclass(frozen=True)
class RowPitch(Term):
    """Extra cost of a mainloop step when a row's pitch in bytes misses an alignment.

    A's pitch is K elements and that of B is N, unless rows were laid out further apart. Three alignments are told
    apart: the cache line, half a line, and the vector unit below which every element is loaded by itself. Costs
    are per wave and step where the tile is known, else per byte of the operand. Smooth counterpart: all rows
    aligned.
    """

    name: ClassVar[str] = "row pitch"
    mechanisms: ClassVar[tuple[str, ...]] = (PITCH,)
    source: ClassVar[str] = "design section 4; 2D-block pitch rule of sycl-tla, cache-line sectors"
    identified_by: ClassVar[str] = "N and K that are no multiples of a cache line's elements, on a fine line"

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """For A and for B: off the line, off the half line, off the vector unit."""
        unit = "s/byte" if tile.hidden else "s/(wave step)"
        of = "byte" if tile.hidden else "wave and step"
        return tuple(
            Coefficient(
                f"{operand} off {granule} B", unit, f"per {of}, pitch of {operand} no multiple of {granule} B"
            )
            for operand in "AB"
            for granule in granules(hardware)
        )

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Wave steps (or bytes) of misaligned operands."""
        if problem.tile.hidden:
            sizes = {"A": problem.bytes_a, "B": problem.bytes_b}
        else:
            sizes = dict.fromkeys("AB", mainloop_waves(problem, hardware, on) * problem.steps(on))
        columns = [sizes[name[0]] * off for name, off in misaligned(problem, hardware).items()]
        return np.stack(columns, axis=1) * float(PITCH in on)
