"""Attribution: how much of a stage's roughness each mechanism causes.

The measured roughness R of a stage is split without remainder:

* a Shapley value per mechanism, where v(S) is the roughness of the model landscape with the mechanisms in S on
  and the others at their smooth counterparts, sent through the same stage;
* the smooth floor v(none): a smooth landscape still rises;
* the noise that finite repeats add to R;
* what is left: unexplained, R - noise - v(all).

A share can be negative: a launch cost, for one, damps the steps of small shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.landscape import Landscape
from attrib.roughness import noise_corrected_roughness, slice_roughness
from attrib.shapley import coalitions, shapley_values
from attrib.stages import BestTile, FixedTile, Pad, Split, Stage, StageResult, split_minimum, suffix_minimum
from harness.errors import NotApplicableError
from models.result import FitResult

Array = NDArray[np.float64]

FLOOR, UNEXPLAINED, NOISE = "smooth floor", "unexplained", "noise"

_MOST_LANDSCAPES = 6400
_MOST_WHOLE_LANDSCAPES = 1600
"""Model landscapes sent through a stage: bounds the bootstrap draws when mechanisms are many. A split needs
whole cubes, the other stages one slice."""

_FEW_DRAWS = 200

_BATCH_BYTES = 256 << 20


@dataclass(frozen=True)
class Share:
    """A part of a roughness, TFLOP/s per step, with its 95 % block-bootstrap interval where it has one."""

    share: float
    lower: float | None = None
    upper: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return share, lower and upper by name."""
        return {"share": self.share, "lower": self.lower, "upper": self.upper}


@dataclass(frozen=True)
class Attribution:
    """Where a stage's roughness along N, in the slice at the largest K, comes from.

    Attributes
    ----------
    stage : str
    roughness : float
        Measured, TFLOP/s per step.
    shares : mapping of str to Share
        Mechanisms, then the smooth floor, unexplained and noise; the shares add up to ``roughness``.
    model_roughness : float
        Roughness of the model landscape with all mechanisms on.
    step_correlation : float
        Correlation of measured and modelled steps; NaN where either is flat.
    step_error : float
        Mean |measured step - modelled step|, TFLOP/s per step: how well single steps are told, where
        ``unexplained`` is the net difference of two means.
    draws : int
        Bootstrap draws behind the intervals.
    """

    stage: str
    roughness: float
    shares: Mapping[str, Share]
    model_roughness: float
    step_correlation: float
    step_error: float
    draws: int


class ModelLandscapes:
    """Model times of every tile under every coalition of mechanisms, for a whole grid.

    Parameters
    ----------
    landscape : Landscape
        Its axes, tiles and missing cells are used.
    fit : FitResult
    """

    def __init__(self, landscape: Landscape, fit: FitResult) -> None:
        self.landscape = landscape
        self.fit = fit
        self.mechanisms = fit.mechanisms
        self.membership = coalitions(len(self.mechanisms))
        self._missing = np.isnan(landscape.time)

    def draws(self, whole: bool) -> int:
        """Bootstrap draws that the number of coalitions leaves room for."""
        available = min(tile.draws.shape[0] for tile in self.fit.tiles.values())
        most = _MOST_WHOLE_LANDSCAPES if whole else _MOST_LANDSCAPES
        return int(min(available, max(20, most >> len(self.mechanisms))))

    def times(self, coalition: int, whole: bool, tiles: Sequence[int], draws: int) -> Array:
        """Model times under one coalition.

        Parameters
        ----------
        coalition : int
            Row of ``membership``.
        whole : bool
            The whole cube, or its slice at the largest K alone.
        tiles : sequence of int
            Which tiles.
        draws : int
            0 for the estimate itself, else this many bootstrap draws after it.

        Returns
        -------
        ndarray, shape (1 + draws, tile, M, N, K)
            Seconds; NaN where the landscape has none.
        """
        grid = self.landscape
        depth = grid.K if whole else grid.K[-1:]
        mesh = [axis.ravel() for axis in np.meshgrid(grid.M, grid.N, depth, indexing="ij")]
        on = frozenset(np.array(self.mechanisms, dtype=object)[self.membership[coalition]].tolist())
        shape = (grid.M.size, grid.N.size, depth.size)
        out = np.empty((1 + draws, len(tiles), *shape))
        for position, index in enumerate(tiles):
            label = grid.tiles[index].name
            fitted = self.fit.tiles[label]
            problem = self.fit.problem(label, mesh[0], mesh[1], mesh[2])
            matrix = self.fit.matrix(label, problem, on)
            theta = np.concatenate([fitted.theta[None], fitted.draws[:draws]])
            out[:, position] = (theta @ matrix.T).reshape(-1, *shape)
            missing = self._missing[index] if whole else self._missing[index][..., -1:]
            out[:, position][:, missing] = np.nan
        return out


def stage_times(stage: Stage, landscape: Landscape, times: Array) -> Array:
    """Send batches of tile landscapes through a stage.

    Parameters
    ----------
    stage : Stage
    landscape : Landscape
        Names the tiles that ``times`` holds.
    times : ndarray, shape (batch, tile, M, N, K)
        Seconds.

    Returns
    -------
    ndarray, shape (batch, M, N, K)
    """
    if isinstance(stage, FixedTile):
        return np.asarray(times[:, landscape.tiles.index(stage.tile)])
    if isinstance(stage, BestTile):
        return np.asarray(np.fmin.reduce(times[:, stage_tiles(stage, landscape)], axis=1))
    if isinstance(stage, Pad):
        return suffix_minimum(stage_times(stage.base, landscape, times))
    if isinstance(stage, Split):
        return split_minimum(stage_times(stage.base, landscape, times), stage.axes)
    raise NotApplicableError(f"stage {stage.name!r} cannot be applied to batches of landscapes")


def stage_tiles(stage: Stage, landscape: Landscape) -> list[int]:
    """Indices of the tiles that a stage chooses from."""
    if isinstance(stage, FixedTile):
        return [landscape.tiles.index(stage.tile)]
    if isinstance(stage, BestTile):
        chosen = stage.tiles or tuple(tile for tile in landscape.tiles if not tile.hidden)
        return [landscape.tiles.index(tile) for tile in chosen]
    if isinstance(stage, Pad | Split):
        return stage_tiles(stage.base, landscape)
    return list(range(len(landscape.tiles)))


def attribute(
    stage: Stage,
    result: StageResult,
    models: ModelLandscapes,
    relative_error: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """Attribute one stage's roughness.

    Parameters
    ----------
    stage : Stage
    result : StageResult
        The stage on the measured landscape.
    models : ModelLandscapes
    relative_error : ndarray, shape (M, N, K), optional
        Relative standard error of the stage's time; without it noise is not told apart.
    progress : callable, optional
        Called with coalitions done and all.

    Raises
    ------
    NotApplicableError
        If a tile of the stage has no fitted model, the slice at the largest K has no step along N, or the
        model of a shape takes no time with some mechanisms off.
    """
    landscape = models.landscape
    tiles = stage_tiles(stage, landscape)
    unfitted = [landscape.tiles[i].name for i in tiles if landscape.tiles[i].name not in models.fit.tiles]
    if unfitted:
        raise NotApplicableError(f"no model of tile {', '.join(unfitted)}: {stage.name} cannot be attributed")
    measured_rate = landscape.throughput(result.time)[..., -1:]
    measured = float(slice_roughness(measured_rate, "N"))
    if np.isnan(measured):
        raise NotApplicableError(
            f"no two neighbours along N are measured at the largest K: {stage.name} cannot be attributed"
        )
    part = Landscape(
        landscape.time[tiles], tuple(landscape.tiles[i] for i in tiles), landscape.M, landscape.N, landscape.K
    )
    whole = isinstance(stage, Split)
    draws = models.draws(whole)
    count = models.membership.shape[0]
    worth = np.empty((count, 1 + draws))
    depth = landscape.K if whole else landscape.K[-1:]
    volume = 2e-12 * landscape.M[:, None, None].astype(np.float64) * landscape.N[None, :, None] * landscape.K[-1:]
    cell_bytes = 8 * landscape.M.size * landscape.N.size * depth.size * len(tiles)
    fitting = max(1, int(_BATCH_BYTES // cell_bytes))
    modelled = np.empty(0)
    for coalition in range(count):
        times = models.times(coalition, whole, tiles, draws)
        for start in range(0, 1 + draws, fitting):
            batch = stage_times(stage, part, times[start : start + fitting])
            largest = batch[..., -1:]
            instant = np.any(largest == 0, axis=(1, 2, 3))
            rate = volume / np.where(largest == 0, np.nan, largest)
            worth[coalition, start : start + fitting] = np.where(instant, np.nan, slice_roughness(rate, "N"))
            if coalition == count - 1 and start == 0:
                modelled = rate[0]
        if progress is not None:
            progress(coalition + 1, count)
    if np.isnan(worth[:, 0]).any():
        raise NotApplicableError(
            f"with some mechanisms off, the model of a shape takes no time: {stage.name} cannot be attributed"
        )
    values = shapley_values(worth)
    noise = 0.0
    if relative_error is not None and np.isfinite(relative_error).any():
        error = np.nan_to_num(relative_error[..., -1:]) * np.nan_to_num(measured_rate)
        corrected = noise_corrected_roughness(measured_rate, error).slice_N
        noise = measured - corrected if corrected is not None else 0.0
    shares = {name: _share(values[player]) for player, name in enumerate(models.mechanisms)}
    shares[FLOOR] = _share(worth[0])
    unexplained = measured - noise - worth[-1]
    shares[UNEXPLAINED] = _share(unexplained)
    shares[NOISE] = Share(noise)
    steps, model_steps = np.diff(measured_rate, axis=1).ravel(), np.diff(modelled, axis=1).ravel()
    known = np.isfinite(steps) & np.isfinite(model_steps)
    flat = known.sum() < 3 or np.ptp(steps[known]) == 0 or np.ptp(model_steps[known]) == 0
    correlation = float("nan") if flat else float(np.corrcoef(steps[known], model_steps[known])[0, 1])
    error_of_steps = float(np.abs(steps - model_steps)[known].mean()) if known.any() else float("nan")
    return Attribution(stage.name, measured, shares, float(worth[-1, 0]), correlation, error_of_steps, draws)


def _share(values: Array) -> Share:
    """Estimate in entry 0, bootstrap draws after it."""
    if values.size < 3 or np.isnan(values).any():
        return Share(float(values[0]))
    if values.size <= _FEW_DRAWS:
        # Extreme percentiles of few draws are too narrow; their standard deviation is not.
        reach = 1.96 * float(np.std(values[1:], ddof=1))
        return Share(float(values[0]), float(values[0]) - reach, float(values[0]) + reach)
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Share(float(values[0]), float(low), float(high))
