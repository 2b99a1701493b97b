"""The claims ledger on a measured H200 and on the simulated B580: ``python docs/claims.py > docs/claims.md``.

The H200's landscapes are those that ship with the project; the twin's are simulated here, with noise. Options
``--step`` (of the twin's grid) and ``--seed``.
"""

from __future__ import annotations

import argparse
import os
import sys
from time import perf_counter

import numpy as np
import xarray as xr

from attrib.claims import RULE, Evidence, examine_claims
from attrib.claims.page import section
from harness.cube import sparse_cube
from harness.grid import Grid
from harness.landscapes import bundled_cube
from harness.twin import Twin, twin_record
from models.additive import AdditiveModel

REPEATS = 3
PLACES = (
    (640, 2048),
    (1024, 1024),
    (1536, 4096),
    (2048, 4096),
    (2560, 4096),
    (3072, 2048),
    (3584, 4096),
    (4096, 4096),
)
"""M and K of the twin's lines along N."""

LINE = np.arange(16, 4097, 16)


def twin_lines(twin: Twin) -> xr.Dataset:
    """Fine lines along N of all tiles."""
    time, shapes, tiles = [], [], []
    for tile in twin.tiles:
        for M, K in PLACES:
            runs = [twin.measure(M, LINE, K, tile, repeat) for repeat in range(REPEATS)]
            time.append(np.median(runs, axis=0))
            shapes.append(np.stack([np.full(LINE.size, M), LINE, np.full(LINE.size, K)], axis=1))
            tiles += [tile] * LINE.size
    return sparse_cube(np.concatenate(time), np.concatenate(shapes), tiles, twin_record(), attrs=twin.attributes())


def ledger(cube: xr.Dataset, also: list[xr.Dataset], seed: int, name: str) -> list[str]:
    """Fit, examine and write one part of the page."""

    def say(text: str) -> None:
        sys.stderr.write(f"{name}: {text}\n")

    fit = AdditiveModel(seed=seed).fit(cube, also, progress=say)
    began = perf_counter()
    lines = section(examine_claims(Evidence(cube, also, fit, seed), progress=say))
    return [f"## {name}", "", f"Apart from the fit this took {perf_counter() - began:.0f} s.", "", *lines, ""]


def main() -> None:
    """Examine both, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    grid, lines = (bundled_cube(f"h200_bf16_{part}") for part in ("grid", "lines"))
    twin = Twin(seed=options.seed)
    simulated = twin.landscape(Grid.parse(f"{options.step}:4096:{options.step}"), repeats=REPEATS)
    page = [
        "# The claims ledger",
        "",
        f"Written by `docs/claims.py`, seed {options.seed}, {os.cpu_count()} cores. {RULE}",
        "Each p-value is corrected for all claims of its ledger (Holm). How often the tests err is in "
        "[claims_sizes.md](claims_sizes.md).",
        "",
        *ledger(grid, [lines], options.seed, "NVIDIA H200, measured"),
        *ledger(simulated, [twin_lines(twin)], options.seed, "Arc B580, simulated"),
        f"The simulator's grid has step {options.step} and {REPEATS} repeats. It knows what causes its landscape, "
        "and nothing of these tests.",
    ]
    sys.stdout.write("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
