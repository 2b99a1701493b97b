"""Candidate periods: what each mechanism predicts for a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.periods.harmonics import waves
from attrib.periods.line import Line
from harness.cube import device_of, element_bytes_of
from models.hardware import Hardware

TILE, WAVES, PITCH, CHANNELS, ATOM = "tile width", "waves", "row pitch", "channels", "MMA atom"

MOST_RESIDENTS = 4
"""Work-groups a core may hold at once: each number predicts waves of its own length."""


@dataclass(frozen=True)
class Candidate:
    """A period that some mechanism predicts.

    Attributes
    ----------
    mechanism : str
        With the number that tells its variants apart; several that predict the same are joined by "or".
    periods : tuple of float
        Elements of the axis, one a line.
    growing : bool
        Whether it is a whole unit of work that is paid, so that its relative cost falls as 1/x.
    comb : bool
        Whether sizes that are multiples of the period differ from all others, rather than a rise between them.
    slots : tuple of int
        Work-groups in a wave, for waves: with one on a core, with two, up to as many as are meant.
    """

    mechanism: str
    periods: tuple[float, ...]
    growing: bool
    comb: bool
    slots: tuple[int, ...] = ()

    @property
    def period(self) -> float:
        """Median over lines, elements."""
        return float(np.median(self.periods))


@dataclass(frozen=True)
class Facts:
    """What a device and a cube's layout say about periods.

    Attributes
    ----------
    hardware : Hardware
    element_bytes : int
    atom : tuple of int or None
        MMA atom where the device record states one.
    cores : int or None
    pitched : tuple of str
        Axes that are the row pitch of an operand.
    """

    hardware: Hardware
    element_bytes: int
    atom: tuple[int, int, int] | None
    cores: int | None
    pitched: tuple[str, ...]

    @classmethod
    def of(cls, cube: xr.Dataset) -> Facts:
        """Read them off a cube."""
        device = device_of(cube)
        vector, multiple = cube.attrs.get("vector_bytes"), cube.attrs.get("pitch_multiple")
        hardware = Hardware.from_device(
            device, None if vector is None else int(vector), None if multiple is None else int(multiple)
        )
        layout = str(cube.attrs.get("layout", "NN"))
        # Rows of A are K long and rows of B are N long, unless the operand is stored transposed; those of the
        # output are N long.
        pitched = {"M" if layout[:1] == "T" else "K", "K" if layout[1:2] == "T" else "N", "N"}
        return cls(hardware, element_bytes_of(cube), device.atom, device.cores, tuple(sorted(pitched)))


def candidates(lines: Sequence[Line], facts: Facts) -> tuple[Candidate, ...]:
    """List the periods that mechanisms predict for lines of one tile, largest first (:func:`every_candidate`)."""
    return merged(every_candidate(lines, facts))


def every_candidate(lines: Sequence[Line], facts: Facts) -> tuple[Candidate, ...]:
    """List what each mechanism predicts by itself, also where several predict the same period.

    Tile: its width along the axis. Waves: C R work-groups fill a wave, so along M or N a wave holds
    C R / ceil(other / its tile) tiles. Row pitch: the elements of a cache line, of half a line and of the vector
    unit. Channels: one turn over all memory channels, interleave x channels / e. Atom: its size (design, section 7;
    paper, section 9, for the channels).
    """
    tile, axis = lines[0].tile, lines[0].axis
    found: list[Candidate] = []

    def add(mechanism: str, period: float, growing: bool, comb: bool) -> None:
        found.append(Candidate(mechanism, (float(period),) * len(lines), growing, comb))

    if not tile.hidden:
        width = {"M": tile.m, "N": tile.n, "K": tile.k}[axis]
        add(TILE, width, False, False)
        if axis != "K" and facts.cores is not None:
            other, across = ("N", tile.n) if axis == "M" else ("M", tile.m)
            rows = np.array([-(-line.at[other] // across) for line in lines])
            for residents in range(1, MOST_RESIDENTS + 1):
                slots = facts.cores * residents
                name = f"{WAVES}, {residents} a core"
                periods = tuple(float(value) for value in width * slots / rows)
                levels = tuple(facts.cores * level for level in range(1, residents + 1))
                found.append(Candidate(name, periods, True, False, levels))
    bytes_ = facts.element_bytes
    if axis in facts.pitched and facts.hardware.pitch_multiple == 1:
        line_bytes, vector = facts.hardware.line_bytes, facts.hardware.vector_bytes
        for name, size in (
            (f"{PITCH}, line of {line_bytes} B", line_bytes),
            (f"{PITCH}, half line of {line_bytes // 2} B", line_bytes // 2),
            (f"{PITCH}, vector unit of {vector} B", vector),
        ):
            if size > bytes_:
                add(name, size / bytes_, False, True)
    channels, interleave = facts.hardware.channels, facts.hardware.interleave_bytes
    if axis in facts.pitched and channels is not None and interleave is not None and channels > 1:
        add(CHANNELS, channels * interleave / bytes_, False, True)
    if facts.atom is not None:
        add(ATOM, facts.atom["MNK".index(axis)], True, False)
    return tuple(found)


def merged(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Join candidates of the same periods, which one axis cannot tell apart; largest first."""
    joined: dict[tuple[float, ...], Candidate] = {}
    for item in found:
        known = joined.get(item.periods)
        if known is None:
            joined[item.periods] = item
            continue
        joined[item.periods] = Candidate(
            f"{known.mechanism} or {item.mechanism}",
            item.periods,
            known.growing,
            known.comb or item.comb,
            known.slots or item.slots,
        )
    return tuple(sorted((item for item in joined.values() if item.period > 1.0), key=lambda item: -item.period))


def tooth_columns(
    candidate: Candidate, number: int, line: Line, keep: Sequence[float], *, levels: bool = True
) -> NDArray[np.float64]:
    """Columns that take a detected period off line ``number``, but leave the harmonics of the periods in ``keep``.

    Harmonics that no kept period shares go whole. What is shared goes only as far as the shape of a tooth explains
    it: one jump at each multiple and a smooth rise between (Bernoulli polynomials of the phase, of the first and
    second order, constant and falling as 1/x). For waves the jumps are where the work-groups say, of any size,
    instead of harmonics; with ``levels``, those of fewer work-groups on a core too, since a partly filled wave may
    cost less.
    """
    x = line.x.astype(np.float64)
    period = candidate.periods[number]
    # A size that is a multiple of the period ends its tooth: phases run over (0, 1].
    phase = 1.0 - np.mod(-x, period) / period
    tooth = np.stack([phase - 0.5, phase**2 - phase + 1.0 / 6.0], axis=1)
    columns = [] if candidate.comb else [tooth, tooth * (x.mean() / x)[:, None]]
    if candidate.slots:
        columns += [_wave_steps(slots, line) for slots in candidate.slots[0 if levels else -1 :]]
        return np.concatenate(columns, axis=1)
    shared = [max(1, round(other * k / period)) / other for other in keep for k in range(1, 9)]
    numbers = range(1, int(0.5 * period / line.step) + 1)[:8]
    columns += [
        waves(x, np.array([k / period]))
        for k in numbers
        if all(abs(k / period - frequency) > 0.5 / line.span for frequency in shared)
    ]
    return np.concatenate(columns, axis=1) if columns else np.empty((x.size, 0))


def wave_count(slots: int, line: Line) -> NDArray[np.float64]:
    """Count the waves of every size of a line, ceil(W / (C R)), shape (n,)."""
    tile = line.tile
    sizes: Mapping[str, NDArray[np.int64] | int] = {**line.at, line.axis: line.x}
    groups = -(-np.asarray(sizes["M"]) // tile.m) * -(-np.asarray(sizes["N"]) // tile.n)
    return np.asarray(np.ceil(groups / slots), dtype=np.float64)


def _wave_steps(slots: int, line: Line) -> NDArray[np.float64]:
    """A step at every new wave where they are few, else the logarithm of their number."""
    count = wave_count(slots, line)
    distinct = np.unique(count)
    if distinct.size <= line.x.size // 8:
        return np.asarray((count[:, None] >= distinct[1:]).astype(np.float64))
    return np.log(count)[:, None]
