"""What bounds a divisible launch: against work-groups that are listed one by one."""

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.limits import FILL, QUANTIZATION, divisible, limits
from models.problem import Problem
from models.terms import ALL_TERMS

TILE = Tile.parse("256x256x32")
CORES, STEP, DELAY_N, DELAY_M = 20, 1e-6, 0.7e-6, 0.4e-6
TERMS = [term for term in ALL_TERMS if term.name in ("waves", "masked edge")]
SHAPES = [(m, n, 320) for m in (200, 256, 700, 1024, 2500, 4096) for n in (130, 512, 900, 2304, 4000)]


def problem():
    M, N, K = np.array(SHAPES, dtype=np.int64).T
    return Problem(M, N, K, TILE, 2, 4)


def theta(design, hardware):
    costs = {"wave step": STEP, "masked step, N": DELAY_N, "masked step, M": DELAY_M}
    return np.array([costs.get(column.coefficient.name, 0.0) for column in design.columns(hardware)])


def listed(m, n, k, padded, masked):
    """Work and delay of every work-group of a launch, in mainloops."""
    rows, columns = -(-m // 256), -(-n // 256)
    out = []
    for i in range(rows):
        for j in range(columns):
            height, width = min(256, m - 256 * i), min(256, n - 256 * j)
            work = 1.0 if padded else height * width / 256**2
            delay = masked * (DELAY_N * (width < 256) + DELAY_M * (height < 256)) / STEP
            out.append((work, delay))
    return np.array(out)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("fill", [True, False])
def test_divisible_work_takes_what_its_busiest_resource_takes(padded, masked, fill):
    hardware = Hardware(cores=CORES)
    off = {QUANTIZATION} | ({FILL} if not fill else set())
    off |= ({"tile padding"} if not padded else set()) | ({"masked edge"} if not masked else set())
    on = ALL_MECHANISMS - off
    design = Design.of(TERMS, TILE, hardware)
    coefficients = theta(design, hardware)
    time = design.binding_matrix(problem(), hardware, on, coefficients) @ coefficients
    for got, (m, n, k) in zip(time, SHAPES, strict=True):
        groups = listed(m, n, k, padded, masked)
        even = groups.sum() / CORES
        longest = groups.sum(axis=1).max() if fill else 0.0
        assert got == pytest.approx(max(even, longest) * k / 32 * STEP)


def test_with_all_mechanisms_on_the_design_is_its_plain_matrix():
    hardware = Hardware(cores=CORES)
    design = Design.of(TERMS, TILE, hardware)
    bound = design.binding_matrix(problem(), hardware, ALL_MECHANISMS, theta(design, hardware))
    np.testing.assert_array_equal(bound, design.matrix(problem(), hardware))


def test_without_fill_only_launches_below_a_wave_are_divisible():
    groups = np.array([1.0, 19.0, 20.0, 300.0])
    assert not divisible(groups, 20, ALL_MECHANISMS).any()
    np.testing.assert_array_equal(divisible(groups, 20, ALL_MECHANISMS - {FILL}), [True, True, False, False])
    assert divisible(groups, 20, ALL_MECHANISMS - {QUANTIZATION}).all()
    assert limits(ALL_MECHANISMS) == ()
    assert len(limits(ALL_MECHANISMS - {QUANTIZATION})) == 3
    assert len(limits(ALL_MECHANISMS - {FILL})) == 1
