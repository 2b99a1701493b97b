"""Measure the bundled H200 landscapes: ``python -m harness.landscapes.measure_h200 OUT``.

Writes three cubes with all repeats (grid, lines, scatter) into the folder OUT. All cells of all three are one
sweep, whose store lies beside them: run the same command again to go on after an interruption. The references
(empty kernel, peak rate, copy bandwidth) are taken before and after. ``pack.py`` makes the bundled files of these.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.backends.backend import Cell
from harness.backends.cuda.backend import CudaOptions
from harness.backends.cuda.host import import_cuda_torch
from harness.backends.cuda.torch_blas import TorchBlasBackend
from harness.backends.cuda.triton import TritonBackend, TritonOptions
from harness.cube import densify
from harness.grid import Grid
from harness.protocol import Protocol
from harness.store import save_cube
from harness.sweep.bench import Bench
from harness.sweep.cells import CellTable
from harness.sweep.collect import cube_of
from harness.sweep.executor import SerialExecutor
from harness.sweep.run import Step, run_sweep
from harness.sweep.store import SweepStore
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
    best = min(float(vendor.time([cell], one, "warm").seconds[0]) for _ in range(20))
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
    triton = TritonBackend(TritonOptions(seed=options.seed))
    vendor = TorchBlasBackend(CudaOptions(seed=options.seed))
    grid = Grid.parse("512:4096:512" if options.smoke else "128:4096:128").shapes()
    lines, scatter = line_shapes(), scatter_shapes(np.random.default_rng(options.seed))
    if options.smoke:
        lines, scatter = lines[::40], scatter[::20]
    parts = {"grid": grid, "lines": lines, "scatter": scatter}
    everything = np.unique(np.concatenate(list(parts.values())), axis=0)
    table = CellTable.product((*triton.tiles, *vendor.tiles), everything)
    executor = SerialExecutor(Bench({"triton": triton, "torch-blas": vendor}))
    protocol = Protocol(repeats=options.repeats, max_repeats=options.repeats, seed=options.seed)

    last = [0.0]

    def progress(step: Step) -> None:
        if step.seconds - last[0] > 15:
            last[0] = step.seconds
            report(f"{step.stage}: {step.all_done} of {step.all_total} timings", began)

    options.out.mkdir(parents=True, exist_ok=True)
    with SweepStore(options.out / "h200_bf16.sweep") as store:
        before = references(triton, vendor)
        report(json.dumps(before), began)
        run_sweep(executor, table, protocol, store, progress=progress)
        after = references(triton, vendor)
        report(json.dumps(after), began)
        cube = cube_of(store)
    both = {key: 0.5 * (before[key] + after[key]) for key in ("empty_kernel_s", "silent_kernel_s", "bare_kernel_s")}
    best = {
        key: max(before[key], after[key]) for key in ("peak_matrix_rate_flop_per_s", "copy_bandwidth_bytes_per_s")
    }
    cube = cube.assign_attrs(
        reference_before=json.dumps(before),
        reference_after=json.dumps(after),
        script="harness/landscapes/measure_h200.py",
        **both,
        **best,
    )
    for name, shapes in parts.items():
        save_cube(part_of(cube, shapes), options.out / f"h200_bf16_{name}.nc")


def part_of(cube: xr.Dataset, shapes: NDArray[np.int64]) -> xr.Dataset:
    """Return the samples of the given shapes, (n, 3), of a sparse cube; dense where they fill a grid."""
    measured = np.stack([cube[axis].values for axis in "MNK"], axis=1)
    step = int(max(measured.max(), shapes.max())) + 1
    code = np.array([step**2, step, 1])
    wanted = np.isin(measured @ code, shapes @ code)
    part = cube.isel(sample=np.flatnonzero(wanted))
    dense = densify(part)
    return part if dense is None else dense


def report(text: str, began: float) -> None:
    """Write one line of progress."""
    sys.stderr.write(f"[{perf_counter() - began:7.1f} s] {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
