"""Prediction of tables: shapes in, times with intervals out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.errors import InputError
from harness.grid import AXES
from harness.tile import Tile
from models.conformal import LEVELS
from models.result import FitResult
from models.terms import ALL_TERMS

ALL = "all"
"""What to ask for to get every tile of each shape."""

COLUMNS = ("M", "N", "K", "tile", "time_s", "lower_s", "upper_s", "tflops", "extrapolated")
"""Columns of a prediction, in their order."""

_LARGEST_SIZE = 2**31 - 1
_CHUNK = 1 << 16
"""Shapes that are predicted at once: a design matrix of them takes some ten megabytes."""


def read_shapes(path: Path | str) -> pd.DataFrame:
    """Read a CSV table of shapes, with the columns M, N, K and optionally tile.

    Returns
    -------
    pandas.DataFrame
        The values as they stand in the file, text, indexed by ``line``: the line each row begins on.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or has no rows.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            records = list(_records(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    if not records:
        raise InputError(f"{path}: the file is empty; expected the columns M,N,K and a row per shape")
    header = [name.strip() for name in records[0][1]]
    missing = [axis for axis in AXES if axis not in header]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}; found {', '.join(header)}")
    wanted = [name for name in (*AXES, "tile") if name in header]
    for name in wanted:
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} occurs {header.count(name)} times; keep one")
    if len(records) == 1:
        raise InputError(f"{path}: the table has columns but no rows; expected a row per shape")
    for line, record in records[1:]:
        if len(record) != len(header):
            raise InputError(
                f"{path}, line {line}: expected {len(header)} values as in the header, got {len(record)}"
            )
    index = pd.Index([line for line, _ in records[1:]], name="line")
    places = {name: header.index(name) for name in wanted}
    return pd.DataFrame(
        {name: [record[place].strip() for _, record in records[1:]] for name, place in places.items()},
        index=index,
        dtype=object,
    )


def _records(stream: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield every record that is not blank with the line it begins on."""
    reader = csv.reader(stream, strict=True)
    line = 1
    for record in reader:
        if any(value.strip() for value in record):
            yield line, record
        line = reader.line_num + 1


def predict_table(
    model: FitResult,
    shapes: pd.DataFrame,
    *,
    tile: str | None = None,
    level: float = 0.9,
    contributions: bool = False,
) -> pd.DataFrame:
    """Predict the time of each shape.

    Parameters
    ----------
    model : FitResult
    shapes : pandas.DataFrame
        Columns M, N, K (elements) and optionally tile, numbers or text. Where the tile is empty or there is no
        such column, the best one is taken: the least predicted time among the tiles of known sizes, because a
        library that hides its tile is another kernel; it is taken if it is the only one.
    tile : str, optional
        A tile for all shapes, or ``"all"`` for one row a shape and tile.
    level : float
        Nominal coverage of the interval, one of :data:`models.conformal.LEVELS`.
    contributions : bool
        Whether to add a column a term, ``base_overhead_s`` say: its seconds. They add up to ``time_s``.

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS` and the contributions; seconds and TFLOP/s. Rows are in the order given and keep their
        index, tiles of one shape in the order of the model.

    Raises
    ------
    InputError
        If a row is bad; the message names it as the index does, as ``line 7`` of a file.
    FitError
        If the model gives a time of zero.
    """
    if level not in LEVELS:
        raise InputError(f"level {level} is unknown: intervals are known for {', '.join(map(str, LEVELS))}")
    missing = [axis for axis in AXES if axis not in shapes]
    if missing:
        raise InputError(f"missing column {', '.join(missing)}; found {', '.join(map(str, shapes.columns))}")
    sizes = _sizes(shapes)
    labels = list(model.tiles)
    asked = _asked(shapes, labels, tile)
    parts = []
    for start in range(0, len(shapes), _CHUNK):
        rows = slice(start, start + _CHUNK)
        if tile == ALL:
            wanted = np.broadcast_to(np.arange(len(labels)), (len(sizes[rows]), len(labels)))
            position = np.repeat(np.arange(start, start + len(wanted)), len(labels))
            parts.append(_rows(model, sizes[position], wanted.ravel(), level, contributions, position))
        else:
            wanted = _with_best(model, sizes[rows], asked[rows])
            position = np.arange(start, start + len(wanted))
            parts.append(_rows(model, sizes[rows], wanted, level, contributions, position))
    if not parts:
        parts.append(_rows(model, sizes, asked, level, contributions, np.arange(0)))
    table = pd.concat(parts)
    table.index = shapes.index[table.index]
    return table


def _sizes(shapes: pd.DataFrame) -> NDArray[np.int64]:
    """Check M, N, K; shape (n, 3), elements."""
    sizes = np.empty((len(shapes), 3))
    for column, axis in enumerate(AXES):
        sizes[:, column] = pd.to_numeric(shapes[axis], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    good = (sizes >= 1) & (sizes <= _LARGEST_SIZE) & (sizes == np.floor(sizes))
    if not good.all():
        row, column = np.argwhere(~good)[0].tolist()
        value = shapes[AXES[column]].iloc[row]
        raise InputError(
            f"{_place(shapes, row)}: {AXES[column]} is {_quoted(value)}, expected a whole number of "
            f"elements from 1 to {_LARGEST_SIZE}"
        )
    return sizes.astype(np.int64)


def _asked(shapes: pd.DataFrame, labels: list[str], tile: str | None) -> NDArray[np.int64]:
    """Index of the tile that each row asks for, -1 where the best one is to be found."""
    if tile is not None:
        if "tile" in shapes:
            raise InputError("the table names its tiles in a column 'tile': leave the other choice of a tile out")
        if tile != ALL and tile not in labels:
            raise InputError(f"tile {tile!r} is not in the model, which knows {', '.join(labels)}")
        return np.full(len(shapes), -1 if tile == ALL else labels.index(tile), dtype=np.int64)
    if "tile" not in shapes:
        return np.full(len(shapes), -1, dtype=np.int64)
    number = {"": -1, **{label: index for index, label in enumerate(labels)}}
    texts = shapes["tile"].fillna("").astype(str).str.strip()
    asked = texts.map(number).to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(asked).any():
        row = int(np.argmax(np.isnan(asked)))
        raise InputError(
            f"{_place(shapes, row)}: tile {_quoted(texts.iloc[row])} is not in the model, which knows "
            f"{', '.join(labels)}"
        )
    return asked.astype(np.int64)


def _place(shapes: pd.DataFrame, row: int) -> str:
    return f"{shapes.index.name or 'row'} {shapes.index[row]}"


def _quoted(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _with_best(model: FitResult, sizes: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace -1 by the tile of the least predicted time."""
    open_rows = np.flatnonzero(asked < 0)
    if open_rows.size == 0:
        return asked
    labels = list(model.tiles)
    known = [index for index, label in enumerate(labels) if not Tile.labelled(label).hidden]
    choice = np.array(known or range(len(labels)), dtype=np.int64)
    M, N, K = sizes[open_rows].T
    times = [model.time(labels[index], model.problem(labels[index], M, N, K)) for index in choice]
    best = asked.copy()
    best[open_rows] = choice[np.argmin(times, axis=0)]
    return best


def _rows(
    model: FitResult,
    sizes: NDArray[np.int64],
    tile: NDArray[np.int64],
    level: float,
    contributions: bool,
    position: NDArray[np.int64],
) -> pd.DataFrame:
    """Predict each shape, sizes of shape (n, 3), with the tile of its index; indexed by position."""
    labels = list(model.tiles)
    values = {name: np.zeros(len(sizes)) for name in ("time_s", "lower_s", "upper_s", "tflops")}
    extrapolated = np.zeros(len(sizes), dtype=bool)
    names = [t.name for t in ALL_TERMS if any(t.name in fit.terms for fit in model.tiles.values())]
    parts = {name: np.zeros(len(sizes)) for name in names if contributions}
    for index in np.unique(tile).tolist():
        rows = np.flatnonzero(tile == index)
        M, N, K = sizes[rows].T
        found = model.predict(labels[index], M, N, K, level)
        for name, part in zip(values, (found.time, found.lower, found.upper, found.tflops), strict=True):
            values[name][rows] = part
        extrapolated[rows] = found.extrapolated
        if contributions:
            problem = model.problem(labels[index], M, N, K)
            for name, part in model.contributions(labels[index], problem).items():
                parts[name][rows] = part
    table = pd.DataFrame({axis: sizes[:, i] for i, axis in enumerate(AXES)}, index=position)
    table["tile"] = np.array(labels, dtype=object)[tile]
    for name, column in values.items():
        table[name] = column
    table["extrapolated"] = extrapolated
    for name, column in parts.items():
        table[f"{name.replace(' ', '_')}_s"] = column
    return table
