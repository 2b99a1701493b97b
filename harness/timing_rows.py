"""The rows of a table of timings, checked: a table is refused for its first bad row, which is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray

from harness.cube import STATUS
from harness.errors import InputError
from harness.grid import AXES
from harness.tile import Tile
from harness.timing_cells import number_groups
from harness.timing_table import TILE_SIZES, TimingTable

_LARGEST_SIZE: Final = 2**31 - 1

_arrow: Any = pyarrow  # pyarrow comes without type information

_Fault = tuple[int, str]


@dataclass(frozen=True, eq=False)
class TimingRows:
    """Rows that passed all checks.

    Attributes
    ----------
    shapes : numpy.ndarray of int64, shape (rows, 3)
        M, N and K, in elements.
    time : numpy.ndarray of float64, shape (rows,)
        Seconds; NaN only where the status is not ok.
    status : numpy.ndarray of int8, shape (rows,)
        Numbers of :data:`harness.cube.STATUS`.
    tiles : list of Tile
        The distinct tiles.
    tile : numpy.ndarray of int64, shape (rows,)
        Index into them.
    order : numpy.ndarray of float64 or None, shape (rows,)
        Pass that each row belongs to, where the table numbers passes.
    """

    shapes: NDArray[np.int64]
    time: NDArray[np.float64]
    status: NDArray[np.int8]
    tiles: list[Tile]
    tile: NDArray[np.int64]
    order: NDArray[np.float64] | None


def check_rows(table: TimingTable, seconds: float) -> TimingRows:
    """Check every row of a table.

    Parameters
    ----------
    table : TimingTable
        The table.
    seconds : float
        Unit of its times, in seconds.

    Raises
    ------
    InputError
        If a row is bad: the message names the first one, and what it should be.
    """
    # Each check adds the first row it objects to.
    faults: list[_Fault] = []
    sizes = np.stack([_whole(table, axis, 1, faults) for axis in AXES], axis=1)
    status = _statuses(table, faults)
    time = seconds * _times(table, status, faults)
    tiles, tile = _tiles(table, faults)
    order = _whole(table, "repeat", 0, faults) if "repeat" in table.columns else None
    if faults:
        row, message = min(faults, key=lambda fault: fault[0])
        raise InputError(f"{table.where(row)}: {message}")
    return TimingRows(sizes.astype(np.int64), time, status, tiles, tile, order)


def _add_first(faults: list[_Fault], bad: NDArray[np.bool_], table: TimingTable, name: str, expected: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        faults.append((row, f"{name} is {table.shown(name, row)}, expected {expected}"))


def _numbers(table: TimingTable, name: str, faults: list[_Fault]) -> NDArray[np.float64]:
    """Return a column as float64, NaN where empty; from the first value that is no number on, NaN too."""
    column = table.columns[name]
    values = np.full(table.rows, np.nan)
    good = table.rows
    if not _converts(column):
        # Whether the first n values convert is monotonic in n: bisect for the value that spoils it.
        low, high = 0, table.rows
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _converts(column.slice(0, middle)) else (low, middle)
        good = low
        faults.append((good, f"{name} is {table.shown(name, good)}, expected a number"))
    values[:good] = column.slice(0, good).cast(_arrow.float64(), safe=False).to_numpy()
    return values


def _converts(column: Any) -> bool:
    try:
        column.cast(_arrow.float64(), safe=False)
    except _arrow.ArrowInvalid:
        return False
    return True


def _whole(table: TimingTable, name: str, least: int, faults: list[_Fault]) -> NDArray[np.float64]:
    values = _numbers(table, name, faults)
    bad = ~((values >= least) & (values <= _LARGEST_SIZE) & (values == np.floor(values)))
    _add_first(faults, bad, table, name, f"a whole number from {least} to {_LARGEST_SIZE}")
    return values


def _times(table: TimingTable, status: NDArray[np.int8], faults: list[_Fault]) -> NDArray[np.float64]:
    values = _numbers(table, table.time, faults)
    usable = np.isfinite(values) & (values > 0)
    excused = np.isnan(values) & (status != STATUS["ok"])
    expected = "a positive, finite time (empty only where a column 'status' says why)"
    _add_first(faults, ~(usable | excused), table, table.time, expected)
    return values


def _statuses(table: TimingTable, faults: list[_Fault]) -> NDArray[np.int8]:
    if "status" not in table.columns:
        return np.full(table.rows, STATUS["ok"], dtype=np.int8)
    codes, labels = _labels(table, "status")
    meaning = np.array([*(_status(label) for label in labels), -1])  # the last one is for empty values
    status = meaning[codes]
    expected = ", ".join(f"{name} ({number})" for name, number in STATUS.items())
    _add_first(faults, status < 0, table, "status", f"one of {expected}")
    return status.astype(np.int8)


def _status(label: str) -> int:
    name = label.casefold().replace(" ", "_")
    try:
        number = STATUS[name] if name in STATUS else float(label)
    except ValueError:
        return -1
    return int(number) if number in STATUS.values() else -1


def _tiles(table: TimingTable, faults: list[_Fault]) -> tuple[list[Tile], NDArray[np.int64]]:
    """Return the distinct tiles, and the index of each row's tile."""
    given = TILE_SIZES[0] in table.columns
    sizes = [_whole(table, name, 0, faults) for name in TILE_SIZES] if given else []
    if "tile" in table.columns:
        codes, labels = _labels(table, "tile")
        found = [_tile(label) for label in labels]
        bad = np.array([*(tile is None for tile in found), True])[codes]
        _add_first(faults, bad, table, "tile", "MxNxK (as 256x256x32) or the name of a library")
        tiles = [tile if tile is not None else Tile.of(0, 0, 0) for tile in found]
        if given and not bad.any():
            stated = np.array([[tile.m, tile.n, tile.k] for tile in tiles])[codes]
            for i, name in enumerate(TILE_SIZES):
                _add_first(faults, sizes[i] != stated[:, i], table, name, "what the column 'tile' says")
        return _distinct(tiles, codes)
    if not given:
        return [Tile.of(0, 0, 0)], np.zeros(table.rows, dtype=np.int64)
    mixed = (np.minimum.reduce(sizes) < 1) & (np.maximum.reduce(sizes) > 0)
    if mixed.any():
        row = int(np.argmax(mixed))
        shown = ", ".join(f"{name} {table.shown(name, row)}" for name in TILE_SIZES)
        faults.append((row, f"{shown}: expected three positive sizes, or 0 for all where the tile is hidden"))
    if faults:
        return [], np.zeros(table.rows, dtype=np.int64)
    frame = pd.DataFrame(np.stack(sizes, axis=1).astype(np.int64))
    return [Tile.of(*row) for row in frame.drop_duplicates().to_numpy().tolist()], number_groups(frame)


def _tile(label: str) -> Tile | None:
    try:
        return Tile.labelled(label)
    except InputError:
        return None


def _distinct(tiles: list[Tile], codes: NDArray[np.int64]) -> tuple[list[Tile], NDArray[np.int64]]:
    unique = list(dict.fromkeys(tiles))
    number = {tile: i for i, tile in enumerate(unique)}
    return unique, np.array([*(number[tile] for tile in tiles), 0], dtype=np.int64)[codes]


def _labels(table: TimingTable, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Distinct texts of a column, in order of appearance, and the index of each row's; -1 where empty."""
    series = table.columns[name].cast(_arrow.string()).to_pandas()
    codes, labels = pd.factorize(series)
    return codes.astype(np.int64), [str(label).strip() for label in labels]
