"""Interventions on an H200: ``python -m harness.landscapes.interventions_h200 OUT``.

Each changes one thing that a model claims to know and measures again, everything else equal and in the same
shuffled passes:

``cores``
    A persistent kernel on 132, 112, 96 and 66 cores: does the time follow ceil(W / C)? One cube for each limit.
``pitch``
    The same shapes with rows as they come and with rows padded to 128 bytes: does the cost of the row pitch go
    away? One cube for each.
``lines``
    The same on the lines along N of the bundled fine lines, and on such lines of many more rows: does the period
    of the row pitch go away, and do those of tiles and waves stay? Also with tiles whose widths do not divide each
    other, and are not all multiples of one row pitch. One cube for each.
``cache``
    The same shapes with warm and with displaced caches.
``queue``
    Random cells of the landscape grid: how much longer than its kernels does a sweep take?

The cubes go into the folder OUT; a summary is printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.backends.backend import Cell
from harness.backends.cuda.backend import CudaBackend, CudaOptions
from harness.backends.cuda.torch_blas import TorchBlasBackend
from harness.backends.cuda.triton import TritonBackend, TritonOptions
from harness.backends.cuda.triton_variants import NOT_NESTED
from harness.cube import dense_cube, sparse_cube
from harness.protocol import TOLERANCE
from harness.store import save_cube
from harness.tile import VENDOR, Tile

CORE_LIMITS = (132, 112, 96, 66)
CORE_TILES = (Tile.of(128, 128, 64), Tile.of(128, 64, 64))
CORE_SIZES = np.arange(256, 4097, 128)
CORE_DEPTHS = np.array([256, 512, 1024, 2048])

PITCHES = (1, 64)
PITCH_LINE = np.arange(1024, 2177, 8)
PITCH_SETTINGS = ((2048, 4096), (1024, 1024), (4096, 1024))
LONG_LINE = np.arange(16, 4097, 16)
LONG_SETTINGS = ((640, 2048), (1024, 1024), (1536, 4096), (2048, 4096), (4096, 1024), (4096, 4096))
"""(M, K) of the lines along N of ``h200_bf16_lines``."""
TALL_SETTINGS = ((21248, 1024), (25600, 512), (25600, 2048), (30720, 1024))
"""(M, K) of lines where most columns of tiles begin a wave.

Where a column is much less than a wave, a tile that loses nothing at its own edges shows the waves alone. Here
it is 0.6 to 1.8 waves, by rows and residents of the tile, and more than one of the 128x256 tile.
"""
LINES = {1: "rows_plain", 64: "rows_padded"}

CACHE_SHAPES = ((256, 256, 256), (512, 512, 4096), (1024, 1024, 1024), (2048, 2048, 512), (4096, 4096, 1024))

QUEUE_CELLS, GRID_CELLS = 8192, 7 * 32**3

_SERIES_SECONDS, _MOST_LAUNCHES, _BATCH = 40e-6, 16, 4096


def core_shapes() -> NDArray[np.int64]:
    """Shapes from which the waves can be counted: few and many work-groups, few and many steps; shape (n, 3)."""
    axes = np.meshgrid(CORE_SIZES, CORE_SIZES, CORE_DEPTHS, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1).astype(np.int64)


def pitch_shapes() -> NDArray[np.int64]:
    """Fine lines along N, and one along K; shape (n, 3)."""
    along_n = [(m, n, k) for m, k in PITCH_SETTINGS for n in PITCH_LINE.tolist()]
    return np.array(along_n + [(2048, 2048, k) for k in PITCH_LINE.tolist()], dtype=np.int64)


def long_shapes() -> NDArray[np.int64]:
    """Lines along N: low ones for three periods of the waves, tall ones for tiles alone; shape (n, 3)."""
    settings = (*LONG_SETTINGS, *TALL_SETTINGS)
    return np.array([(m, n, k) for m, k in settings for n in LONG_LINE.tolist()], dtype=np.int64)


def measure(
    jobs: Sequence[tuple[CudaBackend, Cell]], repeats: int, rng: np.random.Generator, cache: str = "warm"
) -> NDArray[np.float64]:
    """Time all jobs in shuffled passes, all backends in each: seconds, shape (n, repeats).

    A first pass, which is not kept, tells how many launches fill a timing.
    """
    backends = list(dict.fromkeys(backend for backend, _ in jobs))
    owner = np.array([backends.index(backend) for backend, _ in jobs])
    cells = [cell for _, cell in jobs]
    for number, backend in enumerate(backends):
        backend.prepare([cells[row] for row in np.flatnonzero(owner == number)])

    def one_pass(launches: NDArray[np.int64]) -> NDArray[np.float64]:
        seconds = np.full(len(jobs), np.nan)
        order = rng.permutation(len(jobs))
        for start in range(0, order.size, _BATCH):
            batch = order[start : start + _BATCH]
            for number, backend in enumerate(backends):
                rows = batch[owner[batch] == number]
                if rows.size:
                    seconds[rows] = backend.time([cells[row] for row in rows], launches[rows], cache).seconds
        return seconds

    rough = one_pass(np.ones(len(jobs), dtype=np.int64))
    wanted = np.ceil(np.nan_to_num(_SERIES_SECONDS / np.maximum(rough, 1e-9), nan=1.0))
    launches = np.clip(wanted, 1, _MOST_LAUNCHES).astype(np.int64)
    return np.stack([one_pass(launches) for _ in range(repeats)], axis=1)


def largest_error(jobs: Sequence[tuple[CudaBackend, Cell]], rng: np.random.Generator, count: int = 24) -> float:
    """Largest relative error of a random sample of jobs and of the smallest and the largest."""
    ordered = sorted(range(len(jobs)), key=lambda row: jobs[row][1].M * jobs[row][1].N * jobs[row][1].K)
    sample = {ordered[0], ordered[-1], *rng.choice(len(jobs), min(count, len(jobs)), replace=False).tolist()}
    errors = [jobs[row][0].relative_error(jobs[row][1]) for row in sorted(sample)]
    return float(max(errors))


def limit_cores(out: Path, repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """Measure the persistent kernel on fewer and fewer cores; write one dense cube for each limit."""
    shapes = core_shapes()
    backends = {limit: TritonBackend(TritonOptions(cores=limit)) for limit in CORE_LIMITS}
    jobs: list[tuple[CudaBackend, Cell]] = [
        (backends[limit], Cell(tile, *map(int, shape)))
        for limit in CORE_LIMITS
        for tile in CORE_TILES
        for shape in shapes
    ]
    largest = Cell(CORE_TILES[0], 4096, 4096, 256)
    used = {limit: backend.cores_used(largest) for limit, backend in backends.items()}
    seconds = measure(jobs, repeats, rng)
    per_limit = np.split(seconds, len(CORE_LIMITS))
    dims = (len(CORE_TILES), CORE_SIZES.size, CORE_SIZES.size, CORE_DEPTHS.size, repeats)
    for limit, part in zip(CORE_LIMITS, per_limit, strict=True):
        values = part.reshape(dims)
        cube = dense_cube(
            np.median(values, axis=-1),
            CORE_SIZES,
            CORE_SIZES,
            CORE_DEPTHS,
            CORE_TILES,
            backends[limit].device,
            spread=_spread(values),
            repeats=values,
            attrs=_attributes(backends[limit]),
        )
        save_cube(cube, out / f"h200_bf16_cores{limit}.nc")

    medians = [float(np.median(part / per_limit[0])) for part in per_limit]
    return {
        "cells": len(jobs),
        "cores_used": used,
        "median_time_over_first": dict(zip(map(str, CORE_LIMITS), medians, strict=True)),
        "largest_relative_error": largest_error(jobs, rng),
    }


def pad_rows(
    out: Path,
    names: Mapping[int, str],
    shapes: NDArray[np.int64],
    repeats: int,
    rng: np.random.Generator,
    further: Sequence[Tile] = (),
) -> dict[str, Any]:
    """Measure the same shapes with rows as they come and padded; write two sparse cubes.

    The tiles are those of the backends, and ``further`` ones of the Triton kernel.
    """
    jobs: list[tuple[CudaBackend, Cell]] = []
    triton: dict[int, TritonBackend] = {}
    for pitch in PITCHES:
        triton[pitch] = TritonBackend(TritonOptions(pitch=pitch, tiles=tuple(further)))
        vendor = TorchBlasBackend(CudaOptions(pitch=pitch))
        for backend in (triton[pitch], vendor):
            tiles = (*backend.tiles, *backend.options.tiles)
            jobs += [(backend, Cell(tile, *map(int, shape))) for tile in tiles for shape in shapes]
    seconds = measure(jobs, repeats, rng)
    per_pitch = np.split(seconds, len(PITCHES))
    cells = [cell for _, cell in jobs[: len(jobs) // len(PITCHES)]]
    for pitch, part in zip(PITCHES, per_pitch, strict=True):
        save_cube(_sparse(cells, part, triton[pitch]), out / f"h200_bf16_{names[pitch]}.nc")
    ratio = np.median(per_pitch[1], axis=1) / np.median(per_pitch[0], axis=1)
    common = np.gcd([cell.N for cell in cells], [cell.K for cell in cells])
    steps = [step for step in (8, 16, 32) if (common % (2 * step) == step).any()]
    return {
        "cells": len(jobs),
        "median_padded_over_plain": {
            f"N and K multiples of {step}, not of {2 * step}": float(np.median(ratio[common % (2 * step) == step]))
            for step in steps
        },
        "median_where_nothing_changes": float(np.median(ratio[common % PITCHES[1] == 0])),
        "largest_relative_error": {
            f"{tile}, pitch {pitch}": largest_error(
                [job for job in jobs if job[0] is backend and job[1].tile == tile], rng, 8
            )
            for pitch, backend in triton.items()
            for tile in (*backend.tiles, *backend.options.tiles)
        },
    }


def displace_caches(repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """Measure a few shapes warm and cold: median ratio of each tile."""
    triton, vendor = TritonBackend(), TorchBlasBackend()
    jobs: list[tuple[CudaBackend, Cell]] = [
        (backend, Cell(tile, *shape))
        for backend in (triton, vendor)
        for tile in backend.tiles
        for shape in CACHE_SHAPES
    ]
    warm, cold = (np.median(measure(jobs, repeats, rng, cache), axis=1) for cache in ("warm", "cold"))
    return {
        str(shape): {
            jobs[row][1].tile.name: {"warm_s": float(warm[row]), "cold_s": float(cold[row])}
            for row in range(len(jobs))
            if shape == (jobs[row][1].M, jobs[row][1].N, jobs[row][1].K)
        }
        for shape in CACHE_SHAPES
    }


def load_queue(repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """Measure random cells of the landscape grid, all seven kernels, and compare with the time of the kernels."""
    triton, vendor = TritonBackend(), TorchBlasBackend()
    tiles = (*triton.tiles, Tile.parse(VENDOR))
    shapes = 128 * rng.integers(1, 33, (QUEUE_CELLS, 3))
    jobs: list[tuple[CudaBackend, Cell]] = []
    for shape in shapes.tolist():
        tile = tiles[rng.integers(len(tiles))]
        jobs.append((vendor if tile.hidden else triton, Cell(tile, *shape)))
    for backend in (triton, vendor):
        backend.prepare([Cell(tile, 4096, 4096, 4096) for tile in backend.tiles])
    before = [_statistics(backend) for backend in (triton, vendor)]
    began = perf_counter()
    measure(jobs, repeats, rng)
    wall = perf_counter() - began
    spent = [
        {key: value - old[key] for key, value in _statistics(backend).items()}
        for backend, old in zip((triton, vendor), before, strict=True)
    ]
    kernels = sum(part["kernel_s"] for part in spent)
    return {
        "cells": QUEUE_CELLS,
        "wall_s": wall,
        "kernel_s": kernels,
        "wall_over_kernels": wall / kernels,
        "whole_sweep_wall_s": wall * GRID_CELLS / QUEUE_CELLS,
        "triton": spent[0],
        "torch-blas": spent[1],
    }


def check_f16(rng: np.random.Generator) -> dict[str, Any]:
    """Verify results of the other element type, and of a persistent kernel with padded rows."""
    options = (TritonOptions(dtype="f16"), TritonOptions(dtype="f16", cores=66, pitch=16))
    errors = []
    for option in options:
        backend = TritonBackend(option)
        jobs = [
            (backend, Cell(tile, *map(int, rng.integers(1, 700, 3)))) for tile in backend.tiles for _ in range(4)
        ]
        errors.append(largest_error(jobs, rng))
    vendor = TorchBlasBackend(CudaOptions(dtype="f16", pitch=16))
    errors.append(vendor.relative_error(Cell(Tile.parse(VENDOR), 333, 222, 111)))
    return {"largest_relative_errors": errors, "tolerance": TOLERANCE["f16"]}


def main() -> None:
    """Run all interventions and print what came out."""
    parser = argparse.ArgumentParser(description="Interventions on an H200.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--only", nargs="+", help="names of the interventions to run; all by default")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "queue": lambda: load_queue(options.repeats, rng),
        "cores": lambda: limit_cores(options.out, options.repeats, rng),
        "pitch": lambda: pad_rows(
            options.out, {p: f"pitch{p}" for p in PITCHES}, pitch_shapes(), options.repeats, rng
        ),
        "lines": lambda: pad_rows(options.out, LINES, long_shapes(), options.repeats, rng, tuple(NOT_NESTED)),
        "cache": lambda: displace_caches(options.repeats, rng),
        "f16": lambda: check_f16(rng),
    }
    summary: dict[str, Any] = {}
    unknown = set(options.only or ()) - set(parts)
    if unknown:
        parser.error(f"no intervention {', '.join(sorted(unknown))}: there are {', '.join(parts)}")
    for name in options.only or parts:
        part, began = parts[name], perf_counter()
        summary[name] = part()
        summary[name]["seconds"] = perf_counter() - began
        sys.stderr.write(f"{name}: {json.dumps(summary[name])}\n")
    backend = TritonBackend()
    summary["configuration"] = dict(backend.configuration())
    summary["environment"] = dict(backend.environment())
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")


def _sparse(cells: Sequence[Cell], seconds: NDArray[np.float64], backend: CudaBackend) -> xr.Dataset:
    return sparse_cube(
        np.median(seconds, axis=1),
        np.array([[cell.M, cell.N, cell.K] for cell in cells]),
        [cell.tile for cell in cells],
        backend.device,
        spread=_spread(seconds),
        repeats=seconds,
        attrs=_attributes(backend),
    )


def _attributes(backend: CudaBackend) -> dict[str, Any]:
    return {
        **backend.cube_attributes(),
        "dtype_out": backend.dtype_out,
        "configuration": dict(backend.configuration()),
        "environment": dict(backend.environment()),
        "script": "harness/landscapes/interventions_h200.py",
    }


def _spread(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust standard deviation of one repeat, over the last axis."""
    center = np.median(seconds, axis=-1, keepdims=True)
    return np.asarray(1.4826 * np.median(np.abs(seconds - center), axis=-1))


def _statistics(backend: CudaBackend) -> dict[str, float]:
    facts = backend.environment()
    names = {
        "kernel_s": "queue_kernel_s",
        "held_s": "queue_held_s",
        "wall_s": "queue_wall_s",
        "groups": "groups",
        "groups_measured_again": "groups_measured_again",
    }
    return {name: float(facts[key]) for name, key in names.items()}


if __name__ == "__main__":
    main()
