"""Size, power and coverage of the period tests on pairs of cubes: ``python docs/paired_period_sizes.py``.

Writes ``docs/paired_period_sizes.md`` beside it. Each draw is two sparse cubes of the same four lines along N: a
base cost and waves of whole tiles on 132 cores, noise of 0.5 % that both cubes share and noise of 0.5 % of each
cube's own, both independent or correlated between neighbours. Where a row pitch is planted, rows in the first cube
cost more unless N is a multiple of 64.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from attrib.periods import DETECTED, PeriodFinding, find_paired_periods
from harness.cube import sparse_cube
from harness.device import load_device
from harness.tile import Tile

N = np.arange(16, 2065, 16)
ROWS = ((640, 2048), (1024, 1024), (2048, 4096), (25600, 512))
CORES, LINE, NOISE = 132, 64, 0.005
PITCH = "row pitch, line of 128 B"
NOISES = {"independent": 0.0, "correlated, 0.5": 0.5, "correlated, 0.8": 0.8}
TILES = {"64 wide, as the line": Tile.of(128, 64, 64), "160 wide": Tile.of(128, 160, 64)}
DEPTHS = (0.002, 0.005)
PERMUTATIONS = 199
LEAST = 1 / (PERMUTATIONS + 1)
STRICT = 499
"""Permutations for power: eight tests after Holm take more than 199."""


def errors(rng: np.random.Generator, correlation: float) -> NDArray[np.float64]:
    """Draw noise of one line, 0.5 %."""
    shocks = rng.standard_normal(N.size + 50)
    for place in range(1, shocks.size):
        shocks[place] = correlation * shocks[place - 1] + np.sqrt(1.0 - correlation**2) * shocks[place]
    return NOISE * shocks[50:]


def pair(tile: Tile, correlation: float, pitch: float, rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw two cubes, with a row pitch of relative cost ``pitch`` in the first."""
    times: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for m, k in ROWS:
        waves = np.ceil(np.ceil(m / tile.m) * np.ceil(N / tile.n) / CORES)
        tile_s = 2.0 * tile.m * tile.n * k / (7e14 / CORES)
        exact = 2e-6 + waves * tile_s * np.exp(errors(rng, correlation))
        for part, cost in zip(times, (pitch, 0.0), strict=True):
            part.append(exact * (1.0 + cost * (N % LINE != 0)) * np.exp(errors(rng, correlation)))
    shapes = np.array([(m, n, k) for m, k in ROWS for n in N])
    device = load_device("h200")
    plain, padded = (
        sparse_cube(
            np.concatenate(part),
            shapes,
            [tile] * len(shapes),
            device,
            attrs={"dtype": "bf16", "pitch_multiple": multiple},
        )
        for part, multiple in zip(times, (1, LINE), strict=True)
    )
    return plain, padded


def findings(
    tile: Tile, correlation: float, pitch: float, permutations: int, seed: int
) -> tuple[PeriodFinding, tuple[PeriodFinding, ...]]:
    """Test one drawn pair: the finding of the row pitch, and all."""
    rng = np.random.default_rng([seed, int(100 * correlation), int(1e4 * pitch), tile.n])
    plain, padded = pair(tile, correlation, pitch, rng)
    found = find_paired_periods(plain, padded, "N", tile, draws=permutations, seed=seed)
    return next(item for item in found if item.mechanism == PITCH), found


def rejections(tile: Tile, correlation: float, seed: int) -> tuple[bool, bool]:
    """Whether the row pitch is found at 5 % by its own p-value where there is none, and whether anything is."""
    told, found = findings(tile, correlation, 0.0, PERMUTATIONS, seed)
    assert told.raw_p_value is not None
    return told.raw_p_value <= 0.05, any(item.status == DETECTED for item in found)


def told_and_held(tile: Tile, correlation: float, pitch: float, seed: int) -> tuple[bool, bool]:
    """Whether a planted row pitch is detected, and whether its interval holds 64 elements."""
    told, _ = findings(tile, correlation, pitch, STRICT, seed)
    held = told.lower is not None and told.upper is not None and told.lower <= LINE <= told.upper
    return told.status == DETECTED, held


def say(text: str, began: float) -> None:
    """Report progress."""
    sys.stdout.write(f"{perf_counter() - began:5.0f} s  {text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run all, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    draws, few, began = options.draws, max(1, options.draws // 20), perf_counter()
    out = [
        "# Periods of pairs of cubes: size, power, coverage",
        "",
        f"Written by `docs/paired_period_sizes.py`: {draws} drawn pairs a cell for size, {few} for power. Four",
        f"lines of {N.size} sizes at step {N[1] - N[0]}. Both cubes have the same whole tiles in waves on {CORES} "
        "cores",
        f"and the same noise of {NOISE:.1%}; each has as much noise of its own.",
        "",
    ]
    # Tall, thin products: more threads only wait for each other.
    with ProcessPoolExecutor(options.workers, initializer=threadpool_limits, initargs=(1,)) as pool:
        out += [*size_tables(pool, draws, began), "", *power_tables(pool, few, began)]
    options.out.write_text("\n".join(out) + "\n", encoding="utf-8")


def size_tables(pool: Executor, draws: int, began: float) -> list[str]:
    """Draw pairs without a row pitch."""
    out = ["## Rejections at nominal 5 % where neither cube has a row pitch", "", *_head("test")]
    for name, tile in TILES.items():
        sizes = []
        for correlation in NOISES.values():
            hits = list(pool.map(partial(rejections, tile, correlation), range(draws), chunksize=10))
            sizes.append(np.mean(hits, axis=0))
        for place, test in enumerate(("row pitch", "any period, after Holm")):
            shares = " | ".join(f"{size[place]:.1%}" for size in sizes)
            out.append(f"| {test}; tile {name} | {shares} |")
            say(out[-1], began)
    return [
        *out,
        "",
        "The first is the p-value of the row pitch by itself. The second counts a detection of anything: row",
        "pitch, tile width, waves of one to four tiles a core, or a period from the blind search; Holm's",
        f"correction keeps it low: {PERMUTATIONS} permutations give no p-value below {LEAST:.3f}.",
    ]


def power_tables(pool: Executor, few: int, began: float) -> list[str]:
    """Draw pairs with a row pitch in the first cube."""
    out = [
        "## Power: row pitches detected after Holm, and how many of their intervals hold 64 elements",
        "",
        *_head("cost of an unaligned row"),
    ]
    for name, tile in TILES.items():
        for pitch in DEPTHS:
            cells = []
            for correlation in NOISES.values():
                both = np.array(list(pool.map(partial(told_and_held, tile, correlation, pitch), range(few))))
                told = both[:, 0]
                held = f"{both[told, 1].mean():.1%}" if told.any() else "none"
                cells.append(f"{told.mean():.1%}, {held}")
            out.append(f"| {pitch:.1%}; tile {name} | {' | '.join(cells)} |")
            say(out[-1], began)
    return out


def _head(first: str) -> tuple[str, str]:
    return f"| {first} | {' | '.join(NOISES)} |", "|---|" + "---|" * len(NOISES)


if __name__ == "__main__":
    main()
