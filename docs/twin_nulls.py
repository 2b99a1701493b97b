"""Print how often tests find a mechanism that a simulated chip does not have.

``PYTHONPATH=. python docs/twin_nulls.py > docs/twin_nulls.md``; options ``--draws`` (chips), ``--workers`` and
``--seed``. A chip takes about 20 s of a core, so 1,000 tests of each mechanism take hours: each chip is written
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
from null_chips import DEPTHS, OFF, SIDES, SURROGATES, TILES, TOGETHER, Found, judged

SEED = 848_207
LEVEL, BAND = 0.05, (0.035, 0.065)
MUCH = 1e-3
"""Share of the time that is worth a word."""
ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "twin_nulls.csv"
CODE = ("attrib/diagnostics", "harness", "models", "docs/constants_coverage.py", "docs/null_chips.py")
FIELDS = ("code", "seed", "chip", "cores", "tile", "mechanism", "p", "p_in_sample", "share", "overlap", "error")


def digest() -> str:
    """Digest of the syntax of all that judges a chip."""
    found = hashlib.sha256()
    for part in CODE:
        files = [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))
        for file in files:
            tree = ast.parse(file.read_text())
            for node in ast.walk(tree):
                if isinstance(body := getattr(node, "body", None), list):
                    node.body = [line for line in body if not _is_text(line)]
            found.update(ast.dump(tree).encode())
    return found.hexdigest()[:12]


def _is_text(line: ast.AST) -> bool:
    """Whether a statement is a docstring, of a constant too."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


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


def remarks(tests: Found) -> list[str]:
    """How well the tiles are told, and what is charged for more than next to nothing."""
    errors = np.array(list({(test["chip"], test["tile"]): test["error"] for test in tests}.values()))
    charged = [test for test in tests if test["p"] is not None and test["share"] > MUCH]
    lines = [
        f"Held-out errors of these {errors.size} fits of tiles: {errors.mean():.2%} on average, "
        f"{errors.max():.1%} at most.",
        f"More than {MUCH:.1%} of the time is charged for a mechanism that is off in {len(charged)} tests:",
        "",
        "| switched off | tests charged so | found of them | on chips with a row pitch |",
        "|---|---:|---:|---:|",
    ]
    for name in OFF:
        own = [test for test in charged if test["mechanism"] == name]
        lacking = {test["chip"] for test in tests if test["mechanism"] == "row pitch"}
        pitched = sum(test["chip"] not in lacking for test in own)
        lines.append(f"| {name} | {len(own)} | {sum(test['p'] <= LEVEL for test in own)} | {pitched} |")
    return lines


def main() -> None:
    """Simulate, fit, test and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=667, help="chips")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--keep", type=Path, default=KEPT, help="results, a test a line")
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
        "",
        *remarks(tests),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
