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

from pathlib import Path

import xarray as xr

from harness.cube import ELEMENT_BYTES, STATUS, densify, sparse_cube
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.timing_cells import number_cells, summarize_cells
from harness.timing_rows import check_rows
from harness.timing_table import TIME_UNITS, read_table
from harness.timing_units import require_possible_times


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
        Whether to refuse times that the device cannot have taken, as :mod:`harness.timing_units` judges them.
        Skipped where its peak is open.

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
    """
    path = Path(path)
    if dtype not in ELEMENT_BYTES:
        raise InputError(f"dtype {dtype!r} is unknown: expected one of {', '.join(ELEMENT_BYTES)}")
    if time_unit not in TIME_UNITS:
        raise InputError(f"time unit {time_unit!r} is unknown: expected one of {', '.join(TIME_UNITS)}")
    table = read_table(path, f"time_{time_unit}")
    rows = check_rows(table, TIME_UNITS[time_unit])
    ok = rows.status == STATUS["ok"]
    if check_units and ok.any():
        require_possible_times(table, rows.shapes[ok], rows.time[ok], device, dtype)
    cells, first = number_cells(rows.shapes, rows.tile)
    cube = sparse_cube(
        shapes=rows.shapes[first],
        tiles=[rows.tiles[index] for index in rows.tile[first]],
        device=device,
        dtype=dtype,
        attrs={"provenance": table.provenance(), "ignored_columns": list(table.ignored)},
        **summarize_cells(rows.time, rows.status, cells, first.size, rows.order),
    )
    dense = densify(cube)
    return cube if dense is None else dense
