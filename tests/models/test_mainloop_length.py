"""Length of a launch's mainloops: that of the waves of its chain of work-groups, at the known costs."""

from dataclasses import replace

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS, Design
from models.edge_costs import EdgeCosts
from models.hardware import Hardware
from models.mainloop_length import mainloop_waves
from models.problem import Problem
from models.terms import ALL_TERMS
from models.terms.wave_quantization import counted_waves

TILE = Tile.parse("128x128x32")
COSTS = EdgeCosts((0.5, 0.7, 1.0), (0.2, 0.4, 1.3), (0.3, 0.6, 0.0), 1.2)
HARDWARE = Hardware(cores=12, residency={TILE.name: 3}, core_spread={TILE.name: 0.08}, edges={TILE.name: COSTS})
TERMS = [term for term in ALL_TERMS if term.name == "waves"]
# A resident more costs more each time; the last one is told from the others.
THETA = {"step, residents to 1": 0.3, "step, residents to 2": 0.2, "step, last resident": 0.3}


def problem(shapes):
    M, N, K = np.array(shapes, dtype=np.int64).T
    return Problem(M, N, K, TILE, 2, 4)


@pytest.mark.parametrize("off", [(), ("masked edge",), ("tile padding",), ("masked edge", "tile padding")])
def test_it_is_the_time_of_the_design_at_the_costs_it_is_counted_with(off):
    work = problem([(700, 900, 320), (384, 4000, 320), (3000, 3000, 640), (128, 128, 320), (1280, 2560, 320)])
    on = ALL_MECHANISMS - set(off)
    design = Design.of(TERMS, TILE, HARDWARE)
    theta = np.array([THETA.get(column.coefficient.name, 0.0) for column in design.columns(HARDWARE)])
    time = design.matrix(work, HARDWARE, on) @ theta / work.steps(on)
    np.testing.assert_allclose(mainloop_waves(work, HARDWARE, on), time)


def test_without_known_costs_waves_are_counted_full_or_not():
    work = problem([(700, 900, 320), (128, 128, 320)])
    plain = replace(HARDWARE, edges={})
    np.testing.assert_array_equal(
        mainloop_waves(work, plain, ALL_MECHANISMS), counted_waves(work, plain, ALL_MECHANISMS)
    )


def test_divisible_work_has_no_late_chain():
    work = problem([(700, 900, 320), (3000, 3000, 640)])
    even = ALL_MECHANISMS - {"wave quantization", "wave fill"}
    np.testing.assert_array_equal(mainloop_waves(work, HARDWARE, even), counted_waves(work, HARDWARE, even))
