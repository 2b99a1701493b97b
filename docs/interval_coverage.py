"""Print how often 95 % intervals of coefficients and of shares cover the truth.

``PYTHONPATH=. python docs/interval_coverage.py --draws 500 --workers 16 --settings 0.25 smooth``, kept in
``docs/interval_coverage.md``; other fields, 250 landscapes each, in ``docs/interval_coverage_other_fields.md``.

A landscape of two tiles is planted with known costs, fitted as a measured one would be (constants profiled, terms
chosen, coefficients drawn), and its throughput's roughness is attributed. Two costs are planted as zero. The lack
of fit is a random field of 1 %; fields of other kinds than the estimator assumes are among the settings.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.analysis import landscape_of
from attrib.attribution import NOISE, ModelLandscapes, attribute
from attrib.stages import BestTile, FixedTile
from harness.grid import Grid
from harness.tile import Tile
from models.additive import AdditiveModel
from models.hardware import Hardware
from models.planted import Planted, planted_cube
from models.planted_truth import true_coefficients, true_model
from models.random_field import random_field

Array = NDArray[np.float64]

SEED = 71_000
LACK_OF_FIT, LAUNCH_NOISE = 0.01, 0.002
GRID = Grid.parse("128:2048:128;128:2048:128;32,64,128,256,512,1024,1536,2048")
WIDE, NARROW = "256x128x32", "128x128x32"
HARDWARE = Hardware(
    cores=20,
    residency={NARROW: 2},
    cache_bytes=8e6,
    line_bytes=64,
    channels=6,
    interleave_bytes=256,
)
ZEROS = {WIDE: {"spilt byte": 0.0}, NARROW: {"waiting byte": 0.0}}
BAND = (0.92, 0.98)
LEVEL = 0.95
SAME = 1e-9
"""Values that differ by less than this share of their scale are equal but for rounding."""

INTRODUCTION = """# How often intervals cover planted truth

{draws} planted landscapes of two tiles a setting, seed {seed}, {cores} cores; 16 x 16 x 8 shapes, lack of fit
{lack_of_fit:.0f} %, launches repeat to {noise:.1f} %. Intervals are nominally of 95 %; a rate of 95 % has a
standard error of {error:.1f} %. In brackets the median width; "of n" where not every fit had the interval, because
the term was not chosen or the column could not be identified. A term that costs nothing is chosen by few
fits, those that chance misleads: the rates of these few say nothing of the rest.

Settings are fields of the lack of fit:

- a number: correlation length along M and N, octaves, with 1 along K (0: independent cells);
- smooth: squared exponential, 0.25 octaves, and 1 along K;
- by elements: length 300 elements along M and N, 1 octave along K;
- shrinking: 0.25 octaves, four times as strong for the smallest outputs as for the largest;
- own of (M, N): 40 % of the variance is shared by all K of an (M, N) alone, 40 % by neighbours within 0.5 octaves,
  20 % by none.
"""


def octaves() -> list[Array]:
    """Return log2 of the sizes."""
    return [np.log2(axis) for axis in (GRID.M, GRID.N, GRID.K)]


def rough(lengths: tuple[float, float, float], rng: np.random.Generator) -> Array:
    """Draw the field that the estimator assumes, of some lengths in octaves."""
    return random_field(octaves(), lengths, rng)


def smooth(rng: np.random.Generator) -> Array:
    """Draw a field of squared exponential correlation."""
    return random_field(octaves(), (0.25, 0.25, 1.0), rng, smooth=True)


def by_elements(rng: np.random.Generator) -> Array:
    """Draw a field whose correlation falls with the distance in elements of M and N."""
    positions = [GRID.M.astype(np.float64), GRID.N.astype(np.float64), np.log2(GRID.K)]
    return random_field(positions, (300.0, 300.0, 1.0), rng)


def shrinking(rng: np.random.Generator) -> Array:
    """Draw a field that is four times as strong at the smallest outputs as at the largest."""
    area = GRID.M[:, None, None] * GRID.N[None, :, None].astype(np.float64)
    strength = area**-0.25
    return np.asarray(rough((0.25, 0.25, 1.0), rng) * strength / np.sqrt(np.mean(strength**2)))


def columns(rng: np.random.Generator) -> Array:
    """Draw a field of which each (M, N) has a part of its own at all K, beside a common and an independent one."""
    own = random_field(octaves(), (0.0, 0.0, 8.0), rng)
    common = rough((0.5, 0.5, 1.0), rng)
    return np.asarray(np.sqrt(0.4) * (own + common) + np.sqrt(0.2) * rng.standard_normal(own.shape))


SETTINGS: dict[str, Callable[[np.random.Generator], Array]] = {
    "0": partial(rough, (0.0, 0.0, 0.0)),
    "0.1": partial(rough, (0.1, 0.1, 1.0)),
    "0.25": partial(rough, (0.25, 0.25, 1.0)),
    "0.5": partial(rough, (0.5, 0.5, 1.0)),
    "smooth": smooth,
    "by elements": by_elements,
    "shrinking": shrinking,
    "own of (M, N)": columns,
}


@dataclass(frozen=True)
class Finding:
    """One interval beside the truth; ``scale`` is what a value must be compared with to be other than rounding."""

    kind: str
    name: str
    truth: float
    lower: float
    upper: float
    scale: float

    @property
    def covers(self) -> bool:
        """Whether the truth is inside."""
        slack = SAME * self.scale
        return self.lower - slack <= self.truth <= self.upper + slack

    @property
    def trivial(self) -> bool:
        """Whether there was nothing to find: no truth, no estimate and no width but for rounding."""
        return max(abs(self.truth), abs(self.lower), abs(self.upper)) < SAME * self.scale


def plant(setting: str, number: int) -> Planted:
    """Plant one landscape; half of the variance of its lack of fit is common to both tiles."""
    seed = [SEED, number, list(SETTINGS).index(setting)]
    planted = planted_cube(
        HARDWARE, (WIDE, NARROW), GRID, theta=ZEROS, lack_of_fit=0.0, noise=LAUNCH_NOISE, seed=SEED + number
    )
    rng = np.random.default_rng(seed)
    draw = SETTINGS[setting]
    common = draw(rng)
    fields = np.stack([np.sqrt(0.5) * common + np.sqrt(0.5) * draw(rng) for _ in (WIDE, NARROW)])
    time: xr.DataArray = planted.cube["time"] * np.exp(LACK_OF_FIT * fields)
    return Planted(planted.cube.assign(time=time), planted.theta, planted.hardware, planted.terms)


def fitted(setting: str, number: int) -> list[Finding]:
    """Fit one planted landscape and compare."""
    planted = plant(setting, number)
    fit = AdditiveModel(seed=number).fit(planted.cube)
    found = []
    for label, tile in fit.tiles.items():
        truth = true_coefficients(planted, fit, label)
        for estimate, value in zip(tile.estimates, truth, strict=True):
            if estimate.estimate is not None and estimate.lower is not None and estimate.upper is not None:
                kind = "zero" if value == 0 else "coefficient"
                name = f"{label}: {estimate.name}"
                scale = max(value, estimate.estimate)
                found.append(Finding(kind, name, value, estimate.lower, estimate.upper, scale))
    landscape = landscape_of(planted.cube)
    truth_models = ModelLandscapes(landscape, true_model(planted, fit))
    for name, stage in (("fixed", FixedTile(Tile.parse(WIDE))), ("best", BestTile())):
        result = stage.apply(landscape)
        told = attribute(stage, result, ModelLandscapes(landscape, fit))
        known = attribute(stage, result, truth_models).shares
        for mechanism, share in told.shares.items():
            if mechanism != NOISE and share.lower is not None and share.upper is not None:
                value = known[mechanism].share if mechanism in known else 0.0
                label = f"{name}: {mechanism}"
                found.append(Finding("share", label, value, share.lower, share.upper, told.measured))
    return found


def tables(findings: dict[str, list[list[Finding]]], draws: int) -> Iterable[str]:
    """Lines of the tables: for each kind a row a name and a column a setting."""
    titles = {
        "coefficient": "Coefficients: coverage and median width, of the truth, per cent",
        "zero": "Coefficients that are zero: how often the interval holds zero, per cent",
        "share": "Shares of the roughness along N: coverage, per cent, and median width, TFLOP/s per step",
    }
    for kind, title in titles.items():
        rows: dict[str, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
        for setting, twins in findings.items():
            for finding in (item for twin in twins for item in twin if item.kind == kind):
                rows[finding.name][setting].append(finding)
        yield f"\n## {title}\n\n"
        yield "| | " + " | ".join(findings) + " |\n|---|" + "---:|" * len(findings) + "\n"
        outside, judged = [], 0
        for name, cells in rows.items():
            texts = []
            for setting in findings:
                told = [item for item in cells[setting] if not item.trivial]
                if not told:
                    texts.append("-")
                    continue
                rate = float(np.mean([item.covers for item in told]))
                texts.append(cell(told, kind, rate, draws))
                low, high = (BAND[0], 1.0) if kind == "zero" else BAND
                judged += 1
                if not low <= rate <= high:
                    outside.append(f"{name} at {setting} ({100 * rate:.1f})")
            yield f"| {name} | " + " | ".join(texts) + " |\n"
        means = [mean([item for cells in rows.values() for item in cells[setting]]) for setting in findings]
        yield "| **all** | " + " | ".join(means) + " |\n"
        band = "below 92 %" if kind == "zero" else "outside 92 to 98 %"
        yield f"\n{len(outside)} of {judged} cells are {band}{': ' if outside else ''}{'; '.join(outside)}.\n"


def cell(told: Sequence[Finding], kind: str, rate: float, draws: int) -> str:
    """Coverage, width, and how many twins it is of where not all had one."""
    widths = [item.upper - item.lower for item in told]
    if kind == "coefficient":
        width = f" ({100 * np.median(np.array(widths) / [item.truth for item in told]):.2g})"
    else:
        width = f" ({np.median(widths):.2g})" if kind == "share" else ""
    return f"{100 * rate:.1f}{width}" + (f" of {len(told)}" if len(told) < draws else "")


def mean(told: Sequence[Finding]) -> str:
    """Coverage over all rows."""
    real = [item.covers for item in told if not item.trivial]
    return f"{100 * np.mean(real):.1f}" if real else "-"


def main() -> None:
    """Plant, fit and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=500, help="planted landscapes a setting")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()
    out = sys.stdout.write
    out(
        INTRODUCTION.format(
            draws=options.draws,
            seed=SEED,
            cores=options.workers,
            error=100 * np.sqrt(LEVEL * (1 - LEVEL) / options.draws),
            lack_of_fit=100 * LACK_OF_FIT,
            noise=100 * LAUNCH_NOISE,
        )
    )
    with ProcessPoolExecutor(options.workers) as pool:
        findings = {
            setting: list(pool.map(partial(fitted, setting), range(options.draws), chunksize=4))
            for setting in options.settings
        }
    for line in tables(findings, options.draws):
        out(line)


if __name__ == "__main__":
    main()
