"""Print the model's attribution beside the simulated truth: ``python docs/twin_truth.py > docs/twin_truth.md``.

In the simulator a mechanism can be switched off for real, which no device allows. The model is fitted to one
simulated cube with all mechanisms on, and sees no other. Nothing of it was chosen to match this table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attrib.analysis import landscape_of
from attrib.attribution import FLOOR, UNEXPLAINED, Attribution, ModelLandscapes, attribute, stage_times
from attrib.landscape import Landscape
from attrib.roughness import slice_roughness
from attrib.shapley import coalitions, shapley_values
from attrib.stages import BestTile, FixedTile, Stage
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
    "thread latency": "no term",
    "core spread": "no term",
    "memory traffic": "a term, its own smooth counterpart",
    "cache spill": "a term, its own smooth counterpart",
    "raster and swizzle": "no term",
}
"""What the models have of the other mechanisms of the twin."""


def true_roughness(landscape: Landscape, stages: Sequence[Stage], off: frozenset[str]) -> NDArray[np.float64]:
    """Roughness of each stage along N, in the simulated slice at the largest K, TFLOP/s per step."""
    twin = Twin(off=off)
    M, N, K = np.ix_(landscape.M, landscape.N, landscape.K[-1:])
    times = np.stack([twin.seconds(M, N, K, tile) for tile in landscape.tiles])
    rates = [2e-12 * M * N * K / stage_times(stage, landscape, times[np.newaxis])[0] for stage in stages]
    return np.array([float(slice_roughness(rate, "N")) for rate in rates])


def main() -> None:
    """Fit and attribute, then switch mechanisms off one by one and in all coalitions."""
    cube = Twin().landscape(Grid.parse(GRID))
    landscape = landscape_of(cube)
    fit = AdditiveModel().fit(cube)
    stages: list[Stage] = [FixedTile(landscape.tiles[0]), BestTile()]
    models = ModelLandscapes(landscape, fit)
    told = [attribute(stage, stage.apply(landscape), models) for stage in stages]
    worth = np.array(
        [
            true_roughness(landscape, stages, frozenset(np.array(PLAYERS)[~inside].tolist()))
            for inside in coalitions(len(PLAYERS))
        ]
    )
    alone = {name: worth[-1] - true_roughness(landscape, stages, frozenset({name})) for name in MECHANISMS}
    print_head(fit, landscape)
    values = shapley_values(worth)
    for index, attribution in enumerate(told):
        print_stage(attribution, worth[:, index], values[:, index], {n: float(a[index]) for n, a in alone.items()})


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
    out("- model: its Shapley value, as `attrib attribute` reports it, from a fit to the one cube with all on\n")
    out("\n| tile | cores x resident, found | true | held-out error |\n|---|---|---|---:|\n")
    for tile in landscape.tiles:
        found = fit.tiles[tile.name]
        cores, held = (found.constants[name].estimate or 0.0 for name in ("cores", "residency"))
        out(f"| {tile.name} | {cores:.0f} x {held:.0f} | {Twin().chip.numbers.cores} x {Twin().residents(tile)} ")
        out(f"| {100 * found.mape:.1f} % |\n")
    constants = fit.tiles[landscape.tiles[0].name].constants["cores"]
    out(f"\nCore counts that win 95 % of bootstrap draws: {', '.join(f'{c:.0f}' for c in constants.values)}.\n")


def print_stage(
    told: Attribution, worth: NDArray[np.float64], values: NDArray[np.float64], alone: dict[str, float]
) -> None:
    """Print the table of one stage."""
    out = sys.stdout.write
    out(f"\n## {told.stage}\n\n| | off alone | true share | model |\n|---|---:|---:|---:|\n")
    for name, true in zip(PLAYERS, values, strict=True):
        share = f"{told.shares[name].share:+.2f}" if name in told.shares else "not in the model"
        out(f"| {name} | {alone[name]:+.2f} | {true:+.2f} | {share} |\n")
    out(f"| without these (floor) | | {worth[0]:+.2f} | {told.shares[FLOOR].share:+.2f} |\n")
    out(f"| unexplained | | | {told.shares[UNEXPLAINED].share:+.2f} |\n")
    out(f"| together | | {worth[-1]:+.2f} | {sum(part.share for part in told.shares.values()):+.2f} |\n")
    apart = np.mean(
        [abs(told.shares[n].share - v) for n, v in zip(PLAYERS, values, strict=True) if n in told.shares]
    )
    out(f"\nMean distance of a model's share from the true one: {apart:.2f}, of a roughness of {worth[-1]:.2f}; ")
    out(f"correlation of steps {told.step_correlation:.3f}.\n\n")
    out("| other mechanism of the twin | off alone | in the models |\n|---|---:|---|\n")
    for name, what in ELSEWHERE.items():
        out(f"| {name} | {alone[name]:+.2f} | {what} |\n")


if __name__ == "__main__":
    main()
