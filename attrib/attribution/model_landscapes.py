"""Model landscapes under coalitions of mechanisms: what stages make of them, and its slope by coefficient."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attrib.attribution.routes import Route
from attrib.attribution.stage_kernels import (
    RAW_QUANTITIES,
    add_up,
    by_coefficient,
    least_of,
    pad_to_least,
    raw_quantities,
    unpad,
    unsplit,
)
from attrib.attribution.term_states import NOTHING, RESOURCES, term_states
from attrib.landscape import Landscape
from attrib.shapley import ShapleySample, antithetic_sample, exact_sample
from attrib.stages import split_minimum
from harness.grid import AXES
from models.overlap import COMPUTE, MEMORY
from models.result import FitResult

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Progress = Callable[[int, int], None]

MOST_EXACT = 10
"""Mechanisms up to which all coalitions are played; beyond, orders are sampled."""

SAMPLED_PAIRS = 48
"""Pairs of orders sampled beyond: about as many coalitions as ten mechanisms have."""


@dataclass(frozen=True)
class Worths:
    """Raw quantities of several routes under every coalition.

    Attributes
    ----------
    values : ndarray, shape (coalition, route, raw quantity)
        NaN throughout where a model time is zero.
    slopes : ndarray, shape (coalition, route, coefficient, raw quantity)
        Derivatives by the coefficients of the tiles, one tile after the other, at fixed decisions; no coalitions
        where none were asked for.
    times : ndarray, shape (route, M, N, K)
        Seconds with all mechanisms on; infinite where missing.
    tile_times : ndarray, shape (tile, M, N, K)
        Likewise of every tile before any stage; NaN where missing and of tiles that no route needs.
    """

    values: Array
    slopes: Array
    times: Array
    tile_times: Array


class ModelLandscapes:
    """Model times of every tile under every coalition of mechanisms, for a whole grid.

    ``exact`` says whether all coalitions are played, or those that a sample of orders passes through.

    Parameters
    ----------
    landscape : Landscape
        Its axes, tiles and missing cells are used.
    fit : FitResult
    most_exact : int
        Mechanisms up to which all coalitions are played.
    pairs : int
        Pairs of orders that are sampled where there are more.
    seed : int
        Seed of that sample.
    """

    def __init__(
        self,
        landscape: Landscape,
        fit: FitResult,
        *,
        most_exact: int = MOST_EXACT,
        pairs: int = SAMPLED_PAIRS,
        seed: int = 0,
    ) -> None:
        self.landscape = landscape
        self.fit = fit
        self.mechanisms = fit.mechanisms
        self.exact = len(self.mechanisms) <= most_exact
        self._pairs, self._seed, self._most_exact = pairs, seed, most_exact

    @cached_property
    def games(self) -> tuple[ModelLandscapes, ...]:
        """The games that shares are worked out in: that of the fit, and last the one that has the draws.

        That is the model without a choice of terms. Both have its design then, so that columns are made once. Where
        it was not drawn, there is one game.
        """
        own, every = self.fit.beside_all_terms(), self.fit.with_all_terms()
        if own is None or every is None:
            return (self,)
        found = tuple(
            ModelLandscapes(self.landscape, model, most_exact=self._most_exact, pairs=self._pairs, seed=self._seed)
            for model in (own, every)
        )
        return found if found[-1].draws > 1 else (self,)

    @cached_property
    def sample(self) -> ShapleySample:
        """Coalitions that are played, and what they weigh in each mechanism's value."""
        players = len(self.mechanisms)
        if self.exact:
            return exact_sample(players)
        return antithetic_sample(players, self._pairs, np.random.default_rng(self._seed))

    @property
    def draws(self) -> int:
        """Draws that all tiles have."""
        return min((item.draws.shape[0] for item in self.fit.tiles.values()), default=0)

    def coalition(self, code: int) -> frozenset[str]:
        """Mechanisms of a coalition by its bits."""
        return frozenset(name for place, name in enumerate(self.mechanisms) if code >> place & 1)

    def lacking(self, route: Route) -> tuple[str, ...]:
        """Tiles of a route that have no fitted model."""
        names = (self.landscape.tiles[index].name for index in route.tiles)
        return tuple(name for name in names if name not in self.fit.tiles)

    def departures(self, tiles: Sequence[int]) -> Array:
        """Draws of the coefficients of some tiles, less the estimates: shape (draws, coefficient)."""
        items = [self.fit.tiles[self.landscape.tiles[index].name] for index in tiles]
        return np.concatenate([item.draws[: self.draws] - item.theta for item in items], axis=1)

    def too_large(self, tiles: Sequence[int]) -> Array:
        """Mean error of the coefficients of some tiles at their bounds, shape (coefficient,)."""
        return np.concatenate([self.fit.tiles[self.landscape.tiles[index].name].too_large for index in tiles])


def worths(
    games: Sequence[ModelLandscapes],
    routes: Sequence[Route],
    *,
    whole: bool = True,
    derive: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[list[Worths], list[int]]:
    """Send the model landscape of every coalition of every game through some routes.

    Parameters
    ----------
    games : sequence of ModelLandscapes
        Of one landscape, with models of one design.
    routes : sequence of Route
        All of whose tiles have a model.
    whole : bool
        The whole cube, or its slice at the largest K alone (all quantities are then of that slice).
    derive : bool
        Whether to take derivatives by the coefficients, in the last game.
    workers : int, optional
        Threads; by default one a processor.
    progress : callable, optional
        Called with coalitions done and all, those of all games.

    Returns
    -------
    list of Worths
        One a game.
    list of int
        Tiles whose coefficients the derivatives are by, in the landscape's numbering and this order.
    """
    tiles = games[0].landscape.tiles
    # In the order of their names: nothing then depends on how the cube lists its tiles.
    every = sorted({index for route in routes for index in route.tiles}, key=lambda i: tiles[i].name)
    table = _Game(games, routes, every, whole, derive)
    found = []
    for number, game in enumerate(games):
        count, derived = game.sample.codes.size, derive and number == len(games) - 1
        found.append(
            Worths(
                np.empty((count, len(routes), RAW_QUANTITIES)),
                np.zeros((count if derived else 0, len(routes), table.coefficients, RAW_QUANTITIES)),
                np.empty((len(routes), *table.shape)),
                np.full((len(tiles), *table.shape), np.nan),
            )
        )
    turns = [(number, row) for number, game in enumerate(games) for row in range(game.sample.codes.size)]

    def play(turn: tuple[int, int]) -> None:
        number, row = turn
        own = found[number]
        layers, times = table.play(number, row, own.values[row], own.slopes[row] if own.slopes.size else None)
        if row == own.values.shape[0] - 1:
            own.times[:] = np.stack(times)
            own.tile_times[every] = np.where(np.isinf(layers), np.nan, layers).reshape(-1, *table.shape)

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(play, turns), start=1):
            if progress is not None:
                progress(done, len(turns))
    return found, every


class _Game:
    """One grid and some routes, ready to be played by any coalition of any game in any thread."""

    def __init__(
        self,
        games: Sequence[ModelLandscapes],
        routes: Sequence[Route],
        tiles: Sequence[int],
        whole: bool,
        derive: bool,
    ) -> None:
        grid = games[0].landscape
        depth = grid.K if whole else grid.K[-1:]
        self.shape = (grid.M.size, grid.N.size, depth.size)
        mesh = np.meshgrid(grid.M, grid.N, depth, indexing="ij")
        shapes = np.stack([axis.ravel() for axis in mesh], axis=1)
        self.volume = 2e-12 * np.prod(np.stack(mesh).astype(np.float64), axis=0)
        self.missing = np.isnan(grid.time[list(tiles)][..., -depth.size :]).reshape(len(tiles), -1)
        self.fits = [game.fit for game in games]
        self.labels = tuple(grid.tiles[index].name for index in tiles)
        self.coalitions = [[game.coalition(int(code)) for code in game.sample.codes] for game in games]
        distinct = {
            on: place for place, on in enumerate(dict.fromkeys(on for row in self.coalitions for on in row))
        }
        self.places = [[distinct[on] for on in row] for row in self.coalitions]
        self.states, self.banks = term_states(self.fits, self.labels, shapes, list(distinct), derive)
        self.problems = {
            label: self.fits[-1].problem(label, *np.ascontiguousarray(shapes.T))
            for label, separable in zip(self.labels, self.states.separable, strict=True)
            if not separable
        }
        sizes = [self.fits[-1].tiles[label].theta.size for label in self.labels]
        self.spans = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self.coefficients = int(self.spans[-1])
        by_tiles: dict[tuple[int, ...], list[int]] = {}
        for place, route in enumerate(routes):
            layers = tuple(sorted(tiles.index(index) for index in route.tiles))
            by_tiles.setdefault(layers, []).append(place)
        self.choices = by_tiles
        self.routes = tuple(routes)

    def play(self, game: int, turn: int, values: Array, slopes: Array | None) -> tuple[Array, list[Array]]:
        """Fill the values (route, quantity) and slopes (route, coefficient, quantity) of one coalition.

        Returns
        -------
        ndarray, shape (tile, cell)
            Times of the tiles; infinite where missing.
        list of ndarray, shape (M, N, K)
            Times of the routes.
        """
        fit, row, cells = self.fits[game], self.places[game][turn], self.volume.size
        layers, binding = np.empty(self.missing.shape), np.zeros(self.missing.shape, dtype=np.int8)
        scales = np.ones((len(self.labels), 2, cells))
        matrices: dict[int, Array] = {}
        for tile, label in enumerate(self.labels):
            if label in self.problems:
                matrices[tile] = fit.matrix(label, self.problems[label], self.coalitions[game][turn])
                layers[tile] = matrices[tile] @ fit.tiles[label].theta
            else:
                states, mask = self.states, int(self.states.divisible[row, tile])
                limits = states.times[row, tile, : states.limits[row]]
                kinds = states.resources[tile]
                last = int(states.last_waves[row, tile])
                add_up(
                    self.banks.times[game],
                    limits,
                    kinds,
                    self.banks.divisible,
                    mask,
                    self.banks.last_waves,
                    last,
                    float(self.states.powers[tile]),
                    layers[tile],
                    binding[tile],
                    scales[tile],
                )
        layers[self.missing] = np.inf
        times: dict[int, Array] = {}
        for tiles, places in self.choices.items():
            least, winner = np.empty(cells), np.empty(cells, dtype=np.int64)
            least_of(layers, np.array(tiles, dtype=np.int64), least, winner)
            slope = np.empty((cells, len(places), RAW_QUANTITIES)) if slopes is not None else None
            for position, place in enumerate(places):
                part = None if slope is None else slope[:, position]
                times[place] = self._follow(self.routes[place], least.reshape(self.shape), values[place], part)
            if slope is None or slopes is None:
                continue
            flat = slope.reshape(cells, -1)
            for tile in tiles:
                span = slice(self.spans[tile], self.spans[tile + 1])
                out = np.zeros((span.stop - span.start, flat.shape[1]))
                run = np.flatnonzero((winner == tile) & np.isfinite(least))
                if tile in matrices:
                    out += matrices[tile][run].T @ flat[run]
                else:
                    self._by_coefficient(row, span, run, binding[tile, run], scales[tile][:, run], flat, out)
                slopes[places, span] = out.reshape(-1, len(places), RAW_QUANTITIES).transpose(1, 0, 2)
        return layers, [times[place] for place in range(len(self.routes))]

    def _by_coefficient(
        self, row: int, span: slice, run: Index, binding: NDArray[np.int8], scales: Array, slope: Array, out: Array
    ) -> None:
        """Add up the slopes of the cells that run one tile, by the limit that bounds them and what it counts."""
        kinds = self.states.resources_of_columns[span]
        for limit in np.unique(binding):
            inside = binding == limit
            columns = self.states.columns[row, int(limit), span]
            cells = run[inside]
            plain = np.where(kinds == 0, columns, NOTHING)
            by_coefficient(self.banks.columns, plain, cells, np.ones(cells.size), slope, out)
            for kind, scale in zip((RESOURCES[COMPUTE], RESOURCES[MEMORY]), scales[:, inside], strict=True):
                chosen = np.where(kinds == kind, columns, NOTHING)
                # What hides behind the longer part costs nothing.
                counted = scale != 0.0
                if (chosen != NOTHING).any() and counted.any():
                    by_coefficient(self.banks.columns, chosen, cells[counted], scale[counted], slope, out)

    def _follow(self, route: Route, least: Array, values: Array, slope: Array | None) -> Array:
        """Pad and split; fill the values, and the slope (cell, quantity) by the chosen tile's time of each cell."""
        before, target = least, None
        if route.padded:
            before, target = np.empty(self.shape), np.empty(self.shape, dtype=np.int64)
            pad_to_least(least, before, target)
        after = before
        if route.split:
            after = split_minimum(np.where(np.isinf(before), np.nan, before), route.split, workers=1)
            after[np.isnan(after)] = np.inf
        by_time = np.empty((*self.shape, RAW_QUANTITIES) if slope is not None else (0, 0, 0, 0))
        raw_quantities(after, self.volume, values, by_time)
        if slope is not None:
            if route.split:
                unsplit(before, after, np.array([axis in route.split for axis in AXES]), by_time)
            flat = by_time.reshape(-1, RAW_QUANTITIES)
            if target is None:
                slope[:] = flat
            else:
                unpad(target.reshape(-1), flat, slope)
        return after
