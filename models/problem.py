"""The problem a kernel is given, counted in the units the hardware works in."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware

Array = NDArray[np.float64]

PADDING = "tile padding"
"""Mechanism that rounds every count of tiles and mainloop steps up to a whole number."""


@dataclass(frozen=True)
class Problem:
    """Shapes of one tile variant.

    Attributes
    ----------
    M, N, K : ndarray of int64, shape (n,)
        Sizes, elements.
    tile : Tile
    element_bytes, output_bytes : int
        Bytes per element of A and B, and of D.
    """

    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]
    tile: Tile
    element_bytes: int = 2
    output_bytes: int = 2

    @property
    def size(self) -> int:
        """Number of shapes."""
        return int(self.M.size)

    def take(self, rows: NDArray[np.int64]) -> Problem:
        """Return the given rows."""
        return Problem(self.M[rows], self.N[rows], self.K[rows], self.tile, self.element_bytes, self.output_bytes)

    @cached_property
    def flop(self) -> Array:
        """Useful floating-point operations 2 M N K."""
        return np.asarray(2.0 * self.M * self.N * self.K)

    @cached_property
    def bytes_a(self) -> Array:
        """Bytes of A."""
        return np.asarray(1.0 * self.element_bytes * self.M * self.K)

    @cached_property
    def bytes_b(self) -> Array:
        """Bytes of B."""
        return np.asarray(1.0 * self.element_bytes * self.K * self.N)

    @cached_property
    def bytes_d(self) -> Array:
        """Bytes of D."""
        return np.asarray(1.0 * self.output_bytes * self.M * self.N)

    @cached_property
    def counted(self) -> dict[str, tuple[Any, ...]]:
        """What was counted of these shapes last, by its name: what it was counted with, then the counts."""
        return {}

    @property
    def footprint(self) -> Array:
        """Bytes of A, B and D together: the working set and the least traffic."""
        return np.asarray(self.bytes_a + self.bytes_b + self.bytes_d)

    @cached_property
    def tile_rows(self) -> Array:
        """ceil(M / tile_m)."""
        return np.ceil(self.M / self.tile.m)

    @cached_property
    def tile_columns(self) -> Array:
        """ceil(N / tile_n)."""
        return np.ceil(self.N / self.tile.n)

    def work_groups(self, on: AbstractSet[str]) -> Array:
        """Work-groups W = ceil(M/tm) ceil(N/tn); fractional tiles count as such where padding is off."""
        if PADDING in on:
            return self.whole_groups
        return (self.M / self.tile.m) * (self.N / self.tile.n)

    @property
    def whole_groups(self) -> Array:
        """Work-groups of a launch, those at the edge counted whole."""
        return np.asarray(self.tile_rows * self.tile_columns)

    @property
    def along_n(self) -> NDArray[np.bool_]:
        """Whether consecutive work-groups walk along N, as the heuristic of CUTLASS has it, shape (n,).

        A raster walks along the axis that has fewer tiles.
        """
        return np.asarray(self.tile_columns <= self.tile_rows)

    @property
    def ragged(self) -> NDArray[np.bool_]:
        """Whether M or N is no multiple of the tile's, shape (n,)."""
        return np.asarray((self.M % self.tile.m != 0) | (self.N % self.tile.n != 0))

    def steps(self, on: AbstractSet[str]) -> Array:
        """Mainloop steps I = ceil(K/tk); fractional where padding is off."""
        exact = self.K / self.tile.k
        return np.ceil(exact) if PADDING in on else exact

    def load_paths(self, hardware: Hardware) -> NDArray[np.int64]:
        """Which loads the rows of A and of B allow, shape (n, 2).

        0: rows start on cache lines; 1: off the line; 2: off the granularity of vector loads, element by element.
        """
        pitches = self.element_bytes * hardware.pitch(np.stack([self.K, self.N], axis=1))
        off_vector = pitches % hardware.vector_bytes != 0
        return np.asarray(np.where(off_vector, 2, pitches % hardware.line_bytes != 0), dtype=np.int64)
