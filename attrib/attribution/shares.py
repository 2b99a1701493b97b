"""Attribution: how much of a stage's roughness, lost throughput or time each mechanism causes.

What was measured of a stage is split without remainder:

* a Shapley value per mechanism, where v(S) is the quantity of the model landscape with the mechanisms in S on and
  the others at their smooth counterparts, sent through the same stage;
* the smooth floor v(none): a smooth landscape still rises, and is slower than the ideal one;
* the noise that finite repeats add;
* what is left: unexplained, measured - noise - v(all).

A share can be negative: a launch cost, for one, damps the steps of small shapes.

Intervals come from the model of all terms (:mod:`models.all_terms`), whose shares are worked out beside those of
the fit: its draws lie about its own estimates, and how far these are from the fit's is a part of the uncertainty.
A mechanism that was not found has a share of zero, and an interval of what that model may charge it. Hardware
constants and the noise are taken as known. Sending every draw through every stage under every coalition would take
hours; a draw moves a quantity by its derivative at the estimate instead, taken at fixed decisions
(:mod:`attrib.attribution.stage_kernels`). Tests compare this with draws that decide anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.attribution.model_landscapes import ModelLandscapes, Progress, Worths, worths
from attrib.attribution.noise import StageNoise
from attrib.attribution.quantity import QUANTITIES, Quantity, ideal_offset
from attrib.attribution.routes import Route
from attrib.attribution.share import FLOOR, NOISE, UNEXPLAINED, Attribution, Share
from attrib.attribution.stage_kernels import RAW_QUANTITIES, raw_quantities
from attrib.stages import Stage, StageResult
from harness.errors import NotApplicableError
from harness.grid import AXES

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StageAttribution:
    """All that could be attributed of a stage.

    Attributes
    ----------
    stage : str
    quantities : mapping of str to Attribution
    missing : mapping of str to str
        Quantities that could not be, and why.
    """

    stage: str
    quantities: Mapping[str, Attribution]
    missing: Mapping[str, str]


def attribute(
    stage: Stage,
    result: StageResult,
    models: ModelLandscapes,
    errors: Array | None = None,
    progress: Progress | None = None,
    quantity: str = "slice_N",
) -> Attribution:
    """Attribute one quantity of one stage.

    Parameters
    ----------
    stage : Stage
    result : StageResult
        The stage on the measured landscape.
    models : ModelLandscapes
    errors : ndarray, shape (tile, M, N, K), optional
        Relative standard error of each tile's time; without it noise is not told apart.
    progress : callable, optional
        Called with coalitions done and all.
    quantity : str
        A key of :data:`QUANTITIES` that is not counted from the ideal landscape; by default the roughness along N
        in the slice at the largest K.

    Raises
    ------
    NotApplicableError
        If a tile of the stage has no fitted model, the landscape has no step of the kind asked for, or the model
        of a shape takes no time with some mechanisms off.
    """
    found = attribute_stages([(stage, result)], models, (quantity,), errors, progress=progress)[0]
    if quantity in found.missing:
        raise NotApplicableError(found.missing[quantity])
    return found.quantities[quantity]


def attribute_stages(
    stages: Sequence[tuple[Stage, StageResult]],
    models: ModelLandscapes,
    quantities: Sequence[str] = tuple(QUANTITIES),
    errors: Array | None = None,
    ideal: Array | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> tuple[StageAttribution, ...]:
    """Attribute several quantities of several stages, each coalition's landscape being made once.

    Parameters
    ----------
    stages : sequence of (Stage, StageResult)
    models : ModelLandscapes
    quantities : sequence of str
        Keys of :data:`QUANTITIES`.
    errors : ndarray, shape (tile, M, N, K), optional
        Relative standard error of each tile's time; without it noise is not told apart.
    ideal : ndarray, shape (M, N, K), optional
        Ideal throughput, TFLOP/s; without it what is counted from it is missing.
    progress : callable, optional
        Called with coalitions done and all.
    workers : int, optional
        Threads; by default one a processor. The result does not depend on it.
    """
    chosen = [QUANTITIES[key] for key in quantities]
    refused: dict[int, str] = {}
    routes: dict[int, Route] = {}
    for place, (stage, _) in enumerate(stages):
        try:
            route = Route.of(stage, models.landscape.tiles)
        except NotApplicableError as error:
            refused[place] = str(error)
            continue
        if models.lacking(route):
            why = f"no model of tile {', '.join(models.lacking(route))}: {stage.name} cannot be attributed"
            refused[place] = why
        else:
            routes[place] = route
    whole = any(quantity.whole for quantity in chosen) or any(route.whole for route in routes.values())
    games = models.games
    played: list[Worths] = []
    tiles: list[int] = []
    if routes:
        derive = games[-1].draws > 1
        played, tiles = worths(
            games, list(routes.values()), whole=whole, derive=derive, workers=workers, progress=progress
        )
    out = []
    for place, (stage, result) in enumerate(stages):
        if place in refused:
            out.append(StageAttribution(stage.name, {}, dict.fromkeys(quantities, refused[place])))
            continue
        position = list(routes).index(place)
        of_fit, *beside = (
            _Sharing(game, stage, result, worth, tiles, position, errors, ideal)
            for game, worth in zip(games, played, strict=True)
        )
        found, missing = {}, {}
        for quantity in chosen:
            try:
                found[quantity.key] = of_fit.attribution(quantity, *beside)
            except NotApplicableError as error:
                missing[quantity.key] = str(error)
        out.append(StageAttribution(stage.name, found, missing))
    return tuple(out)


@dataclass(frozen=True)
class _Parts:
    """What a model says of one quantity of one stage, by mechanism, beside the floor and the unexplained rest."""

    measured: float
    noise: float
    everything: float
    values: dict[str, float]
    draws: dict[str, Array]
    too_large: dict[str, float]
    errors: dict[str, float]


class _Sharing:
    """Worths of one stage, ready to be shared out."""

    def __init__(
        self,
        models: ModelLandscapes,
        stage: Stage,
        result: StageResult,
        worths: Worths,
        tiles: list[int],
        position: int,
        errors: Array | None,
        ideal: Array | None,
    ) -> None:
        self.models, self.stage, self.result, self.ideal = models, stage, result, ideal
        landscape = models.landscape
        self.noise = StageNoise(landscape, stage, result, errors, worths.tile_times)
        self.values = worths.values[:, position]
        self.modelled = worths.times[position]
        volume = landscape.throughput(np.ones(landscape.shape))
        self.volume = volume[..., -self.modelled.shape[2] :]
        measured = np.empty(RAW_QUANTITIES)
        raw_quantities(
            np.where(np.isnan(result.time), np.inf, result.time), volume, measured, np.empty((0, 0, 0, 0))
        )
        self.measured = measured
        mean = models.sample.mean
        # Rows: every mechanism, then nobody and everybody.
        self.operator = np.concatenate([mean, np.eye(2, mean.shape[1])])
        self.operator[-1] = 0.0
        self.operator[-1, -1] = 1.0
        self.moves = np.empty((self.operator.shape[0], 0, RAW_QUANTITIES))
        self.too_large = np.zeros((self.operator.shape[0], RAW_QUANTITIES))
        if worths.slopes.shape[0]:
            slopes = np.tensordot(self.operator, worths.slopes[:, position], axes=1)
            self.moves = np.einsum("pcq,dc->pdq", slopes, models.departures(tiles), optimize=True)
            self.too_large = np.einsum("pcq,c->pq", slopes, models.too_large(tiles))

    def attribution(self, quantity: Quantity, beside: _Sharing | None = None) -> Attribution:
        """Share out one quantity; draws are those of another model of the same stage, where there is one."""
        own = self.parts(quantity)
        drawn, models = own, [self.models]
        if beside is not None:
            try:
                drawn = beside.parts(quantity)
                # It names its mechanisms in their order, most often those of the fit among them.
                models.insert(0, beside.models)
            except NotApplicableError:
                # Some coalition takes it no time, though not the fit: shares stand, without intervals.
                pass
        order = [*dict.fromkeys(name for one in models for name in one.mechanisms), FLOOR, UNEXPLAINED]
        draws = drawn.draws[FLOOR].size
        nothing = np.zeros(draws)
        values = {name: own.values.get(name, 0.0) for name in order}
        samples = {name: drawn.draws.get(name, nothing) for name in order}
        samples[UNEXPLAINED] = samples[UNEXPLAINED] + (drawn.noise - own.noise)  # noise is the same in both
        too_large = {name: drawn.too_large.get(name, 0.0) for name in order}
        shares = {
            name: Share.of(values[name], samples[name], too_large[name], own.errors.get(name)) for name in order
        }
        shares[NOISE], samples[NOISE], too_large[NOISE] = Share(own.noise), np.full(draws, own.noise), 0.0
        correlation, error = self._steps(quantity)
        return Attribution(
            self.stage.name,
            quantity.key,
            quantity.unit,
            own.measured,
            shares,
            own.everything,
            correlation,
            error,
            draws,
            samples,
            too_large,
        )

    def parts(self, quantity: Quantity) -> _Parts:
        """Work out what each mechanism, the floor and the rest have of one quantity, with draws of each."""
        row = quantity.matrix_row()
        places = [place for place, _ in quantity.weights]
        name, offset = self.stage.name, 0.0
        measured = float(sum(factor * self.measured[place] for place, factor in quantity.weights))
        if np.isnan(measured):
            where = "at the largest K" if not quantity.whole else "of the cube"
            along = f" along {quantity.axis}" if quantity.axis else ""
            raise NotApplicableError(f"no two neighbours{along} are measured {where}: {name} cannot be attributed")
        worth = self.values[:, places] @ row[places]
        if np.isnan(worth).any():
            raise NotApplicableError(
                f"with some mechanisms off, the model of a shape takes no time: {name} cannot be attributed"
            )
        if quantity.against_ideal:
            if self.ideal is None:
                raise NotApplicableError(f"there is no ideal landscape: {quantity.meaning} is not known")
            offset = ideal_offset(quantity, self.ideal, self.volume, ~np.isnan(self.result.time))
        noise = self.noise.of(quantity)
        told = self.operator @ worth
        floor, everything = float(told[-2]) + offset, float(told[-1]) + offset
        moves = self.moves[..., places] @ row[places]
        players = self.models.mechanisms
        errors: Sequence[float] = ()
        if not self.models.exact:
            errors = self.models.sample.standard_error(worth).tolist()
        names = (*players, FLOOR, UNEXPLAINED)
        values = [*told[:-2].tolist(), floor, measured + offset - noise - everything]
        draws = [
            *(value + move for value, move in zip(values[:-1], moves[:-1], strict=True)),
            values[-1] - moves[-1],
        ]
        excess = self.too_large[:, places] @ row[places]
        return _Parts(
            measured + offset,
            noise,
            everything,
            dict(zip(names, values, strict=True)),
            dict(zip(names, draws, strict=True)),
            dict(zip(names, [*excess[:-1].tolist(), -float(excess[-1])], strict=True)),
            dict(zip(players, errors, strict=False)),
        )

    def _steps(self, quantity: Quantity) -> tuple[float, float]:
        """Correlation of measured and modelled steps along the axis, and their mean distance."""
        if quantity.axis is None:
            return float("nan"), float("nan")
        depth = slice(None) if quantity.whole else slice(-1, None)
        axis = AXES.index(quantity.axis)
        measured = self.models.landscape.throughput(self.result.time)[..., depth]
        modelled = self.volume[..., depth] / self.modelled[..., depth]
        steps, model_steps = np.diff(measured, axis=axis).ravel(), np.diff(modelled, axis=axis).ravel()
        known = np.isfinite(steps) & np.isfinite(model_steps)
        steps, model_steps = steps[known], model_steps[known]
        flat = steps.size < 3 or np.ptp(steps) == 0 or np.ptp(model_steps) == 0
        correlation = float("nan") if flat else float(np.corrcoef(steps, model_steps)[0, 1])
        return correlation, float(np.abs(steps - model_steps).mean()) if steps.size else float("nan")
