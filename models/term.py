"""What a mechanism term is: shapes in, design columns with a unit out. It never sees a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.hardware import Hardware
from models.limits import Limit
from models.problem import Problem


@dataclass(frozen=True)
class Coefficient:
    """One fitted number of a term.

    Attributes
    ----------
    name : str
        Unique within a model, as ``"wave step"``.
    unit : str
        Unit of the coefficient: seconds per what the column counts.
    meaning : str
        A few words an engineer can read aloud.
    """

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Term(ABC):
    """A cost of running a kernel, linear in non-negative coefficients.

    A term owns one or more *mechanisms*, each of which can be switched off: :meth:`columns` is given the set
    of mechanisms that are on, and replaces each of the others by its smooth counterpart. Predicting is the
    same call with all mechanisms on.
    """

    mechanisms: ClassVar[tuple[str, ...]] = ()
    """Mechanisms this term responds to; empty when it is its own smooth counterpart."""

    always: ClassVar[bool] = False
    """Whether the term is in every model, or has to earn its place by held-out error."""

    shared: ClassVar[bool] = False
    """Whether its coefficients belong to the hardware (one value for all tiles) or to a kernel."""

    needs_tile: ClassVar[bool] = False
    """Whether it cannot be applied to a library whose tile is hidden."""

    hidden_only: ClassVar[bool] = False
    """Whether it stands in for the tile terms where the tile is hidden."""

    needs_overlap: ClassVar[bool] = False
    """Whether it is a combination of other terms wherever memory and computing add up."""

    resource: ClassVar[str] = "compute"
    """What its cost keeps busy: ``"compute"``, ``"memory"``, or ``"launch"`` (before and after either)."""

    source: ClassVar[str] = ""
    """Where the formula comes from."""

    identified_by: ClassVar[str] = ""
    """The shapes that would identify its coefficients, in words."""

    name: ClassVar[str] = ""
    """Name of the term."""

    def applies(self, tile: Tile, hardware: Hardware) -> str | None:
        """Why the term cannot be applied to this tile on this hardware, or ``None`` when it can."""
        del hardware
        if tile.hidden and self.needs_tile:
            return "the library hides its tile"
        if not tile.hidden and self.hidden_only:
            return "the tile is known: its mainloop is counted instead"
        return None

    @abstractmethod
    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """Describe the columns, in their order."""

    @abstractmethod
    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> NDArray[np.float64]:
        """Design columns.

        Parameters
        ----------
        problem : Problem
            Shapes of one tile, length n.
        hardware : Hardware
        on : set of str
            Mechanisms that are on.

        Returns
        -------
        ndarray of float64, shape (n, p)
            p matches :meth:`coefficients`; every entry is finite and >= 0.
        """

    def limit_columns(
        self, limit: Limit, problem: Problem, hardware: Hardware, on: AbstractSet[str]
    ) -> NDArray[np.float64]:
        """Design columns of a divisible launch that one limit bounds (:mod:`models.limits`); shape as `columns`.

        A cost that is no core's alone is the same under every limit.
        """
        del limit
        return self.columns(problem, hardware, on)
