"""What every measuring backend offers: cells in, seconds out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.device import DeviceRecord
from harness.errors import BackendError
from harness.tile import Tile


@dataclass(frozen=True)
class Cell:
    """One point of a landscape: a tile variant and a problem size in elements."""

    tile: Tile
    M: int
    N: int
    K: int


@dataclass(frozen=True)
class BackendOptions:
    """What every backend can be asked for; a backend with more to choose subclasses this.

    Fields are what ``attrib measure --option NAME=VALUE`` sets: their types are ``str``, ``int``, ``float``,
    ``bool`` or one of these or ``None``, and each has a default and a ``help`` text in its metadata.

    Attributes
    ----------
    device : str or None
        Which of several devices, in the backend's own words (``"1"``, ``"opencl:cpu:0"``).
    record : DeviceRecord or None
        Record to store with the cube instead of the one that the backend finds.
    dtype : str or None
        Element type of A and B, a key of :data:`harness.cube.ELEMENT_BYTES`; the backend's first when absent.
    tiles : tuple of Tile
        Tiles that will be asked for; empty means the backend's own choice.
    seed : int
        Seed of the operands.
    """

    device: str | None = field(default=None, metadata={"help": "which of several devices"})
    record: DeviceRecord | None = None
    dtype: str | None = None
    tiles: tuple[Tile, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Problem:
    """Why a cell has no time.

    Attributes
    ----------
    status : str
        ``"unsupported"``, ``"wrong_result"`` or ``"failed"``: a key of :data:`harness.cube.STATUS`.
    reason : str
        One line for the user.
    """

    status: str
    reason: str


@dataclass(frozen=True)
class Timings:
    """What one call of :meth:`Backend.time` measured.

    Attributes
    ----------
    seconds : ndarray of float64, shape (n,)
        Seconds per launch; NaN for a cell with a problem.
    problems : mapping of int to Problem
        By position in the call.
    """

    seconds: NDArray[np.float64]
    problems: Mapping[int, Problem] = field(default_factory=dict)


class Backend(ABC):
    """A family of kernels on one device.

    A backend times; what is measured, how often and in which order is the sweep's business.

    Class attributes
    ----------------
    options_type : type of BackendOptions
    dtypes : tuple of str
        Element types offered, the default first.
    cache_states : tuple of str
        Those of :data:`harness.protocol.CACHE_STATES` that can be had, the default first.
    batch_cells : int
        Cells in one call of :meth:`time`, at most: what a killed sweep loses.
    whole_batches : bool
        Whether a call of :meth:`time` costs much by itself, as where it starts a program: it then always gets as
        many cells as it takes.
    checks_itself : bool
        Whether every timing is verified by the kernel's own program, so that :meth:`relative_error` is not asked.
    """

    options_type: ClassVar[type[BackendOptions]] = BackendOptions
    dtypes: ClassVar[tuple[str, ...]] = ("bf16",)
    cache_states: ClassVar[tuple[str, ...]] = ("warm",)
    batch_cells: int = 1024
    whole_batches: ClassVar[bool] = False
    checks_itself: ClassVar[bool] = False

    def __init__(self, options: BackendOptions | None = None) -> None:
        self.options = self.options_type() if options is None else options
        if self.dtype not in self.dtypes:
            raise BackendError(f"dtype {self.dtype!r} is not offered here: expected {' or '.join(self.dtypes)}")

    @property
    def dtype(self) -> str:
        """Element type of A and B."""
        return self.options.dtype or self.dtypes[0]

    @property
    def dtype_out(self) -> str:
        """Element type of D, which sets the tolerance of the check; by default that of A and B."""
        return self.dtype

    @property
    @abstractmethod
    def device(self) -> DeviceRecord:
        """The record of the device that is measured."""

    @property
    @abstractmethod
    def tiles(self) -> tuple[Tile, ...]:
        """The tile variants offered when none are asked for."""

    @abstractmethod
    def configuration(self) -> Mapping[str, Any]:
        """What must not change within one sweep: the very device, driver, libraries, kernels; plain JSON data.

        A sweep is resumed only where this is the same.
        """

    def environment(self) -> Mapping[str, Any]:
        """What may change and helps to explain the timings: clocks, power, temperature; plain JSON data."""
        return {}

    def cube_attributes(self) -> Mapping[str, Any]:
        """Attributes of the cube that models read: ``vector_bytes``, ``pitch_multiple``, ``core_limit``."""
        return {}

    @abstractmethod
    def unsupported(self, cell: Cell) -> str | None:
        """Why this kernel cannot run this cell, or ``None`` when it can."""

    def kernel_of(self, cell: Cell) -> Hashable:
        """Name the compiled kernel that runs a cell: what is verified by itself. By default one per tile."""
        return cell.tile

    def prepare(self, cells: Sequence[Cell]) -> None:  # noqa: B027 - a hook that a backend may leave empty
        """Compile and allocate what the cells need, once, before the first is timed."""

    @abstractmethod
    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Time each cell once, in the given order.

        Parameters
        ----------
        cells : sequence of Cell, length n
            Supported cells.
        launches : ndarray of int64, shape (n,)
            Launches that one timing averages over.
        cache : str
            One of ``cache_states``.

        Raises
        ------
        BackendError
            If nothing can be measured any more (the device is lost): the sweep stops and can be resumed. What
            concerns single cells is a :class:`Problem`.
        """

    @abstractmethod
    def relative_error(self, cell: Cell) -> float:
        """Run the cell once on fresh data and return ||D - reference|| / ||reference|| (Frobenius)."""

    def resume(self, start: int) -> None:  # noqa: B027 - a hook that a backend may leave empty
        """Be told the number of this start of the sweep, from 1: a resumed sweep is another process."""

    def close(self) -> None:  # noqa: B027 - a hook that a backend may leave empty
        """Give back what outlives the process: files, child processes."""
