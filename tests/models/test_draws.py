"""Draws of coefficients: they obey the bounds, and their spread is that of refits to other lack of fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.blocks import block_labels
from models.cells import Cells
from models.draws import (
    TileResiduals,
    block_covariance,
    draw_coefficients,
    excess,
    score_covariance,
    tile_correlation,
)
from models.gram import BlockGram
from models.joint import JointSystem
from models.random_field import random_field

M = N = np.arange(128, 1537, 128)
K = np.array([64, 256, 1024, 2048])
MESH = [axis.ravel() for axis in np.meshgrid(M, N, K, indexing="ij")]
CELLS = Cells.of(*MESH)
OCTAVES = [np.log2(axis) for axis in (M, N, K)]
BLOCKS = block_labels(MESH[0], MESH[1], 6)
THETAS = (np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.0, 0.0]))
KEYS = (("launch", None, None), ("launch", None, None))


def design(tile):
    m, n, k = (axis / axis.max() for axis in MESH)
    waves = np.ceil(m * n * (7 + 4 * tile))
    return np.stack([np.ones_like(m), waves * k, m * k if tile == 0 else np.sqrt(m * n)], axis=1)


def planted(seed, length=0.4, size=0.03, common=0.5):
    """Two tiles that share a coefficient, and their lack of fit."""
    rng = np.random.default_rng(seed)
    shared = random_field(OCTAVES, (length, length, 1.0), rng)
    tiles, sums = [], []
    for number, theta in enumerate(THETAS):
        own = random_field(OCTAVES, (length, length, 1.0), rng)
        field = np.sqrt(common) * shared + np.sqrt(1 - common) * own
        time = design(number) @ theta * np.exp(size * field.ravel())
        sums.append(BlockGram.of(design(number), time, BLOCKS, int(BLOCKS.max()) + 1))
        tiles.append((design(number) / time[:, None], time))
    system = JointSystem.of(sums, KEYS)
    solved = system.solve()
    return system, [
        TileResiduals(label, CELLS, scaled, theta)
        for label, (scaled, _), theta in zip("ab", tiles, solved, strict=True)
    ]


def intervals(draws):
    return [np.percentile(part, [2.5, 97.5], axis=0, method="weibull") for part in draws]


def test_draws_obey_what_the_estimate_obeys():
    system, tiles = planted(0)
    first, second = draw_coefficients(system, tiles, 150, np.random.default_rng(1)).draws
    assert first.shape == second.shape == (150, 3)
    assert min(first.min(), second.min()) >= 0
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    again = draw_coefficients(system, tiles, 150, np.random.default_rng(1)).draws
    np.testing.assert_array_equal(first, again[0])
    for found, tile in zip((first, second), tiles, strict=True):
        np.testing.assert_allclose(np.median(found, axis=0), tile.theta, atol=0.05)


def test_the_order_of_tiles_changes_no_draw():
    system, tiles = planted(2)
    turned = JointSystem.of(system.sums[::-1], KEYS[::-1])
    first = draw_coefficients(system, tiles, 20, np.random.default_rng(1)).draws
    second = draw_coefficients(turned, tiles[::-1], 20, np.random.default_rng(1)).draws
    for one, other in zip(first, second[::-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_without_draws_there_are_none():
    system, tiles = planted(0)
    assert [part.shape for part in draw_coefficients(system, tiles, 0, np.random.default_rng(1)).draws] == [
        (0, 3),
        (0, 3),
    ]


def test_an_exact_fit_falls_back_on_blocks():
    system, tiles = planted(0, size=0.0)
    exact = [
        TileResiduals(tile.label, CELLS, tile.scaled, theta) for tile, theta in zip(tiles, THETAS, strict=True)
    ]
    exact = [TileResiduals("a", CELLS, np.ones((CELLS.place.size, 1)), np.ones(1)), *exact[1:]]
    found = draw_coefficients(system, exact, 7, np.random.default_rng(2))
    assert not np.concatenate(found.too_large).any()
    for part, blocks in zip(found.draws, system.bootstrap(7, np.random.default_rng(2)), strict=True):
        np.testing.assert_array_equal(part, blocks)


def test_spread_is_the_sandwich_where_no_bound_is_near():
    system, tiles = planted(3, size=0.005)
    fields = [tile.field() for tile in tiles]
    covariance = score_covariance(system, tiles, fields)
    gram = np.zeros((system.size, system.size))
    for sums, place in zip(system.sums, system.places, strict=True):
        gram[np.ix_(place, place)] += sums.gram.sum(axis=0)
    inverse = np.linalg.inv(gram)
    expected = np.sqrt(np.diag(inverse @ covariance @ inverse))[system.places[0]]
    found = draw_coefficients(system, tiles, 4000, np.random.default_rng(4)).draws[0].std(axis=0)
    # The tails of t make them a little wider.
    np.testing.assert_allclose(found / expected, 1.06, atol=0.08)


def test_intervals_cover_the_truth_where_those_of_blocks_do_not():
    inside, by_blocks = [], []
    for seed in range(40):
        system, tiles = planted(100 + seed)
        for kind, drawn in (
            (inside, draw_coefficients(system, tiles, 120, np.random.default_rng(seed)).draws),
            (by_blocks, system.bootstrap(120, np.random.default_rng(seed))),
        ):
            for (low, high), truth in zip(intervals(drawn), THETAS, strict=True):
                kind.append((low - 1e-9 <= truth) & (truth <= high))
    rates, before = np.mean(inside[0::2], axis=0), np.mean(by_blocks[0::2], axis=0)
    zero = np.mean(inside[1::2], axis=0)[2]
    assert rates.min() >= 0.85  # 95 % less three standard errors
    assert rates.mean() >= 0.9
    assert before.mean() < 0.85
    assert zero >= 0.9  # a cost that is zero: the interval begins there


def test_tiles_that_share_lack_of_fit_are_found_alike():
    found = []
    for seed in range(6):
        _, tiles = planted(seed, common=0.6)
        found.append(tile_correlation(tiles, [tile.field() for tile in tiles])[0, 1])
    assert np.mean(found) == pytest.approx(0.6, abs=0.15)


def test_block_covariance_counts_blocks_one_by_one():
    system, tiles = planted(5)
    theta = tiles[0].theta
    scores = np.zeros((int(BLOCKS.max()) + 1, 3))
    for row, block in zip(tiles[0].scaled * tiles[0].residual[:, None], BLOCKS, strict=True):
        scores[block] += row
    expected = np.cov(scores.T, ddof=1) * len(scores)
    np.testing.assert_allclose(block_covariance(system.sums[0], theta), expected, rtol=1e-8)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 8))
def test_excess_is_the_least_that_makes_no_combination_vary_less(seed, size, rank):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-8, 8, size)
    base, other = (
        scale[:, None] * (root @ root.T) * scale
        for root in (rng.standard_normal((size, size + 2)), rng.standard_normal((size, rank)))
    )
    more = excess(other, base)
    for matrix in (more, base + more - other):
        unit = matrix / np.sqrt(np.outer(np.diag(base), np.diag(base)))
        assert np.linalg.eigvalsh(0.5 * (unit + unit.T)).min() > -1e-6
    np.testing.assert_allclose(excess(0.9 * base, base) / scale / scale[:, None], 0.0, atol=1e-6)


def test_what_estimates_at_a_bound_exceed_the_truth_by_is_what_it_is_on_average():
    errors, told = [], []
    for seed in range(60):
        system, tiles = planted(300 + seed)
        found = draw_coefficients(system, tiles, 100, np.random.default_rng(seed))
        errors.append([tile.theta - truth for tile, truth in zip(tiles, THETAS, strict=True)])
        told.append(found.too_large)
    errors, told = np.array(errors), np.array(told)
    # The last cost of the second tile is nothing: it is told too large, and those that make up for it too small.
    spread = errors.std(axis=0)[1]
    means, expected = told.mean(axis=0)[1], errors.mean(axis=0)[1]
    assert expected[2] > 0.4 * spread[2]
    assert (np.abs(means - expected) < 0.35 * spread).all()
    assert means[0] < 0 < means[2]


def test_estimates_far_from_their_bounds_are_not_too_large():
    system, tiles = planted(3, size=0.001)
    first = JointSystem.of(system.sums[:1], KEYS[:1])
    found = draw_coefficients(first, tiles[:1], 50, np.random.default_rng(4))
    assert not found.too_large[0].any()
