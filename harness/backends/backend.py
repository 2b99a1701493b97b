"""What every measuring backend offers: cells in, seconds out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.device import DeviceRecord
from harness.tile import Tile


@dataclass(frozen=True)
class Cell:
    """One point of a landscape: a tile variant and a problem size in elements."""

    tile: Tile
    M: int
    N: int
    K: int


class Backend(ABC):
    """A family of kernels on one device.

    A backend times; what is measured, how often and in which order is the sweep's business.
    """

    @property
    @abstractmethod
    def device(self) -> DeviceRecord:
        """The record of the device that is measured."""

    @property
    @abstractmethod
    def tiles(self) -> tuple[Tile, ...]:
        """The tile variants offered when none are asked for."""

    @abstractmethod
    def environment(self) -> Mapping[str, Any]:
        """Everything that explains the timings: versions, clocks, kernel resources."""

    @abstractmethod
    def unsupported(self, cell: Cell) -> str | None:
        """Why this kernel cannot run this cell, or ``None`` when it can."""

    def kernel_of(self, cell: Cell) -> Hashable:
        """Name the compiled kernel that runs a cell: what is verified by itself. By default one per tile."""
        return cell.tile

    @abstractmethod
    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64]) -> NDArray[np.float64]:
        """Time each cell once, in the given order.

        Parameters
        ----------
        cells : sequence of Cell, length n
        launches : ndarray of int64, shape (n,)
            Back-to-back launches that one timing averages over.

        Returns
        -------
        ndarray of float64, shape (n,)
            Seconds per launch.
        """

    @abstractmethod
    def relative_error(self, cell: Cell) -> float:
        """Run the cell once on fresh data and return ||D - reference|| / ||reference|| (Frobenius)."""
