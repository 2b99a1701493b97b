"""The file of a table of timings: its columns, found and read but not checked yet."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from harness.errors import InputError
from harness.grid import AXES

TIME_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds per unit of time, by the suffix of the time column."""

TILE_SIZES: Final = ("tile_m", "tile_n", "tile_k")
"""Columns that state a tile as numbers."""

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_PARQUET: Final = (".parquet", ".pq")
_TIME_NAME: Final = re.compile(
    r"(?:time|t|latency|duration|elapsed|runtime|seconds)[ _]*[(\[]?(|s|secs?|seconds|ms|us|µs|ns)[)\]]?"
)

_arrow: Any = pyarrow  # pyarrow comes without type information


@dataclass(frozen=True)
class TimingTable:
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

    def provenance(self) -> dict[str, Any]:
        """Return the name, size and SHA-256 of the file, and the number of its rows."""
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"file": self.path.name, "bytes": self.path.stat().st_size, "rows": self.rows, "sha256": digest}

    def shown(self, name: str, row: int) -> str:
        """Quote a value as it stands in the file."""
        value = self.columns[name][row].as_py()
        return "missing" if value is None else _quoted(value)


def read_table(path: Path, time: str) -> TimingTable:
    """Read the columns of a table that mean something; values of a CSV are left as text.

    Parameters
    ----------
    path : Path
        A file ``.csv``, ``.tsv``, ``.csv.gz``, ``.tsv.gz``, ``.parquet`` or ``.pq``.
    time : str
        Name of the time column.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, or lacks a column.
    """
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


def _read_csv(path: Path, time: str, delimiter: str) -> TimingTable:
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
    return TimingTable(path, time, columns, ignored, content.num_rows, delimiter)


def _read_parquet(path: Path, time: str) -> TimingTable:
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
    return TimingTable(path, time, columns, ignored, content.num_rows, None)


def _wanted(path: Path, names: Sequence[str], time: str) -> tuple[str, ...]:
    """Return the columns to read; refuse a table that lacks one, saying what to rename."""
    required = [*AXES, time]
    if any(name in names for name in TILE_SIZES) and "tile" not in names:
        required += TILE_SIZES
    missing = [name for name in required if name not in names]
    if missing:
        found = ", ".join(_quoted(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        hints = [hint for name in missing if (hint := _hint(name, names, time))]
        if len(names) == 1 and (separator := re.search(r"[;\t| ]", names[0])):
            hints = [f"the values look separated by {separator.group()!r}: separate them by commas"]
        raise InputError(
            "; ".join([f"{path}: missing column {', '.join(missing)}", f"found {found or 'none'}", *hints])
        )
    wanted = tuple(name for name in (*AXES, time, "tile", *TILE_SIZES, "repeat", "status") if name in names)
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


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
