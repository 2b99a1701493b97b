"""Print how often the sets of hardware constants hold the truth: see the command below.

``PYTHONPATH=. python docs/constants_coverage.py --draws 500 --workers 16 > docs/constants_coverage.md``

Four studies. *Planted*: additive landscapes with known constants, lack of fit of 1 to 3 % that neighbours share,
and noise; beside the constants, how often intervals of costs hold theirs, and how often those of draws that keep
the choices of the fit do. *Shares*: likewise of shares of their roughness. *Null*: the same landscapes without
waves, misaligned rows, masked K, spills and idle channels: nothing is there to be found. *Simulated*: event-level
twins with other numbers, which no additive model describes; they are reported as they are, with no claim to a rate.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from attrib.analysis import landscape_of
from attrib.attribution import ModelLandscapes, Share, attribute
from attrib.stages import BestTile, FixedTile
from harness.cube import device_of, sparse_cube
from harness.device import DeviceRecord
from harness.grid import Grid
from harness.tile import Tile
from harness.twin import B580, Chip, Twin
from models.additive import AdditiveModel
from models.fill_levels import fill_levels
from models.hardware import Hardware
from models.planted import Planted, planted_cube
from models.planted_truth import true_coefficients, true_model
from models.result import FitResult

SEED = 82_000
NOMINAL = 24e6
SHARES = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0)
CHANNELS, INTERLEAVES = (2, 4, 6, 8, 12, 16), (128, 256, 512, 1024)
PITCHES = (16, 64, 128, 256)
NAMES = (
    "cores",
    "residency",
    "cache_spill_bytes",
    "k_granularity",
    "row_pitch_b_bytes",
    "channels",
    "interleave_bytes",
    "base_overhead_s",
    "core_rate_flop_per_s",
)


SAME = 1e-9
"""Relative differences below this are rounding."""

COST = "cost: "
STUDIES = ("planted", "shares", "null", "simulated")
GRADUAL = (
    "Caches of the twins lose gradually: a half at the size that is called true here, some of it long before. The\n"
    "set is that of one size from which on bytes are lost at all: it cannot be expected to hold the other. How\n"
    "gradually is settled later, with no set of its own.\n\n"
)


@dataclass(frozen=True)
class Outcome:
    """What one fit said of one constant of one tile, beside the truth (``None`` where there is none to find)."""

    name: str
    truth: float | None
    estimate: float | None
    values: tuple[float, ...]
    kind: str
    identified: bool
    own: tuple[float, ...] = ()
    """Of a cost, the ends of the interval of draws that keep the choices of the fit."""

    @property
    def covers(self) -> bool:
        """Whether the set or interval holds the truth."""
        if self.truth is None or not self.values:
            return False
        if self.kind == "interval":
            return self.within(self.values)
        return any(abs(value - self.truth) <= 1e-6 * self.truth for value in self.values)

    def within(self, ends: tuple[float, ...]) -> bool:
        """Whether an interval holds the truth, but for rounding."""
        truth = 0.0 if self.truth is None else self.truth
        slack = SAME * max(abs(truth), *map(abs, ends))
        return ends[0] - slack <= truth <= ends[-1] + slack


def axes(rng: np.random.Generator) -> Grid:
    """Sizes of a landscape: a coarse grid, and beside it values of N and K of many alignments."""
    coarse = np.arange(256, 4097, 256)
    n_off = rng.choice(coarse[3:], 12, replace=False) - rng.choice([8, 16, 24, 32, 64, 66, 72, 80, 96, 128], 12)
    k_far = np.array([512, 1024, 2304, 3840])
    k_off = rng.choice(k_far, 7) - np.array([4, 8, 16, 32, 48, 64, 128])
    return Grid(coarse, np.unique(np.append(coarse, n_off)), np.unique(np.append(k_far, k_off)))


def planted(number: int, null: bool = False) -> list[Outcome]:
    """Plant a device, fit its landscape and compare."""
    plan, tiles = landscape(number, null)
    fit = AdditiveModel(draws=100, seed=number).fit(plan.cube)
    found = []
    for label in tiles:
        found += outcomes(fit.tiles[label].constants, truths(plan, label, null), label == tiles[0])
        found += costs_of(plan, fit, label, label == tiles[0])
    return found


def landscape(number: int, null: bool) -> tuple[Planted, list[str]]:
    """Plant a device, with three tiles."""
    rng = np.random.default_rng((SEED, number))
    step = int(rng.choice([16, 32, 64]))
    sides = ((256, 256), (128, 256), (128, 128))
    tiles = [f"{m}x{n}x{step}" for m, n in sides]
    cores = int(rng.integers(8, 133))
    held = (1, int(rng.integers(1, 3)), int(rng.integers(1, 5)))
    pitch = int(rng.choice(PITCHES))
    channels, interleave = int(rng.choice(CHANNELS)), int(rng.choice(INTERLEAVES))
    truth = Hardware(
        cores=cores,
        residency=dict(zip(tiles, held, strict=True)),
        line_bytes=pitch,
        vector_bytes=1,
        cache_bytes=float(rng.choice(SHARES)) * NOMINAL,
        channels=channels,
        interleave_bytes=interleave,
    )
    record = DeviceRecord(
        id="planted",
        name="Planted",
        vendor="none",
        kind="other",
        simulated=True,
        last_level_cache_bytes=int(NOMINAL),
        line_bytes=pitch,  # the fit's own columns need it; the profile of alignments does not look at it
        peak_flops_per_s={"bf16": cores * 5e12},
        bandwidth_bytes_per_s=cores * 2e10,
    )
    costs: dict[str, float | dict[str, float]] = {f"{o} off {g} B": 0.0 for o in "AB" for g in (pitch, pitch // 2)}
    per_tile: dict[str, dict[str, float]] = {}
    for (m, n), label, residency in zip(sides, tiles, held, strict=True):
        mainloop = 2.0 * m * n * step / 5e12
        per_tile[label] = {f"B off {pitch} B": float(rng.uniform(0.05, 0.15)) * mainloop}
        if null:
            gone = [
                *held_costs("wave", residency),
                *held_costs("step", residency),
                f"B off {pitch} B",
                "masked wave",
            ]
            per_tile[label] = dict.fromkeys([*gone, "masked step", "missing step"], 0.0)
            per_tile[label]["work-group step"] = mainloop / cores
    if null:
        costs |= {"waiting byte": 0.0, "spilt byte": 0.0, "atom padding": 0.0}
    plan = planted_cube(
        truth,
        tiles,
        axes(rng),
        device=record,
        theta={**costs, **per_tile},
        lack_of_fit=float(rng.uniform(0.01, 0.03)),
        noise=0.003,
        seed=number,
    )
    return plan, tiles


def truths(plan: Planted, label: str, null: bool) -> dict[str, float | None]:
    """Return the constants of one tile; ``None`` where there is nothing to find."""
    known, truth, tile = plan.costs(label), plan.hardware, Tile.labelled(label)
    residency = truth.residency_of(label)
    full = sum(count * known[name] for name, count in held_costs("step", residency).items())
    full += truth.cores * residency * known["work-group step"]
    true: dict[str, float | None] = {
        "cores": truth.cores,
        "residency": residency,
        "cache_spill_bytes": truth.cache_bytes,
        "k_granularity": tile.k,
        "row_pitch_b_bytes": truth.line_bytes,
        "channels": truth.channels,
        "interleave_bytes": truth.interleave_bytes,
        "base_overhead_s": known["launch"],
        "core_rate_flop_per_s": 2.0 * tile.m * tile.n * tile.k * residency / full,
    }
    return {name: None for name in true if name != "base_overhead_s"} if null else true


def shares_of(number: int) -> list[Outcome]:
    """Attribute the roughness of one planted landscape, before and after tiles are chosen, and compare."""
    plan, tiles = landscape(number, False)
    fit = AdditiveModel(draws=100, seed=number).fit(plan.cube)
    told = landscape_of(plan.cube)
    found = []
    for stage in (FixedTile(Tile.labelled(tiles[0])), BestTile()):
        result = stage.apply(told)
        known = attribute(stage, result, ModelLandscapes(told, true_model(plan, fit))).shares
        both = [attribute(stage, result, ModelLandscapes(told, model)).shares for model in (fit, keeping(fit))]
        for name, share in both[0].items():
            if share.lower is None or share.upper is None:
                continue
            kept = both[1].get(name, Share(0.0, 0.0, 0.0))
            ends = tuple(0.0 if end is None else end for end in (kept.lower, kept.upper))
            truth = known[name].share if name in known else 0.0
            found.append(
                Outcome(f"{COST}{name}", truth, share.share, (share.lower, share.upper), "interval", True, ends)
            )
    return found


def keeping(fit: FitResult) -> FitResult:
    """Return a fit without the model of all terms: intervals keep its choices."""
    return replace(fit, tiles={label: replace(tile, all_terms=None) for label, tile in fit.tiles.items()})


def costs_of(plan: Planted, fit: FitResult, label: str, first: bool) -> list[Outcome]:
    """Compare the costs of one tile, under the names of their terms; the launch, which tiles share, once."""
    tile = fit.tiles[label]
    ends = np.percentile(tile.draws, [2.5, 97.5], axis=0, method="weibull").T
    found = []
    for estimate, truth, own in zip(tile.estimates, true_coefficients(plan, fit, label), ends, strict=True):
        if np.isnan(truth) or estimate.lower is None or estimate.upper is None:
            continue
        if first or estimate.name != "launch":
            interval = (estimate.lower, estimate.upper)
            name = f"{COST}{estimate.term}"
            found.append(
                Outcome(name, truth, estimate.estimate, interval, "interval", True, tuple(map(float, own)))
            )
    return found


def held_costs(kind: str, residency: int) -> dict[str, int]:
    """Coefficients of a wave or of its step, and how often a wave of full cores has each."""
    if residency == 1:
        return {"wave" if kind == "wave" else "wave step": 1}
    return {f"{kind}, {name}": int(held[-1]) for name, held in fill_levels(residency).items()}


def outcomes(constants: object, truth: dict[str, float | None], first: bool) -> list[Outcome]:
    """Compare the constants of one tile; those of the whole device are counted once."""
    shared = {"cores", "cache_spill_bytes", "k_granularity", "row_pitch_b_bytes", "channels", "interleave_bytes"}
    assert isinstance(constants, dict)
    return [
        Outcome(name, value, c.estimate, c.values, c.kind, c.identified)
        for name, value in truth.items()
        if (c := constants.get(name)) is not None and (first or name not in {*shared, "base_overhead_s"})
    ]


def random_chip(rng: np.random.Generator) -> Chip:
    """Draw a chip like the simulated B580, but of other cores, channels, caches and lines."""
    changes = {
        "cores": int(rng.integers(8, 41)),
        "channels": int(rng.choice([4, 6, 8, 12])),
        "interleave_bytes": int(rng.choice([128, 256, 512])),
        "cache_bytes": float(rng.uniform(6e6, 18e6)),
        "line_bytes": int(rng.choice([32, 64, 128])),
    }
    return B580.replaced(changes)


def simulated(number: int) -> list[Outcome]:
    """Simulate a device of other numbers, measure a coarse grid and some shapes off it, fit and compare."""
    rng = np.random.default_rng((SEED, 1, number))
    twin = Twin(random_chip(rng), seed=number)
    coarse = np.arange(128, 4097, 128)
    grid = blind(twin.landscape(Grid(coarse, coarse, np.arange(512, 4097, 512)), repeats=3))
    base = rng.integers(3, 16, size=(24, 3)) * 256
    shapes = [base - [0, 64, 0]]
    shapes += [base - [0, 64, d] for d in (8, 16, 32, 64, 128)] + [base - [0, d, 0] for d in (72, 80, 96, 112, 128)]
    fine = off_grid(twin, np.concatenate(shapes))
    fit = AdditiveModel(draws=100, seed=number).fit(grid, [fine])
    found = []
    for tile in twin.tiles:
        kernel, chip = twin.chip.kernels[tile], twin.chip.numbers
        # Costs of a wave are those of an average core (models/list_scheduling.py).
        average = 1.0 - chip.core_spread / 2.0
        rate = chip.engines * chip.flop_per_cycle * chip.clock_hz * kernel.efficiency * average
        true: dict[str, float | None] = {
            "cores": chip.cores,
            "residency": twin.residents(tile),
            "cache_spill_bytes": chip.cache_bytes,
            "k_granularity": tile.k,
            "row_pitch_b_bytes": chip.line_bytes,
            "channels": chip.channels,
            "interleave_bytes": chip.interleave_bytes,
            "base_overhead_s": chip.base_s,
            "core_rate_flop_per_s": rate,
        }
        found += outcomes(fit.tiles[tile.name].constants, true, tile == twin.tiles[0])
    return found


def off_grid(twin: Twin, shapes: np.ndarray) -> xr.Dataset:
    """Time the shapes, shape (n, 3), for all tiles."""
    times = [twin.measure(*shapes.T, tile) for tile in twin.tiles]
    tiles = [tile for tile in twin.tiles for _ in shapes]
    every = np.tile(shapes, (len(twin.tiles), 1))
    return blind(sparse_cube(np.concatenate(times), every, tiles, twin.device, attrs=twin.attributes()))


def blind(cube: xr.Dataset) -> xr.Dataset:
    """Leave open in the record of a cube what is to be found in the timings."""
    record = device_of(cube)
    asked = ("cores", "memory_channels", "channel_interleave_bytes")
    kept = {name: source for name, source in record.sources.items() if name not in asked}
    unknown = replace(record, sources=kept, cores=None, memory_channels=None, channel_interleave_bytes=None)
    return cube.assign_attrs(device=unknown.to_json())


def table(rows: Iterable[list[Outcome]], null: bool = False) -> None:
    """Print one line a constant."""
    out = sys.stdout.write
    every = [outcome for row in rows for outcome in row]
    if null:
        out("| constant | asked | nothing claimed |\n|---|---:|---:|\n")
    else:
        out("| constant | asked | identified | in the set, where identified | estimate is true | size of set |\n")
        out("|---|---:|---:|---:|---:|---:|\n")
    for name in NAMES:
        asked = [o for o in every if o.name == name and (o.truth is None) == null]
        if not asked:
            continue
        told = [o for o in asked if o.identified]
        if null:
            out(f"| {name} | {len(asked)} | {share(len(asked) - len(told), len(asked))} |\n")
            continue
        exact = sum(o.kind == "set" and o.truth == o.estimate for o in told)
        discrete = asked[0].kind == "set"
        size = np.mean([len(o.values) for o in told]) if told else np.nan
        out(f"| {name} | {len(asked)} | {share(len(told), len(asked))} ")
        out(f"| {share(sum(o.covers for o in told), len(told))} ")
        sized = f"{size:.1f}" if told else "-"
        out(f"| {share(exact, len(told)) if discrete else '-'} | {sized if discrete else 'interval'} |\n")


def costs(rows: Iterable[list[Outcome]], what: str) -> None:
    """Print one line a term, its costs together, or one line a mechanism."""
    out = sys.stdout.write
    every = [outcome for row in rows for outcome in row if outcome.name.startswith(COST)]
    out(f"\n{what}:\n\n")
    out("| | asked | in the interval | in that of draws that keep the choices of the fit |\n|---|---:|---:|---:|\n")
    for name in [*sorted({outcome.name for outcome in every}), ""]:
        asked = [outcome for outcome in every if outcome.name.startswith(name)]
        told, own = (sum(found) for found in zip(*((o.covers, o.within(o.own)) for o in asked), strict=True))
        title = name.removeprefix(COST) or "**all**"
        out(f"| {title} | {len(asked)} | {share(told, len(asked))} | {share(own, len(asked))} |\n")


def share(count: int, of: int) -> str:
    """Per cent with two standard errors."""
    if of == 0:
        return "-"
    rate = count / of
    return f"{100 * rate:.1f} % (2 se {200 * np.sqrt(rate * (1 - rate) / of):.1f})"


def main() -> None:
    """Run the studies and print them."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--draws",
        type=int,
        default=500,
        help="planted; a fifth as many for shares, half as many nulls, a tenth as many twins",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    options = parser.parse_args()
    out = sys.stdout.write
    out("# How often the sets of hardware constants hold the truth\n\n")
    out(f"{options.draws} planted landscapes, seed {SEED}, {os.cpu_count()} cores. ")
    out("Sets and intervals are nominally of 95 %; tests for an effect of 1 %.\n")
    studies: dict[str, tuple[str, Callable[[int], list[Outcome]], int, bool]] = {
        "planted": ("Planted landscapes", planted, options.draws, False),
        "shares": ("Shares of the roughness of planted landscapes", shares_of, max(1, options.draws // 5), False),
        "null": ("Nothing to find", partial(planted, null=True), max(1, options.draws // 2), True),
        "simulated": ("Simulated devices (event-level twins)", simulated, max(1, options.draws // 10), False),
    }
    with ProcessPoolExecutor(options.workers) as pool:
        for title, study, count, null in (studies[name] for name in STUDIES if name in options.studies):
            out(f"\n## {title}: {count}\n\n")
            if study is simulated:
                out(GRADUAL)
            rows = list(pool.map(study, range(count)))
            if study is shares_of:
                costs(rows, "Along N at the largest K, of the first tile and of the best tile")
                continue
            table(rows, null)
            if study is planted:
                costs(rows, "Costs of the chosen terms, all coefficients of all tiles")


if __name__ == "__main__":
    main()
