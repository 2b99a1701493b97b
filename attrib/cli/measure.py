"""``attrib measure``: a backend's landscape becomes a cube, resumable at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrib.cli.inputs import read_grid_or_shapes
from attrib.cli.measure_screen import sweep_progress
from attrib.cli.measure_tables import show_cube, show_estimate, show_offsets
from attrib.cli.options import Json
from attrib.cli.outputs import check_outputs
from attrib.cli.screen import show, show_json
from harness.errors import BackendError, InputError

if TYPE_CHECKING:
    from harness.protocol import Protocol

EXAMPLE = "attrib measure --backend triton,torch-blas --grid 128:4096:128 -o cube.nc"

RARE = ("series_seconds", "max_launches", "warmup_seconds", "verified_per_kernel", "outlier_threshold")
"""Fields of the protocol that ``--protocol`` sets."""

STORE_SUFFIX = ".sweep"
"""What is appended to the name of the cube: the store lies beside it."""


def measure(
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME]", help="Backends of one device; --backends lists them."),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="AXIS[;AXIS;AXIS]", help="first:last:step for all of M, N, K, or three axes."),
    ] = None,
    shapes: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Table with columns M,N,K in place of a grid.")
    ] = None,
    tiles: Annotated[
        str | None, typer.Option(metavar="TILE[,TILE]", help="Tiles; by default those that the backend offers.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="CUBE", help="Cube to write (.nc or .zarr).")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="WHICH", help="Which of several devices, in the backend's words.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="ID", help="Device record to store: an id or a TOML file.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Element type of A and B.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the backend; repeatable.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Passes over all cells.")] = 4,
    max_repeats: Annotated[
        int | None, typer.Option(min=1, help="Most repeats of a cell; by default three times --repeats.")
    ] = None,
    target_error: Annotated[
        float, typer.Option(metavar="FRACTION", help="Standard error at which a cell is done.")
    ] = 0.01,
    cache: Annotated[
        str | None, typer.Option(help="warm, cold or rotating; by default what the backend offers first.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of orders, operands and checked cells.")] = 0,
    sentinels: Annotated[int, typer.Option(min=0, help="Cells measured again with every batch.")] = 8,
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help=f"Rarer settings: {', '.join(RARE)}; repeatable."),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Measure cells again that failed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Time a few cells and say what the sweep will take.")
    ] = False,
    collect: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="Measure nothing: make the cube of what this store holds so far."),
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(metavar="CUBE", help="Measure nothing: merge cubes of several like devices; repeatable."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler whose workers measure, one device each.")
    ] = None,
    devices: Annotated[
        str | None, typer.Option(metavar="WHICH,WHICH", help="Several devices of this host, one process each.")
    ] = None,
    backends: Annotated[
        bool, typer.Option("--backends", help="List the backends and their options, and do nothing else.")
    ] = False,
    emit_configs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For sycl-tla: write the C++ of the tiles it lacks, and how to build."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a landscape; the same command goes on after a stop."""
    if backends:
        _list_backends(as_json)
        return
    _refuse_combinations(
        {"--collect": collect, "--merge": merge, "--emit-configs": emit_configs},
        {"--grid": grid, "--shapes": shapes, "--dask": dask, "--devices": devices, "--dry-run": dry_run or None},
    )
    if device is not None and devices is not None:
        raise InputError("--device and --devices cannot be given together")
    if collect is not None:
        _collect(collect, output, as_json)
        return
    if merge:
        _merge(merge, output, as_json)
        return
    if backend is None:
        raise InputError("--backend is needed: 'attrib measure --backends' lists them")
    if emit_configs is not None:
        _emit(backend, tiles, emit_configs, as_json)
        return
    if output is None and not dry_run:
        raise InputError("-o CUBE is needed: the cube to write")
    if output is not None:
        check_outputs([output], [] if shapes is None else [shapes])
    wanted = read_grid_or_shapes(grid, shapes)

    from harness.backends.options import parse_pairs
    from harness.device import load_device
    from harness.store import save_cube
    from harness.sweep.cells import CellTable
    from harness.sweep.collect import cube_of
    from harness.sweep.estimate import estimate
    from harness.sweep.executors import open_executor
    from harness.sweep.run import run_sweep
    from harness.sweep.spec import BenchSpec
    from harness.sweep.store import SweepStore
    from harness.tile import Tile

    spec = BenchSpec(
        tuple(name.strip() for name in backend.split(",")),
        parse_pairs([*(option or []), *([] if device is None else [f"device={device}"])]),
        None if record is None else load_device(record),
        dtype,
        () if tiles is None else tuple(Tile.parse(text) for text in tiles.split(",")),
        seed,
    )
    several = [] if devices is None else [name.strip() for name in devices.split(",")]
    with open_executor(spec, dask=dask, devices=several) as executor:
        table = CellTable.product(executor.facts.tiles, wanted)
        plan = _protocol(
            protocol or [],
            repeats=repeats,
            max_repeats=3 * repeats if max_repeats is None else max_repeats,
            target_error=target_error,
            seed=seed,
            cache=cache or next(iter(executor.facts.cache_states), "warm"),
            sentinels=sentinels,
        )
        if dry_run:
            show_estimate(estimate(executor, table, plan), plan, as_json)
            return
        assert output is not None
        path = output.with_name(output.name + STORE_SUFFIX)
        with SweepStore(path) as store:
            try:
                with sweep_progress(path) as say:
                    run_sweep(executor, table, plan, store, progress=say, retry_failed=retry_failed)
            except BackendError as error:
                if store.fingerprint is None:  # refused before anything was begun
                    raise
                raise BackendError(
                    f"{error}; {path} keeps every finished batch, the same command goes on"
                ) from None
            cube = cube_of(store)
    save_cube(cube, output)
    show_cube(cube, output, path, as_json)


def _refuse_combinations(alone: dict[str, Any], measuring: dict[str, Any]) -> None:
    """Refuse what one of the ways to measure nothing would pass over in silence."""
    given = [name for name, value in alone.items() if value]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} cannot be given together")
    for name, value in measuring.items():
        if given and value is not None:
            raise InputError(f"{given[0]} measures nothing: {name} cannot go with it")


def _protocol(rare: list[str], **common: Any) -> Protocol:
    import typing

    from harness.backends.options import convert, parse_pairs
    from harness.protocol import Protocol

    hints = typing.get_type_hints(Protocol)
    given = parse_pairs(rare)
    for name in given:
        if name not in RARE:
            raise InputError(f"protocol {name!r} is unknown: expected one of {', '.join(RARE)}")
    return Protocol(**common, **{name: convert(name, text, hints[name]) for name, text in given.items()})


def _collect(path: Path, output: Path | None, as_json: bool) -> None:
    from harness.store import save_cube
    from harness.sweep.collect import cube_of
    from harness.sweep.store import SweepStore

    if output is None:
        raise InputError("-o CUBE is needed: the cube to write")
    if not path.is_file():
        raise InputError(f"{path}: no such store")
    check_outputs([output], [path])
    with SweepStore(path) as store:
        cube = cube_of(store)
    save_cube(cube, output)
    show_cube(cube, output, path, as_json)


def _merge(paths: list[Path], output: Path | None, as_json: bool) -> None:
    from harness.merge import merge_cubes, offsets_of
    from harness.store import open_cube, save_cube

    if output is None:
        raise InputError("-o CUBE is needed: the cube to write")
    check_outputs([output], paths)
    cube = merge_cubes([open_cube(path) for path in paths], [str(path) for path in paths])
    save_cube(cube, output)
    offsets = offsets_of(cube)
    if as_json:
        show_json({"output": str(output), "cells": int(cube["time"].size), "device_offsets": offsets})
        return
    show(f"{output}: {cube['time'].size:,} cells")
    show_offsets(offsets)


def _list_backends(as_json: bool) -> None:
    from harness.backends import backend_names, load_backend
    from harness.backends.options import describe_options

    listed: list[dict[str, Any]] = []
    for name in backend_names():
        try:
            kind = load_backend(name)
        except BackendError as error:  # one broken installation is no reason to hide the others
            listed.append({"backend": name, "about": str(error), "dtypes": [], "cache": [], "options": []})
            continue
        about = next(iter((kind.__doc__ or "").strip().splitlines()), "")
        options = [
            {"name": option, "default": default, "help": text} for option, default, text in describe_options(kind)
        ]
        facts = {"backend": name, "about": about, "dtypes": list(kind.dtypes), "cache": list(kind.cache_states)}
        listed.append({**facts, "options": options})
    if as_json:
        show_json(listed)
        return
    for item in listed:
        show(f"{item['backend']}: {item['about']}")
        if item["dtypes"]:
            show(f"    element types {', '.join(item['dtypes'])}; cache {', '.join(item['cache'])}")
        for entry in item["options"]:
            default = f" [{entry['default']}]" if entry["default"] else ""
            show(f"    --option {entry['name']}=...  {entry['help']}{default}")


def _emit(backend: str, tiles: str | None, folder: Path, as_json: bool) -> None:
    from harness.backends.sycl_tla.registration import PAPER_TILES, emit_registrations
    from harness.tile import Tile

    if backend != "sycl-tla":
        raise InputError(f"--emit-configs goes with --backend sycl-tla, not with {backend!r}")
    wanted = PAPER_TILES if tiles is None else tuple(Tile.parse(text) for text in tiles.split(","))
    written = emit_registrations(folder, wanted)
    if as_json:
        show_json([str(path) for path in written])
        return
    for path in written:
        show(str(path))
