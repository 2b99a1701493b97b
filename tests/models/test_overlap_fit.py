"""Fit by turns: against plain turns in numpy, against a general search, and what costs that no cell shows get."""

import numpy as np
import pytest
from scipy.optimize import minimize

from harness.tile import Tile
from models.design import ALL_MECHANISMS
from models.hardware import Hardware
from models.last_wave import LastWave
from models.overlap import LONGER, OverlapLaw, overlapped, scales_at, shown
from models.overlap_fit import fit_overlap
from models.problem import Problem
from models.solve import solve_nonnegative

RESOURCES = ("compute", "launch", "memory", "compute", "memory")
THETA = np.array([2e-6, 5e-6, 4.8e-12, 6e-7, 9e-12])
SHAPES = Problem(
    *(
        axis.ravel()
        for axis in np.meshgrid(np.arange(128, 4097, 440), np.arange(96, 4097, 520), [64, 256, 1024, 4096])
    ),
    Tile.parse("128x128x64"),
)
LAST = LastWave.of(SHAPES, Hardware(cores=20), ALL_MECHANISMS)
LAWS = (OverlapLaw(), OverlapLaw(4.0), OverlapLaw(LONGER, LAST), OverlapLaw(12.0, LAST))


def landscape(law, seed=0, noise=0.004):
    """Design of waves, launching, operands, steps and results, and times that overlap as the law says."""
    M, N, K = (axis.astype(float) for axis in (SHAPES.M, SHAPES.N, SHAPES.K))
    waves = np.ceil(SHAPES.whole_groups / 20)
    columns = [waves, np.ones(M.size), 2.0 * (M * K + K * N), waves * np.ceil(K / 64), 2.0 * M * N]
    matrix = np.stack(columns, axis=1)
    time = overlapped(matrix, THETA, RESOURCES, law) @ THETA
    return matrix, time * np.exp(noise * np.random.default_rng(seed).standard_normal(time.size))


def plain_turns(matrix, time, starts, law):
    """The same turns, a numpy expression each."""
    best, least = None, np.inf
    for start in starts:
        scales = start if start.ndim == 2 else np.stack([1.0 - start, start])
        for _ in range(25):
            design = shown(matrix, scales, RESOURCES) / time[:, None]
            theta = solve_nonnegative(design.T @ design, design.sum(axis=0))
            scales, before = scales_at(matrix, theta, RESOURCES, law), scales
            loss = np.sum((1.0 - overlapped(matrix, theta, RESOURCES, law) @ theta / time) ** 2)
            if loss < least:
                best, least = theta, loss
            if np.abs(scales - before).max() < 1e-6:
                break
    return best, least


@pytest.mark.parametrize("law", LAWS)
def test_turns_are_those_of_numpy(law):
    matrix, time = landscape(law)
    waits = matrix[:, 2] * THETA[2] > matrix[:, 0] * THETA[0]
    scales = scales_at(matrix, THETA, RESOURCES, law)
    for starts in ([waits], [waits, ~waits], [scales, waits]):
        before = [start.copy() for start in starts]
        theta, loss = fit_overlap(matrix, time, RESOURCES, starts, law)
        slow, least = plain_turns(matrix, time, starts, law)
        assert loss == pytest.approx(least, rel=1e-9)
        np.testing.assert_allclose(theta, slow, rtol=1e-6)
        np.testing.assert_allclose(theta, THETA, rtol=0.05)
        for start, kept in zip(starts, before, strict=True):
            np.testing.assert_array_equal(start, kept)


def test_turns_reach_what_a_slow_search_reaches():
    law = OverlapLaw()
    matrix, time = landscape(law, 1, 0.01)
    waits = matrix[:, 2] * THETA[2] > matrix[:, 0] * THETA[0]
    theta, loss = fit_overlap(matrix, time, RESOURCES, [waits, ~waits], law)

    def slow(x):
        return np.sum((1.0 - overlapped(matrix, x, RESOURCES, law) @ x / time) ** 2)

    assert loss == pytest.approx(slow(theta))
    search = minimize(
        lambda x: slow(np.abs(x) * theta),
        np.ones(5),
        method="Nelder-Mead",
        options={"maxiter": 2000, "xatol": 1e-6},
    )
    assert loss <= 1.005 * search.fun


def test_costs_that_all_cells_hide_are_no_part_of_a_fit():
    """Scaled by next to nothing, they would get whatever coefficient residuals ask for."""
    law = OverlapLaw(4.0)
    matrix, _ = landscape(law)
    scales = scales_at(matrix, THETA, RESOURCES, law)
    # Bytes of D only where computing is what lasts.
    matrix[scales[1] >= 0.5, 4] = 0.0
    noise = np.exp(0.004 * np.random.default_rng(2).standard_normal(matrix.shape[0]))
    time = (overlapped(matrix, THETA, RESOURCES, law) @ THETA) * noise
    found, _ = fit_overlap(matrix, time, RESOURCES, [scales], law)
    np.testing.assert_allclose(found[:4], THETA[:4], rtol=0.05)
    assert found[4] < 10 * THETA[4]


def test_without_costs_of_a_kind_the_fit_is_that_of_the_others():
    """No column of memory, and no columns of computing."""
    matrix, time = landscape(OverlapLaw())
    alone = [j for j, kind in enumerate(RESOURCES) if kind != "memory"]
    start = np.zeros(time.size, dtype=bool)
    theta, loss = fit_overlap(matrix[:, alone], time, [RESOURCES[j] for j in alone], [start], OverlapLaw(8.0))
    weighted = matrix[:, alone] / time[:, None]
    expected = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    np.testing.assert_allclose(theta, expected, rtol=1e-6)
    assert loss == pytest.approx(np.sum((1.0 - weighted @ expected) ** 2))
