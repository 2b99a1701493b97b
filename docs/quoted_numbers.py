"""Print the numbers that the README quotes: ``python docs/quoted_numbers.py > docs/quoted_numbers.md``.

Everything is computed from the bundled landscape, measured on one NVIDIA H200. The seconds at the end are of the
machine that runs this script.
"""

from __future__ import annotations

import os
import platform
import sys
from time import perf_counter

import numpy as np

from attrib.analysis import analyse
from attrib.attribution import UNEXPLAINED
from harness.landscapes import bundled_cube
from harness.samples import Samples
from models.additive import AdditiveModel


def main() -> None:
    """Analyse the bundled grid, then predict the bundled scatter it has never seen."""
    began = perf_counter()
    cube = bundled_cube("h200_bf16_grid")
    analysis = analyse(cube)
    seconds = perf_counter() - began
    out = sys.stdout.write
    out("Bundled landscape: NVIDIA H200, BF16, M, N, K in 128..4096 step 128, measured ")
    out(f"{cube.attrs['measured_at'][:10]}.\n\n")
    out("| tile | cores x resident | held-out error, mean / median | roughness, TFLOP/s per step ")
    out("| net unexplained | error of a step |\n|---|---|---|---|---|---|\n")
    for label, fit in analysis.fit.tiles.items():
        stage = analysis.stage(f"fixed {label}").attribution
        assert stage is not None
        constants = fit.constants
        slots = "hidden"
        if "slots" in constants:
            slots = f"{constants['cores'].estimate:.0f} x {constants['residency'].estimate:.0f}"
        unexplained = stage.shares[UNEXPLAINED].share / stage.roughness
        out(f"| {label} | {slots} | {100 * fit.mape:.2f} % / {100 * fit.median_ape:.2f} % ")
        out(f"| {stage.roughness:.1f} | {100 * unexplained:.1f} % ")
        out(f"| {100 * stage.step_error / stage.roughness:.0f} % |\n")
    base = next(iter(analysis.fit.tiles.values())).constants["base_overhead_s"]
    out(f"\nBase overhead: {1e6 * (base.estimate or np.nan):.2f} us from timings of real shapes, ")
    out(f"{1e6 * cube.attrs['empty_kernel_s']:.2f} us measured on a kernel that stores one element a work-group ")
    out(f"({1e6 * cube.attrs['silent_kernel_s']:.2f} us without the store).\n\n")
    out("| stage | mean, TFLOP/s | roughness, TFLOP/s per step |\n|---|---|---|\n")
    for stage_report in analysis.stages:
        shape = stage_report.roughness
        assert shape is not None
        out(f"| {stage_report.name} | {stage_report.mean_tflops:.0f} | {shape.slice_N:.1f} |\n")

    # Half of the scattered shapes, at random, join the grid and the lines; the other half is predicted.
    scatter = bundled_cube("h200_bf16_scatter")
    tiles = len(set(scatter["tile"].values.tolist()))
    shapes = scatter.sizes["sample"] // tiles
    learnt = np.tile(np.random.default_rng(0).permutation(shapes) % 2 == 0, tiles)
    more = [bundled_cube("h200_bf16_lines"), scatter.isel(sample=np.flatnonzero(learnt))]
    fit = AdditiveModel().fit(cube, more)
    unseen = Samples.from_cube(scatter.isel(sample=np.flatnonzero(~learnt)))
    out("\nShapes never seen, 16..8192 a side, inside the measured hull (fit to the grid, the fine lines and ")
    out("another 1,200 scattered shapes):\n\n")
    out(
        "| tile | rows aligned to 16 elements: mean / median error, inside the 90 % interval "
        "| odd sizes |\n|---|---|---|\n"
    )
    for index, tile in enumerate(unseen.tiles):
        part = unseen.of_tile(index)
        predicted = fit.predict(tile.name, part.M, part.N, part.K)
        error = np.abs(predicted.time / part.time - 1)
        inside = (part.time >= predicted.lower) & (part.time <= predicted.upper)
        odd = (part.N % 16 != 0) | (part.K % 16 != 0)
        cells = []
        for rows in (~odd & ~predicted.extrapolated, odd & ~predicted.extrapolated):
            errors = f"{100 * error[rows].mean():.1f} % / {100 * np.median(error[rows]):.1f} %"
            cells.append(f"{errors}, {100 * inside[rows].mean():.0f} % of {rows.sum()}")
        out(f"| {tile.name} | {cells[0]} | {cells[1]} |\n")
    out(f"\nThe analysis of the grid took {seconds:.0f} s on {os.cpu_count()} cores ({platform.machine()}).\n")


if __name__ == "__main__":
    main()
