"""Measure the bundled H200 landscapes: ``python -m harness.landscapes.measure_h200 OUT``.

Writes three cubes with all repeats (grid, lines, scatter) into the folder OUT. All cells of all three are
shuffled into the same passes, and the references (empty kernel, peak rate, copy bandwidth) are taken in the
same run. ``pack.py`` makes the bundled files of these.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Cell
from harness.backends.cuda_host import import_cuda_torch
from harness.backends.torch_blas import TorchBlasBackend
from harness.backends.triton import TritonBackend
from harness.cube import dense_cube, sparse_cube
from harness.grid import Grid
from harness.protocol import Protocol
from harness.store import save_cube
from harness.sweep import Measurement, sweep
from harness.tile import Tile

# Settings of the two other axes for the fine lines: large and small problems, few and many work-groups, and
# (1536, 4096) and (640, 2048), which are no multiples of each other's tile counts.
LINE_SETTINGS = ((4096, 4096), (2048, 4096), (4096, 1024), (1024, 1024), (1536, 4096), (640, 2048))
SCATTER_ALIGNED, SCATTER_ODD, SCATTER_SIDE = 2000, 400, 8192


def line_shapes() -> NDArray[np.int64]:
    """Fine lines along each axis at step 16, shape (n, 3)."""
    fine = np.arange(16, 4097, 16)
    shapes = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for setting in LINE_SETTINGS:
            line = np.empty((fine.size, 3), dtype=np.int64)
            line[:, axis] = fine
            line[:, others] = setting
            shapes.append(line)
    return np.unique(np.concatenate(shapes), axis=0)


def scatter_shapes(rng: np.random.Generator) -> NDArray[np.int64]:
    """Log-uniform shapes up to 8192 a side: multiples of 16, and some with odd sizes; shape (n, 3)."""
    exponents = rng.uniform(np.log2(16), np.log2(SCATTER_SIDE), (SCATTER_ALIGNED + SCATTER_ODD, 3))
    sizes = 2.0**exponents
    aligned = np.maximum(16, 16 * np.round(sizes[:SCATTER_ALIGNED] / 16)).astype(np.int64)
    odd = np.maximum(17, np.round(sizes[SCATTER_ALIGNED:])).astype(np.int64)
    odd[:, 0] |= 1
    odd[::2, 1] |= 1
    odd[::3, 2] |= 1
    return np.unique(np.concatenate([aligned, odd]), axis=0)


def references(triton: TritonBackend, vendor: TorchBlasBackend) -> dict[str, float]:
    """Launch costs (s), peak matrix rate (FLOP/s) and copy bandwidth (byte/s, read plus written).

    The empty kernel is each tile's own kernel told to do no work: one work-group per core, each storing one
    element, because a launch that wrote must be flushed before the next one begins. The silent kernel is the
    same without the store; the bare one has a single work-group and no resources.
    """
    torch = import_cuda_torch()
    cores = torch.cuda.get_device_properties(0).multi_processor_count

    def idle(tile: Tile, store: bool) -> float:
        return float(np.median([triton.time_idle(tile, cores, 200, store=store) for _ in range(41)]))

    empty = {tile.name: idle(tile, True) for tile in triton.tiles}
    silent = [idle(tile, False) for tile in triton.tiles]
    bare = float(np.median([triton.time_bare(200) for _ in range(41)]))
    size = 8192
    cell = Cell(Tile.parse("vendor"), size, size, size)
    one = np.array([4], dtype=np.int64)
    best = min(float(vendor.time([cell], one)[0]) for _ in range(20))
    elements = 1 << 30
    source = torch.empty(elements, dtype=torch.float32, device="cuda").normal_()
    target = torch.empty_like(source)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    seconds = []
    for _ in range(12):
        begin.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3)
    return {
        **{f"empty_kernel_s_{name}": seconds for name, seconds in empty.items()},
        "empty_kernel_s": float(np.median(list(empty.values()))),
        "silent_kernel_s": float(np.median(silent)),
        "bare_kernel_s": bare,
        "peak_matrix_rate_flop_per_s": 2.0 * size**3 / best,
        "copy_bandwidth_bytes_per_s": 2.0 * 4.0 * elements / float(np.median(seconds[2:])),
    }


def main() -> None:
    """Measure everything and write the cubes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--smoke", action="store_true", help="a few shapes only")
    options = parser.parse_args()

    began = perf_counter()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    triton, vendor = TritonBackend(options.seed), TorchBlasBackend(options.seed)
    tiles = (*triton.tiles, *vendor.tiles)
    grid = Grid.parse("512:4096:512" if options.smoke else "128:4096:128")
    lines, scatter = line_shapes(), scatter_shapes(np.random.default_rng(options.seed))
    if options.smoke:
        lines, scatter = lines[::40], scatter[::20]
    parts = {"grid": grid.shapes(), "lines": lines, "scatter": scatter}
    cells = {
        name: [Cell(tile, *map(int, shape)) for tile in tiles for shape in shapes] for name, shapes in parts.items()
    }
    everything = [cell for group in cells.values() for cell in group]
    triton.prepare([cell for cell in everything if not cell.tile.hidden], threads=16)
    vendor.prepare([cell for cell in everything if cell.tile.hidden])
    report(f"{len(everything)} cells, {len(triton.environment()['kernels'])} kernels compiled", began)
    before = references(triton, vendor)
    report(json.dumps(before), began)

    last = [perf_counter()]

    def progress(done: int, total: int) -> None:
        if perf_counter() - last[0] > 15 or done == total:
            last[0] = perf_counter()
            report(f"{done} of {total} timings", began)

    protocol = Protocol(repeats=options.repeats, seed=options.seed)
    measured = sweep([triton, vendor], everything, protocol, progress=progress)
    after = references(triton, vendor)
    provenance: dict[str, Any] = {
        "protocol": protocol.to_dict(),
        "software": {**triton.environment()},
        "reference_before": before,
        "reference_after": after,
        "empty_kernel_s": 0.5 * (before["empty_kernel_s"] + after["empty_kernel_s"]),
        "silent_kernel_s": 0.5 * (before["silent_kernel_s"] + after["silent_kernel_s"]),
        "bare_kernel_s": 0.5 * (before["bare_kernel_s"] + after["bare_kernel_s"]),
        "peak_matrix_rate_flop_per_s": max(r["peak_matrix_rate_flop_per_s"] for r in (before, after)),
        "copy_bandwidth_bytes_per_s": max(r["copy_bandwidth_bytes_per_s"] for r in (before, after)),
        "largest_relative_error": dict(measured.errors),
        "pass_ratio": [float(ratio) for ratio in measured.pass_ratio],
        "dtype_out": "bf16",
        "vector_bytes": 2 * triton.environment()["vector_elements"],
        "seed": options.seed,
        "measured_at": started,
        "script": "harness/landscapes/measure_h200.py",
    }
    options.out.mkdir(parents=True, exist_ok=True)
    start = 0
    for name, group in cells.items():
        rows = slice(start, start + len(group))
        start += len(group)
        save(options.out / f"h200_bf16_{name}.nc", name, grid, tiles, measured, rows, triton, provenance)
    report(f"pass ratios {provenance['pass_ratio']}", began)
    report(f"largest errors {provenance['largest_relative_error']}", began)
    report(f"references after {json.dumps(after)}", began)
    report(json.dumps(provenance["software"])[:3000], began)


def save(
    path: Path,
    name: str,
    grid: Grid,
    tiles: tuple[Tile, ...],
    measured: Measurement,
    rows: slice,
    backend: TritonBackend,
    provenance: dict[str, Any],
) -> None:
    """Write one cube with all repeats."""
    repeats, status = measured.repeats[rows], measured.status[rows]
    launches = measured.launches[rows]
    time, spread = measured.time[rows], measured.spread[rows]
    if name == "grid":
        shape = (len(tiles), *grid.shape)
        cube = dense_cube(
            time.reshape(shape),
            grid.M,
            grid.N,
            grid.K,
            tiles,
            backend.device,
            status=status.reshape(shape),
            spread=spread.reshape(shape),
            repeats=repeats.reshape(*shape, -1),
            attrs=provenance,
        )
    else:
        group = measured.cells[rows]
        shapes = np.array([[cell.M, cell.N, cell.K] for cell in group])
        cube = sparse_cube(
            time,
            shapes,
            [cell.tile for cell in group],
            backend.device,
            status=status,
            spread=spread,
            repeats=repeats,
            attrs=provenance,
        )
    launches = launches.reshape(cube["time"].shape).astype(np.int16)
    save_cube(cube.assign(launches=(cube["time"].dims, launches)), path)


def report(text: str, began: float) -> None:
    """Write one line of progress."""
    sys.stderr.write(f"[{perf_counter() - began:7.1f} s] {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
