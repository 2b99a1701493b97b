"""The whole analysis of a cube: fit, stages, attribution; what applies is done, what does not says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.attribution import (
    ActorView,
    Attribution,
    ModelLandscapes,
    StageAttribution,
    VarianceShares,
    attribute_stages,
    by_actor,
    time_variance,
)
from attrib.landscape import Landscape
from attrib.measurement_noise import relative_error_of
from attrib.optimality import KernelOptimality, kernel_optimality
from attrib.periods import PeriodFinding, survey_periods
from attrib.references import reference_landscapes
from attrib.roughness import Roughness, roughness
from attrib.stages import (
    BestTile,
    FixedTile,
    Pad,
    Split,
    Stage,
    StageResult,
    default_tile,
    pad_samples,
    standard_stages,
)
from harness.cube import (
    STATUS,
    densify,
    device_of,
    is_dense,
    throughput,
    tiles_of,
)
from harness.device import DeviceRecord
from harness.errors import NotApplicableError
from harness.grid import uniform_step
from harness.tile import Tile
from models.additive import AdditiveModel
from models.reasons import NO_GAIN
from models.result import FitResult
from models.terms import ALL_TERMS

Array = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class StageReport:
    """One optimizer stage on the measured landscape.

    Attributes
    ----------
    name : str
    mean_tflops, peak_tflops : float
        Over all shapes, TFLOP/s.
    slice_mean_tflops : float or None
        Over the slice at the largest K.
    roughness : Roughness or None
        TFLOP/s per step; ``None`` where the samples form no grid.
    optimality : KernelOptimality or None
        Against the optimal landscape, on the slice at the largest K.
    attribution : Attribution or None
        Of the roughness along N in the slice at the largest K.
    removable : mapping of str to float
        Roughness along N in the slice (TFLOP/s per step) that each later stage takes away; negative where a
        later stage is faster but rougher.
    result : StageResult or None
        Times and decisions.
    note : str
        What was left out and why.
    attributions : mapping of str to Attribution
        Of every quantity (:data:`attrib.attribution.QUANTITIES`) that could be attributed.
    actors : mapping of str to ActorView
        The same quantities by who can act on them, where all later stages could be attributed too.
    variance : VarianceShares or None
        Of a stage that is one tile alone: how much of the variance of its time each term explains.
    """

    name: str
    mean_tflops: float
    peak_tflops: float
    slice_mean_tflops: float | None
    roughness: Roughness | None
    optimality: KernelOptimality | None
    attribution: Attribution | None
    removable: Mapping[str, float]
    result: StageResult | None
    note: str = ""
    attributions: Mapping[str, Attribution] = field(default_factory=dict)
    actors: Mapping[str, ActorView] = field(default_factory=dict)
    variance: VarianceShares | None = None


@dataclass(frozen=True)
class Skipped:
    """A part of the analysis that does not apply to this cube, and why."""

    part: str
    reason: str


@dataclass(frozen=True)
class Analysis:
    """Everything a report shows.

    Attributes
    ----------
    cube : xarray.Dataset
    device : DeviceRecord
    fit : FitResult
    landscape : Landscape or None
        The grid, where the samples form one.
    stages : tuple of StageReport
    ideal, optimal : ndarray of shape (M, N, K), or None
        Reference landscapes, TFLOP/s.
    skipped : tuple of Skipped
    periods : tuple of PeriodFinding
        Of every tile along every axis, on few lines.
    """

    cube: xr.Dataset
    device: DeviceRecord
    fit: FitResult
    landscape: Landscape | None
    stages: tuple[StageReport, ...]
    ideal: Array | None
    optimal: Array | None
    skipped: tuple[Skipped, ...]
    periods: tuple[PeriodFinding, ...] = ()

    def stage(self, name: str) -> StageReport:
        """Return the stage of this name."""
        return next(stage for stage in self.stages if stage.name == name)


def analyse(
    cube: xr.Dataset,
    *,
    also: Sequence[xr.Dataset] = (),
    fit: FitResult | None = None,
    tile: Tile | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Analysis:
    """Fit a cube, send it through all stages and attribute their roughness.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube.
    also : sequence of xarray.Dataset
        More cubes of the same kernels that the fit may learn from.
    fit : FitResult, optional
        A model fitted before; by default one is fitted.
    tile : Tile, optional
        The fixed tile of the first stage; by default the largest.
    seed : int
        Seed of folds and draws.
    progress : callable, optional
        Called with a few words when a step begins.
    """
    say = progress or (lambda _: None)
    device = device_of(cube)
    if fit is None:
        fit = AdditiveModel(seed=seed).fit(cube, also, progress=say)
    dense = cube if is_dense(cube) else densify(cube)
    skipped: list[Skipped] = [
        Skipped(f"tile {label}", f"only {count} samples: too few to fit") for label, count in fit.too_few.items()
    ]
    for label, item in fit.tiles.items():
        for term, reason in item.left_out.items():
            by_design = next(t for t in ALL_TERMS if t.name == term).hidden_only
            if reason != NO_GAIN and not by_design:
                skipped.append(Skipped(f"term {term} of tile {label}", reason))
    if dense is None:
        reason = "the samples form no grid"
        skipped += [
            Skipped("roughness, ideal and optimal landscapes, attribution", reason),
            Skipped("stage split", "parts of a shape need times of their own: " + reason),
        ]
        say("stages")
        sampled = _sample_stages(cube, skipped)
        say("periods")
        found = survey_periods(cube, seed=seed)
        return Analysis(cube, device, fit, None, sampled, None, None, tuple(skipped), found)
    landscape = landscape_of(dense)
    ideal, optimal, without = reference_landscapes(landscape, dense, device, fit)
    skipped += [Skipped(part, reason) for part, reason in without]
    stages = _grid_stages(landscape, dense, device, fit, (ideal, optimal), tile, skipped, say)
    say("periods")
    found = survey_periods(dense, seed=seed)
    return Analysis(dense, device, fit, landscape, stages, ideal, optimal, tuple(skipped), found)


def landscape_of(cube: xr.Dataset) -> Landscape:
    """Times of a dense cube as bare arrays, NaN where the status is not ok."""
    time = np.where(cube["status"].values == STATUS["ok"], cube["time"].values, np.nan)
    return Landscape(time, tiles_of(cube), cube["M"].values, cube["N"].values, cube["K"].values)


def _grid_stages(
    landscape: Landscape,
    cube: xr.Dataset,
    device: DeviceRecord,
    fit: FitResult,
    references: tuple[Array | None, Array | None],
    tile: Tile | None,
    skipped: list[Skipped],
    say: Progress,
) -> tuple[StageReport, ...]:
    fixed = tile or default_tile(landscape.tiles)
    ladder = list(standard_stages(landscape, fixed))
    ladder += [FixedTile(other) for other in landscape.tiles if other != fixed]
    ideal, optimal = references
    applied: list[tuple[Stage, StageResult]] = []
    for stage in ladder:
        say(f"stage {stage.name}")
        try:
            result = stage.apply(landscape)
        except NotApplicableError as error:
            skipped.append(Skipped(f"stage {stage.name}", str(error)))
            continue
        if np.isnan(result.time).all():
            skipped.append(Skipped(f"stage {stage.name}", "none of its shapes was measured"))
            continue
        applied.append((stage, result))
    say("attributing")
    models = ModelLandscapes(landscape, fit)
    shared = attribute_stages(applied, models, errors=relative_error_of(cube), ideal=ideal)
    variance = time_variance(fit, cube)
    reports = []
    for (stage, result), parts in zip(applied, shared, strict=True):
        report = _stage_report(stage, result, parts, landscape, optimal, device.peak, str(cube.attrs["dtype"]))
        if isinstance(stage, FixedTile):
            report = replace(report, variance=variance.get(stage.tile.name))
        reports.append(report)
    irregular = [axis for axis in "MNK" if uniform_step(landscape.axis(axis)) is None]
    if irregular:
        skipped.append(
            Skipped(
                "comparison of roughness between axes",
                f"the steps of {', '.join(irregular)} are uneven: roughness is per step of this grid",
            )
        )
    return _with_removable(reports, [stage for stage, _ in applied])


def _stage_report(
    stage: Stage,
    result: StageResult,
    shared: StageAttribution,
    landscape: Landscape,
    optimal: Array | None,
    peak: Callable[[str], float],
    dtype: str,
) -> StageReport:
    rate = landscape.throughput(result.time)
    in_slice = not np.isnan(rate[..., -1]).all()
    grade = None
    if optimal is not None and in_slice:
        grade = kernel_optimality(rate[..., -1:], optimal[..., -1:], peak_flops_per_s=peak(dtype))
    return StageReport(
        stage.name,
        float(np.nanmean(rate)),
        float(np.nanmax(rate)),
        float(np.nanmean(rate[..., -1])) if in_slice else None,
        roughness(rate),
        grade,
        shared.quantities.get("slice_N"),
        {},
        result,
        shared.missing.get("slice_N", ""),
        shared.quantities,
    )


def _with_removable(reports: list[StageReport], ladder: Sequence[Stage]) -> tuple[StageReport, ...]:
    """Add what each later stage takes away, going from a stage to the full stack one step at a time."""
    by_name = {report.name: report for report in reports}
    out = []
    for report, stage in zip(reports, ladder, strict=True):
        removable: dict[str, float] = {}
        current = report
        names = [later.name for later in later_stages(stage, several=BestTile().name in by_name)]
        later = [by_name[name] for name in names if name in by_name]
        for after in later:
            if after.roughness is None or current.roughness is None:
                continue
            if after.roughness.slice_N is None or current.roughness.slice_N is None:
                continue
            removable[after.name] = current.roughness.slice_N - after.roughness.slice_N
            current = after
        actors = {
            key: by_actor(here, [after.attributions[key] for after in later])
            for key, here in report.attributions.items()
            if all(key in after.attributions for after in later)
        }
        out.append(replace(report, removable=removable, actors=actors))
    return tuple(out)


def later_stages(stage: Stage, several: bool = True) -> tuple[Stage, ...]:
    """Return the stages still to come: a choice of tiles first, then padding, then splitting.

    With one kernel there is no choice of tiles: padding and splitting come on top of it. A library's hidden tile
    beside other kernels is no step towards their stack.
    """
    base = stage
    while isinstance(base, Pad | Split):
        base = base.base
    if not several:
        alone: tuple[Stage, ...] = (base, Pad(base), Split(Pad(base)))
        if stage in alone:
            return alone[alone.index(stage) + 1 :]
        return alone[2:]
    best = BestTile()
    stack: tuple[Stage, ...] = (best, Pad(best), Split(Pad(best)))
    if isinstance(base, FixedTile) and base.tile.hidden:
        return ()
    if isinstance(stage, FixedTile):
        return stack
    if stage in stack:
        return stack[stack.index(stage) + 1 :]
    return stack[1:] if isinstance(stage, Pad) else stack[2:]


def _sample_stages(cube: xr.Dataset, skipped: list[Skipped]) -> tuple[StageReport, ...]:
    """Stages that need no grid: each tile as it is, and padding to the measured shapes that contain one."""
    reports = []
    ok = cube["status"].values == STATUS["ok"]
    rate = throughput(cube.assign(time=cube["time"].where(ok))).values
    names = cube["tile"].values.astype(str)
    for tile in tiles_of(cube):
        rows = np.flatnonzero(ok & (names == tile.name))
        if rows.size == 0:
            continue
        m, n, k = (cube[axis].values[rows] for axis in "MNK")
        padded, _ = pad_samples(m, n, k, cube["time"].values[rows])
        better = rate[rows] * cube["time"].values[rows] / padded
        for name, values in ((f"fixed {tile.name}", rate[rows]), (f"fixed {tile.name} + pad", better)):
            reports.append(
                StageReport(
                    name,
                    float(values.mean()),
                    float(values.max()),
                    None,
                    None,
                    None,
                    None,
                    {},
                    None,
                    "over the measured samples",
                )
            )
    if len(tiles_of(cube)) < 2:
        skipped.append(Skipped("stage best tile", "there is one kernel to choose from"))
    else:
        skipped.append(Skipped("stage best tile", "tiles were not measured on a common grid"))
    return tuple(reports)
