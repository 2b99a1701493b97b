"""The whole analysis of a cube: fit, stages, attribution; what applies is done, what does not says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.attribution import Attribution, ModelLandscapes, attribute
from attrib.ideal import ideal_throughput
from attrib.landscape import Landscape
from attrib.measurement_noise import relative_error_of, stage_error
from attrib.optimal import optimal_throughput
from attrib.optimality import KernelOptimality, kernel_optimality
from attrib.periods import PeriodFinding, survey_periods
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
    element_bytes_of,
    is_dense,
    output_bytes_of,
    throughput,
    tiles_of,
)
from harness.device import DeviceRecord
from harness.errors import DeviceError, NotApplicableError
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
    removable : mapping of str to float
        Roughness along N in the slice (TFLOP/s per step) that each later stage takes away; negative where a
        later stage is faster but rougher.
    result : StageResult or None
        Times and decisions.
    note : str
        What was left out and why.
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
        Seed of folds and bootstrap.
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
    ideal, optimal = _references(landscape, dense, device, fit, skipped)
    stages = _grid_stages(landscape, dense, device, fit, optimal, tile, skipped, say)
    say("periods")
    found = survey_periods(dense, seed=seed)
    return Analysis(dense, device, fit, landscape, stages, ideal, optimal, tuple(skipped), found)


def landscape_of(cube: xr.Dataset) -> Landscape:
    """Times of a dense cube as bare arrays, NaN where the status is not ok."""
    time = np.where(cube["status"].values == STATUS["ok"], cube["time"].values, np.nan)
    return Landscape(time, tiles_of(cube), cube["M"].values, cube["N"].values, cube["K"].values)


def _references(
    landscape: Landscape, cube: xr.Dataset, device: DeviceRecord, fit: FitResult, skipped: list[Skipped]
) -> tuple[Array | None, Array | None]:
    """Ideal and optimal landscapes from the device record and the counted cores."""
    known = tuple(tile for tile in landscape.tiles if not tile.hidden)
    counted = [item.constants["cores"] for item in fit.tiles.values() if "cores" in item.constants]
    cores = next((int(c.estimate) for c in counted if c.status == "identified" and c.estimate), device.cores)
    if not known or cores is None:
        why = (
            "every tile is hidden"
            if not known
            else "the device record leaves the cores open and these timings do not count them"
        )
        skipped.append(Skipped("ideal and optimal landscapes, tau, rho and level", why))
        return None, None
    rows, columns, depth = np.ix_(landscape.M, landscape.N, landscape.K)
    try:
        peak = device.peak(str(cube.attrs["dtype"]))
        bandwidth = device.number("bandwidth_bytes_per_s")
    except DeviceError as error:
        skipped.append(Skipped("ideal and optimal landscapes, tau, rho and level", str(error)))
        return None, None
    ideal = ideal_throughput(rows, columns, depth, peak_flops_per_s=peak, cores=cores, tile=default_tile(known))
    channels, interleave = device.memory_channels, device.channel_interleave_bytes
    if channels is None or interleave is None:
        # One channel of any interleave is no hash at all.
        channels, interleave = 1, 256
        skipped.append(
            Skipped("channel hash in the optimal landscape", "the device record leaves channels or interleave open")
        )
    optimal = optimal_throughput(
        rows,
        columns,
        depth,
        peak_flops_per_s=peak,
        cores=cores,
        bandwidth_bytes_per_s=bandwidth,
        tiles=known,
        channels=channels,
        interleave_bytes=interleave,
        input_bytes=element_bytes_of(cube),
        output_bytes=output_bytes_of(cube),
    )
    return np.broadcast_to(ideal, landscape.shape), np.broadcast_to(optimal, landscape.shape)


def _grid_stages(
    landscape: Landscape,
    cube: xr.Dataset,
    device: DeviceRecord,
    fit: FitResult,
    optimal: Array | None,
    tile: Tile | None,
    skipped: list[Skipped],
    say: Progress,
) -> tuple[StageReport, ...]:
    fixed = tile or default_tile(landscape.tiles)
    ladder = list(standard_stages(landscape, fixed))
    ladder += [FixedTile(other) for other in landscape.tiles if other != fixed]
    models = ModelLandscapes(landscape, fit)
    errors = relative_error_of(cube)
    irregular = [axis for axis in "MNK" if uniform_step(landscape.axis(axis)) is None]
    reports: list[StageReport] = []
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
        rate = landscape.throughput(result.time)
        in_slice = not np.isnan(rate[..., -1]).all()
        note, attribution = "", None
        try:
            attribution = attribute(stage, result, models, stage_error(stage, result, landscape, errors))
        except NotApplicableError as error:
            note = str(error)
        grade = None
        if optimal is not None and in_slice:
            grade = kernel_optimality(
                rate[..., -1:], optimal[..., -1:], peak_flops_per_s=device.peak(str(cube.attrs["dtype"]))
            )
        reports.append(
            StageReport(
                stage.name,
                float(np.nanmean(rate)),
                float(np.nanmax(rate)),
                float(np.nanmean(rate[..., -1])) if in_slice else None,
                roughness(rate),
                grade,
                attribution,
                {},
                result,
                note,
            )
        )
    if irregular:
        skipped.append(
            Skipped(
                "comparison of roughness between axes",
                f"the steps of {', '.join(irregular)} are uneven: roughness is per step of this grid",
            )
        )
    return _with_removable(reports, ladder)


def _with_removable(reports: list[StageReport], ladder: Sequence[Stage]) -> tuple[StageReport, ...]:
    """Add what each later stage takes away, going from a stage to the full stack one step at a time."""
    by_name = {report.name: report for report in reports}
    out = []
    for report in reports:
        stage = next(stage for stage in ladder if stage.name == report.name)
        removable: dict[str, float] = {}
        current = report
        for following in later_stages(stage, several=BestTile().name in by_name):
            after = by_name.get(following.name)
            if after is None or after.roughness is None or current.roughness is None:
                continue
            if after.roughness.slice_N is None or current.roughness.slice_N is None:
                continue
            removable[after.name] = current.roughness.slice_N - after.roughness.slice_N
            current = after
        out.append(StageReport(**{**report.__dict__, "removable": removable}))
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
