"""Residual fields: planted lengths come back, and sums over pairs agree with loops."""

import numpy as np
import pytest

from models.cells import Cells
from models.random_field import random_field
from models.residual_field import ResidualField

M = N = np.arange(128, 1793, 128)
K = np.array([64, 128, 256, 512, 1024, 2048])
MESH = [axis.ravel() for axis in np.meshgrid(M, N, K, indexing="ij")]
CELLS = Cells.of(*MESH)
ONES = np.ones((CELLS.place.size, 1))
OCTAVES = [np.log2(axis) for axis in (M, N, K)]


ELEMENTS = [M.astype(float), N.astype(float), np.log2(K)]


def covariance_of(field, design):
    loadings = [part for part in field.loadings(design) if part is not None]
    return field.nugget(design) + sum(part.T @ part for part in loadings)


def smooth_columns():
    """Columns that absorb much of a field: polynomials in the octaves."""
    m, n, k = (np.log2(axis) - np.log2(axis).mean() for axis in MESH)
    return np.stack([np.ones_like(m), m, n, k, m * n, m * m, n * n, k * k], axis=1)


def residual_of(field, design):
    theta = np.linalg.lstsq(design, field, rcond=None)[0]
    return field - design @ theta


def fitted(draw, design, seeds):
    found = []
    for seed in range(seeds):
        field = draw(np.random.default_rng(seed)).ravel()
        found.append(ResidualField.fit(CELLS, design, residual_of(field, design)))
    return found


@pytest.mark.parametrize("length", [0.15, 0.4])
@pytest.mark.parametrize("positions", [OCTAVES, ELEMENTS], ids=["octaves", "elements"])
def test_scores_vary_as_those_of_the_planted_field_do(length, positions):
    lengths = (length, length, 1.0) if positions is OCTAVES else (1000 * length, 1000 * length, 1.0)
    design = smooth_columns()  # they absorb much of the field
    fields = fitted(lambda rng: 0.02 * random_field(positions, lengths, rng), design, 12)
    planted = np.ones(())
    for axis, scale in zip(positions, lengths, strict=True):
        planted = np.kron(planted, np.exp(-np.abs(np.subtract.outer(axis, axis)) / scale))
    expected = np.diag(design.T @ planted @ design) * 0.02**2
    ratio = [np.diag(covariance_of(field, design)) / expected for field in fields]
    # Two axes of fourteen sizes tell a long correlation roughly, and a little much is given back for the fit.
    assert 0.7 < np.median(ratio) < 1.5
    assert np.median(ratio, axis=0).min() > 0.55
    # Independent samples of the same size would have a fraction of it.
    assert 0.02**2 * np.median((design**2).sum(axis=0) / expected) < 0.4


def test_a_nugget_is_told_from_what_neighbours_share():
    def draw(rng):
        shared = random_field(OCTAVES, (0.4, 0.4, 1.0), rng)
        return np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.standard_normal(shared.shape)

    fields = fitted(draw, smooth_columns(), 12)
    plain = fitted(lambda rng: random_field(OCTAVES, (0.4, 0.4, 1.0), rng), smooth_columns(), 12)
    # A part of it passes for what one axis shares alone: that errs on the side of wide intervals.
    assert 0.15 < np.median([field.nugget_share for field in fields]) < 0.6
    assert np.median([field.nugget_share for field in plain]) < 0.1


def test_what_one_axis_shares_alone_stays_with_it():
    for field in fitted(lambda rng: random_field(OCTAVES, (0.0, 0.0, 50.0), rng), ONES, 4):
        matrix = explicit(field)
        alike = (MESH[0][:, None] == MESH[0]) & (MESH[1][:, None] == MESH[1])
        assert matrix[alike].min() > 0.55
        assert np.abs(matrix[~alike]).sum() / len(matrix) < 1.5  # beside 5 that are near 1


def test_distances_are_in_the_unit_that_suits():
    fields = fitted(lambda rng: random_field(ELEMENTS, (400.0, 400.0, 1.0), rng), ONES, 12)
    metrics = np.array([[fall.metric for fall in field.falls] for field in fields])
    assert metrics[:, :2].mean() > 0.6 > 0.4 > metrics[:, 2].mean()


@pytest.mark.parametrize("smooth", [False, True])
def test_a_field_with_slopes_is_told_from_one_without(smooth):
    fields = fitted(lambda rng: random_field(OCTAVES, (0.5, 0.5, 1.0), rng, smooth=smooth), ONES, 10)
    told = np.array([[fall.smoothness for fall in field.falls[:2]] for field in fields])
    assert np.mean(told == (2 if smooth else 1)) >= 0.7


def test_amplitudes_follow_the_sizes():
    strength = (MESH[0] * MESH[1]) ** -0.25
    fields = fitted(
        lambda rng: strength.reshape(CELLS.shape) * random_field(OCTAVES, (0.1, 0.1, 0.5), rng),
        ONES,
        6,
    )
    told = np.median([np.log(field.amplitude / strength) for field in fields], axis=0)
    assert np.abs(told).max() < 0.4  # they fall by a factor of nearly four
    assert np.abs(told).mean() < 0.12


def test_independent_residuals_have_no_neighbours():
    fields = fitted(lambda rng: rng.standard_normal(CELLS.shape), ONES, 20)
    told = np.array([~np.isnan(field.reach) for field in fields])
    assert told.mean() <= 0.15  # a twentieth, by chance
    assert np.median([field.nugget_share for field in fields]) == 1.0
    assert np.median([field.freedom for field in fields]) == pytest.approx(CELLS.place.size)


def explicit(field):
    """Correlation of all pairs of samples, from the definition."""
    same, near = [], []
    for axis, (sizes, fall) in enumerate(zip(MESH, field.falls, strict=True)):
        values = np.log2(sizes) if fall.metric == 0 else sizes.astype(float)
        gap = np.abs(np.subtract.outer(values, values))
        same.append(gap == 0)
        near.append(np.exp(-((gap / fall.length) ** fall.smoothness)))
        assert axis < 3
    q, *alone = field.shares()
    total = q * near[0] * near[1] * near[2]
    for axis, share in enumerate(alone):
        others = [same[other] for other in range(3) if other != axis]
        total = total + share * near[axis] * others[0] * others[1]
    total[np.diag_indices_from(total)] += field.nugget_share
    return total


def test_scores_have_the_covariance_of_all_pairs():
    rng = np.random.default_rng(8)
    draw = np.sqrt(0.6) * random_field(OCTAVES, (0.3, 0.3, 1.0), rng) + np.sqrt(0.2) * random_field(
        OCTAVES, (0.0, 0.0, 3.0), rng
    )
    draw = draw + np.sqrt(0.2) * rng.standard_normal(draw.shape)
    design = smooth_columns()
    field = ResidualField.fit(CELLS, design, residual_of(draw.ravel(), design))
    matrix = explicit(field)
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    wide = design * field.amplitude[:, None]
    found = covariance_of(field, design)
    np.testing.assert_allclose(found, wide.T @ matrix @ wide, rtol=1e-8, atol=1e-8 * np.abs(found).max())
    assert field.freedom == pytest.approx(len(matrix) ** 2 / (matrix**2).sum(), rel=1e-8)


def test_residuals_without_size_or_neighbours_have_no_field():
    design = ONES
    assert ResidualField.fit(CELLS, design, np.zeros(CELLS.place.size)) is None
    rounding = 1e-15 * np.random.default_rng(0).standard_normal(CELLS.place.size)
    assert ResidualField.fit(CELLS, design, rounding) is None
    sizes = np.arange(100, 160)
    lonely = Cells.of(sizes, sizes, sizes)
    residual = np.random.default_rng(0).standard_normal(60)
    assert lonely.shape == (48, 48, 48)  # more values than that are gathered
    assert (
        ResidualField.fit(
            Cells(tuple([sizes.astype(float)] * 3), np.arange(60) * (3600 + 61)), design[:60], residual
        )
        is None
    )
