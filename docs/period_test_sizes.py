"""Size, power and coverage of the period tests on drawn lines: ``python docs/period_test_sizes.py``.

Writes ``docs/period_test_sizes.md`` beside it. A line has 64 or 128 sizes at step 16, a smooth trend as throughput
has one, and noise of 0.5 %, independent or correlated between neighbours.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from attrib.periods import (
    Candidate,
    Line,
    PeriodHypothesis,
    compare_laws_of_lines,
    judge_candidates,
    period_interval,
    period_test,
    scan_periods,
)
from harness.tile import Tile

STEP, FIRST, NOISE, DEPTH = 16, 1040, 0.005, 0.02
MOST_POWER, MOST_COVERAGE, MOST_LAWS = 400, 400, 200
"""Lines drawn for a cell of the other tables, at most."""
DEPTHS = (0.02, 0.007)
COVERED = (64.0, 65.0, 70.3, 91.0, 127.0, 128.0, 150.0, 203.0, 300.0)
"""Elements; 64 and 128 are whole numbers of samples, 65 and 127 nearly."""
NOISES = {"independent": 0.0, "correlated, 0.5": 0.5, "correlated, 0.8": 0.8}
PERIODS = {"64 elements, 4 samples": 64.0, "48 elements, 3 samples": 48.0, "200 elements, 12.5 samples": 200.0}
LAW_LINES = {"laws, 3 lines": 3, "laws, 24 lines": 24}
TILE = Tile.parse("128x128x32")
FAMILY = (
    Candidate("waves", (340.0,), True, False),
    Candidate("tile width", (128.0,), False, False),
    Candidate("row pitch", (64.0,), False, True),
    Candidate("MMA atom", (16.0,), True, False),
)


def line(
    rng: np.random.Generator,
    count: int,
    correlation: float,
    period: float | None = None,
    tile: Tile = TILE,
    depth: float = DEPTH,
) -> Line:
    """Draw a line, with a sawtooth where a period is given."""
    x = FIRST + STEP * np.arange(count)
    shocks = rng.normal(size=count + 50) * np.sqrt(1.0 - correlation**2)
    noise = np.empty(count + 50)
    noise[0] = rng.normal()
    for place in range(1, noise.size):
        noise[place] = correlation * noise[place - 1] + shocks[place]
    relative = x / x[-1]
    smooth = np.log(80.0 * relative / (0.2 + relative)) - 0.3 * (relative - 0.6) ** 2
    teeth = 0.0 if period is None else -depth * (1.0 - np.mod(x + rng.uniform(0.0, period), period) / period)
    return Line("N", tile, x, smooth + teeth + NOISE * noise[50:], {"M": 4096, "K": 4096})


def null_p_value(kind: str, correlation: float, permutations: int, seed: int) -> float:
    """Draw a p-value without any period: of one test, of pooled lines, of the scan, of the family, of the laws."""
    rng = np.random.default_rng([seed, int(100 * correlation)])
    if kind == "scan":
        scan = scan_periods((line(rng, 128, correlation),), None, draws=permutations, rng=rng)
        assert scan is not None
        return scan.p_value
    if kind == "family":
        findings = judge_candidates((line(rng, 128, correlation),), FAMILY, draws=permutations, seed=seed)
        return min(item.p_value for item in findings if item.p_value is not None)
    if kind.startswith("laws"):
        tiles = [Tile.of(128, width, 32) for width in (96, 160, 224)]
        count = LAW_LINES[kind] // len(tiles)
        lines = [line(rng, 128, correlation, tile=tile) for tile in tiles for _ in range(count)]
        found = compare_laws_of_lines("N", lines, draws=permutations, seed=seed)
        assert found.p_value is not None
        return found.p_value
    many = tuple(line(rng, 64, correlation) for _ in range(4 if kind.startswith("pooled") else 1))
    period = 64.0 if kind.startswith("pooled") else PERIODS[kind]
    test = period_test(PeriodHypothesis(many, (period,) * len(many)), draws=permutations, rng=rng)
    assert test is not None
    return test.p_value


def power(count: int, period: float, correlation: float, draws: int, permutations: int) -> float:
    """Share of planted sawteeth that are found at 5 %."""
    found = 0
    for seed in range(draws):
        rng = np.random.default_rng([seed, 7])
        hypothesis = PeriodHypothesis((line(rng, count, correlation, period),), (period,))
        test = period_test(hypothesis, draws=permutations, rng=rng)
        found += test is not None and test.p_value <= 0.05
    return found / draws


def coverage(period: float, correlation: float, depth: float, draws: int) -> tuple[float, float]:
    """Share of 95 % intervals that hold the planted period, and their median width in elements."""
    inside, widths = 0, []
    for seed in range(draws):
        rng = np.random.default_rng([seed, 11])
        guess = period * (1.0 + rng.uniform(-0.2, 0.2) * period / (128 * STEP))
        drawn = line(rng, 128, correlation, period, depth=depth)
        interval = period_interval(PeriodHypothesis((drawn,), (guess,)))
        assert interval is not None
        inside += interval.lower <= period <= interval.upper
        widths.append(interval.upper - interval.lower)
    return inside / draws, float(np.median(widths))


def right_laws(law: str, draws: int) -> float:
    """Share of planted laws over tiles 96, 160 and 224 wide that the evidence ratio names."""
    right = 0
    for seed in range(draws):
        rng = np.random.default_rng([seed, 13])
        lines = [
            line(rng, 128, 0.5, 160.0 if law == "fixed" else float(width), Tile.of(128, width, 32))
            for width in (96, 160, 224)
        ]
        found = compare_laws_of_lines("N", lines, draws=199, seed=seed)
        right += found.status == "detected" and found.law is not None and found.law.startswith(law)
    return right / draws


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
    draws = options.draws
    began = perf_counter()
    out = [
        "# Period tests: size, power, coverage",
        "",
        f"Written by `docs/period_test_sizes.py`. Sizes from {FIRST} at step {STEP}, noise {NOISE:.1%}, teeth "
        f"{DEPTH:.0%} deep unless said otherwise. Lines drawn for each cell: {draws} of the first table, "
        f"{min(draws, MOST_POWER)} of the second, {min(draws, MOST_COVERAGE)} of the third, "
        f"{min(draws, MOST_LAWS)} of the last.",
        "",
        "## Rejections at nominal 5 % where there is no period",
        "",
        "| test | " + " | ".join(NOISES) + " |",
        "|---|" + "---|" * len(NOISES),
    ]
    kinds = [*PERIODS, "pooled, 4 lines, 64 elements", "scan", "family", *LAW_LINES]
    with ProcessPoolExecutor(options.workers) as pool:
        for kind in kinds:
            permutations = {"family": 499}.get(kind, 99 if kind in LAW_LINES else 199)
            shares = []
            for c in NOISES.values():
                values = list(pool.map(partial(null_p_value, kind, c, permutations), range(draws), chunksize=10))
                shares.append(float((np.array(values) <= 0.05).mean()))
            out.append(f"| {kind} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
            say(out[-1], began)
    out += [
        "",
        "The family is four candidates (one is not testable) and the scan, corrected by Holm: the share with any",
        "rejection. The scan is the largest of all frequencies. Laws are fixed against proportional periods, over",
        "lines of three tiles.",
        "",
        "## Power at 5 %",
        "",
        "| line | " + " | ".join(NOISES) + " |",
        "|---|" + "---|" * len(NOISES),
    ]
    for count, period in ((64, 64.0), (128, 128.0), (64, 48.0), (128, 340.0)):
        found = [power(count, period, c, min(draws, MOST_POWER), 199) for c in NOISES.values()]
        name = f"{count * STEP / period:.3g} teeth of {period / STEP:.3g} samples"
        out.append(f"| {name} | " + " | ".join(f"{value:.1%}" for value in found) + " |")
        say(out[-1], began)
    out += [
        "",
        "## Coverage of 95 % intervals",
        "",
        "A sample sees an edge up to a step late: near a period of a whole number of samples, most lines are",
        "the very same numbers whatever the period. An interval that holds the others as often as it says must",
        "then hold the whole one nearly always.",
        "",
        "| period, elements | teeth, samples | depth | noise | coverage | median width, elements |",
        "|---|---|---|---|---|---|",
    ]
    for depth in DEPTHS:
        for period in COVERED:
            for name, c in NOISES.items():
                share, width = coverage(period, c, depth, min(draws, MOST_COVERAGE))
                out.append(
                    f"| {period:g} | {period / STEP:.2f} | {depth:.1%} | {name} | {share:.1%} | {width:.2g} |"
                )
                say(out[-1], began)
    out += ["", "## Fixed against proportional law", "", "| planted | named rightly |", "|---|---|"]
    for law in ("fixed", "proportional"):
        out.append(f"| {law} | {right_laws(law, min(draws, MOST_LAWS)):.1%} |")
        say(out[-1], began)
    options.out.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
