"""Losses under states of the hardware: sums and overlaps, each where it fits better."""

from dataclasses import replace

import numpy as np
import pytest

from harness.tile import Tile
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.problem import Problem
from models.state_losses import state_losses
from models.terms import ALL_TERMS

TILE = Tile.parse("256x128x32")
TERMS = [t for t in ALL_TERMS if t.name in ("base overhead", "waves", "channel hash", "memory traffic")]
TRUE = Hardware(cores=20, channels=6, interleave_bytes=256)
STATES = [replace(TRUE, channels=c, interleave_bytes=i) for c, i in ((6, 256), (6, 512), (8, 256), (3, 1024))]


def landscape(overlapping):
    axis = np.arange(128, 4097, 256)
    M, N, K = (a.ravel() for a in np.meshgrid(axis, axis, [512, 1024, 4096], indexing="ij"))
    problem = Problem(M, N, K, TILE, 2, 4)
    design = Design.of(TERMS, TILE, TRUE)
    costs = {"launch": 1e-5, "wave step": 4e-7, "byte": 4e-12, "waiting byte": 2e-12}
    theta = np.array([costs.get(c.coefficient.name, 0.0) for c in design.columns(TRUE)])
    parts = design.matrix(problem, TRUE, ALL_MECHANISMS) * theta
    kinds = np.array(design.resources(TRUE))
    memory, compute = parts[:, kinds == "memory"].sum(axis=1), parts[:, kinds == "compute"].sum(axis=1)
    both = np.maximum(memory, compute) if overlapping else memory + compute
    blocks = (M // 1024) * 5 + N // 1024
    return problem, parts[:, kinds == "launch"].sum(axis=1) + both, blocks


@pytest.mark.parametrize("overlapping", [False, True])
def test_the_true_state_leaves_nothing_and_others_do(overlapping):
    problem, time, blocks = landscape(overlapping)
    best, added = state_losses(problem, time, blocks, STATES, TERMS, int(blocks.max()) + 1)
    loss = best.sum(axis=1)
    assert loss[0] < 1e-12
    assert (loss[1:] > 1e-4).all()
    assert (added >= loss - 1e-9).all()
    assert (added[0] < 1e-12) == (not overlapping)
