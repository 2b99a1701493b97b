"""Draw docs/picture.png, the picture of the README: ``python docs/picture.py [FILE]``.

Left, one line of the measured landscape with the fitted model and with every mechanism switched off; right, the
roughness of that tile's landscape by mechanism.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from attrib.analysis import landscape_of
from attrib.attribution import Attribution, ModelLandscapes, attribute
from attrib.stages import FixedTile
from harness.cube import throughput
from harness.landscapes import bundled_cube
from harness.tile import Tile
from models.additive import AdditiveModel
from models.result import FitResult

TILE, M, K = "128x128x64", 4096, 4096
MEASURED, MODEL, SMOOTH = "#0072B2", "#D55E00", "#009E73"
COLOURS = {
    "wave quantization": "#0072B2",
    "wave fill": "#56B4E9",
    "tile padding": "#009E73",
    "base overhead": "#E69F00",
    "row pitch": "#CC79A7",
    "cache spill": "#F0E442",
    "pipeline fill": "#999999",
    "smooth floor": "#BBBBBB",
    "unexplained": "#D55E00",
}
SMALLEST = 0.05
"""Shares below this, in TFLOP/s per step, are not drawn."""


def draw_line(axes: Axes, fit: FitResult, line: xr.Dataset) -> None:
    """Throughput along N: measured, fitted, and with all mechanisms off."""
    N = line["N"].values
    problem = fit.problem(TILE, np.full_like(N, M), N, np.full_like(N, K))
    full = 1e-12 * problem.flop / fit.time(TILE, problem)
    smooth = 1e-12 * problem.flop / fit.time(TILE, problem, frozenset())
    axes.plot(N, smooth, color=SMOOTH, lw=2.4, ls="--", label="model, every mechanism switched off")
    error = 100 * fit.tiles[TILE].median_ape
    axes.plot(N, full, color=MODEL, lw=1.5, label=f"model (median error, held out on the grid: {error:.1f} %)")
    axes.plot(N, throughput(line).values, "o", color=MEASURED, ms=4, label="measured", zorder=3)
    axes.set(xlim=(0, N[-1] + 20), ylim=(0, 1.16 * smooth.max()), xticks=np.arange(0, N[-1] + 1, 512))
    axes.set(xlabel="N (elements)", ylabel="throughput (TFLOP/s)")
    axes.set_title(f"Throughput along N at M = {M}, K = {K}", loc="left")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", frameon=True)
    tile, slots = fit.tiles[TILE].tile, fit.hardware.slots_of(TILE)
    rows = -(-M // tile.m)
    columns = slots // rows
    first = int(np.searchsorted(N, columns * tile.n + 1))
    axes.annotate(
        f"{columns} tile columns of {rows} work-groups make one wave on\n{fit.hardware.cores} cores; "
        f"one element more in N starts another",
        (N[first] + 12, full[first] - 6),
        (0.20, 0.30),
        textcoords="axes fraction",
        va="center",
        arrowprops={"arrowstyle": "->", "color": "0.3", "lw": 1.2, "relpos": (0, 0.5)},
    )


def draw_shares(axes: Axes, part: Attribution) -> None:
    """Roughness as one bar, a segment per mechanism; negative shares hang below zero."""
    shares = {name: item.share for name, item in part.shares.items() if abs(item.share) >= SMALLEST}
    order = [name for name in shares if name not in ("smooth floor", "unexplained")]
    order.sort(key=lambda name: -shares[name])
    order += [name for name in ("smooth floor", "unexplained") if name in shares]
    above, below, marks = 0.0, 0.0, []
    for name in order:
        value = shares[name]
        start = above if value > 0 else below
        axes.bar(0, value, 0.8, bottom=start, color=COLOURS.get(name, "#666666"), edgecolor="white", lw=0.8)
        marks.append((start + value / 2, name, value))
        above, below = above + max(value, 0.0), below + min(value, 0.0)
    # Thin segments lie close together: their labels are pushed apart, from the bottom up.
    gap, last = 0.058 * (above - below), -np.inf
    for middle, name, value in sorted(marks):
        height = max(middle, last + gap)
        last = height
        line = {"arrowstyle": "-", "color": "0.45", "lw": 0.9, "shrinkA": 2, "shrinkB": 0, "relpos": (0, 0.5)}
        axes.annotate(
            f"{name}  {value:.1f}  ({100 * value / part.roughness:.0f} %)",
            (0.4, middle),
            (0.58, height),
            va="center",
            annotation_clip=False,
            arrowprops=line,
        )
    axes.axhline(0, color="black", lw=0.9)
    axes.set(xlim=(-0.45, 2.7), ylim=(min(1.15 * below, 0.0), 1.16 * above), xticks=[])
    axes.set_ylabel("roughness along N (TFLOP/s per step of 128)")
    axes.set_title(f"What makes it rough: {part.roughness:.1f} TFLOP/s per step", loc="left")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def main() -> None:
    """Fit the bundled landscape and draw it."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "picture.png"
    grid = bundled_cube("h200_bf16_grid").sel(tile=[TILE])
    lines = bundled_cube("h200_bf16_lines")
    lines = lines.isel(sample=lines["tile"].values == TILE)
    fit = AdditiveModel().fit(grid, also=[lines])
    landscape = landscape_of(grid)
    stage = FixedTile(Tile.parse(TILE))
    part = attribute(stage, stage.apply(landscape), ModelLandscapes(landscape, fit))
    line = lines.isel(sample=(lines["M"].values == M) & (lines["K"].values == K)).sortby("N")

    plt.switch_backend("Agg")
    plt.rcParams.update({"font.size": 13, "axes.titlesize": 14.5, "axes.titlepad": 10})
    figure, (left, right) = plt.subplots(1, 2, figsize=(16, 7), layout="constrained", width_ratios=[2.1, 1])
    draw_line(left, fit, line)
    draw_shares(right, part)
    figure.suptitle(f"NVIDIA H200, BF16, Triton kernel, tile {TILE}", fontsize=17, weight="bold")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    figure.savefig(target, dpi=100)


if __name__ == "__main__":
    main()
