"""From solved coefficients to what is reported of one tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cells import Cells
from models.conformal import ConformalIntervals, coverage
from models.design import Design
from models.draws import TileResiduals, interval_of
from models.gram import BlockGram
from models.hardware import Hardware
from models.hull import MeasuredHull
from models.identify import unidentified_jointly
from models.joint import JointSystem
from models.result import Estimate, TileFit
from models.tile_data import TileData

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PreparedTile:
    """Design and sums of one tile, with the columns that can be identified."""

    design: Design
    matrix: Array
    kept: NDArray[np.int64]
    reasons: dict[int, str]
    sums: BlockGram
    keys: tuple[str | None, ...]
    hardware: Hardware

    def over_all_columns(self, part: Array) -> Array:
        """Put what the last axis has of the identified columns in their places, nothing in the others."""
        full = np.zeros((*part.shape[:-1], self.matrix.shape[1]))
        full[..., self.kept] = part
        return full

    def residuals(self, item: TileData, cells: Cells, theta: Array) -> TileResiduals:
        """Return what draws need of the tile; `theta` are the coefficients of the identified columns."""
        scaled = self.matrix[:, self.kept] / item.samples.time[:, None]
        return TileResiduals(self.design.tile.name, cells.take(item.rows), scaled, theta)


def joint_system(prepared: Mapping[str, PreparedTile]) -> JointSystem:
    """Lay out prepared tiles to be solved together."""
    return JointSystem.of([item.sums for item in prepared.values()], [item.keys for item in prepared.values()])


def prepare_tiles(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    n_blocks: int,
    matrices: Mapping[str, Array],
) -> dict[str, PreparedTile]:
    """Sum the designs over blocks and set aside the columns that cannot be identified.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
    hardware : Hardware
    n_blocks : int
        Blocks that labels run over.
    matrices : mapping of tile label to ndarray, shape (n, p)
        The designs on the samples, without what overlap hides.
    """
    items, listed = list(data.values()), [designs[label] for label in data]
    shown = [matrices[label] for label in data]
    sums = [
        BlockGram.of(matrix, item.samples.time, item.blocks, n_blocks)
        for item, matrix in zip(items, shown, strict=True)
    ]
    columns = [design.columns(hardware) for design in listed]
    # A vendor library is another kernel: it shares nothing with the tiles.
    hidden = [item.hidden for item in items]
    keys = [
        tuple(column.coefficient.name if column.term.shared and not secret else None for column in row)
        for row, secret in zip(columns, hidden, strict=True)
    ]
    found = unidentified_jointly([part.gram.sum(axis=0) for part in sums], columns, keys)
    prepared = []
    for design, matrix, part, row, reasons in zip(listed, shown, sums, keys, found, strict=True):
        kept = np.array([j for j in range(len(row)) if j not in reasons], dtype=np.int64)
        prepared.append(
            PreparedTile(design, matrix, kept, reasons, part.take(kept), tuple(row[j] for j in kept), hardware)
        )
    return dict(zip(data, prepared, strict=True))


def tile_fit(
    item: TileData,
    prepared: PreparedTile,
    theta: Array,
    draws: Array,
    too_large: Array,
    held_out: Array,
    in_main: NDArray[np.bool_],
    left_out: dict[str, str],
    rng: np.random.Generator,
) -> TileFit:
    """Gather what is reported of one tile; its constants follow (:func:`models.constants.collect.with_constants`).

    Parameters
    ----------
    item : TileData
    prepared : PreparedTile
    theta : ndarray, shape (k,)
        Coefficients of the identified columns.
    draws : ndarray, shape (draws, k)
        What they would have been under other lack of fit (:mod:`models.draws`).
    too_large : ndarray, shape (k,)
        Mean error of estimates at their bound.
    held_out : ndarray, shape (n,)
        Times predicted for each sample by the fit to the other folds, seconds.
    in_main : ndarray of bool
        Among all samples of the fit, those of the main cube: errors are reported on them.
    left_out : dict of str to str
        Terms that are not in the model, with the reason.
    rng : numpy.random.Generator
    """
    time = item.samples.time
    main = in_main[item.rows]
    error = np.abs(held_out / time - 1.0)[main]
    columns = prepared.design.columns(prepared.hardware)
    full, all_draws, errors = (prepared.over_all_columns(part) for part in (theta, draws, too_large))
    share = (prepared.matrix / time[:, None])[main].mean(axis=0) * full
    bounded = draws.shape[0] > 0
    low, high = interval_of(all_draws) if bounded else (full, full)
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
    paths = item.problem.load_paths(prepared.hardware)
    half = rng.permutation(int(item.blocks.max()) + 1)[item.blocks] % 2 == 0
    relative = item.samples.spread / time
    known_noise = relative[np.isfinite(relative) & main]
    return TileFit(
        tile=item.tile,
        terms=tuple(term.name for term in prepared.design.terms),
        left_out=left_out,
        estimates=tuple(estimates),
        constants={},
        theta=full,
        draws=all_draws,
        too_large=errors,
        n=item.samples.size,
        mape=float(error.mean()),
        median_ape=float(np.median(error)),
        coverage=coverage(held_out[main], time[main], half[main], path=paths.max(axis=1)[main]),
        noise=float(np.median(known_noise)) if known_noise.size else float("nan"),
        intervals=ConformalIntervals.calibrate(held_out, time, paths.max(axis=1)),
        hull=MeasuredHull.of(item.samples.M, item.samples.N, item.samples.K),
        paths=tuple((int(a), int(b)) for a, b in np.unique(paths, axis=0)),
    )
