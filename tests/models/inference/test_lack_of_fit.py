"""Pure error against lack of fit: planted parts recovered, the F test at its size, nothing said without repeats."""

import numpy as np
import pytest

from models.inference.lack_of_fit import NO_REPEATS, PureError, lack_of_fit


def planted(rng, n, repeats, noise, misfit):
    measured = noise * rng.standard_normal((n, repeats))
    residual = misfit * rng.standard_normal(n) + measured.mean(axis=1)
    return residual, PureError(measured.var(axis=1, ddof=1) / repeats, repeats - 1.0, "repeats")


def test_planted_parts_are_recovered():
    residual, pure = planted(np.random.default_rng(0), 20_000, 3, 0.01, 0.02)
    found = lack_of_fit(residual, 1.1 * residual, 5, pure)
    assert found.testable
    assert found.noise == pytest.approx(0.01 / np.sqrt(3), rel=0.02)
    assert found.lack_of_fit == pytest.approx(0.02, rel=0.02)
    assert found.residual**2 == pytest.approx(found.noise**2 + found.lack_of_fit**2)
    assert found.noise_share == pytest.approx(found.noise**2 / (1.1**2 * np.mean(residual**2)), rel=1e-6)
    assert found.p_value < 1e-6


@pytest.mark.parametrize("uneven", [False, True])
def test_the_size_of_the_test(uneven):
    p_values = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        noise = 0.01 * (np.where(np.arange(300) < 60, 4.0, 1.0) if uneven else np.ones(300))
        residual, pure = planted(rng, 300, 3, noise[:, None], 0.0)
        p_values.append(lack_of_fit(residual, residual, 0, pure).p_value)
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09


def test_a_perfect_model_reaches_the_ceiling():
    residual, pure = planted(np.random.default_rng(1), 50_000, 5, 0.02, 0.0)
    found = lack_of_fit(residual, residual, 0, PureError(np.full(50_000, 0.02**2 / 5), np.inf, "stated"))
    assert np.median(np.abs(residual)) == pytest.approx(found.ceiling_median, rel=0.02)
    assert found.noise_share == pytest.approx(1.0, abs=0.02)
    assert found.lack_of_fit < 0.3 * found.noise
    assert found.degrees[1] == np.inf
    assert pure.degrees == 4


@pytest.mark.parametrize("pure", [None, PureError(np.full(10, np.nan), 1.0, ""), PureError(np.zeros(10), 1.0, "")])
def test_without_repeats_nothing_is_said(pure):
    found = lack_of_fit(np.ones(10), np.ones(10), 1, pure)
    assert not found.testable
    assert found.note == NO_REPEATS
    assert np.isnan(found.p_value)


def test_cells_of_unknown_noise_are_left_aside():
    residual, pure = planted(np.random.default_rng(2), 1000, 3, 0.01, 0.01)
    variance = pure.variance.copy()
    variance[:500] = np.nan
    other = residual.copy()
    other[:500] = 9.0
    half = PureError(variance, 2.0, "")
    assert lack_of_fit(other, other, 0, half).residual == pytest.approx(np.sqrt(np.mean(residual[500:] ** 2)))
