"""Diagnose a fitted model on a cube, tile by tile."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.diagnostics.autocorrelation import autocorrelation
from attrib.diagnostics.collinearity import collinearity
from attrib.diagnostics.leverage import leverage
from attrib.diagnostics.pure_error import pure_error_of
from attrib.diagnostics.result import Diagnostics, TileDiagnostics
from harness.errors import InputError
from harness.samples import Samples
from models.blocks import Blocks, fold_labels
from models.design import ALL_MECHANISMS, Design
from models.gram import BlockGram
from models.inference.criteria import information_criteria
from models.inference.estimated_constants import constant_columns
from models.inference.interactions import judge_interactions, product_columns
from models.inference.lack_of_fit import PureError, lack_of_fit
from models.inference.nested import NestedTest, adjusted, judge_additions
from models.inference.robust import robust_fit
from models.inference.surrogates import Surrogates
from models.last_wave import LastWave
from models.overlap import LONGER, scales_at, shown
from models.overlap_comparison import compare_overlap
from models.overlap_tiles import with_memory
from models.problem import Problem
from models.result import FitResult
from models.solve import solve_nonnegative
from models.terms import ALL_TERMS, SUMMED_TERMS

_threads: Any = importlib.import_module("threadpoolctl")

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Progress = Callable[[str], None]

DRAWS = 199
FOLDS = 8

_MOST_CELLS = 16_384
"""Cells of a tile that its tests look at: beyond them, every second (third...) value of K is left aside."""

TOO_FEW = f"not testable: fewer than {2 * FOLDS} blocks of neighbouring (M, N) to hold out"


def diagnose(
    cube: xr.Dataset,
    fit: FitResult,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Diagnostics:
    """Diagnose a fit on the cells of a cube.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube of the model's device and tiles.
    fit : FitResult
    draws : int
        Surrogate landscapes behind each test.
    seed : int
        Seed of folds and surrogates.
    only : collection of str, optional
        Mechanisms to test, which is quicker; by default all, and the interactions of the model's.
    progress : callable, optional
        Called with a few words when a tile begins.

    Raises
    ------
    InputError
        If the cube has cells of no tile of the model.
    """
    say = progress or (lambda _: None)
    samples = Samples.from_cube(cube)
    pure = pure_error_of(cube)
    tiles: dict[str, TileDiagnostics] = {}
    for index, tile in enumerate(samples.tiles):
        rows = np.flatnonzero(samples.tile == index)
        if tile.name not in fit.tiles or rows.size == 0:
            continue
        say(f"diagnosing {tile.name}")
        part = PureError(pure.variance[rows], pure.degrees, pure.source) if pure is not None else None
        rng = np.random.default_rng((seed, index))
        # Thousands of products of small matrices: threads of a busy machine would wait for each other.
        with _threads.threadpool_limits(1):
            tiles[tile.name] = _tile(fit, tile.name, samples.take(rows), part, draws, only, rng)
    if not tiles:
        raise InputError(f"the cube has no cells of the model's tiles {', '.join(fit.tiles)}")
    return Diagnostics(_adjusted(tiles), draws, seed)


def _tile(
    fit: FitResult,
    label: str,
    samples: Samples,
    pure: PureError | None,
    draws: int,
    only: Collection[str] | None,
    rng: np.random.Generator,
) -> TileDiagnostics:
    item = fit.tiles[label]
    problem = fit.problem(label, samples.M, samples.N, samples.K)
    matrix, time = fit.matrix(label, problem), samples.time
    fitted = matrix @ item.theta
    kept = np.array([j for j, estimate in enumerate(item.estimates) if estimate.identifiable], dtype=np.int64)
    kept = kept[matrix[:, kept].any(axis=0)]
    names = tuple(item.estimates[int(j)].name for j in kept)
    weighted = matrix[:, kept] / time[:, None]
    residual = 1.0 - fitted / time
    active = item.theta[kept] > 0
    parameters = int(active.sum())

    division = Blocks.of(samples.M, samples.N)
    distinct, inverse = np.unique(division.labels(samples.M, samples.N), return_inverse=True)
    blocks = inverse.astype(np.int64)
    testable = distinct.size >= 2 * FOLDS
    terms: list[NestedTest] = []
    pairs: list[NestedTest] = []
    overlap, neighbours, own, worth = None, (0.0, 0.0, 0.0), 1.0, float(time.size)
    held_out = np.full(time.size, np.nan)
    if testable:
        fold = fold_labels(blocks, FOLDS, rng)
        fold_of_block = np.zeros(distinct.size, dtype=np.int64)
        fold_of_block[blocks] = fold
        held_out = _held_out(weighted, blocks, fold_of_block)
        rows = _thinned(samples)
        terms, pairs, surrogates = _tests(fit, label, problem.take(rows), time[rows], fold[rows], draws, only, rng)
        correlation = surrogates.covariance.correlation
        neighbours, own = correlation.of_neighbours, correlation.own
        worth = min(1.0, surrogates.effective_size / rows.size) * time.size
        places = np.divmod(distinct, division.edges_n.size + 1)
        wide = with_memory(fit.design(label), ALL_TERMS, fit.hardware)  # as when the model was chosen
        whole, resources = wide.matrix(problem, fit.hardware), wide.resources(fit.hardware)
        intensity = problem.flop / problem.footprint
        last = LastWave.of(problem, fit.hardware, ALL_MECHANISMS)
        power = LONGER if item.overlap is None else item.overlap.power
        overlap = compare_overlap(
            whole, time, resources, blocks, fold_of_block, places, intensity, rng, last, power=power
        )
    mean_square = float(np.mean(residual**2))
    bounds = item.draws
    half_width = np.zeros(kept.size)
    if bounds.shape[0] > 0:
        low, high = np.percentile(bounds[:, kept], [2.5, 97.5], axis=0)
        half_width = 0.5 * (high - low)
    return TileDiagnostics(
        label,
        samples.M,
        samples.N,
        samples.K,
        time,
        fitted,
        names,
        lack_of_fit(residual, held_out, parameters, pure),
        tuple(terms),
        tuple(pairs),
        information_criteria(mean_square, parameters + 1, float(time.size)),
        information_criteria(mean_square, parameters + 1, worth),
        worth,
        neighbours,
        own,
        overlap,
        item.overlap is not None,
        robust_fit(matrix[:, kept], time, item.theta[kept], half_width),
        leverage(weighted[:, active], samples.M, samples.N, samples.K),
        collinearity(weighted, names),
        autocorrelation(residual, samples.M, samples.N, samples.K),
        "" if testable else TOO_FEW,
    )


def _held_out(weighted: Array, blocks: Indices, fold_of_block: Indices) -> Array:
    """Relative errors of each cell under the fit of this tile alone to the other folds."""
    sums = BlockGram.of(weighted, np.ones(blocks.size), blocks, fold_of_block.size)
    error = np.empty(blocks.size)
    for fold in np.unique(fold_of_block):
        gram, moment, _ = sums.total((fold_of_block != fold).astype(np.float64))
        rows = fold_of_block[blocks] == fold
        error[rows] = 1.0 - weighted[rows] @ solve_nonnegative(gram, moment)
    return error


def _thinned(samples: Samples) -> Indices:
    """Cells that the tests look at, thinned along K where there are too many, then along M and N."""
    rank = np.unique(samples.K, return_inverse=True)[1]
    stride = min(-(-samples.size // _MOST_CELLS), int(rank.max()) + 1)
    # The smallest K stays: short mainloops have costs of their own.
    rows = np.flatnonzero(rank % stride == 0)
    if rows.size <= _MOST_CELLS:
        return rows
    # Few K, many M and N: every other M, then every other N, and so on.
    for axis in itertools.cycle((samples.M, samples.N)):
        place = np.unique(axis[rows], return_inverse=True)[1]
        rows = rows[place % 2 == 0]
        if rows.size <= _MOST_CELLS:
            break
    return rows


def _tests(
    fit: FitResult,
    label: str,
    problem: Problem,
    time: Array,
    fold: Indices,
    draws: int,
    only: Collection[str] | None,
    rng: np.random.Generator,
) -> tuple[list[NestedTest], list[NestedTest], Surrogates]:
    """Test every term that applies and every pair of terms of the model, or some terms only."""
    item = fit.tiles[label]
    matrix, parts = fit.matrix(label, problem), []
    places: dict[str, Indices] = {}
    start = 0
    for term in fit.design(label).terms:
        width = len(term.coefficients(item.tile, fit.hardware))
        places[term.name] = np.arange(start, start + width)
        start += width
    parts.append(matrix)
    model = tuple(places)
    known = ALL_TERMS if item.overlap is not None else SUMMED_TERMS
    others = Design.of([term for term in known if term.name not in places], item.tile, fit.hardware)
    scales = None
    if item.overlap is not None:
        plain, law = fit.design(label), item.overlap.law(problem, fit.hardware, ALL_MECHANISMS)
        whole = plain.matrix(problem, fit.hardware)
        scales = scales_at(whole, item.theta, plain.resources(fit.hardware), law)
    for term in others.terms:
        columns = term.columns(problem, fit.hardware, ALL_MECHANISMS)
        if scales is not None:
            # Beside a model that overlaps, a term is charged as far as its own resource counts.
            columns = shown(columns, scales, [term.resource] * columns.shape[1])
        places[term.name] = np.arange(start, start + columns.shape[1])
        start += columns.shape[1]
        parts.append(columns)
    terms_only = tuple(places)
    for name, columns in constant_columns(fit, label, problem).items():
        places[name] = np.arange(start, start + columns.shape[1])
        start += columns.shape[1]
        parts.append(columns)
    beside = tuple(places)
    covering = np.arange(start)
    products = product_columns(fit.contributions(label, problem), time)
    for name, columns in products.items():
        places[name] = np.arange(start, start + columns.shape[1])
        start += columns.shape[1]
        parts.append(columns)
    columns = np.concatenate(parts, axis=1)
    surrogates = Surrogates.draw(problem, columns, time, fold, draws, rng, covering)
    asked = [name for name in terms_only if only is None or name in only]
    terms = judge_additions(surrogates, places, model, asked, beside)
    pairs = judge_interactions(surrogates, places, model, tuple(products)) if only is None else []
    return terms, pairs, surrogates


def _adjusted(tiles: dict[str, TileDiagnostics]) -> dict[str, TileDiagnostics]:
    """Adjust p-values over all tiles, terms and interactions each for themselves."""
    terms = iter(adjusted([test for tile in tiles.values() for test in tile.terms]))
    pairs = iter(adjusted([test for tile in tiles.values() for test in tile.interactions]))
    return {
        label: replace(
            tile,
            terms=tuple(next(terms) for _ in tile.terms),
            interactions=tuple(next(pairs) for _ in tile.interactions),
        )
        for label, tile in tiles.items()
    }
