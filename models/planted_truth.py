"""The truth behind a planted landscape, in the terms of a model fitted to it: what its intervals should cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.samples import Samples
from models.planted import Planted
from models.reasons import COMBINATION
from models.result import Estimate, FitResult

Array = NDArray[np.float64]

_ROUNDING = 1e-9
"""Parts of a reproduction below this share of the largest are rounding."""


def true_coefficients(planted: Planted, fit: FitResult, label: str) -> Array:
    """True coefficients of one tile in the order of its fitted design, shape (p,).

    A column that the grid cannot tell from others has its cost in theirs: what the truth has of it is added to them
    in the proportions that reproduce it on the planted cube. Columns that the fit reports no estimate of are NaN,
    as are those that the truth does not know.
    """
    tile = fit.tiles[label]
    costs = planted.costs(label)
    truth = np.array([costs.get(estimate.name, np.nan) for estimate in tile.estimates])
    kept = np.array([estimate.identifiable for estimate in tile.estimates])
    merged = np.array([estimate.reason.startswith(COMBINATION) for estimate in tile.estimates]) & (truth > 0)
    if merged.any():
        samples = Samples.from_cube(planted.cube.sel(tile=[label]))
        matrix = fit.matrix(label, fit.problem(label, samples.M, samples.N, samples.K))
        scaled = matrix / samples.time[:, None]
        length = np.linalg.norm(scaled[:, kept], axis=0)
        length[length == 0] = 1.0
        parts = np.linalg.lstsq(scaled[:, kept] / length, scaled[:, merged] @ truth[merged], rcond=None)[0]
        parts[np.abs(parts) < _ROUNDING * np.abs(parts).max()] = 0.0
        truth[kept] += parts / length
    truth[~kept] = np.nan
    return truth


def true_model(planted: Planted, fit: FitResult) -> FitResult:
    """Return the fit with true terms, constants and coefficients, and no draws.

    What it says of times and shares is what the intervals of the fit should cover. A coefficient that multiplies
    nothing on the planted grid is left at zero.
    """
    tiles = {}
    for label, tile in fit.tiles.items():
        samples = Samples.from_cube(planted.cube.sel(tile=[label]))
        problem = replace(fit.problem(label, samples.M, samples.N, samples.K), tile=planted.design(label).tile)
        design = planted.design(label)
        used = design.matrix(problem, planted.hardware).any(axis=0)
        theta = np.where(used, planted.theta[label], 0.0)
        estimates = tuple(
            Estimate(
                column.term.name,
                column.coefficient.name,
                column.coefficient.unit,
                column.coefficient.meaning,
                float(value),
                None,
                None,
                0.0,
                True,
            )
            for column, value in zip(design.columns(planted.hardware), theta, strict=True)
        )
        tiles[label] = replace(
            tile,
            tile=design.tile,
            terms=design.names,
            estimates=estimates,
            theta=theta,
            draws=np.empty((0, theta.size)),
            too_large=np.zeros(theta.size),
            overlap=None,
            all_terms=None,
        )
    return replace(fit, hardware=planted.hardware, tiles=tiles)
