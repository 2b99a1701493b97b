"""The additive model: non-negative mechanism costs that add up to a kernel's time.

Estimation goes in steps, each on Gram matrices per block of (M, N):

1. the cores and residencies are counted from the wave pattern (:mod:`models.waves`);
2. the working set at which the cache spills is profiled (:mod:`models.cache_size`);
3. optional terms are admitted by held-out error (:mod:`models.select`);
4. all tiles are solved jointly, the launch cost shared (:mod:`models.joint`), and resampled by blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import device_of, element_bytes_of, output_bytes_of
from harness.errors import FitError
from harness.samples import Samples
from harness.tile import Tile
from models.blocks import Blocks, fold_labels
from models.cache_size import profile_cache
from models.conformal import ConformalIntervals, coverage
from models.design import ALL_MECHANISMS, Design, problem_of
from models.effective_tile import effective_tile
from models.gram import BlockGram
from models.hardware import Hardware
from models.hull import MeasuredHull
from models.identify import unidentified_jointly
from models.joint import JointSystem
from models.problem import Problem
from models.result import Constant, Estimate, FitResult, TileFit
from models.select import select_terms
from models.term import Term
from models.terms import ALL_TERMS
from models.waves import GroupedWaves, WaveConstants, wave_constants

Array = NDArray[np.float64]
Progress = Callable[[str], None]

_LEAST_SAMPLES = 40
"""Fewest samples of a tile on the main cube that a model is fitted to."""


@dataclass(frozen=True)
class _TileData:
    """Samples of one tile with everything fixed so far."""

    tile: Tile
    rows: NDArray[np.int64]
    samples: Samples
    blocks: NDArray[np.int64]
    problem: Problem

    def with_tile(self, tile: Tile) -> _TileData:
        return replace(self, tile=tile, problem=replace(self.problem, tile=tile))


@dataclass(frozen=True)
class AdditiveModel:
    """An additive mechanism model, ready to be fitted.

    Attributes
    ----------
    terms : tuple of Term
        Candidate terms; those that are not ``always`` in have to earn their place.
    folds : int
        Folds of blocks for held-out errors.
    draws : int
        Block-bootstrap refits for intervals.
    seed : int
        Seed of folds and bootstrap.
    """

    terms: tuple[Term, ...] = ALL_TERMS
    folds: int = 8
    draws: int = 200
    seed: int = 0

    def fit(self, cube: xr.Dataset, also: Sequence[xr.Dataset] = (), progress: Progress | None = None) -> FitResult:
        """Fit all tiles of a cube.

        Parameters
        ----------
        cube : xarray.Dataset
            Landscape cube, dense or sparse. Constants are profiled and errors are held out on it.
        also : sequence of xarray.Dataset
            More cubes of the same device and kernels, fine lines say, that help to identify coefficients.
        progress : callable, optional
            Called with a few words when a step begins.

        Raises
        ------
        FitError
            If no tile has enough samples.
        """
        say = progress or (lambda _: None)
        rng = np.random.default_rng(self.seed)
        device = device_of(cube)
        sizes = (element_bytes_of(cube), output_bytes_of(cube))
        for other in also:
            if (element_bytes_of(other), output_bytes_of(other)) != sizes or device_of(other).id != device.id:
                raise FitError("all cubes of a fit must be of one device and one dtype")
        main = Samples.from_cube(cube)
        parts = [main, *(Samples.from_cube(other) for other in also)]
        samples = Samples.concatenate(parts)
        in_main = np.arange(samples.size) < main.size
        # Blocks are those of the main cube: what other cubes measured inside one is held out with it.
        labels = Blocks.of(main.M, main.N).labels(samples.M, samples.N)
        blocks = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        n_blocks = int(blocks.max()) + 1
        if n_blocks < 2 * self.folds:
            raise FitError(
                f"only {n_blocks} blocks of neighbouring (M, N) in the cube: {2 * self.folds} are needed "
                "to hold any out; measure more values of M and N"
            )
        fold = fold_labels(blocks, self.folds, rng)
        data, tiny = _split_tiles(samples, blocks, sizes, in_main)
        if not data:
            raise FitError(f"no tile has {_LEAST_SAMPLES} samples: there is too little to fit")

        vector_bytes = cube.attrs.get("vector_bytes")
        hardware = Hardware.from_device(device, int(vector_bytes) if vector_bytes else None)
        say("counting cores")
        grid = {label: _main_only(item, in_main) for label, item in data.items()}
        waves = self._waves(grid, hardware, device.cores, rng)
        if waves is not None:
            hardware = hardware.with_waves(waves.cores, waves.residency)
        say("finding the cache size")
        cache = profile_cache(
            {label: (item.problem, item.samples.time, item.blocks) for label, item in grid.items()},
            hardware,
            self.terms,
            rng,
        )
        if cache is not None and cache.estimate is not None:
            hardware = replace(hardware, cache_bytes=cache.estimate)
        effective: dict[str, Constant] = {}
        for label, item in list(data.items()):
            if item.tile.hidden:
                say(f"looking for the effective tile of {label}")
                found = effective_tile(
                    grid[label].problem, grid[label].samples.time, grid[label].blocks, hardware, self.terms
                )
                if found is not None:
                    data[label] = item.with_tile(found.tile)
                    residency = {**hardware.residency, label: found.residency}
                    hardware = hardware.with_waves(hardware.cores, residency)
                    effective[label] = Constant(float(found.residency), (), "effective, the tile is hidden")

        say("choosing terms")
        fold_of_block = np.zeros(n_blocks, dtype=np.int64)
        fold_of_block[blocks] = fold
        designs: dict[str, Design] = {}
        left_out: dict[str, dict[str, str]] = {}
        for label, item in data.items():
            designs[label], left_out[label] = self._choose(item, hardware, fold_of_block, n_blocks)

        say("estimating")
        prepared = dict(
            zip(data, _prepare(list(data.values()), list(designs.values()), hardware, n_blocks), strict=True)
        )
        system = JointSystem.of(
            [item.sums for item in prepared.values()],
            [item.keys for item in prepared.values()],
        )
        theta = dict(zip(data, system.solve(), strict=True))
        draws = dict(zip(data, system.bootstrap(self.draws, rng), strict=True))
        held_out = {label: np.empty(item.samples.size) for label, item in data.items()}
        for number in range(self.folds):
            weight = (fold_of_block != number).astype(np.float64)
            for label, part in zip(data, system.solve(weight), strict=True):
                rows = fold_of_block[data[label].blocks] == number
                kept = prepared[label].kept
                held_out[label][rows] = prepared[label].matrix[np.ix_(rows, kept)] @ part
        fits = {
            label: _tile_fit(
                data[label],
                prepared[label],
                theta[label],
                draws[label],
                held_out[label],
                in_main,
                left_out[label],
                _constants(label, waves, cache, hardware, effective),
                rng,
            )
            for label in data
        }
        return FitResult(device, hardware, *sizes, fits, n_blocks, self.folds, self.seed, tiny)

    def _waves(
        self, data: dict[str, _TileData], hardware: Hardware, known: int | None, rng: np.random.Generator
    ) -> WaveConstants | None:
        grouped = {}
        largest = max(256, 2 * hardware.cores)
        for label, item in data.items():
            if item.tile.hidden:
                continue
            others = [replace(hardware, cores=1, residency={}, cache_bytes=size) for size in _spill_sizes(hardware)]
            design = Design.of([t for t in self.terms if t.name != "waves"], item.tile, others[0])
            columns = [design.matrix(item.problem, others[0])]
            spill = [t for t in design.terms if t.name == "cache spill"]
            columns += [t.columns(item.problem, other, ALL_MECHANISMS) for t in spill for other in others[1:]]
            matrix = np.concatenate(columns, axis=1)
            matrix = matrix[:, (matrix != 0).any(axis=0)]
            grouped[label] = GroupedWaves(item.problem, item.samples.time, matrix, item.blocks, ALL_MECHANISMS)
        if not grouped:
            return None
        return wave_constants(grouped, np.arange(1, largest + 1), rng, known)

    def _choose(
        self, item: _TileData, hardware: Hardware, fold_of_block: NDArray[np.int64], n_blocks: int
    ) -> tuple[Design, dict[str, str]]:
        every = Design.of(self.terms, item.tile, hardware)
        matrix = every.matrix(item.problem, hardware)
        sums = BlockGram.of(matrix, item.samples.time, item.blocks, n_blocks)
        widths = [len(term.coefficients(item.tile, hardware)) for term in every.terms]
        ends = np.cumsum(widths)
        places = [np.arange(end - width, end) for width, end in zip(widths, ends, strict=True)]
        chosen = select_terms(sums, places, [term.always for term in every.terms], fold_of_block)
        left_out = dict(every.skipped)
        for index, term in enumerate(every.terms):
            if index not in chosen:
                used = sums.gram[:, places[index], places[index]].any()
                left_out[term.name] = (
                    "does not lower the held-out error"
                    if used
                    else f"zero on this grid; would be identified by {term.identified_by}"
                )
        return Design.of([every.terms[i] for i in chosen], item.tile, hardware), left_out


@dataclass(frozen=True)
class _Prepared:
    """Design and sums of one tile, with the columns that can be identified."""

    design: Design
    matrix: Array
    kept: NDArray[np.int64]
    reasons: dict[int, str]
    sums: BlockGram
    keys: tuple[str | None, ...]
    hardware: Hardware


def _prepare(
    items: Sequence[_TileData], designs: Sequence[Design], hardware: Hardware, n_blocks: int
) -> list[_Prepared]:
    matrices = [design.matrix(item.problem, hardware) for item, design in zip(items, designs, strict=True)]
    sums = [
        BlockGram.of(matrix, item.samples.time, item.blocks, n_blocks)
        for item, matrix in zip(items, matrices, strict=True)
    ]
    columns = [design.columns(hardware) for design in designs]
    # A vendor library is another kernel: it shares nothing with the tiles.
    hidden = [item.samples.tiles[int(item.samples.tile[0])].hidden for item in items]
    keys = [
        tuple(column.coefficient.name if column.term.shared and not secret else None for column in listed)
        for listed, secret in zip(columns, hidden, strict=True)
    ]
    found = unidentified_jointly([part.gram.sum(axis=0) for part in sums], columns, keys)
    prepared = []
    for design, matrix, part, row, reasons in zip(designs, matrices, sums, keys, found, strict=True):
        kept = np.array([j for j in range(len(row)) if j not in reasons], dtype=np.int64)
        prepared.append(
            _Prepared(design, matrix, kept, reasons, part.take(kept), tuple(row[j] for j in kept), hardware)
        )
    return prepared


def _tile_fit(
    item: _TileData,
    prepared: _Prepared,
    theta: Array,
    draws: Array,
    held_out: Array,
    in_main: NDArray[np.bool_],
    left_out: dict[str, str],
    constants: dict[str, Constant],
    rng: np.random.Generator,
) -> TileFit:
    time = item.samples.time
    main = in_main[item.rows]
    error = np.abs(held_out / time - 1.0)[main]
    columns = prepared.design.columns(prepared.hardware)
    full, all_draws = np.zeros(len(columns)), np.zeros((draws.shape[0], len(columns)))
    full[prepared.kept], all_draws[:, prepared.kept] = theta, draws
    share = (prepared.matrix / time[:, None])[main].mean(axis=0) * full
    bounded = draws.shape[0] > 0
    low, high = np.percentile(all_draws, [2.5, 97.5], axis=0) if bounded else (full, full)
    estimates = []
    for j, column in enumerate(columns):
        reason = prepared.reasons.get(j, "")
        known = reason == ""
        estimates.append(
            Estimate(
                column.term.name,
                column.coefficient.name,
                column.coefficient.unit,
                column.coefficient.meaning,
                float(full[j]) if known else None,
                float(low[j]) if known and bounded else None,
                float(high[j]) if known and bounded else None,
                float(share[j]),
                known,
                reason,
            )
        )
    paths = item.problem.load_paths(prepared.hardware.line_bytes, prepared.hardware.vector_bytes)
    half = rng.permutation(int(item.blocks.max()) + 1)[item.blocks] % 2 == 0
    relative = item.samples.spread / time
    known_noise = relative[np.isfinite(relative) & main]
    if constants.get("base_overhead_s") is None:
        base = next((e for e in estimates if e.name == "launch"), None)
        if base is not None:
            bounds = () if base.lower is None or base.upper is None else (base.lower, base.upper)
            status = "identified" if base.identifiable else base.reason
            constants = {**constants, "base_overhead_s": Constant(base.estimate, bounds, status)}
    return TileFit(
        tile=item.tile,
        terms=tuple(term.name for term in prepared.design.terms),
        left_out=left_out,
        estimates=tuple(estimates),
        constants=constants,
        theta=full,
        draws=all_draws,
        n=item.samples.size,
        mape=float(error.mean()),
        median_ape=float(np.median(error)),
        coverage=coverage(held_out[main], time[main], half[main], path=paths.max(axis=1)[main]),
        noise=float(np.median(known_noise)) if known_noise.size else float("nan"),
        intervals=ConformalIntervals.calibrate(held_out, time, paths.max(axis=1)),
        hull=MeasuredHull.of(item.samples.M, item.samples.N, item.samples.K),
        paths=tuple((int(a), int(b)) for a, b in np.unique(paths, axis=0)),
    )


def _split_tiles(
    samples: Samples, blocks: NDArray[np.int64], sizes: tuple[int, int], in_main: NDArray[np.bool_]
) -> tuple[dict[str, _TileData], dict[str, int]]:
    data, tiny = {}, {}
    for index, tile in enumerate(samples.tiles):
        rows = np.flatnonzero(samples.tile == index)
        on_grid = int(in_main[rows].sum())
        if on_grid < _LEAST_SAMPLES:
            tiny[tile.name] = on_grid
            continue
        part = samples.take(rows)
        data[tile.name] = _TileData(tile, rows, part, blocks[rows], problem_of(part, tile, *sizes))
    return data, tiny


def _main_only(item: _TileData, in_main: NDArray[np.bool_]) -> _TileData:
    rows = np.flatnonzero(in_main[item.rows])
    return _TileData(
        item.tile, item.rows[rows], item.samples.take(rows), item.blocks[rows], item.problem.take(rows)
    )


def _spill_sizes(hardware: Hardware) -> tuple[float, ...]:
    """Cache sizes that stand in for the unknown one while cores are counted."""
    return tuple(hardware.cache_bytes * share for share in (0.5, 0.25, 1.0))


def _constants(
    label: str,
    waves: WaveConstants | None,
    cache: Constant | None,
    hardware: Hardware,
    effective: dict[str, Constant],
) -> dict[str, Constant]:
    constants: dict[str, Constant] = {}
    if waves is not None and label in waves.by_tile:
        status = "identified" if waves.identified else "not identified on this grid"
        own_cores, own_residency, own_set = waves.by_tile[label]
        constants["cores"] = Constant(float(waves.cores), tuple(map(float, waves.cores_set)), status)
        held = waves.residency_set[label]
        constants["residency"] = Constant(float(waves.residency[label]), tuple(map(float, held)), status)
        constants["slots"] = Constant(float(hardware.slots_of(label)), (), status)
        constants["cores_of_this_tile_alone"] = Constant(
            float(own_cores), tuple(map(float, own_set)), f"with residency {own_residency}"
        )
    if label in effective:
        constants["residency"] = effective[label]
    if cache is not None:
        constants["cache_spill_bytes"] = cache
    return constants
