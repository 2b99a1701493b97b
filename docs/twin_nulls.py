"""Print how often tests find a mechanism that a simulated chip does not have.

``PYTHONPATH=. python docs/twin_nulls.py > docs/twin_nulls.md``; options ``--draws`` (chips a mechanism) and
``--workers``.

Unlike the planted landscapes of ``docs/inference_sizes.py``, whose costs are those of the model but for a random
residual, the landscapes here are simulated event by event: what the model misses of such a chip is no random field.
One mechanism of a chip of random numbers is switched off, three tiles are measured on sizes that all mechanisms act
on, and the model is chosen, fitted and diagnosed as for a measured cube.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

import numpy as np
from constants_coverage import random_chip
from threadpoolctl import threadpool_limits

from attrib.diagnostics import diagnose
from harness.grid import Grid
from harness.twin import Twin
from models.additive import AdditiveModel
from models.inference.nested import NestedTest

SEED = 65_537
OFF = ("row pitch", "channel hash", "cache spill", "masked edge", "atom remainder", "pipeline fill")
TILES, SURROGATES, LEVEL = 3, 199, 0.05
SIDE = np.arange(1, 17) * 240 - 96
DEPTH = np.array([32, 64, 528, 1040, 2048])


def judged(job: tuple[str, int]) -> list[tuple[bool, NestedTest]]:
    """Tests of the mechanism that is off, one a tile, each with whether the tile's model overlaps its costs."""
    mechanism, number = job
    rng = np.random.default_rng((SEED, OFF.index(mechanism), number))
    chip = random_chip(rng)
    with threadpool_limits(1):
        twin = Twin(chip, off={mechanism}, seed=number)
        tiles = [twin.tiles[place] for place in np.sort(rng.choice(len(twin.tiles), TILES, replace=False))]
        cube = twin.landscape(Grid(SIDE, SIDE, DEPTH), tiles=tiles, repeats=3)
        fit = AdditiveModel(draws=2, seed=number).fit(cube)
        found = diagnose(cube, fit, draws=SURROGATES, seed=number)
    return [
        (fit.tiles[label].overlap, test)
        for label, tile in found.tiles.items()
        for test in tile.terms
        if test.name == mechanism and test.p_value is not None
    ]


def row(name: str, found: list[tuple[bool, NestedTest]]) -> str:
    """Line of the table."""
    if not found:
        return f"| {name} | 0 | - | - | - |"
    p_values = np.array([test.p_value for _, test in found], dtype=np.float64)
    shares = np.array([test.share for _, test in found])
    error = 200 * np.sqrt(max(np.mean(p_values <= LEVEL) * np.mean(p_values > LEVEL), 0.0) / p_values.size)
    rate = f"{np.mean(p_values <= LEVEL):.1%} (2 se {error:.1f})"
    return f"| {name} | {p_values.size} | {rate} | {np.median(shares):.2%} | {np.quantile(shares, 0.95):.2%} |"


def main() -> None:
    """Simulate, fit, test and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began = perf_counter()
    jobs = [(name, number) for name in OFF for number in range(options.draws)]
    with ProcessPoolExecutor(options.workers) as pool:
        tests = list(pool.map(judged, jobs))
    by_name = {
        name: [item for job, part in zip(jobs, tests, strict=True) for item in part if job[0] == name]
        for name in OFF
    }
    every = [item for part in by_name.values() for item in part]
    kinds = {
        "all, the tile's costs overlapping": [item for item in every if item[0]],
        "all, the tile's costs adding up": [item for item in every if not item[0]],
    }
    lines = [
        "# Tests of mechanisms that a simulated chip does not have",
        "",
        f"Written by `docs/twin_nulls.py`: {options.draws} chips of random numbers a mechanism, {TILES} tiles "
        f"each, seed {SEED}; {SIDE.size} x {SIDE.size} x {DEPTH.size} sizes, {SURROGATES} surrogates a test; "
        f"{options.workers} processes, {perf_counter() - began:.0f} s.",
        "",
        "Memory and computing overlap on these chips. Where the tiles together do not show it on so small a grid,",
        "a sum of costs misses what other terms make up for. Found: p at most 5 %, before any correction.",
        "",
        "| switched off | tests | found | share of the time charged, median | 95th percentile |",
        "|---|---:|---:|---:|---:|",
        *(row(name, part) for name, part in {**by_name, **kinds}.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
