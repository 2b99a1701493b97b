"""Error rates of the claims' tests on drawn landscapes: ``python docs/claims_sizes.py > docs/claims_sizes.md``.

For every claim with a test, landscapes are drawn under its null hypothesis (how often does it reject at 5 %, and
how often is the verdict wrong?) and with a planted effect (how often is the verdict right?). Options ``--draws``,
``--workers``, ``--claim``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from attrib.claims import CLAIMS, NOT_TESTABLE, REFUTED, SUPPORTED, Evidence, Finding
from harness.cube import dense_cube, sparse_cube
from harness.device import DeviceRecord
from harness.tile import Tile

Array = NDArray[np.float64]

SEED = 90_417
STEP = 128
SIDE = STEP * np.arange(4, 28)
DEPTH = STEP * np.arange(4, 11)
FULL = STEP * np.arange(1, 25)
NOISE, ROUGH, CORRELATION = 0.003, 0.01, 0.6
TILES = ("256x128x32", "128x256x32")
LINES = np.arange(1040, 3088, 16)
PLACES = tuple((1024 + 256 * place, 2048) for place in range(8))
WIDTHS = ("128x96x32", "128x160x32", "128x224x32")
DEVICE = DeviceRecord(
    id="drawn",
    name="Drawn",
    vendor="docs",
    kind="other",
    cores=20,
    line_bytes=128,
    block_unit_bytes=16,
    simulated=True,
    peak_flops_per_s={"bf16": 1e14},
    bandwidth_bytes_per_s=4.5e11,
)


def trend(*sizes: NDArray[np.int64]) -> Array:
    """Smooth log throughput that rises and saturates along every axis alike, broadcast."""
    return np.log(80.0) + sum((np.log(size / (400.0 + size)) for size in sizes), np.zeros(()))


def field(rng: np.random.Generator, shape: tuple[int, ...], axes: Sequence[int]) -> Array:
    """Gaussian lack of fit of unit size, correlated between neighbours along the given axes."""
    values = rng.standard_normal(shape)
    for axis in axes:
        lead = np.moveaxis(values, axis, 0)
        lead[0] /= np.sqrt(1.0 - CORRELATION**2)
        lead *= np.sqrt(1.0 - CORRELATION**2)
        values = np.moveaxis(lfilter([1.0], [1.0, -CORRELATION], lead, axis=0), 0, axis)
    return np.asarray(values)


def evidence(
    rng: np.random.Generator,
    log_rate: Array,
    tiles: Sequence[str] = TILES,
    depth: NDArray[np.int64] = DEPTH,
    side: NDArray[np.int64] = SIDE,
) -> Evidence:
    """Measure a landscape twice, with noise, in passes of shuffled order."""
    volume = 2e-12 * side[:, None, None] * side[:, None].astype(np.float64) * depth
    shape = (len(tiles), *volume.shape)
    noise = NOISE * rng.standard_normal((*shape, 2))
    repeats = (volume / np.exp(np.broadcast_to(log_rate, shape)))[..., None] * np.exp(noise)
    cube = dense_cube(
        np.median(repeats, axis=-1),
        side,
        side,
        depth,
        [Tile.parse(name) for name in tiles],
        DEVICE,
        repeats=repeats,
        attrs={"protocol": {"order": "all cells shuffled anew in every pass"}},
    )
    return Evidence(cube, seed=int(rng.integers(2**31)))


def smooth() -> Array:
    """Trend of the drawn grid, shape (1, M, N, K)."""
    return trend(*np.ix_(SIDE, SIDE, DEPTH))[None]


def rugged(rng: np.random.Generator, size: float | Array = ROUGH) -> Evidence:
    """Draw trend and lack of fit, every tile its own."""
    shape = (len(TILES), SIDE.size, SIDE.size, DEPTH.size)
    return evidence(rng, smooth() + size * field(rng, shape, (1, 2, 3)))


def only_noise(rng: np.random.Generator) -> Evidence:
    """Trend and noise."""
    return evidence(rng, smooth())


def lines(rng: np.random.Generator, teeth: float, fixed: float, comb: float) -> Evidence:
    """Lines along N of three tiles: teeth as wide as the tile, teeth of one width, and faster whole cache lines."""
    time, shapes, tiles = [], [], []
    for name in WIDTHS:
        tile = Tile.parse(name)
        for M, K in PLACES:
            level = trend(np.int64(M), LINES, np.int64(K)) + ROUGH / 2 * field(rng, LINES.shape, (0,))
            level = level + NOISE * rng.standard_normal(LINES.size)
            level = level - teeth * (-LINES % tile.n) / tile.n - fixed * (-LINES % 176) / 176
            level = level + comb * (LINES % 64 == 0)
            time.append(2e-12 * M * K * LINES / np.exp(level))
            shapes.append(np.stack([np.full(LINES.size, M), LINES, np.full(LINES.size, K)], axis=1))
            tiles += [tile] * LINES.size
    cube = sparse_cube(np.concatenate(time), np.concatenate(shapes), tiles, DEVICE)
    return Evidence(cube, seed=int(rng.integers(2**31)))


def peaks(rng: np.random.Generator, gain: float) -> Evidence:
    """Gain at shapes whose work-groups divide by the cores."""
    lift = []
    for name in TILES:
        tile = Tile.parse(name)
        groups = -(-SIDE // tile.m)[:, None] * -(-SIDE // tile.n)
        lift.append(np.where(groups % 20 == 0, gain, 0.0)[..., None])
    shape = (len(TILES), SIDE.size, SIDE.size, DEPTH.size)
    return evidence(rng, smooth() + ROUGH * field(rng, shape, (1, 2, 3)) + np.stack(lift))


def square(rng: np.random.Generator, lead: float) -> Evidence:
    """Draw a flat landscape, and one shape that leads."""
    side = STEP * np.arange(1, 9)
    rates = np.full((1, side.size, side.size, side.size), np.log(80.0))
    rates[0, 5, 2, 7] += lead
    return evidence(rng, rates, TILES[:1], side, side)


def additive(rng: np.random.Generator, interaction: float) -> Evidence:
    """A part of M and a part of N, and what both share."""
    shape = (len(TILES), SIDE.size, SIDE.size, DEPTH.size)
    rows = field(rng, (len(TILES), SIDE.size, 1, DEPTH.size), (1,))
    columns = field(rng, (len(TILES), 1, SIDE.size, DEPTH.size), (2,))
    return evidence(rng, smooth() + ROUGH * (rows + columns + interaction * field(rng, shape, (1, 2))))


def turned(rng: np.random.Generator, extra: float) -> Evidence:
    """Draw lack of fit that treats M and N alike, and some more that runs along N alone."""
    shape = (len(TILES), SIDE.size, SIDE.size, DEPTH.size)
    more = field(rng, (len(TILES), 1, SIDE.size, DEPTH.size), (2,))
    return evidence(rng, smooth() + ROUGH * (field(rng, shape, (1, 2, 3)) + extra * more))


def cube_alike(rng: np.random.Generator, along_k: float) -> Evidence:
    """Draw lack of fit that treats all three axes alike, or less of it along K."""
    side = SIDE
    shape = (1, side.size, side.size, side.size)
    flat = field(rng, (1, side.size, side.size, 1), (1, 2))
    rates = trend(*np.ix_(side, side, side))[None] + ROUGH * (
        along_k * field(rng, shape, (1, 2, 3)) + flat * (1 - along_k)
    )
    return evidence(rng, rates, TILES[:1], side, side)


def above_ridge(rng: np.random.Generator, factor: float) -> Evidence:
    """Lack of fit larger where arithmetic is the bottleneck."""
    depth = FULL[:7]
    M, N, K = (axis.astype(np.float64) for axis in np.ix_(FULL, FULL, depth))
    bound = M * N * K / (M * K + K * N + M * N) > 1e14 / 4.5e11
    shape = (len(TILES), FULL.size, FULL.size, depth.size)
    size = ROUGH * np.where(bound, factor, 1.0)[None]
    # No trend: from the smallest size on, at this step, a saturating one is not smooth to 0.1 %.
    return evidence(rng, size * field(rng, shape, (1, 2, 3)), depth=depth, side=FULL)


def tiles_alike(rng: np.random.Generator, apart: float) -> Evidence:
    """Draw tiles that are equally fast but for noise, or differ by lack of fit of their own."""
    shape = (SIDE.size, SIDE.size, DEPTH.size)
    shared = ROUGH * field(rng, (1, *shape), (1, 2, 3))
    return evidence(rng, smooth() + shared + apart * field(rng, (len(TILES), *shape), (1, 2, 3)))


def whole_tiles(rng: np.random.Generator, slow: float) -> Evidence:
    """Time by the tiles alone, or longer where one is ragged."""
    shape = (len(TILES), SIDE.size, SIDE.size, DEPTH.size)
    rates = []
    for name in TILES:
        tile = Tile.parse(name)
        rows, columns = -(-SIDE // tile.m) * tile.m, -(-SIDE // tile.n) * tile.n
        paid = trend(*np.ix_(rows, columns, DEPTH)) + np.log(
            np.multiply.outer(SIDE / rows, SIDE / columns)[..., None]
        )
        ragged = (rows > SIDE)[:, None] | (columns > SIDE)
        rates.append(paid - slow * ragged[..., None])
    return evidence(rng, np.stack(rates) + ROUGH * field(rng, shape, (1, 2, 3)))


def plateaus(rng: np.random.Generator, pathological: float) -> Evidence:
    """Time by waves of whole tiles, so that shapes of a wave take equally long; or some shapes far longer."""
    depth = FULL[:7]
    volume = 2e-12 * FULL[:, None, None] * FULL[:, None].astype(np.float64) * depth
    groups = -(-FULL // 256)[:, None] * -(-FULL // 128)
    time = 5e-6 + (-(-groups // 20))[..., None] * (2e-6 + 1e-8 * depth)
    bad = rng.random((1, FULL.size, FULL.size, 1)) < 0.1
    return evidence(rng, np.log(volume / time)[None] - pathological * bad, depth=depth, side=FULL)


@dataclass(frozen=True)
class Case:
    """One claim, its null landscape and a planted effect.

    Attributes
    ----------
    claim : str
    null, planted : callable
        Draw the evidence.
    truth_of_null : str
        Verdict that is right under the null hypothesis.
    effect : str
        What is planted, in words.
    """

    claim: str
    null: Callable[[np.random.Generator], Evidence]
    planted: Callable[[np.random.Generator], Evidence]
    truth_of_null: str
    effect: str

    @property
    def truth_of_planted(self) -> str:
        """The other verdict."""
        return SUPPORTED if self.truth_of_null == REFUTED else REFUTED


CASES = (
    Case("ruggedness is not noise", only_noise, rugged, REFUTED, "lack of fit of 1 %, noise of 0.3 %"),
    Case(
        "drift is not the cause",
        only_noise,
        lambda rng: rugged(rng, 0.03),
        REFUTED,
        "lack of fit of 3 %, noise of 0.3 %",
    ),
    Case(
        "the period follows the tile",
        lambda rng: lines(rng, 0.0, 0.0, 0.0),
        lambda rng: lines(rng, 0.03, 0.0, 0.0),
        REFUTED,
        "teeth of 3 % as wide as the tile",
    ),
    Case(
        "no cause of fixed period",
        lambda rng: lines(rng, 0.03, 0.0, 0.0),
        lambda rng: lines(rng, 0.03, 0.0, 0.02),
        SUPPORTED,
        "2 % at whole cache lines",
    ),
    Case(
        "peaks divide by the cores",
        lambda rng: peaks(rng, 0.0),
        lambda rng: peaks(rng, 0.03),
        REFUTED,
        "a gain of 3 %",
    ),
    Case(
        "the largest square is not the fastest",
        lambda rng: square(rng, 0.0),
        lambda rng: square(rng, 0.05),
        REFUTED,
        "a lead of 5 %",
    ),
    Case(
        "no M x N interaction",
        lambda rng: additive(rng, 0.0),
        lambda rng: additive(rng, 3.0),
        SUPPORTED,
        "an interaction three times as large as both parts",
    ),
    Case(
        "N is rougher than M",
        lambda rng: turned(rng, 0.0),
        lambda rng: turned(rng, 0.8),
        REFUTED,
        "0.8 % along N alone",
    ),
    Case(
        "K is the smooth axis",
        lambda rng: cube_alike(rng, 1.0),
        lambda rng: cube_alike(rng, 0.3),
        REFUTED,
        "three tenths of the lack of fit along K",
    ),
    Case(
        "ruggedness is compute bound",
        lambda rng: above_ridge(rng, 1.0),
        lambda rng: above_ridge(rng, 1.6),
        REFUTED,
        "1.6 times the lack of fit above the ridge",
    ),
    Case(
        "one tile does not suffice",
        lambda rng: tiles_alike(rng, 0.0),
        lambda rng: tiles_alike(rng, 0.08),
        REFUTED,
        "8 % of its own for each tile",
    ),
    Case(
        "padding leaves slow paths",
        lambda rng: whole_tiles(rng, 0.0),
        lambda rng: whole_tiles(rng, 0.03),
        REFUTED,
        "ragged tiles 3 % slower",
    ),
    Case(
        "plans add to the tile choice",
        lambda rng: plateaus(rng, 0.0),
        lambda rng: plateaus(rng, 0.3),
        REFUTED,
        "a tenth of the shapes 30 % slower",
    ),
)


def judged(case: Case, planted: bool, draw: int) -> Finding:
    """Draw one landscape, and judge the claim on it."""
    rng = np.random.default_rng([SEED, CASES.index(case), int(planted), draw])
    claim = next(claim for claim in CLAIMS if claim.name == case.claim)
    return claim.judge((case.planted if planted else case.null)(rng))


def rates(job: tuple[int, bool, Sequence[int]]) -> NDArray[np.int64]:
    """Count rejections, refuted, supported and other verdicts of one case over draws."""
    place, planted, draws = job
    found = [judged(CASES[place], planted, draw) for draw in draws]
    rejected = sum(item.p_value is not None and item.p_value <= 0.05 for item in found)
    # A law is compared only where there is a period: without one there is nothing to reject.
    verdicts = [sum(item.verdict == verdict for item in found) for verdict in (REFUTED, SUPPORTED, NOT_TESTABLE)]
    return np.array([rejected, *verdicts])


def table(draws: int, workers: int, chosen: Sequence[int]) -> list[str]:
    """Rows of the page."""
    parts = [range(start, draws, 4 * workers) for start in range(min(draws, 4 * workers))]
    jobs = [(place, planted, part) for place in chosen for planted in (False, True) for part in parts]
    if workers == 1:
        counted = [rates(job) for job in jobs]
    else:
        with ProcessPoolExecutor(workers) as pool:
            counted = list(pool.map(rates, jobs))
    rows = []
    for place in chosen:
        case = CASES[place]
        null, planted = (
            sum(count for job, count in zip(jobs, counted, strict=True) if job[:2] == (place, kind)) / draws
            for kind in (False, True)
        )
        wrong = null[1] if case.truth_of_null == SUPPORTED else null[2]
        right = planted[2] if case.truth_of_planted == SUPPORTED else planted[1]
        rows.append(
            f"| {case.claim} | {null[0]:.1%} | {case.truth_of_null} | {wrong:.1%} | {case.effect} | "
            f"{case.truth_of_planted} | {right:.1%} | {planted[0]:.1%} |"
        )
    return rows


def main() -> None:
    """Run all, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--claim", action="append", help="only this claim; repeatable")
    options = parser.parse_args()
    began = perf_counter()
    chosen = [place for place, case in enumerate(CASES) if not options.claim or case.claim in options.claim]
    rows = table(options.draws, options.workers, chosen)
    page = [
        "# Claims: how often the tests err",
        "",
        f"Written by `docs/claims_sizes.py`: {options.draws} drawn landscapes a cell, seed {SEED}, "
        f"{os.cpu_count()} cores, {perf_counter() - began:.0f} s. A landscape has {SIDE.size} x {SIDE.size} x "
        f"{DEPTH.size} shapes at step {STEP} (as many K for the claim on K), a trend that saturates, lack of fit "
        f"of {ROUGH:.0%} that neighbours share (correlation {CORRELATION}), and noise of {NOISE:.1%} on each of "
        f"two repeats; the claims on periods have {len(PLACES)} lines of {LINES.size} sizes for each of three "
        "tiles.",
        "",
        "- rejected: how often the test rejects its null hypothesis, which is true, at nominal 5 %",
        "- wrong: how often the verdict is the opposite of the right one",
        "- right: how often the planted effect gets its verdict; the other cases are inconclusive",
        "",
        "| claim | rejected | right verdict | wrong | planted | right verdict | right | rejected |",
        "|---|---:|---|---:|---|---|---:|---:|",
        *rows,
        "",
        "The residual's share of hardware has no test: it is a sum of shares of a fitted model, and its interval",
        "is that of their joint draws.",
    ]
    sys.stdout.write("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
