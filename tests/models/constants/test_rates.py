"""Continuous constants from fitted costs, beside planted ones."""

from dataclasses import replace

import numpy as np
import pytest

from models.additive import AdditiveModel
from models.all_terms import AllTerms
from models.constants.constant import INTERVAL
from models.constants.rates import BANDWIDTHS, core_rate
from models.open_costs import OpenCosts


@pytest.fixture(scope="module")
def fit(planted):
    return AdditiveModel(draws=60).fit(planted)


def test_the_rate_of_a_core_is_that_of_its_full_wave(machine, fit):
    for kernel in machine.kernels:
        constant = fit.tiles[kernel.name].constants["core_rate_flop_per_s"]
        m, n, k = (int(size) for size in kernel.name.split("x"))
        full = kernel.step[-1] + 20 * kernel.residency * kernel.group_step
        assert constant.identified
        assert constant.unit == "FLOP/s"
        assert constant.kind == INTERVAL
        assert constant.estimate == pytest.approx(2 * m * n * k * kernel.residency / full, rel=0.005)
        assert constant.values[0] <= constant.estimate <= constant.values[1]


def test_no_rate_of_a_core_without_cores(machine, fit):
    tile = fit.tiles[machine.kernels[0].name]
    constant = core_rate(tile, fit.hardware, counted=False, costs=None)
    assert constant.estimate is None
    assert constant.status.startswith("not identifiable on this grid: the cores")


def test_the_launch_keeps_its_name_and_has_its_unit(fit):
    for tile in fit.tiles.values():
        constant = tile.constants["base_overhead_s"]
        launch = next(e for e in tile.estimates if e.name == "launch")
        assert (constant.estimate, constant.unit, constant.kind) == (launch.estimate, "s", INTERVAL)
        assert constant.values == (launch.lower, launch.upper)


def drawn(tile, factor, untold=()):
    """Costs of a tile that are so many times the estimates, in each draw."""
    names = tuple(estimate.name for estimate in tile.estimates)
    draws = np.outer(factor, tile.theta)
    model = AllTerms(tile.terms, names, tile.theta, draws, np.zeros(len(names)))
    return OpenCosts(model, np.array([name not in untold for name in names]), draws)


def test_the_interval_of_a_rate_is_that_of_what_a_step_costs(fit):
    tile = next(iter(fit.tiles.values()))
    exact = core_rate(tile, fit.hardware, True, drawn(tile, np.ones(100)))
    assert exact.values == pytest.approx((exact.estimate, exact.estimate))
    found = core_rate(tile, fit.hardware, True, drawn(tile, np.linspace(1.0, 1.25, 101)))
    assert found.estimate == exact.estimate
    assert found.values == pytest.approx((exact.estimate / 1.25, exact.estimate), rel=0.01)


def test_a_rate_of_costs_that_are_not_told_apart_has_the_interval_of_the_fit(fit):
    tile = next(iter(fit.tiles.values()))
    wide = drawn(tile, np.linspace(0.5, 2.0, 101), untold=("work-group step",))
    found, own = (core_rate(tile, fit.hardware, True, costs) for costs in (wide, None))
    assert found == own
    assert own.values[0] < own.estimate < own.values[1]


def test_a_rate_whose_step_may_cost_nothing_is_not_told(fit):
    tile = next(iter(fit.tiles.values()))
    constant = core_rate(tile, fit.hardware, True, drawn(tile, np.zeros(100)))
    assert constant.estimate is None
    assert "not told from nothing" in constant.status


def test_no_bandwidth_where_bytes_cost_nothing(fit):
    for tile in fit.tiles.values():
        for name in BANDWIDTHS:
            assert tile.constants[name].estimate is None
            assert tile.constants[name].status.startswith("not identifiable on this grid: ")


def test_a_bandwidth_is_the_inverse_of_what_a_byte_costs(machine, planted):
    times = planted.copy(deep=True)
    M, N, K = np.ix_(*(times[axis].values for axis in "MNK"))
    times["time"].values += 5e-12 * 2 * (M * N + M * K + N * K)
    fit = AdditiveModel(draws=60).fit(times)
    found = [fit.tiles[kernel.name].constants["bandwidth_memory_bytes_per_s"] for kernel in machine.kernels]
    assert any(constant.identified for constant in found)
    for constant in found:
        if constant.identified:
            assert constant.estimate == pytest.approx(2e11, rel=0.1)
            assert constant.values[0] < constant.estimate < constant.values[1]


def test_an_unidentified_step_makes_no_rate(machine, fit):
    tile = fit.tiles[machine.kernels[0].name]
    lost = tuple(replace(e, identifiable=e.name != "wave step") for e in tile.estimates)
    constant = core_rate(replace(tile, estimates=lost), fit.hardware, True, None)
    assert constant.estimate is None
    assert "wave step" in constant.status
