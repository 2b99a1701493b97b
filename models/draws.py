"""Draws of the coefficients: what they would have been, had the lack of fit fallen out otherwise.

Scores are drawn with the covariance of the fitted residual field, and the coefficients are solved again under them.
So a draw obeys what the estimate obeys: no cost is negative, a shared cost is one value, and a coefficient that
rests on zero does so in the draws that say the same. Whatever is computed from coefficients (a time, a share of a
roughness) has its interval from the same draws.

An estimate that cannot fall below zero is too large on average where the truth is zero, and others, which make up
for it, are too small. Draws about such an estimate add to that error instead of showing it. So what it is on
average is worked out from draws about the estimates with every cost at zero that may be: an interval of a sum of
costs has to reach as far again (bootstraps fail at such bounds, Andrews 2000, who puts estimates near them there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cells import Cells
from models.gram import BlockGram
from models.joint import JointSystem
from models.residual_field import ResidualField

Array = NDArray[np.float64]

_PRICE_OF_SHAPE = 8.0
"""How much more an estimated variance varies because reach, lengths and powers are estimated beside the scale.

On planted fields (rough and smooth, stationary or not, lengths of 0.1 to 0.5 octaves), fitted without slopes, it
was 6 to 9 times what Satterthwaite's degrees of freedom say of the scale alone.
"""

_RANK = 1e-10
"""Eigenvalues of a scaled covariance below this share of the largest count as this."""

_FEWEST_FREEDOM = 4.0
"""Degrees of freedom below which a t distribution has hardly a standard deviation: the least that is used."""


_REST = 0.025
"""Share of draws that rest on zero in which a cost may be nothing: then its 95 % interval holds zero."""


@dataclass(frozen=True)
class CoefficientDraws:
    """Draws of the coefficients, one array a tile.

    Attributes
    ----------
    draws : tuple of ndarray, shape (draws, p)
    too_large : tuple of ndarray, shape (p,)
        What the estimates exceed the truth by, on average, if every cost that may be nothing is nothing.
    """

    draws: tuple[Array, ...]
    too_large: tuple[Array, ...]


@dataclass(frozen=True)
class TileResiduals:
    """What the draws need of one tile's fit.

    Attributes
    ----------
    label : str
        Of the tile: draws do not depend on the order of tiles.
    cells : Cells
        Where its samples lie, on a grid that all tiles have in common.
    scaled : ndarray, shape (n, p)
        Design over time.
    theta : ndarray, shape (p,)
        Estimates.
    """

    label: str
    cells: Cells
    scaled: Array
    theta: Array

    @property
    def residual(self) -> Array:
        """Relative residuals, shape (n,)."""
        return np.asarray(1.0 - self.scaled @ self.theta)

    def field(self) -> ResidualField | None:
        """Fit the residual field; a coefficient that rests on zero has absorbed nothing."""
        return ResidualField.fit(self.cells, self.scaled[:, self.theta > 0], self.residual)


def draw_coefficients(
    system: JointSystem, tiles: Sequence[TileResiduals], draws: int, rng: np.random.Generator
) -> CoefficientDraws:
    """Draw the coefficients of all tiles together.

    The field is itself estimated: draws are multivariate t with the degrees of freedom of the tile that has the
    fewest. Where a tile's residuals leave its field open, as one shape or an exact fit does, blocks
    are resampled instead.

    Parameters
    ----------
    system : JointSystem
    tiles : sequence of TileResiduals
        In the order of the system.
    draws : int
    rng : numpy.random.Generator
    """
    fields = [tile.field() for tile in tiles] if draws > 0 else []
    known = [field for field in fields if field is not None]
    if len(known) < len(tiles):
        return CoefficientDraws(system.bootstrap(draws, rng), tuple(np.zeros(tile.theta.size) for tile in tiles))
    covariance = score_covariance(system, tiles, known)
    scale = np.sqrt(np.diag(covariance))
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    # The symmetric root, unlike a triangular one, has no order of its own.
    root = scale[:, None] * ((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
    freedom = max(_FEWEST_FREEDOM, min(field.freedom for field in known) / _PRICE_OF_SHAPE)
    normal = np.empty((draws, system.size))
    normal[:, _by_label(system, tiles)] = rng.standard_normal(normal.shape)
    scores = normal @ root.T
    scores *= np.sqrt(freedom / rng.chisquare(freedom, draws))[:, None]
    drawn = system.refit(scores)
    return CoefficientDraws(drawn, _too_large(system, [tile.theta for tile in tiles], drawn, scores))


def interval_of(draws: Array) -> tuple[Array, Array]:
    """Return the ends of 95 % intervals of draws, shape (draws, ...).

    Of n draws the k-th smallest has k / (n + 1) of the distribution below it: extremes are not cut short.
    """
    low, high = np.percentile(draws, [2.5, 97.5], axis=0, method="weibull")
    return low, high


def _too_large(
    system: JointSystem, theta: Sequence[Array], drawn: Sequence[Array], scores: Array
) -> tuple[Array, ...]:
    """Mean error of the coefficients if all that may be nothing are nothing, shape (p,) for each tile."""
    least = [
        np.where(np.mean(draws <= 0.0, axis=0) >= _REST, 0.0, costs)
        for draws, costs in zip(drawn, theta, strict=True)
    ]
    if all((costs > 0).all() for costs in least):
        return tuple(np.zeros_like(costs) for costs in least)
    about = system.refit(scores, least)
    return tuple(np.asarray(draws.mean(axis=0) - costs) for draws, costs in zip(about, least, strict=True))


def _by_label(system: JointSystem, tiles: Sequence[TileResiduals]) -> NDArray[np.int64]:
    """Places of the common vector in the order of the tiles' labels."""
    order = sorted(range(len(tiles)), key=lambda i: tiles[i].label)
    listed = np.concatenate([system.places[i] for i in order])
    return listed[np.sort(np.unique(listed, return_index=True)[1])]


def score_covariance(system: JointSystem, tiles: Sequence[TileResiduals], fields: Sequence[ResidualField]) -> Array:
    """Covariance of the scores of the common vector, shape (size, size).

    That of the fields, and where a tile's blocks of (M, N) scatter more than its field says, that of the blocks. A
    field is stationary and a landscape need not be; blocks take nothing for granted but scatter too little where
    they share lack of fit. Each is a lower bound in its own way.
    """
    loadings = [field.loadings(tile.scaled) for tile, field in zip(tiles, fields, strict=True)]
    alike = tile_correlation(tiles, fields)
    total = np.zeros((system.size, system.size))
    for i, (tile, field, row) in enumerate(zip(tiles, fields, system.places, strict=True)):
        own = field.nugget(tile.scaled) + sum(part.T @ part for part in loadings[i] if part is not None)
        blocks = block_covariance(system.sums[i], tile.theta)
        total[np.ix_(row, row)] += field.nugget(tile.scaled) + excess(blocks, own)
        for j, column in enumerate(system.places):
            for first, second in zip(loadings[i], loadings[j], strict=True):
                if first is not None and second is not None:
                    total[np.ix_(row, column)] += alike[i, j] * (first.T @ second)
    return total


def tile_correlation(tiles: Sequence[TileResiduals], fields: Sequence[ResidualField]) -> Array:
    """Correlation of the tiles' fields at equal shapes, shape (tile, tile), made positive semidefinite."""
    sums = []
    for tile, field in zip(tiles, fields, strict=True):
        unit = np.stack([tile.residual / field.amplitude, np.ones(tile.residual.size)], axis=1)
        cell = tile.cells.sum(unit).reshape(-1, 2)
        sums.append(cell / np.sqrt(np.maximum(1.0, cell[:, 1:])))
    alike = np.eye(len(tiles))
    for i in range(len(tiles)):
        for j in range(i):
            both = (sums[i][:, 1] > 0) & (sums[j][:, 1] > 0)
            first, second = sums[i][both, 0], sums[j][both, 0]
            length = float(np.linalg.norm(first) * np.linalg.norm(second))
            part = np.sqrt((1.0 - fields[i].nugget_share) * (1.0 - fields[j].nugget_share))
            if length > 0 and part > 0:
                alike[i, j] = alike[j, i] = np.clip(float(first @ second) / length / part, -1.0, 1.0)
    values, vectors = np.linalg.eigh(alike)
    nearest = (vectors * np.maximum(values, 0.0)) @ vectors.T
    size = np.sqrt(np.maximum(np.diag(nearest), 1e-12))
    return np.asarray(nearest / np.outer(size, size))


def block_covariance(sums: BlockGram, theta: Array) -> Array:
    """Covariance of the scores if blocks of (M, N) were independent, shape (p, p)."""
    scores = sums.moment - np.einsum("bij,j->bi", sums.gram, theta)
    used = scores[sums.count > 0]
    centred = used - used.mean(axis=0)
    return np.asarray(centred.T @ centred) * len(used) / max(1, len(used) - 1)


def excess(other: Array, base: Array) -> Array:
    """What must be added to a covariance for no combination to vary less than under another, shape (p, p)."""
    scale = np.sqrt(np.diag(base))
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(base / np.outer(scale, scale))
    values = np.maximum(values, _RANK * values[-1])
    root = scale[:, None] * (vectors * np.sqrt(values))
    inverse = (vectors / np.sqrt(values)).T / scale
    more, directions = np.linalg.eigh(inverse @ other @ inverse.T)
    wide = root @ directions
    return np.asarray((wide * np.maximum(more - 1.0, 0.0)) @ wide.T)
