"""Continuous constants from fitted costs, beside planted ones."""

from dataclasses import replace

import numpy as np
import pytest

from models.additive import AdditiveModel
from models.constants.alternatives import Alternative
from models.constants.constant import INTERVAL
from models.constants.rates import BANDWIDTHS, continuous_constants, core_rate


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
    constant = core_rate(tile, fit.hardware, counted=False)
    assert constant.estimate is None
    assert constant.status.startswith("not identifiable on this grid: the cores")


def test_the_launch_keeps_its_name_and_has_its_unit(fit):
    for tile in fit.tiles.values():
        constant = tile.constants["base_overhead_s"]
        launch = next(e for e in tile.estimates if e.name == "launch")
        assert (constant.estimate, constant.unit, constant.kind) == (launch.estimate, "s", INTERVAL)
        # Wider than that of the coefficient, where other choices are tenable and move it.
        assert constant.values[0] <= launch.lower < launch.upper <= constant.values[1]


def test_an_interval_holds_those_of_all_alternatives(fit):
    label = next(iter(fit.tiles))
    tile, name = fit.tiles[label], fit.tiles[label].tile.name
    costs = {estimate.name: estimate.estimate or 0.0 for estimate in tile.estimates}
    launch = next(e for e in tile.estimates if e.name == "launch")
    chosen = Alternative(fit.hardware, {name: costs})
    low, high = (
        Alternative(fit.hardware, {name: {**costs, "launch": costs["launch"] + move}}) for move in (-1e-6, 3e-6)
    )
    found = continuous_constants(tile, fit.hardware, True, [chosen, low, high])["base_overhead_s"]
    assert found.values == pytest.approx((max(0.0, launch.lower - 1e-6), launch.upper + 3e-6))
    alone = continuous_constants(tile, fit.hardware, True, [chosen])["base_overhead_s"]
    assert alone.values == (launch.lower, launch.upper)
    slower = {n: 1.1 * c if n == "work-group step" or "step" in n else c for n, c in costs.items()}
    rates = [
        continuous_constants(tile, fit.hardware, True, others)["core_rate_flop_per_s"]
        for others in ([chosen], [chosen, Alternative(fit.hardware, {name: slower})])
    ]
    assert rates[1].estimate == rates[0].estimate
    assert rates[1].values[1] == pytest.approx(rates[0].values[1])
    assert rates[1].values[0] < rates[0].values[0] / 1.05


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
    constant = core_rate(replace(tile, estimates=lost), fit.hardware, counted=True)
    assert constant.estimate is None
    assert "wave step" in constant.status
