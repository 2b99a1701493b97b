"""Scans of candidate columns: losses against plain refits, the size of the test, its power."""

import numpy as np
import pytest
from scipy.optimize import nnls

from models.constants.scan import Scan, judge, places_of

BLOCKS = 36


def design(rng, n=720):
    """A base of a constant and two trends, four on-off candidates, and the place of each sample."""
    places = rng.uniform(8, 12, (n, 2))
    blocks = (np.searchsorted([8.7, 9.3, 10, 10.7, 11.3], places[:, 0]) * 6).astype(np.int64)
    blocks += np.searchsorted([8.7, 9.3, 10, 10.7, 11.3], places[:, 1])
    base = np.stack([np.ones(n), places[:, 0] - 8, places[:, 1] - 8], axis=1)
    columns = (rng.random((n, 4)) < 0.4).astype(float)
    return base, columns, blocks, places


def field(rng, places, length=0.25):
    """Lack of fit that neighbours share: correlation exp(-distance / length)."""
    apart = np.abs(places[:, None] - places).sum(axis=2)
    return np.linalg.cholesky(np.exp(-apart / length) + 1e-9 * np.eye(len(places))) @ rng.standard_normal(
        len(places)
    )


def test_the_loss_of_each_candidate_against_a_plain_refit():
    rng = np.random.default_rng(0)
    base, columns, blocks, _ = design(rng)
    response = base @ [1.0, 0.2, 0.1] + 0.3 * columns[:, 1] + 0.1 * rng.standard_normal(len(base))
    scan = Scan.of(base, columns, response, blocks, BLOCKS)
    for index in range(4):
        matrix = np.column_stack([base, columns[:, index]])
        error = response - matrix @ nnls(matrix, response)[0]
        np.testing.assert_allclose(scan.loss[index], np.bincount(blocks, error**2, BLOCKS), rtol=1e-6)
    assert int(np.argmin(scan.loss.sum(axis=1))) == 1


def test_the_score_is_the_slope_of_the_log_likelihood():
    rng = np.random.default_rng(1)
    base, columns, blocks, _ = design(rng)
    response = base @ [1.0, 0.2, 0.1] + 0.1 * rng.standard_normal(len(base))
    scan = Scan.of(base, columns, response, blocks, BLOCKS)
    theta = nnls(base, response)[0]
    variance = np.mean((response - base @ theta) ** 2)

    def loss(cost):
        left = response - cost * columns[:, 0]
        return np.sum((left - base @ nnls(base, left)[0]) ** 2) / variance / 2

    slope = (loss(-1e-4) - loss(1e-4)) / 2e-4
    assert scan.score[0].sum() == pytest.approx(slope, rel=1e-4)
    assert scan.scatter[0].sum() == pytest.approx(0.0, abs=1e-6 * np.abs(scan.score[0]).sum())


def test_a_column_that_the_base_holds_is_no_candidate():
    rng = np.random.default_rng(2)
    base, columns, blocks, _ = design(rng)
    both = np.column_stack([columns[:, 0], base[:, 1] + base[:, 2]])
    scan = Scan.of(base, both, base.sum(axis=1) + rng.standard_normal(len(base)), blocks, BLOCKS)
    finding = judge([scan], [len(base)], rng)
    assert finding.measured.tolist() == [True, False]
    assert not finding.tenable[1]
    np.testing.assert_array_equal(scan.loss[1], scan.without)


def test_columns_that_differ_by_a_factor_are_alike():
    rng = np.random.default_rng(3)
    base, columns, blocks, _ = design(rng)
    same = np.column_stack([columns[:, 0], 3 * columns[:, 0], columns[:, 1]])
    scan = Scan.of(base, same, base.sum(axis=1) + columns[:, 0] + rng.standard_normal(len(base)), blocks, BLOCKS)
    finding = judge([scan], [len(base)], rng)
    assert finding.alike[0, 1] == pytest.approx(1.0)
    assert finding.alike[0, 2] < 0.5
    assert finding.tenable.tolist() == [True, True, False]


def draw(rng, cost, shared):
    """p-values of one data set whose lack of fit is shared by neighbours and whose columns are smooth too."""
    base, columns, blocks, places = design(rng, 240)
    columns = np.stack([field(rng, places) > 0.3 for _ in range(3)], axis=1).astype(float)
    noise = shared * field(rng, places) + 0.2 * rng.standard_normal(len(base))
    response = base @ [1.0, 0.2, 0.1] + cost * columns[:, 0] + noise
    scan = Scan.of(base, columns, response, blocks, BLOCKS, free=True)
    where = places_of(2 ** places[:, 0], 2 ** places[:, 1], blocks, BLOCKS)
    return judge([scan], [len(base)], rng, where)


def test_nothing_is_found_where_nothing_is():
    """Columns are as smooth as the lack of fit, so samples are far from independent."""
    rng = np.random.default_rng(4)
    found = [draw(rng, 0.0, 1.0).found for _ in range(120)]
    assert np.mean(found) <= 0.05


def test_a_cost_is_found_and_named():
    rng = np.random.default_rng(5)
    findings = [draw(rng, 1.5, 0.5) for _ in range(10)]
    assert all(finding.found for finding in findings)
    assert all(finding.best == 0 for finding in findings)
    assert all(finding.tenable[0] for finding in findings)


def test_a_gain_is_no_cost():
    rng = np.random.default_rng(6)
    assert not any(draw(rng, -1.5, 0.5).best == 0 and draw(rng, -1.5, 0.5).found for _ in range(3))
