"""Error rates of the tests of a fit: ``PYTHONPATH=. python docs/inference_sizes.py > docs/inference_sizes.md``.

Landscapes of one tile on 16 x 16 x 5 sizes are planted with a launch cost, waves and tile work, and a residual of
1 % that no mechanism explains: independent from cell to cell, or shared by neighbours in three ways. Sizes are
rejections at nominal 5 % where there is nothing to find; power is that of a mechanism that takes a stated share of
the time. Options: ``--draws`` landscapes a row (a quarter for the power), ``--null-draws`` for the sizes of the
terms, ``--workers`` processes, ``--seed``, and ``--studies`` for some of the tables alone.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from harness.tile import Tile
from models.blocks import Blocks, fold_labels
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.inference.interactions import judge_interactions, product_columns
from models.inference.lack_of_fit import PureError, lack_of_fit
from models.inference.nested import adjusted, judge_additions
from models.inference.surrogates import Surrogates
from models.last_wave import LastWave
from models.overlap_comparison import compare_overlap
from models.problem import Problem
from models.solve import solve_nonnegative
from models.terms import ALL_TERMS

Array = NDArray[np.float64]

SURROGATES, RESIDUAL, NOISE = 199, 0.01, 0.003
HARDWARE = Hardware(cores=20, cache_bytes=12e6, channels=4, interleave_bytes=64)
TILE = Tile.parse("128x128x32")
SIDE, DEPTH = np.arange(1, 17) * 240 - 100, np.array([32, 64, 528, 1040, 2048])
FINE, SHORT = (
    np.where(np.arange(16) % 2, SIDE // 64 * 64, SIDE // 32 * 32 + 16),
    np.array([32, 48, 64, 96, 528, 1040, 2048]),
)
"""Rows on a cache line and off it by turns, and three K that do not fill a pipeline of three steps."""
ON_FINE = ("row pitch", "pipeline fill")
"""Told by one size alone on the other grid, and tested here."""
MODEL = ("base overhead", "waves", "tile work")
THETA = np.array([6e-6, 2e-6, 4e-7, 2e-8, 6e-9])
KINDS = ("independent", "correlated, 0.7 a step", "correlated, 0.9 a step", "smooth over 2 steps")
POWERS = (("row pitch", 0.01), ("memory traffic", 0.02), ("cache spill", 0.01))
MEMORY = {"sum": 6e-12, "small sum": 6e-13, "overlap": 6e-12}
"""Seconds a byte of the planted traffic: a third of the time on average, on skinny shapes most of it; and 5 %."""
STUDIES = ("sizes", "fine sizes", "overlap", "power", "lack of fit")


def problem(side: NDArray[np.int64] = SIDE, depth: NDArray[np.int64] = DEPTH) -> Problem:
    """All shapes of the grid."""
    M, N, K = (axis.ravel() for axis in np.meshgrid(side, side, depth, indexing="ij"))
    return Problem(M, N, K, TILE)


def residual(rng: np.random.Generator, kind: str, depths: int = DEPTH.size) -> Array:
    """Draw a relative residual, shape (256 depths,)."""
    field = rng.standard_normal((SIDE.size, SIDE.size, depths))
    if kind == "independent":
        return RESIDUAL * field.ravel()
    for axis, count in enumerate(field.shape):
        apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
        if kind.startswith("smooth"):
            matrix = np.exp(-0.5 * (apart / 2.0) ** 2) + 1e-8 * np.eye(count)
        else:
            matrix = float(kind.split()[1]) ** apart
        field = np.moveaxis(np.tensordot(np.linalg.cholesky(matrix), field, axes=(1, axis)), 0, axis)
    return RESIDUAL * field.ravel() + NOISE * rng.standard_normal(field.size)


def columns(shapes: Problem) -> tuple[dict[str, NDArray[np.int64]], Array]:
    """Places of every term's columns, those of the planted model first, and the columns."""
    terms = [term for term in ALL_TERMS if term.name in MODEL]
    terms += [term for term in Design.of(ALL_TERMS, TILE, HARDWARE).terms if term.name not in MODEL]
    parts = [term.columns(shapes, HARDWARE, ALL_MECHANISMS) for term in terms]
    ends = np.cumsum([part.shape[1] for part in parts])
    places = {t.name: np.arange(e - p.shape[1], e) for t, p, e in zip(terms, parts, ends, strict=True)}
    return places, np.concatenate(parts, axis=1)


def judged(kind: str, planted: tuple[str, float] | None, seed: int) -> dict[str, float]:
    """p-values of every test on one landscape."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 0 if planted is None else 1 + POWERS.index(planted)])
    shapes = problem()
    places, every = columns(shapes)
    exact = every[:, :5] @ THETA
    if planted is not None:
        extra = every[:, places[planted[0]]].sum(axis=1)
        exact = exact + extra * planted[1] / (1.0 - planted[1]) / np.mean(extra / exact)
    time = exact * np.exp(residual(rng, kind))
    division = Blocks.of(shapes.M, shapes.N)
    fold = fold_labels(division.labels(shapes.M, shapes.N), 8, rng)
    weighted = every[:, :5] / time[:, None]
    theta = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    parts = {name: every[:, places[name]] @ theta[places[name]] for name in MODEL}
    products = product_columns(parts, time)
    covering, whole = np.arange(every.shape[1]), [every]
    for name, pair in products.items():
        start = sum(part.shape[1] for part in whole)
        places[name] = np.arange(start, start + 2)
        whole.append(pair)
    surrogates = Surrogates.draw(shapes, np.concatenate(whole, axis=1), time, fold, SURROGATES, rng, covering)
    others = [name for name in places if name not in MODEL and name not in products]
    if planted is not None:
        others = [planted[0]]
    tests = adjusted(judge_additions(surrogates, places, MODEL, others, [*MODEL, *others]))
    out = {test.name: test.p_value for test in tests if test.p_value is not None}
    out |= {f"{test.name}, in sample": test.p_in_sample for test in tests if test.p_in_sample is not None}
    out["any of them, Holm"] = min((test.p_holm for test in tests if test.p_holm is not None), default=1.0)
    if planted is None:
        pairs = judge_interactions(surrogates, places, MODEL, tuple(products))
        out |= {test.name: test.p_value for test in pairs if test.p_value is not None}
    return out


def judged_on_fine(kind: str, seed: int) -> dict[str, float]:
    """p-values of the tests that the other grid cannot do, beside all others, where there is nothing to find."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 31])
    shapes = problem(FINE, SHORT)
    places, every = columns(shapes)
    time = every[:, :5] @ THETA * np.exp(residual(rng, kind, SHORT.size))
    division = Blocks.of(shapes.M, shapes.N)
    fold = fold_labels(division.labels(shapes.M, shapes.N), 8, rng)
    surrogates = Surrogates.draw(shapes, every, time, fold, SURROGATES, rng)
    tests = judge_additions(surrogates, places, MODEL, ON_FINE, list(places))
    out = {test.name: test.p_value for test in tests if test.p_value is not None}
    return out | {f"{test.name}, in sample": test.p_in_sample for test in tests if test.p_in_sample is not None}


def overlap(kind: str, law: str, seed: int) -> dict[str, float]:
    """p-value of overlap where memory costs add up, or overlap; and 0 where it is the better model."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 11 + list(MEMORY).index(law)])
    shapes = problem()
    places, every = columns(shapes)
    names = (*MODEL, "memory traffic")
    used = np.concatenate([places[name] for name in names])
    resources = [t.resource for name in names for t in ALL_TERMS if t.name == name for _ in places[name]]
    launch, compute = THETA[0], every[:, 1:5] @ THETA[1:]
    memory = MEMORY[law] * shapes.footprint
    exact = launch + (np.maximum(compute, memory) if law == "overlap" else compute + memory)
    time = exact * np.exp(residual(rng, kind))
    division = Blocks.of(shapes.M, shapes.N)
    distinct, blocks = np.unique(division.labels(shapes.M, shapes.N), return_inverse=True)
    fold = fold_labels(blocks.astype(np.int64), 8, rng)
    fold_of_block = np.zeros(distinct.size, dtype=np.int64)
    fold_of_block[blocks] = fold
    spot = np.divmod(distinct, division.edges_n.size + 1)
    intensity = shapes.flop / shapes.footprint
    last = LastWave.of(shapes, HARDWARE, ALL_MECHANISMS)
    found = compare_overlap(every[:, used], time, resources, blocks, fold_of_block, spot, intensity, rng, last)
    if found is None:
        return {"overlap": 1.0, "better": 1.0}
    return {"overlap": found.test.p_value, "better": float(found.test.log_ratio <= 0)}


def exactness(repeats: int, seed: int) -> dict[str, float]:
    """p-value of lack of fit where the model is exact, its times the medians of repeats."""
    rng = np.random.default_rng([seed, 23, repeats])
    shapes = problem()
    _, every = columns(shapes)
    exact = every[:, :5] @ THETA
    drawn = exact[:, None] * (1.0 + RESIDUAL * rng.standard_normal((exact.size, repeats)))
    time = np.median(drawn, axis=1)
    weighted = every[:, :5] / time[:, None]
    theta = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    error = 1.0 - weighted @ theta
    # Asymptotically pi / 2 / n; of few normal values, from the table of order statistics.
    penalty = {3: 1.160, 5: 1.198}[repeats]
    variance = drawn.var(axis=1, ddof=1) / time**2 * penalty**2 / repeats
    found = lack_of_fit(error, error, int((theta > 0).sum()), PureError(variance, repeats - 1.0, "repeats"))
    return {"lack of fit": found.p_value}


def _limited(task: Callable[[int], dict[str, float]], seed: int) -> dict[str, float]:
    with threadpool_limits(1):
        return task(seed)


def rates(
    pool: ProcessPoolExecutor, task: Callable[[int], dict[str, float]], seeds: range, level: float
) -> dict[str, float]:
    """Share of landscapes on which each test rejects at the level."""
    rows = list(pool.map(partial(_limited, task), seeds, chunksize=max(1, len(seeds) // 128)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: float(np.mean([row.get(name, 1.0) <= level for row in rows])) for name in names}


def table(head: str, found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Lines of a table: a row a test, a column a kind of landscape."""
    yield f"| {head} | " + " | ".join(found) + " |"
    yield "|---|" + "---|" * len(found)
    for name in dict.fromkeys(name for column in found.values() for name in column):
        cells = [f"{column[name]:.1%}" if name in column else "" for column in found.values()]
        yield f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run all, and write the tables to the standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--null-draws", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=60_103)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of residuals")
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    options = parser.parse_args()
    began = perf_counter()
    seeds = range(options.seed, options.seed + options.draws)
    more = range(options.seed, options.seed + options.null_draws)
    lines = [
        "# Tests of a fit: size and power",
        "",
        f"Written by `docs/inference_sizes.py`: {options.draws} landscapes a column from seed {options.seed}, "
        f"{options.null_draws} for the sizes, {SURROGATES} surrogates a test, on {os.cpu_count()} cores "
        f"({platform.machine()}, numpy {np.__version__}). One tile, 16 x 16 x 5 sizes, residual {RESIDUAL:.0%}"
        f" (and {NOISE:.1%} of noise where neighbours share it).",
        "",
        f"A share of 5 % from {options.draws} landscapes has a standard error of "
        f"{np.sqrt(0.05 * 0.95 / options.draws):.1%}, from {options.null_draws} one of "
        f"{np.sqrt(0.05 * 0.95 / options.null_draws):.1%}.",
        "",
    ]
    # statsmodels collects garbage at every correction: what was there before need not be looked through.
    with ProcessPoolExecutor(options.workers, initializer=gc.freeze) as pool:
        if "sizes" in options.studies:
            lines += ["## Rejections at nominal 5 % where the mechanism costs nothing", ""]
            sizes = {kind: rates(pool, partial(judged, kind, None), more, 0.05) for kind in options.kinds}
            lines += [*table("test", sizes), ""]
        if "fine sizes" in options.studies:
            lines += ["## Two more, with rows off the cache line, and three K that fill no pipeline", ""]
            sizes = {kind: rates(pool, partial(judged_on_fine, kind), more, 0.05) for kind in options.kinds}
            lines += [*table("test", sizes), ""]
        if "overlap" in options.studies:
            null, little = (
                {kind: rates(pool, partial(overlap, kind, law), seeds, 0.05) for kind in options.kinds}
                for law in ("sum", "small sum")
            )
            power = {kind: rates(pool, partial(overlap, kind, "overlap"), seeds, 0.01) for kind in options.kinds}
            both = {
                kind: {
                    "memory costs of a third add up: overlap at nominal 5 %": null[kind]["overlap"],
                    "a third adds up: overlap the better model": null[kind]["better"],
                    "memory costs of 5 % add up: overlap at nominal 5 %": little[kind]["overlap"],
                    "5 % add up: overlap the better model": little[kind]["better"],
                    "memory costs overlap: found at 1 %": power[kind]["overlap"],
                    "they overlap: overlap the better model": power[kind]["better"],
                }
                for kind in options.kinds
            }
            lines += ["## Sum or overlap", "", *table("landscape", both), ""]
        if "power" in options.studies:
            few = seeds[: max(1, len(seeds) // 4)]
            found = {
                kind: {
                    f"{what[0]}, {what[1]:.0%} of the time": rates(pool, partial(judged, kind, what), few, 0.05)[
                        what[0]
                    ]
                    for what in POWERS
                }
                for kind in options.kinds
            }
            lines += [f"## Power at 5 % of one test, {len(few)} landscapes", "", *table("mechanism", found), ""]
        if "lack of fit" in options.studies:
            exact = {
                f"median of {repeats}": rates(pool, partial(exactness, repeats), seeds, 0.05) for repeats in (3, 5)
            }
            lines += ["## Lack of fit where the model is exact", "", *table("test", exact), ""]
    lines.append(f"Run in {perf_counter() - began:.0f} s.")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
