"""Print the model's attribution beside the simulated truth: ``python docs/twin_truth.py > docs/twin_truth.md``.

In the simulator a mechanism can be switched off for real, which no device allows. The model is fitted to one
simulated cube with all mechanisms on, and sees no other. What the terms put in place of a mechanism that is off was
worked out on simulated chips with other numbers (12 to 40 cores, other edges and overheads), not on this one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from attrib.analysis import landscape_of
from attrib.attribution import FLOOR, UNEXPLAINED, Attribution, ModelLandscapes, attribute_stages, stage_times
from attrib.landscape import Landscape
from attrib.roughness import slice_roughness
from attrib.shapley import coalitions, shapley_values
from attrib.stages import BestTile, FixedTile, Pad, Split, Stage
from harness.grid import Grid
from harness.twin import MECHANISMS, Twin
from models.additive import AdditiveModel
from models.design import ALL_MECHANISMS
from models.result import FitResult

GRID = "128:4096:128"
UNSEEN = ("pipeline fill", "atom remainder", "row pitch")
"""Mechanisms that the models know too, but cannot see on this grid."""

PLAYERS = tuple(name for name in MECHANISMS if name in ALL_MECHANISMS and name not in UNSEEN)
ELSEWHERE = {
    "pipeline fill": "zero on this grid (K has three steps or more), so not identifiable",
    "atom remainder": "zero on this grid, so not identifiable",
    "row pitch": "zero on this grid, so not identifiable",
    "thread latency": "no term; the costs of residents hold it",
    "core spread": "no mechanism; profiled, it rounds the steps between waves",
    "memory traffic": "a term, its own smooth counterpart",
    "cache spill": "a term, its own smooth counterpart",
    "raster and swizzle": "no term",
}
"""What the models have of the other mechanisms of the twin."""

ALLOWED = 0.05
"""Distance of a share from the true one, as a part of the stage's roughness, that is looked for."""


def stages_of(landscape: Landscape) -> tuple[Stage, ...]:
    """The stages compared: the best of all tiles with what follows it, and every tile alone."""
    best = BestTile()
    fixed = [FixedTile(tile) for tile in landscape.tiles]
    return (fixed[0], best, Pad(best), Split(best), Split(Pad(best)), *fixed[1:])


def true_roughness(landscape: Landscape, stages: Sequence[Stage], off: frozenset[str]) -> NDArray[np.float64]:
    """Roughness of each stage along N, in the simulated slice at the largest K, TFLOP/s per step."""
    twin = Twin(off=off)
    M, N, K = np.ix_(landscape.M, landscape.N, landscape.K)
    times = np.stack([twin.seconds(M, N, K, tile) for tile in landscape.tiles])[np.newaxis]
    found = []
    for stage in stages:
        rate = 2e-12 * M * N * K[..., -1:] / stage_times(stage, landscape, times)[0][..., -1:]
        found.append(float(slice_roughness(rate, "N")))
    return np.array(found)


def main() -> None:
    """Fit and attribute, then switch mechanisms off one by one and in all coalitions."""
    cube = Twin().landscape(Grid.parse(GRID))
    landscape = landscape_of(cube)
    fit = AdditiveModel().fit(cube)
    stages = stages_of(landscape)
    played = [(stage, stage.apply(landscape)) for stage in stages]
    told = [
        found.quantities["slice_N"]
        for found in attribute_stages(played, ModelLandscapes(landscape, fit), ("slice_N",))
    ]
    worth = np.array(
        [
            true_roughness(landscape, stages, frozenset(np.array(PLAYERS)[~inside].tolist()))
            for inside in coalitions(len(PLAYERS))
        ]
    )
    alone = {name: worth[-1] - true_roughness(landscape, stages, frozenset({name})) for name in MECHANISMS}
    values = shapley_values(worth)
    print_head(fit, landscape)
    print_distances(told, worth, values)
    for index, attribution in enumerate(told):
        print_stage(attribution, worth[:, index], values[:, index], {n: float(a[index]) for n, a in alone.items()})
    print_others({name: float(part[0]) for name, part in alone.items()})


def print_head(fit: FitResult, landscape: Landscape) -> None:
    """Say what is compared, and what the fit found of cores and residencies."""
    out = sys.stdout.write
    out("# What the model says of the twin, and what is true\n\n")
    out("Everything here is simulated, without noise (`harness/twin/b580.toml`). Roughness is along N, in the ")
    out("slice at K = 4096, in TFLOP/s per step of 128. The twin ran under each of ")
    out(f"{2 ** len(PLAYERS)} coalitions of the {len(PLAYERS)} mechanisms that the models know too and this grid ")
    out("shows; its others stayed on.\n\n")
    out("- off alone: what the roughness loses when this mechanism alone is switched off in the simulator\n")
    out("- true share: its Shapley value, from the simulator\n")
    out("- model: its Shapley value, as `attrib attribute` reports it, from a fit to the one cube with all on,\n")
    out("  with its 95 % interval (of the coefficients alone: it does not hold what the model's form gets wrong)\n")
    out("\n| tile | cores x resident, found | true | sum or overlap | held-out error |\n|---|---|---|---|---:|\n")
    for tile in landscape.tiles:
        found = fit.tiles[tile.name]
        cores, held = (found.constants[name].estimate or 0.0 for name in ("cores", "residency"))
        out(f"| {tile.name} | {cores:.0f} x {held:.0f} | {Twin().chip.numbers.cores} x {Twin().residents(tile)} ")
        out(f"| {'overlap' if found.overlap else 'sum'} | {100 * found.mape:.1f} % |\n")
    constants = fit.tiles[landscape.tiles[0].name].constants["cores"]
    out(f"\nConfidence set of the cores: {', '.join(f'{c:.0f}' for c in constants.values)}.\n")


def print_distances(told: Sequence[Attribution], worth: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Print, for each stage, how far the shares are from the true ones and whether they rank alike."""
    out = sys.stdout.write
    out(f"\n## All stages\n\nDistances as parts of the stage's roughness; looked for: {ALLOWED:.0%} at most, ")
    out("and the shares above it in their true order.\n\n")
    out("| stage | roughness | largest distance | of | in true order |\n|---|---:|---:|---|---|\n")
    for index, attribution in enumerate(told):
        true = dict(zip(PLAYERS, values[:, index].tolist(), strict=True))
        total = float(worth[-1, index])
        apart = {name: abs(_told(attribution, name) - share) / total for name, share in true.items()}
        worst = max(apart, key=lambda name: apart[name])
        large = [name for name in PLAYERS if abs(true[name]) > ALLOWED * total]
        ranked = sorted(large, key=lambda name: true[name]) == sorted(large, key=lambda n: _told(attribution, n))
        out(f"| {attribution.stage} | {total:.2f} | {apart[worst]:.1%} | {worst} | {'yes' if ranked else 'no'} |\n")


def _told(attribution: Attribution, name: str) -> float:
    return attribution.shares[name].share if name in attribution.shares else 0.0


def print_stage(
    told: Attribution, worth: NDArray[np.float64], values: NDArray[np.float64], alone: Mapping[str, float]
) -> None:
    """Print the table of one stage."""
    out = sys.stdout.write
    out(f"\n## {told.stage}\n\n| | off alone | true share | model | interval |\n|---|---:|---:|---:|---|\n")
    for name, true in zip(PLAYERS, values, strict=True):
        share = told.shares.get(name)
        said = "not in the model | " if share is None else f"{share.share:+.2f} | "
        if share is not None and share.lower is not None and share.upper is not None:
            said += f"{share.lower:+.2f} to {share.upper:+.2f}"
        out(f"| {name} | {alone[name]:+.2f} | {true:+.2f} | {said} |\n")
    out(f"| without these (floor) | | {worth[0]:+.2f} | {told.shares[FLOOR].share:+.2f} | |\n")
    out(f"| unexplained | | | {told.shares[UNEXPLAINED].share:+.2f} | |\n")
    out(f"| together | | {worth[-1]:+.2f} | {sum(part.share for part in told.shares.values()):+.2f} | |\n")
    out(f"\nCorrelation of steps {told.step_correlation:.3f}.\n")


def print_others(alone: Mapping[str, float]) -> None:
    """Print what the twin has beside the mechanisms that are compared, on the first stage."""
    out = sys.stdout.write
    out("\n## Other mechanisms of the twin, first stage\n\n")
    out("| mechanism | off alone | in the models |\n|---|---:|---|\n")
    for name, what in ELSEWHERE.items():
        out(f"| {name} | {alone[name]:+.2f} | {what} |\n")


if __name__ == "__main__":
    main()
