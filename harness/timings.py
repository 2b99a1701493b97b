"""Tables of timings that someone measured elsewhere, as landscape cubes.

A table is CSV, TSV (either may be gzipped) or Parquet, one timing a row:

====================================== ==============================================================
column                                 meaning
====================================== ==============================================================
``M``, ``N``, ``K``                    problem size, whole numbers of elements
``time_s``                             seconds of one launch; may be empty where ``status`` is not ok
``tile``                               optional: ``256x256x32``, or a library that hides its tile
``tile_m``, ``tile_n``, ``tile_k``     optional: the same as numbers, all 0 for hidden
``repeat``                             optional: which pass over the cells the row belongs to
``status``                             optional: a name or number of :data:`harness.cube.STATUS`
====================================== ==============================================================

Rows of the same shape and tile are repeats of one cell. A table is taken whole or refused whole.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import xarray as xr
from numpy.typing import NDArray

from harness.cube import ELEMENT_BYTES, STATUS, densify, sparse_cube
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.grid import AXES
from harness.tile import Tile

TIME_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds per unit of time, by the suffix of the time column."""

TOO_FAST: Final = 3.0
"""Largest accepted throughput, as a multiple of the peak: 2:4 sparsity or a type of half the width give 2."""

TOO_SLOW: Final = 2e-3
"""Smallest accepted ratio of the ideal time to the measured one; milliseconds taken for seconds give 1e-3."""

_LAUNCH_SECONDS: Final = 3e-6
"""A launch that does nothing costs about this much on any GPU: it keeps tables of tiny shapes apart."""

_FEWEST_SLOW: Final = 8
"""Rows below which slow times stay unjudged: a few made-up or odd rows are no evidence of a unit."""

_LARGEST_SIZE: Final = 2**31 - 1
_MOST_PADDING: Final = 8
_TILE_SIZES: Final = ("tile_m", "tile_n", "tile_k")
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_PARQUET: Final = (".parquet", ".pq")
# Of the rows of one cell the first of these decides: a wrong result taints it, one good timing is enough.
_PRECEDENCE: Final = ("wrong_result", "ok", "failed", "unsupported", "not_measured")
_TIME_NAME: Final = re.compile(
    r"(?:time|t|latency|duration|elapsed|runtime|seconds)[ _]*[(\[]?(|s|secs?|seconds|ms|us|µs|ns)[)\]]?"
)

_arrow: Any = pyarrow  # pyarrow comes without type information

_Fault = tuple[int, str]


@dataclass(frozen=True)
class _Table:
    """Columns of a file, not yet checked; `delimiter` is None for Parquet."""

    path: Path
    time: str
    columns: Mapping[str, Any]
    ignored: tuple[str, ...]
    rows: int
    delimiter: str | None

    def where(self, row: int) -> str:
        """Name the file and the place of a row in it, as an editor counts."""
        if self.delimiter is None:
            return f"{self.path}, row {row + 1}"
        return f"{self.path}, line {_line_of(self.path, self.delimiter, row)}"

    def shown(self, name: str, row: int) -> str:
        """Quote a value as it stands in the file."""
        value = self.columns[name][row].as_py()
        return "missing" if value is None else _quoted(value)


def read_timings(
    path: Path | str,
    device: DeviceRecord,
    dtype: str = "bf16",
    *,
    time_unit: str = "s",
    check_units: bool = True,
) -> xr.Dataset:
    """Read a table of timings into a cube: dense where the rows fill a grid completely, else sparse.

    Parameters
    ----------
    path : path-like
        A file ``.csv``, ``.tsv``, ``.csv.gz``, ``.tsv.gz``, ``.parquet`` or ``.pq``.
    device : DeviceRecord
        The device that was measured.
    dtype : str
        Element type of A and B.
    time_unit : {"s", "ms", "us", "ns"}
        Suffix, and so unit, of the time column: ``"us"`` reads ``time_us``.
    check_units : bool
        Whether to refuse times that the device cannot have taken. Skipped where its peak is open.

    Returns
    -------
    xarray.Dataset
        A valid cube. Where rows repeat a cell, ``time`` is the median of the rows that share the cell's
        status, ``time_spread`` 1.4826 times their median absolute deviation (NaN below two), and
        ``time_repeats`` holds them, padded with NaN: by pass where the column ``repeat`` numbers passes,
        else in the order of the file. The attribute ``provenance`` is JSON with the name, size and
        SHA-256 of the file and its number of rows; ``ignored_columns`` a JSON list.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has a bad row: the message names the first one by its
        line (CSV, the header being line 1) or row (Parquet, the first being row 1).

    Notes
    -----
    Units are judged by the fastest rows, one in a hundred being left aside, at least one, as outliers:
    noise and slow kernels make times longer, so only a wrong unit moves the fast end. Times are too short if
    even these rows exceed :data:`TOO_FAST` times the peak. They are too long if the ideal time of these rows,
    a launch plus the larger of 2MNK/peak and bytes/bandwidth, is below :data:`TOO_SLOW` of the time
    given, in a table of eight rows or more. A bare fraction of the peak would not do here: a skinny GEMM may
    well run at 1e-5 of it.
    """
    path = Path(path)
    if dtype not in ELEMENT_BYTES:
        raise InputError(f"dtype {dtype!r} is unknown: expected one of {', '.join(ELEMENT_BYTES)}")
    if time_unit not in TIME_UNITS:
        raise InputError(f"time unit {time_unit!r} is unknown: expected one of {', '.join(TIME_UNITS)}")
    table = _read(path, f"time_{time_unit}")
    faults: list[_Fault] = []
    sizes = np.stack([_whole(table, axis, 1, faults) for axis in AXES], axis=1)
    status = _statuses(table, faults)
    time = TIME_UNITS[time_unit] * _times(table, status, faults)
    tiles, tile = _tiles(table, faults)
    order = _whole(table, "repeat", 0, faults) if "repeat" in table.columns else None
    if faults:
        row, message = min(faults, key=lambda fault: fault[0])
        raise InputError(f"{table.where(row)}: {message}")
    ok = status == STATUS["ok"]
    shapes = sizes.astype(np.int64)
    if check_units and ok.any():
        _check_units(table, shapes[ok], time[ok], device, dtype)
    cells, first = _cells(shapes, tile)
    cube = sparse_cube(
        shapes=shapes[first],
        tiles=[tiles[index] for index in tile[first]],
        device=device,
        dtype=dtype,
        attrs={"provenance": _provenance(table), "ignored_columns": list(table.ignored)},
        **_summaries(time, status, cells, first.size, order),
    )
    dense = densify(cube)
    return cube if dense is None else dense


# Reading


def _read(path: Path, time: str) -> _Table:
    suffix = path.suffix.casefold()
    delimiter = _DELIMITERS.get(path.with_suffix("").suffix.casefold() if suffix == ".gz" else suffix)
    if delimiter is None and suffix not in _PARQUET:
        raise InputError(f"{path}: expected a table .csv, .tsv (either also .gz) or .parquet, got {path.suffix!r}")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; expected the columns M,N,K,{time} and a row per timing")
        table = _read_parquet(path, time) if delimiter is None else _read_csv(path, time, delimiter)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not gzip, damaged or cut short ({_first_line(error)})") from None
    except (OSError, _arrow.ArrowException, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({_first_line(error)})") from None
    if table.rows == 0:
        raise InputError(f"{path}: the table has columns but no rows; expected a row per timing")
    return table


def _read_csv(path: Path, time: str, delimiter: str) -> _Table:
    header = next(iter(_records(path, delimiter)), (1, []))[1]
    names = [name.strip() for name in header]
    wanted = _wanted(path, names, time)
    # Columns are addressed by position, so that names need not be clean; text is converted later, where a
    # value that is no number can be named with its line.
    keys = [str(position) for position in range(len(names))]
    used = {name: keys[names.index(name)] for name in wanted}
    try:
        with _opened(path) as stream:
            content = _arrow.csv.read_csv(
                stream,
                read_options=_arrow.csv.ReadOptions(column_names=keys, skip_rows=1),
                parse_options=_arrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=_arrow.csv.ConvertOptions(
                    include_columns=list(used.values()),
                    column_types=dict.fromkeys(keys, _arrow.string()),
                    strings_can_be_null=True,
                ),
            )
    except _arrow.ArrowInvalid:
        for line, record in _records(path, delimiter):
            if len(record) != len(header):
                raise InputError(
                    f"{path}, line {line}: expected {len(header)} values as in the header, got {len(record)}"
                ) from None
        raise
    columns = {name: _arrow.compute.utf8_trim_whitespace(content[key]) for name, key in used.items()}
    ignored = tuple(name for name in names if name not in wanted)
    return _Table(path, time, columns, ignored, content.num_rows, delimiter)


def _read_parquet(path: Path, time: str) -> _Table:
    schema = _arrow.parquet.read_schema(path)
    names = [str(name) for name in schema.names]
    wanted = _wanted(path, names, time)
    for name in wanted:
        kind = schema.field(name).type
        kind = kind.value_type if _arrow.types.is_dictionary(kind) else kind
        number = _arrow.types.is_integer(kind) or _arrow.types.is_floating(kind) or _arrow.types.is_decimal(kind)
        text = _arrow.types.is_string(kind) or _arrow.types.is_large_string(kind)
        if not (text if name == "tile" else number or (text and name == "status")):
            expected = "text" if name == "tile" else "numbers"
            raise InputError(f"{path}: column {name!r} has the type {kind}, expected {expected}")
    content = _arrow.parquet.read_table(path, columns=list(wanted))
    columns = {name: content[name] for name in wanted}
    ignored = tuple(name for name in names if name not in wanted)
    return _Table(path, time, columns, ignored, content.num_rows, None)


def _wanted(path: Path, names: Sequence[str], time: str) -> tuple[str, ...]:
    """Return the columns to read; refuse a table that lacks one, saying what to rename."""
    required = [*AXES, time]
    if any(name in names for name in _TILE_SIZES) and "tile" not in names:
        required += _TILE_SIZES
    missing = [name for name in required if name not in names]
    if missing:
        found = ", ".join(_quoted(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        hints = [hint for name in missing if (hint := _hint(name, names, time))]
        if len(names) == 1 and (separator := re.search(r"[;\t| ]", names[0])):
            hints = [f"the values look separated by {separator.group()!r}: separate them by commas"]
        raise InputError(
            "; ".join([f"{path}: missing column {', '.join(missing)}", f"found {found or 'none'}", *hints])
        )
    wanted = tuple(name for name in (*AXES, time, "tile", *_TILE_SIZES, "repeat", "status") if name in names)
    for name in wanted:
        if names.count(name) > 1:
            raise InputError(f"{path}: column {name!r} occurs {names.count(name)} times; keep one")
    return wanted


def _hint(missing: str, names: Sequence[str], time: str) -> str | None:
    """Say which of the columns found is probably the one that is missing."""
    for name in names:
        if name.casefold() == missing.casefold():
            return f"rename {name!r} to {missing!r} (case matters)"
    if missing != time:
        return None
    for name in names:
        match = _TIME_NAME.fullmatch(name.casefold())
        if match is None:
            continue
        held, wanted = match.group(1).replace("µ", "u"), time.removeprefix("time_")
        factor = TIME_UNITS[held] / TIME_UNITS[wanted] if held in TIME_UNITS else 1.0
        if factor == 1.0:
            return f"if {name!r} holds times in {wanted}, rename it to {time!r}"
        return f"{name!r} looks like times in {held}: multiply by {factor:g} and name it {time!r}"
    return None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path, "rb") if _gzipped(path) else path.open("rb")


def _gzipped(path: Path) -> bool:
    return path.suffix.casefold() == ".gz"


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every record that is not blank, the header too, with the number of the line it begins on."""
    opener: Any = gzip.open if _gzipped(path) else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        line = 1
        for record in reader:
            if record or line == 1:
                yield line, record
            line = reader.line_num + 1


def _line_of(path: Path, delimiter: str, row: int) -> int:
    """Line of a row. Blank lines and quoted line breaks set the two apart, so the file is walked again."""
    for number, (line, _) in enumerate(_records(path, delimiter)):
        if number == row + 1:
            return line
    return row + 2


def _provenance(table: _Table) -> dict[str, Any]:
    with table.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "file": table.path.name,
        "bytes": table.path.stat().st_size,
        "rows": table.rows,
        "sha256": digest,
    }


# Checking the rows: each check adds the first row it objects to


def _add_first(faults: list[_Fault], bad: NDArray[np.bool_], table: _Table, name: str, expected: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        faults.append((row, f"{name} is {table.shown(name, row)}, expected {expected}"))


def _numbers(table: _Table, name: str, faults: list[_Fault]) -> NDArray[np.float64]:
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


def _whole(table: _Table, name: str, least: int, faults: list[_Fault]) -> NDArray[np.float64]:
    values = _numbers(table, name, faults)
    bad = ~((values >= least) & (values <= _LARGEST_SIZE) & (values == np.floor(values)))
    _add_first(faults, bad, table, name, f"a whole number from {least} to {_LARGEST_SIZE}")
    return values


def _times(table: _Table, status: NDArray[np.int8], faults: list[_Fault]) -> NDArray[np.float64]:
    values = _numbers(table, table.time, faults)
    usable = np.isfinite(values) & (values > 0)
    excused = np.isnan(values) & (status != STATUS["ok"])
    expected = "a positive, finite time (empty only where a column 'status' says why)"
    _add_first(faults, ~(usable | excused), table, table.time, expected)
    return values


def _statuses(table: _Table, faults: list[_Fault]) -> NDArray[np.int8]:
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


def _tiles(table: _Table, faults: list[_Fault]) -> tuple[list[Tile], NDArray[np.int64]]:
    """Return the distinct tiles, and the index of each row's tile."""
    given = _TILE_SIZES[0] in table.columns
    sizes = [_whole(table, name, 0, faults) for name in _TILE_SIZES] if given else []
    if "tile" in table.columns:
        codes, labels = _labels(table, "tile")
        found = [_tile(label) for label in labels]
        bad = np.array([*(tile is None for tile in found), True])[codes]
        _add_first(faults, bad, table, "tile", "MxNxK (as 256x256x32) or the name of a library")
        tiles = [tile if tile is not None else Tile.of(0, 0, 0) for tile in found]
        if given and not bad.any():
            stated = np.array([[tile.m, tile.n, tile.k] for tile in tiles])[codes]
            for i, name in enumerate(_TILE_SIZES):
                _add_first(faults, sizes[i] != stated[:, i], table, name, "what the column 'tile' says")
        return _distinct(tiles, codes)
    if not given:
        return [Tile.of(0, 0, 0)], np.zeros(table.rows, dtype=np.int64)
    mixed = (np.minimum.reduce(sizes) < 1) & (np.maximum.reduce(sizes) > 0)
    if mixed.any():
        row = int(np.argmax(mixed))
        shown = ", ".join(f"{name} {table.shown(name, row)}" for name in _TILE_SIZES)
        faults.append((row, f"{shown}: expected three positive sizes, or 0 for all where the tile is hidden"))
    if faults:
        return [], np.zeros(table.rows, dtype=np.int64)
    frame = pd.DataFrame(np.stack(sizes, axis=1).astype(np.int64))
    return [Tile.of(*row) for row in frame.drop_duplicates().to_numpy().tolist()], _groups(frame)


def _tile(label: str) -> Tile | None:
    try:
        return Tile.labelled(label)
    except InputError:
        return None


def _distinct(tiles: list[Tile], codes: NDArray[np.int64]) -> tuple[list[Tile], NDArray[np.int64]]:
    unique = list(dict.fromkeys(tiles))
    number = {tile: i for i, tile in enumerate(unique)}
    return unique, np.array([*(number[tile] for tile in tiles), 0], dtype=np.int64)[codes]


def _labels(table: _Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Distinct texts of a column, in order of appearance, and the index of each row's; -1 where empty."""
    series = table.columns[name].cast(_arrow.string()).to_pandas()
    codes, labels = pd.factorize(series)
    return codes.astype(np.int64), [str(label).strip() for label in labels]


def _check_units(
    table: _Table, shapes: NDArray[np.int64], time: NDArray[np.float64], device: DeviceRecord, dtype: str
) -> None:
    peak = device.peak_flops_per_s.get(dtype)
    if peak is None:
        return
    M, N, K = shapes.astype(np.float64).T
    work = 2 * M * N * K / peak
    moved = (M * K + K * N + M * N) * ELEMENT_BYTES[dtype] / (device.bandwidth_bytes_per_s or math.inf)
    fast = _fast_end(work / time)
    attained = _fast_end((_LAUNCH_SECONDS + np.maximum(work, moved)) / time)
    of_peak = f"the {dtype} peak of {device.name} ({peak / 1e12:.4g} TFLOP/s)"
    if fast >= TOO_FAST:
        raise InputError(
            f"{table.path}: {table.time} is too short to be true: its throughput is {fast:.3g} times "
            f"{of_peak}; check the unit, the device and the dtype, and that the launches were waited for "
            "(or switch this check off)"
        )
    if attained < TOO_SLOW and time.size >= _FEWEST_SLOW:
        power = min(max(round(-math.log10(attained) / 3), 1), 3)
        unit = {1: "milliseconds", 2: "microseconds", 3: "nanoseconds"}[power]
        if table.time != "time_s":
            unit = f"a unit {1000**power:,} times smaller"
        raise InputError(
            f"{table.path}: {table.time} looks like {unit}: even its fast rows take {1 / attained:.3g} times "
            f"their ideal time, and reach {fast:.2g} of {of_peak}; divide by {1000**power:,} "
            "(or switch this check off)"
        )


def _fast_end(values: NDArray[np.float64]) -> float:
    """The 99 % quantile, and below a hundred values the second largest: one outlier never decides."""
    return float(np.quantile(values, 0.99, method="lower"))


# From rows to cells


def _cells(shapes: NDArray[np.int64], tile: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the distinct (M, N, K, tile) by first appearance; return also the first row of each."""
    cells = _groups(pd.DataFrame(np.column_stack([shapes, tile])))
    first: NDArray[np.int64] = np.unique(cells, return_index=True)[1].astype(np.int64)
    return cells, first


def _groups(frame: pd.DataFrame) -> NDArray[np.int64]:
    numbers = frame.groupby(list(frame.columns), sort=False).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def _summaries(
    time: NDArray[np.float64],
    status: NDArray[np.int8],
    cells: NDArray[np.int64],
    count: int,
    order: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Return time and status of each cell and, where rows repeat a cell, spread and repeats."""
    if count == time.size:
        return {"time": time, "status": status}
    rank = np.array([_PRECEDENCE.index(name) for name in STATUS])
    best = np.full(count, len(_PRECEDENCE))
    np.minimum.at(best, cells, rank[status])
    settled = np.array([STATUS[name] for name in _PRECEDENCE], dtype=np.int8)[best]
    kept = np.where(status == settled[cells], time, np.nan)
    center = _medians(kept, cells, count)
    spread = 1.4826 * _medians(np.abs(kept - center[cells]), cells, count)
    spread[np.bincount(cells[np.isfinite(kept)], minlength=count) < 2] = np.nan
    summary: dict[str, Any] = {"time": center, "status": settled, "spread": spread}
    position, width = _positions(cells, order)
    # One cell that was repeated far more often than the others must not blow up all of them.
    if count * width <= max(_MOST_PADDING * time.size, 10_000_000):
        summary["repeats"] = np.full((count, width), np.nan)
        summary["repeats"][cells, position] = kept
    return summary


def _medians(values: NDArray[np.float64], cells: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Median of the values of each cell that are not NaN; NaN where there are none."""
    known = np.isfinite(values)
    values, cells = values[known], cells[known]
    ordered = values[np.lexsort((values, cells))]
    sizes = np.bincount(cells, minlength=count)
    start = np.cumsum(sizes) - sizes
    some = sizes > 0
    lower = ordered[(start + (sizes - 1) // 2)[some]]
    upper = ordered[(start + sizes // 2)[some]]
    medians = np.full(count, np.nan)
    medians[some] = lower + 0.5 * (upper - lower)
    return medians


def _positions(cells: NDArray[np.int64], order: NDArray[np.float64] | None) -> tuple[NDArray[np.int64], int]:
    """Place of each row among the repeats of its cell, and the largest number of repeats."""
    sizes = np.bincount(cells)
    width = int(sizes.max())
    if order is not None:
        passes, place = np.unique(order, return_inverse=True)
        if passes.size == width and np.unique(cells * width + place).size == cells.size:
            return place.astype(np.int64), width
    rows = np.lexsort((cells,) if order is None else (order, cells))
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    position = np.empty(cells.size, dtype=np.int64)
    position[rows] = np.arange(cells.size) - start
    return position, width


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
