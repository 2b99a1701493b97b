"""Design matrices: the columns of all terms side by side, for one tile."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.samples import Samples
from harness.tile import Tile
from models.hardware import Hardware
from models.limits import bounded, limits
from models.problem import Problem
from models.term import Coefficient, Term
from models.terms import ALL_TERMS

ALL_MECHANISMS: frozenset[str] = frozenset(name for term in ALL_TERMS for name in term.mechanisms)
"""Names of all mechanisms that can be switched off."""


@dataclass(frozen=True)
class Column:
    """One column of a design: the term it belongs to and the coefficient that multiplies it."""

    term: Term
    coefficient: Coefficient


@dataclass(frozen=True)
class Design:
    """The terms that apply to one tile, in order.

    Attributes
    ----------
    tile : Tile
    terms : tuple of Term
    skipped : tuple of (str, str)
        Terms that do not apply, with the reason.
    """

    tile: Tile
    terms: tuple[Term, ...]
    skipped: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, terms: Sequence[Term], tile: Tile, hardware: Hardware) -> Design:
        """Keep the terms that apply to the tile on this hardware."""
        reasons = [(term, term.applies(tile, hardware)) for term in terms]
        return cls(
            tile,
            tuple(term for term, reason in reasons if reason is None),
            tuple((term.name, reason) for term, reason in reasons if reason is not None),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms."""
        return tuple(term.name for term in self.terms)

    def columns(self, hardware: Hardware) -> tuple[Column, ...]:
        """Describe the columns of :meth:`matrix`."""
        return tuple(
            Column(term, coefficient)
            for term in self.terms
            for coefficient in term.coefficients(self.tile, hardware)
        )

    def resources(self, hardware: Hardware) -> tuple[str, ...]:
        """Resource that each column keeps busy (:attr:`models.term.Term.resource`)."""
        return tuple(column.term.resource for column in self.columns(hardware))

    def matrix(
        self, problem: Problem, hardware: Hardware, on: AbstractSet[str] = ALL_MECHANISMS
    ) -> NDArray[np.float64]:
        """Design matrix of shape (n, p), with the mechanisms in ``on`` switched on."""
        return np.concatenate([term.columns(problem, hardware, on) for term in self.terms], axis=1)

    def binding_matrix(
        self, problem: Problem, hardware: Hardware, on: AbstractSet[str], theta: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Design matrix of shape (n, p) that under these coefficients gives each launch its largest limit.

        With all mechanisms on work-groups run whole, and this is :meth:`matrix`.
        """
        matrix = self.matrix(problem, hardware, on)
        if problem.tile.hidden:
            return matrix
        loose = bounded(problem, hardware.slots_of(problem.tile.name), on)
        if not loose.any():
            return matrix
        time = matrix @ theta
        for limit in limits(on):
            other = np.concatenate(
                [term.limit_columns(limit, problem, hardware, on) for term in self.terms], axis=1
            )
            longer = other @ theta
            binding = loose & (longer > time)
            matrix[binding] = other[binding]
            time = np.where(binding, longer, time)
        return matrix


def problem_of(samples: Samples, tile: Tile, element_bytes: int, output_bytes: int) -> Problem:
    """Take the shapes of samples (already of one tile) as the problem of that tile."""
    return Problem(samples.M, samples.N, samples.K, tile, element_bytes, output_bytes)
