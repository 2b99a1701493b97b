"""What a fit says: coefficients with intervals, hardware constants, held-out error, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.device import DeviceRecord
from harness.errors import FitError, InputError
from harness.tile import Tile
from models.all_terms import AllTerms
from models.conformal import PATHS, ConformalIntervals
from models.constants.constant import Constant as Constant
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.hull import MeasuredHull
from models.overlap import Overlap, overlapped
from models.problem import Problem
from models.reasons import ZERO
from models.terms import ALL_TERMS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """One coefficient of one tile.

    Attributes
    ----------
    term, name, unit, meaning : str
    estimate, lower, upper : float or None
        Cost in ``unit`` and its 95 % interval, which keeps no choice of terms and open constants
        (:mod:`models.open_choices`); ``None`` when not identifiable.
    share : float
        Mean share of the measured time, a fraction.
    identifiable : bool
    reason : str
        Why not, and the shapes that would identify it.
    """

    term: str
    name: str
    unit: str
    meaning: str
    estimate: float | None
    lower: float | None
    upper: float | None
    share: float
    identifiable: bool
    reason: str = ""


@dataclass(frozen=True)
class TileFit:
    """The model of one tile.

    Attributes
    ----------
    tile : Tile
        The tile; for a hidden one the effective tile, under the library's name, where one was found.
    terms : tuple of str
        Names of the terms in the model.
    left_out : mapping of str to str
        Terms that are not, with the reason.
    estimates : tuple of Estimate
    constants : mapping of str to Constant
    theta : ndarray, shape (p,)
        Coefficients in design order; 0 where not identifiable.
    draws : ndarray, shape (draws, p)
        Coefficients under other lack of fit of the kind that the residuals show, with the terms and constants of
        the fit (:mod:`models.draws`).
    too_large : ndarray, shape (p,)
        Mean error of ``theta`` if every cost that may be nothing is nothing.
    n : int
        Samples.
    mape, median_ape : float
        Mean and median absolute relative error of the time, held out by blocks of (M, N), fractions.
    coverage : float
        Share of held-out times inside the nominal 90 % interval.
    noise : float
        Median relative spread (robust standard deviation) of one repeat; NaN without repeats.
    hull : MeasuredHull
        Where shapes are interpolated.
    paths : tuple of (int, int)
        Load paths of A and B that were measured (:meth:`models.problem.Problem.load_paths`).
    overlap : Overlap or None
        How memory costs hide behind computing, or computing behind them (:mod:`models.overlap`); ``None`` where
        they add up.
    all_terms : AllTerms or None
        The model without a choice of terms, for intervals; ``None`` where nothing was drawn.
    """

    tile: Tile
    terms: tuple[str, ...]
    left_out: Mapping[str, str]
    estimates: tuple[Estimate, ...]
    constants: Mapping[str, Constant]
    theta: Array
    draws: Array
    too_large: Array
    n: int
    mape: float
    median_ape: float
    coverage: float
    noise: float
    intervals: ConformalIntervals
    hull: MeasuredHull
    paths: tuple[tuple[int, int], ...]
    overlap: Overlap | None = None
    all_terms: AllTerms | None = None


@dataclass(frozen=True)
class Prediction:
    """Predicted times of one tile, arrays of shape (n,).

    Attributes
    ----------
    time, lower, upper : ndarray
        Seconds; the interval is conformal.
    tflops : ndarray
        Useful throughput, TFLOP/s.
    extrapolated : ndarray of bool
        Outside the measured range of a size, or leaning on a coefficient that could not be identified.
    """

    time: Array
    lower: Array
    upper: Array
    tflops: Array
    extrapolated: NDArray[np.bool_]


@dataclass(frozen=True)
class FitResult:
    """Fitted additive model of a landscape.

    Attributes
    ----------
    device : DeviceRecord
    hardware : Hardware
        Constants that shape the designs, profiled where the timings allow.
    element_bytes, output_bytes : int
    tiles : mapping of tile label to TileFit
    blocks, folds, seed : int
        How it was validated. Constants and the choice of terms are made on all blocks and held fixed in folds and
        draws: held-out errors are conditional on them, intervals of shares on the constants.
    timings : str
        Fingerprint of the cube that it was fitted to (:mod:`harness.fingerprint`).
    too_few : mapping of tile label to int
        Tiles left out for want of samples, and how many they have.
    """

    device: DeviceRecord
    hardware: Hardware
    element_bytes: int
    output_bytes: int
    tiles: Mapping[str, TileFit]
    blocks: int
    folds: int
    seed: int
    timings: str
    too_few: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def mechanisms(self) -> tuple[str, ...]:
        """Mechanisms that cost something on some tile, in the order of the terms."""
        found: set[str] = set()
        for label, fit in self.tiles.items():
            for column, cost in zip(self.design(label).columns(self.hardware), fit.theta, strict=True):
                if cost:
                    found.update(column.term.mechanisms)
                    if column.term.needs_tile:
                        # Switching padding off makes every count of tiles and steps fractional.
                        found.add("tile padding")
        order = [name for term in ALL_TERMS for name in term.mechanisms]
        return tuple(sorted(found, key=order.index))

    def with_all_terms(self) -> FitResult | None:
        """Return the model without a choice of terms, for times and shares; ``None`` where nothing was drawn."""
        return self._of_all_terms(own=False)

    def beside_all_terms(self) -> FitResult | None:
        """Return this model with the design of :meth:`with_all_terms`: what was left out costs nothing, undrawn."""
        return self._of_all_terms(own=True)

    def _of_all_terms(self, own: bool) -> FitResult | None:
        tiles = {}
        for label, fit in self.tiles.items():
            if (every := fit.all_terms) is None:
                return None
            theta, draws, too_large = every.theta, every.draws, every.too_large
            if own:
                names = [column.coefficient.name for column in self.design(label).columns(self.hardware)]
                costs = dict(zip(names, fit.theta, strict=True))
                theta = np.array([costs.get(name, 0.0) for name in every.names])
                draws, too_large = draws[:0], np.zeros(theta.size)
            tiles[label] = replace(
                fit,
                terms=every.terms,
                left_out={},
                estimates=(),
                theta=theta,
                draws=draws,
                too_large=too_large,
                all_terms=None,
            )
        return replace(self, tiles=tiles)

    def design(self, label: str) -> Design:
        """Return the design of one tile's model.

        Raises
        ------
        InputError
            If the model has no such tile.
        """
        if label not in self.tiles:
            raise InputError(f"the model has no tile {label!r}: it knows {', '.join(self.tiles)}")
        fit = self.tiles[label]
        terms = tuple(term for term in ALL_TERMS if term.name in fit.terms)
        return Design.of(terms, fit.tile, self.hardware)

    def problem(self, label: str, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]) -> Problem:
        """Shapes as the problem of one tile."""
        if label not in self.tiles:
            raise InputError(f"the model has no tile {label!r}: it knows {', '.join(self.tiles)}")
        return Problem(M, N, K, self.tiles[label].tile, self.element_bytes, self.output_bytes)

    def matrix(self, label: str, problem: Problem, on: AbstractSet[str] = ALL_MECHANISMS) -> Array:
        """Design of one tile's model, shape (n, p): its product with the coefficients is the model time.

        Whatever looks at a model under other coefficients or with mechanisms off goes through this one place. Where
        mechanisms that are off leave the choice of what bounds a launch (:mod:`models.limits`), it is made here for
        the estimated coefficients. Where memory and computing overlap, so is what bounds the launch
        (:mod:`models.overlap`): columns are scaled by what is left of their cost.
        """
        fit, design = self.tiles[label], self.design(label)
        matrix = design.binding_matrix(problem, self.hardware, on, fit.theta)
        if fit.overlap is None:
            return matrix
        law = fit.overlap.law(problem, self.hardware, on)
        return overlapped(matrix, fit.theta, design.resources(self.hardware), law)

    def time(self, label: str, problem: Problem, on: AbstractSet[str] = ALL_MECHANISMS) -> Array:
        """Model time in seconds, shape (n,), with the mechanisms in ``on`` switched on."""
        return self.matrix(label, problem, on) @ self.tiles[label].theta

    def contributions(self, label: str, problem: Problem) -> dict[str, Array]:
        """Seconds that each term contributes, shape (n,) each; they add up to :meth:`time`."""
        parts: dict[str, Array] = {}
        start = 0
        fit, matrix = self.tiles[label], self.matrix(label, problem)
        for term in self.design(label).terms:
            stop = start + len(term.coefficients(fit.tile, self.hardware))
            parts[term.name] = matrix[:, start:stop] @ fit.theta[start:stop]
            start = stop
        return parts

    def predict(
        self,
        label: str,
        M: NDArray[np.int64],
        N: NDArray[np.int64],
        K: NDArray[np.int64],
        level: float = 0.9,
    ) -> Prediction:
        """Predict times of one tile with conformal intervals.

        Parameters
        ----------
        label : str
            Tile.
        M, N, K : ndarray of int64, shape (n,)
            Sizes, elements.
        level : float
            Nominal coverage, one of :data:`models.conformal.LEVELS`.
        """
        fit = self.tiles.get(label)
        problem = self.problem(label, M, N, K)
        assert fit is not None
        time = self.matrix(label, problem) @ fit.theta
        if not np.all(time > 0):
            raise FitError(f"the model of tile {label} gives a time of zero: refit on more shapes")
        paths = problem.load_paths(self.hardware)
        lower, upper = fit.intervals.interval(time, level, paths.max(axis=1))
        outside = fit.hull.outside(M, N, K)
        unknown = np.array([not estimate.identifiable for estimate in fit.estimates])
        # A collinear column is nothing new; one that was zero on the grid is.
        new = np.array([estimate.reason.startswith(ZERO) for estimate in fit.estimates])
        # Also where overlap hides it: what was never measured may be what a launch waits for.
        every = self.design(label).matrix(problem, self.hardware)
        leaning = np.any(every[:, unknown & new] > 0, axis=1)
        for term in ALL_TERMS:
            if fit.left_out.get(term.name, "").startswith(ZERO):
                leaning |= np.any(term.columns(problem, self.hardware, ALL_MECHANISMS) > 0, axis=1)
        measured = np.zeros((PATHS, PATHS), dtype=np.bool_)
        for a, b in fit.paths:
            measured[a, b] = True
        extrapolated = np.asarray(outside | leaning | ~measured[paths[:, 0], paths[:, 1]])
        return Prediction(time, lower, upper, 1e-12 * problem.flop / time, extrapolated)

    def to_contract(self) -> dict[str, Any]:
        """Return the ``fit`` object of summary.json."""
        return {
            label: {
                "n": fit.n,
                "mape": fit.mape,
                "median_ape": fit.median_ape,
                "coverage_90": fit.coverage,
                "noise": None if np.isnan(fit.noise) else fit.noise,
                "overlap": fit.overlap is not None,
                "overlap_power": None if fit.overlap is None else fit.overlap.to_dict()["power"],
                "effective_tile": _shape_label(fit.tile) if label != _shape_label(fit.tile) else None,
                "constants": {name: constant.to_contract() for name, constant in fit.constants.items()},
                "terms": [
                    {
                        "term": e.term,
                        "name": e.name,
                        "unit": e.unit,
                        "meaning": e.meaning,
                        "estimate": e.estimate,
                        "lower": e.lower,
                        "upper": e.upper,
                        "share_of_time": e.share,
                        "identifiable": e.identifiable,
                        "reason": e.reason,
                    }
                    for e in fit.estimates
                ],
                "left_out": dict(fit.left_out),
            }
            for label, fit in self.tiles.items()
        }


def _shape_label(tile: Tile) -> str:
    return tile.name if tile.hidden else f"{tile.m}x{tile.n}x{tile.k}"
