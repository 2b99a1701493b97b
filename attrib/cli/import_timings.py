"""``attrib import``: a table of timings becomes a landscape cube."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrib.cli.options import Json
from attrib.cli.outputs import check_outputs
from attrib.cli.quantities import number, percent, seconds
from attrib.cli.screen import show, show_json

EXAMPLE = "attrib import timings.csv --device b580 --dtype bf16 -o cube.nc"


def import_timings(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV, TSV or Parquet with the columns M,N,K,time_s[,tile,repeat,status]."
        ),
    ],
    device: Annotated[str, typer.Option(metavar="ID", help="Device that was measured: a record or a TOML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="CUBE", help="Cube to write (.nc or .zarr).")],
    dtype: Annotated[str, typer.Option(help="Element type of A and B.")] = "bf16",
    time_unit: Annotated[str, typer.Option(help="Unit of the time column: s, ms, us or ns.")] = "s",
    unit_check: Annotated[
        bool, typer.Option(" /--no-unit-check", help="Accept times that the device cannot have taken.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Turn a table of timings into a landscape cube."""
    import json

    import numpy as np

    from harness.cube import STATUS, is_dense, throughput, tiles_of
    from harness.device import load_device
    from harness.store import save_cube
    from harness.timings import read_timings

    record = load_device(device)
    check_outputs([output], [file])
    cube = read_timings(file, record, dtype, time_unit=time_unit, check_units=unit_check)
    save_cube(cube, output)

    ok = cube["status"].values == STATUS["ok"]
    times = cube["time"].values[ok]
    best = float(np.max(throughput(cube).values[ok])) if ok.any() else None
    peak = record.peak_flops_per_s.get(dtype)
    data = {
        "output": str(output),
        "device": record.id,
        "rows": int(json.loads(str(cube.attrs["provenance"]))["rows"]),
        "cells": int(ok.size),
        "ok": int(ok.sum()),
        "form": "dense" if is_dense(cube) else "sparse",
        "tiles": [tile.name for tile in tiles_of(cube)],
        "repeats": int(cube.sizes.get("repeat", 1)),
        "time_s": [float(times.min()), float(times.max())] if ok.any() else None,
        "best_tflops": best,
        "best_share_of_peak": None if best is None or peak is None else 1e12 * best / peak,
    }
    if as_json:
        show_json(data)
        return
    form = "sparse: a list of samples"
    if is_dense(cube):
        sizes = " x ".join(str(cube.sizes[axis]) for axis in "MNK")
        form = f"dense: {sizes} shapes for each of {cube.sizes['tile']} tiles"
    show(f"{output}: {data['rows']:,} rows, {ok.size:,} cells, {ok.sum():,} of them ok; {form}")
    show(f"tiles: {', '.join(tile.name for tile in tiles_of(cube))}")
    show(f"repeats: up to {data['repeats']} a cell")
    if best is not None:
        share = f", {percent(1e12 * best / peak)} of the {dtype} peak of {record.name}" if peak else ""
        show(f"times: {seconds(times.min())} to {seconds(times.max())}")
        show(f"best throughput: {number(best)} TFLOP/s{share}")
