"""Kernel Optimality Levels: bands, their boundaries, and the arithmetic of the paper's tables that holds."""

import numpy as np
import pytest

from attrib.optimality import KernelOptimality, kernel_optimality, rho_band, tau_band
from harness.errors import InputError


@pytest.mark.parametrize(
    ("tau", "band"),
    [(0.0, 0), (0.4999, 0), (0.5, 1), (0.7499, 1), (0.75, 2), (0.9499, 2), (0.95, 3), (1.0, 3)],
)
def test_throughput_bands_belong_to_the_better_side(tau, band):
    assert tau_band(tau) == band


@pytest.mark.parametrize(
    ("rho", "band"), [(9.0, 0), (3.001, 0), (3.0, 1), (2.001, 1), (2.0, 2), (1.2501, 2), (1.25, 3), (0.9, 3)]
)
def test_smoothness_bands_belong_to_the_better_side(rho, band):
    assert rho_band(rho) == band


@pytest.mark.parametrize(
    ("tau", "rho", "eta", "level"),
    [(1.0, 1.0, 0.962, "L3"), (0.61, 5.9, 0.95, "L0"), (0.71, 3.7, 0.962, "L0"), (0.79, 1.8, 0.962, "L2")],
)
def test_levels_of_table_20(tau, rho, eta, level):
    grade = KernelOptimality(tau, rho, eta)
    assert grade.level == level
    assert str(grade).startswith(level)
    assert grade.to_dict() == {"tau": tau, "rho": rho, "eta_peak": eta, "level": level}


@pytest.mark.parametrize(
    ("mean", "rough", "tau", "rho", "level"),
    [
        (58.7, 16.8, 0.607, 7.53, "L0"),
        (68.3, 10.4, 0.706, 4.66, "L0"),
        (76.3, 5.0, 0.789, 2.24, "L1"),
    ],
)
def test_tau_column_and_what_follows_from_the_published_floor(mean, rough, tau, rho, level):
    """Items 5 and 13: with R(O) = 2.23 the full stack is S1 and so L1."""
    grade = KernelOptimality(mean / 96.7, rough / 2.23, 1.0)
    assert grade.tau == pytest.approx(tau, abs=5e-4)
    assert grade.rho == pytest.approx(rho, abs=5e-3)
    assert grade.level == level


@pytest.mark.parametrize(
    ("computed", "published", "within"),
    [
        (100 * 0.069 / 99.26, 0.07, 0.005),  # variation of Table 12
        (100 * 0.055 / 96.22, 0.06, 0.005),
        (100 * 0.033 / 81.77, 0.04, 0.005),
        (100 * 0.069 / 70.51, 0.10, 0.005),
        (100 * 0.063 / 109.55, 0.06, 0.005),
        (100 * (1 - 1.56 / 5.58), 72, 0.5),  # reductions of Table 14
        (100 * (1 - 1.03 / 3.30), 69, 0.5),
        (100 * (1 - 0.61 / 3.09), 80, 0.5),
        (100 * (1 - 1.31 / 3.79), 65, 0.5),
        (100 * (76.3 / 58.7 - 1), 30, 0.5),
        (100 * (1 - 5.0 / 16.8), 70, 0.5),
        (100 * (1 - 86.40 / 93.65), 7.7, 0.05),
        (1.31 / 0.06, 22, 0.5),
        (324 / 275, 1.18, 0.005),
        (110.8 / 116.5, 0.951, 5e-4),
        (112.1 / 116.5, 0.962, 5e-4),
        (2.8 + 1.5 + 0.5 + 0.2, 5.0, 1e-9),  # Table 15
    ],
)
def test_arithmetic_of_the_paper_that_holds(computed, published, within):
    """Item 5."""
    assert computed == pytest.approx(published, abs=within)


def test_grades_landscapes_on_the_cells_both_have():
    rng = np.random.default_rng(0)
    optimal = rng.uniform(80, 100, (4, 5, 3))
    achieved = 0.8 * optimal
    achieved[0, 0, 0] = np.nan
    grade = kernel_optimality(achieved, optimal, peak_flops_per_s=100e12)
    assert grade.tau == pytest.approx(0.8)
    assert grade.rho == pytest.approx(0.8)
    assert grade.eta_peak == pytest.approx(np.nanmax(achieved) / 100)
    assert grade.level == "L2"


def test_no_level_without_steps_along_n():
    grade = kernel_optimality(np.full((3, 1, 1), 50.0), np.full((3, 1, 1), 60.0), peak_flops_per_s=1e14)
    assert (grade.rho, grade.smoothness_band, grade.level) == (None, None, None)
    assert str(grade).startswith("no level")


def test_refuses_unlike_or_empty_landscapes():
    ones = np.ones((2, 2, 2))
    with pytest.raises(InputError, match="one shape"):
        kernel_optimality(ones, ones[:1], peak_flops_per_s=1e12)
    with pytest.raises(InputError, match="no shape"):
        kernel_optimality(ones * np.nan, ones, peak_flops_per_s=1e12)
    with pytest.raises(InputError, match="peak"):
        kernel_optimality(ones, ones, peak_flops_per_s=0.0)
