"""Print how often tests find a mechanism that a simulated chip does not have.

``PYTHONPATH=. python docs/twin_nulls.py > docs/twin_nulls.md``; options ``--draws`` (chips), ``--workers`` and
``--seed``. A chip takes about a minute of a core, so 1,000 tests of each mechanism take hours: each chip is written
to ``docs/twin_nulls.csv`` as it is done, and not simulated again unless the code that judges it has changed (a
digest of its syntax, without comments and docstrings, stands beside each result). A stopped study goes on.

Unlike the planted landscapes of ``docs/inference_sizes.py``, whose costs are those of the model but for a random
residual, the landscapes here are simulated event by event: what the model misses of such a chip is no random field.
Three of six mechanisms of a chip of random numbers are switched off, three tiles are measured on sizes that all
mechanisms act on, and the model is chosen, fitted and diagnosed as for a measured cube.
"""

from __future__ import annotations

import argparse
import ast
import csv
import hashlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from constants_coverage import random_chip
from threadpoolctl import threadpool_limits

from attrib.diagnostics import diagnose
from harness.grid import Grid
from harness.twin import Twin
from models.additive import AdditiveModel

SEED = 470_117
OFF = ("row pitch", "channel hash", "cache spill", "masked edge", "atom remainder", "pipeline fill")
TOGETHER, TILES, SURROGATES, LEVEL = 3, 3, 199, 0.05
BAND = (0.035, 0.065)
SIDES, DEPTHS = 12, 10
FINE, COARSE = 16, (64, 128, 256)
ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "twin_nulls.csv"
CODE = ("attrib/diagnostics", "harness", "models", "docs/constants_coverage.py", "docs/twin_nulls.py")
FIELDS = ("code", "seed", "chip", "cores", "tile", "mechanism", "p", "p_in_sample", "share", "overlap", "error")

Found = list[dict[str, Any]]


def digest() -> str:
    """Digest of the syntax of all that judges a chip."""
    found = hashlib.sha256()
    for part in CODE:
        files = [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))
        for file in files:
            tree = ast.parse(file.read_text())
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                    and ast.get_docstring(node) is not None
                ):
                    node.body = node.body[1:]
            found.update(ast.dump(tree).encode())
    return found.hexdigest()[:12]


def drawn_sizes(rng: np.random.Generator, least: float, most: float, count: int, *, log: bool) -> np.ndarray:
    """Draw sizes evenly spread from ``least`` to ``most``: half odd multiples of 16, half multiples of 64 or more.

    Sizes that mechanisms act on and sizes that they spare lie side by side, many of both, and at other places on
    every chip. On one fixed grid the same few sizes would be special for several things at once.
    """
    edges = np.geomspace(least, most, count + 1) if log else np.linspace(least, most, count + 1)
    sizes: list[int] = []
    for low, high in itertools.pairwise(edges):
        every = np.arange(np.floor(low / FINE) + 1, np.floor(high / FINE) + 1) * FINE
        ragged, granule = every[every % (2 * FINE) > 0], int(rng.choice(COARSE))
        even = every[every % granule == 0]
        wanted = ragged if rng.random() < 0.5 else even
        sizes.append(int(rng.choice(wanted if wanted.size else every)))
    return np.array(sizes)


def judged(seed: int, number: int) -> Found:
    """Tests of the mechanisms that one chip lacks, on each of its tiles."""
    rng = np.random.default_rng((seed, number))
    chip = random_chip(rng)
    off = sorted(str(name) for name in rng.choice(OFF, TOGETHER, replace=False))
    with threadpool_limits(1):
        twin = Twin(chip, off=off, seed=number)
        tiles = [twin.tiles[place] for place in np.sort(rng.choice(len(twin.tiles), TILES, replace=False))]
        rows, columns = (drawn_sizes(rng, 128, 3840, SIDES, log=False) for _ in range(2))
        depths = drawn_sizes(rng, 24, 2304, DEPTHS, log=True)
        cube = twin.landscape(Grid(rows, columns, depths), tiles=tiles, repeats=3)
        fit = AdditiveModel(draws=2, seed=number).fit(cube)
        found = diagnose(cube, fit, draws=SURROGATES, seed=number, only=off)
    return [
        {
            "chip": number,
            "cores": chip.numbers.cores,
            "tile": label,
            "mechanism": test.name,
            "p": test.p_value,
            "p_in_sample": test.p_in_sample,
            "share": test.share,
            "overlap": fit.tiles[label].overlap is not None,
            "error": fit.tiles[label].mape,
        }
        for label, tile in found.tiles.items()
        for test in tile.terms
    ]


def study(seed: int, draws: int, workers: int, keep: Path) -> Found:
    """Judge all chips that are not kept yet, each written down as soon as it is done."""
    code = digest()
    kept = dict(_kept(keep, seed, code))
    left = [number for number in range(draws) if number not in kept]
    for number, found in _judged_in_parallel(seed, left, workers):
        kept[number] = found
        new = not keep.exists()
        with keep.open("a", newline="") as file:
            lines = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if new:
                lines.writeheader()
            lines.writerows({"code": code, "seed": seed} | _rounded(test) for test in found)
    return [test for number in sorted(kept) if number < draws for test in kept[number]]


def _kept(keep: Path, seed: int, code: str) -> Iterator[tuple[int, Found]]:
    """Chips that were judged by the same code; one that was written down in part does not count."""
    if not keep.exists():
        return
    with keep.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if (line["code"], line["seed"]) == (code, str(seed))]
    for number, tests in itertools.groupby(lines, lambda line: int(line["chip"])):
        found = [_read(line) for line in tests]
        if len(found) >= TOGETHER * TILES:
            yield number, found[-TOGETHER * TILES :]


def _rounded(test: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in test.items()}


def _read(line: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: line[name] for name in ("tile", "mechanism")}
    found |= {name: int(line[name]) for name in ("chip", "cores")}
    found |= {name: float(line[name]) if line[name] else None for name in ("p", "p_in_sample", "share", "error")}
    return found | {"overlap": line["overlap"] == "True"}


def _judged_in_parallel(seed: int, numbers: Sequence[int], workers: int) -> Iterator[tuple[int, Found]]:
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(judged, seed, number): number for number in numbers}
        try:
            for count, job in enumerate(as_completed(waiting), start=1):
                sys.stderr.write(f"\r{count} of {len(numbers)} chips")
                yield waiting[job], job.result()
        finally:
            pool.shutdown(cancel_futures=True)
    sys.stderr.write("\n")


def row(name: str, tests: Found) -> str:
    """Line of the table."""
    told = [test for test in tests if test["p"] is not None]
    if not told:
        return f"| {name} | {len(tests)} | 0 | - | - | - | - |"
    shares = np.array([test["share"] for test in told])
    rates = []
    for kind in ("p", "p_in_sample"):
        found = np.array([test[kind] <= LEVEL for test in told])
        # Tiles of one chip miss the same things: the error of the rate is that over chips.
        chips = np.unique([test["chip"] for test in told], return_inverse=True)[1]
        sums = np.bincount(chips, found - found.mean())
        rates.append(f"{found.mean():.1%} (2 se {200 * np.sqrt((sums**2).sum()) / found.size:.1f})")
    return (
        f"| {name} | {len(tests)} | {len(told)} | {rates[0]} | {rates[1]} | {np.median(shares):.2%} "
        f"| {np.quantile(shares, 0.95):.2%} |"
    )


def main() -> None:
    """Simulate, fit, test and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=667, help="chips")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--keep", type=Path, default=ROOT / "docs" / "twin_nulls.csv", help="results, a test a line"
    )
    options = parser.parse_args()
    tests = study(options.seed, options.draws, options.workers, options.keep)
    lines = [
        "# Tests of mechanisms that a simulated chip does not have",
        "",
        f"Written by `docs/twin_nulls.py`: {len({test['chip'] for test in tests})} chips of random numbers, each "
        f"without {TOGETHER} of {len(OFF)} mechanisms and measured with {TILES} tiles, seed {options.seed}; "
        f"{SIDES} x {SIDES} x {DEPTHS} sizes drawn for each, {SURROGATES} surrogates a test.",
        "",
        f"Found: p at most 5 %, before any correction; looked for are {BAND[0]:.1%} to {BAND[1]:.1%}. Standard",
        "errors are over chips. Memory and computing overlap on these chips; where the tiles together do not show",
        "it on so small a grid, a sum of costs misses what other terms make up for.",
        "",
        "| switched off | tests | testable | found | found in sample | share of the time charged, median | 95 % |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(row(name, [test for test in tests if test["mechanism"] == name]) for name in OFF),
        row("all", tests),
        row("all, costs overlapping", [test for test in tests if test["overlap"]]),
        row("all, costs adding up", [test for test in tests if not test["overlap"]]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
