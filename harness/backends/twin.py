"""Backend ``twin``: timings of the simulated Arc B580. Nothing is measured; every cube says so."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.device import DeviceRecord
from harness.errors import BackendError
from harness.tile import Tile
from harness.twin import Twin

_PITCH_BYTES = 16
_ERROR = 1e-3
_TIMINGS_OF_A_START = 1_000_000
_WRONG = 1.0


@dataclass(frozen=True)
class TwinOptions(BackendOptions):
    """What the simulated device can be asked for.

    Attributes
    ----------
    device : str or None
        Number of one of many simulated cards, each off by a factor of its own.
    noise : bool
        Whether repeats differ.
    session : int or None
        Number of a session with an offset of its own.
    drift : float
        Fractional slow-down that the session has reached after ``drift_cells`` timings; grows evenly.
    drift_cells : int
        See ``drift``.
    pace : float
        Real seconds that pass for each cell timed.
    off : str
        Mechanisms that do not act, separated by commas.
    wrong, broken : str
        Tiles whose results are wrong, or whose launches fail, separated by commas.
    """

    device: str | None = field(default=None, metadata={"help": "number of one of many simulated cards"})
    noise: bool = field(default=True, metadata={"help": "whether repeats differ"})
    session: int | None = field(default=None, metadata={"help": "number of a session with an offset of its own"})
    drift: float = field(default=0.0, metadata={"help": "fractional slow-down after drift_cells timings"})
    drift_cells: int = field(default=10_000, metadata={"help": "timings after which the drift is reached"})
    pace: float = field(default=0.0, metadata={"help": "real seconds that pass for each cell timed"})
    off: str = field(default="", metadata={"help": "mechanisms that do not act, separated by commas"})
    wrong: str = field(default="", metadata={"help": "tiles whose results are wrong, separated by commas"})
    broken: str = field(default="", metadata={"help": "tiles whose launches fail, separated by commas"})


class TwinBackend(Backend):
    """Times GEMMs on the twin, a simulated Arc B580: nothing is measured.

    Each timing of a cell has noise of its own, from the number of the start of the sweep and the timings of the
    cell in it. Cells that warm the device up depend on the clock, and with them which noise a repeat gets.

    Parameters
    ----------
    options : TwinOptions, optional

    Raises
    ------
    BackendError
        If an option has no meaning here.
    InputError
        If a mechanism or a tile is unknown.
    """

    options_type = TwinOptions
    cache_states = ("warm", "cold")
    options: TwinOptions

    def __init__(self, options: BackendOptions | None = None) -> None:
        if options is not None and not isinstance(options, TwinOptions):
            options = TwinOptions(options.device, options.record, options.dtype, options.tiles, options.seed)
        super().__init__(options)
        chosen = self.options
        if chosen.device is not None and not chosen.device.isdecimal():
            raise BackendError(f"simulated devices are numbered: device {chosen.device!r} does not exist")
        # Each simulated card is off by a factor of its own, as each session is.
        self._session = int(chosen.device) if chosen.session is None and chosen.device else chosen.session
        if chosen.drift < 0 or chosen.drift_cells < 1 or chosen.pace < 0:
            raise BackendError("drift and pace must not be negative, and drift_cells at least 1")
        self._twin = Twin(off=_listed(chosen.off), seed=chosen.seed)
        self._wrong = frozenset(Tile.parse(name) for name in _listed(chosen.wrong))
        self._broken = frozenset(Tile.parse(name) for name in _listed(chosen.broken))
        self._timed: dict[Cell, int] = {}
        self._start = 1
        self._cells = 0

    @property
    def dtype_out(self) -> str:
        """The kernel stores float32."""
        return "f32"

    @property
    def device(self) -> DeviceRecord:
        """The record of the twin, which says that it is simulated."""
        record = self.options.record
        if record is not None and not record.simulated:
            raise BackendError(f"record {record.id} is of real hardware: timings of the twin must not carry it")
        return self._twin.device if record is None else record

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The paper's six tile variants, the default one first."""
        return self._twin.tiles

    def configuration(self) -> Mapping[str, Any]:
        """The twin's numbers (by digest), switches, seed and failures."""
        chosen = self.options
        return {
            "simulator": "harness.twin",
            "uuid": f"simulated-{chosen.device or 0}",
            "chip": self._twin.chip.id,
            "digest": self._twin.chip.digest,
            "off": sorted(self._twin.off),
            "seed": chosen.seed,
            "noise": chosen.noise,
            "session": chosen.session,
            "drift": chosen.drift,
            "drift_cells": chosen.drift_cells,
            "wrong": sorted(tile.name for tile in self._wrong),
            "broken": sorted(tile.name for tile in self._broken),
        }

    def cube_attributes(self) -> Mapping[str, Any]:
        """Mark the cube as simulated."""
        return {"simulated": 1, "dtype_out": "f32"}

    def unsupported(self, cell: Cell) -> str | None:
        """What sycl-tla cannot run: pitches that 2D block operations refuse, or a tile that is not built."""
        if cell.tile not in self._twin.tiles:
            return f"tile {cell.tile} is not one of the six variants"
        for axis, size in (("K", cell.K), ("N", cell.N)):
            if 2 * size % _PITCH_BYTES != 0:
                return (
                    f"{axis} = {size}: 2D block loads need a row pitch that is a multiple of {_PITCH_BYTES} bytes"
                )
        return None

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Simulate one timing of each cell, the mean of its launches."""
        if cache not in self.cache_states:
            raise BackendError(f"cache state {cache!r}: the twin offers {' and '.join(self.cache_states)}")
        if launches.shape != (len(cells),) or np.any(launches < 1):
            raise BackendError(f"expected {len(cells)} launch counts of at least 1, got {launches}")
        chosen = self.options
        seconds = np.full(len(cells), np.nan)
        problems: dict[int, Problem] = {}
        repeats = np.empty(len(cells), dtype=np.int64)
        for index, cell in enumerate(cells):
            number = self._timed.get(cell, 0)
            self._timed[cell] = number + 1
            repeats[index] = self._start * _TIMINGS_OF_A_START + number
            if cell.tile in self._broken:
                problems[index] = Problem("failed", f"launch of {cell.tile} failed, as asked for")
        for tile in dict.fromkeys(cell.tile for cell in cells):
            at = np.array([i for i, cell in enumerate(cells) if cell.tile == tile and i not in problems], dtype=int)
            if at.size == 0:
                continue
            M, N, K = np.array([(cells[i].M, cells[i].N, cells[i].K) for i in at], dtype=np.int64).T
            if chosen.noise:
                seconds[at] = self._twin.measure(M, N, K, tile, repeats[at], session=self._session, cache=cache)
            else:
                seconds[at] = self._twin.seconds(M, N, K, tile, cache=cache)
        seconds *= 1.0 + chosen.drift * (self._cells + np.arange(len(cells))) / chosen.drift_cells
        self._cells += len(cells)
        if chosen.pace > 0:
            clock.sleep(chosen.pace * len(cells))
        return Timings(seconds, problems)

    def resume(self, start: int) -> None:
        """Go on with noise that no earlier start has had."""
        self._start = start

    def relative_error(self, cell: Cell) -> float:
        """Return the error that float32 accumulation of BF16 products shows; a large one for a wrong tile."""
        return _WRONG if cell.tile in self._wrong else _ERROR * 1e-3


def _listed(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]
