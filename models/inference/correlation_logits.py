"""Parameters without bounds that stand for a correlation on the lattice, for searches and for errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.inference.lattice_correlation import LatticeCorrelation

Array = NDArray[np.float64]

FARTHEST = 12.0
"""Where a search ends: a share or correlation of a logit beyond it is zero or one."""

_LARGEST = 0.995
"""Largest correlation of neighbours; beyond it a field is a constant."""

_LEAST_OWN = 1e-3
"""Least share that a cell has of its own: a correlation without one is singular."""


@dataclass(frozen=True)
class Logits:
    """Parameters of the search, which know no bounds, and the correlation that they stand for.

    In their order: the own share; phi of each axis that has neighbours; in a mixture, for each set of some of these
    axes the logarithm of its share over that of all of them.

    Attributes
    ----------
    used : tuple of bool
        Whether M, N and K have more than one place.
    mixture : bool
        Whether anything may be shared along some axes alone; else along all of them or none.
    """

    used: tuple[bool, bool, bool]
    mixture: bool = True

    @property
    def axes(self) -> list[int]:
        """Axes that have neighbours."""
        return [axis for axis in range(3) if self.used[axis]]

    @property
    def some(self) -> list[tuple[int, ...]]:
        """Sets of some of these axes, in a mixture: not all, not none."""
        return [
            places
            for places in np.ndindex(2, 2, 2)
            if self.mixture and 0 < sum(places) < len(self.axes) and all(np.less_equal(places, self.used))
        ]

    def start(self, own: float, phi: float, some: float) -> Array:
        """Logits all alike of a kind."""
        return np.array([own] + [phi] * len(self.axes) + [some] * len(self.some))

    def correlation(self, logits: Array, smoothness: int, stride: int = 1) -> LatticeCorrelation:
        """Correlation of some logits; those of K hold for every ``stride``-th rank."""
        bounded = _bounded(logits)
        phi = [0.0, 0.0, 0.0]
        for axis, value in zip(self.axes, bounded[1:], strict=False):
            phi[axis] = _LARGEST * float(value)
        phi[2] **= 1.0 / stride**smoothness
        own = _LEAST_OWN + (1.0 - _LEAST_OWN) * float(bounded[0])
        shares = np.zeros((2, 2, 2))
        for places, part in zip(self._sets(), self._parts(logits), strict=True):
            shares[places] = (1.0 - own) * part
        shares[0, 0, 0] = own
        return LatticeCorrelation((phi[0], phi[1], phi[2]), shares, smoothness)

    def slope(self, logits: Array, by_shares: Array, by_neighbours: Array) -> Array:
        """Change with the logits, from that with the shares and with phi."""
        bounded, parts = _bounded(logits), self._parts(logits)
        steep = bounded * (1.0 - bounded)
        each = np.array([by_shares[places] for places in self._sets()])
        mean = float(parts @ each)
        own = (1.0 - _LEAST_OWN) * bounded[0] + _LEAST_OWN
        by_own = (by_shares[0, 0, 0] - mean) * (1.0 - _LEAST_OWN) * steep[0]
        by_phi = _LARGEST * steep[1 : 1 + len(self.axes)] * by_neighbours[self.axes]
        by_some = (1.0 - own) * parts[1:] * (each[1:] - mean)
        return np.concatenate([[by_own], by_phi, by_some])

    def _sets(self) -> list[tuple[int, ...]]:
        return [tuple(int(used) for used in self.used), *self.some]

    def _parts(self, logits: Array) -> Array:
        weights = np.exp(np.concatenate([[0.0], logits[1 + len(self.axes) :]]))
        return np.asarray(weights / weights.sum())


def _bounded(logits: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -FARTHEST, FARTHEST))))
