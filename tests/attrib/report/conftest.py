"""Two finished analyses: a grid that holds what a page must cope with, and samples off a grid."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from attrib.analysis import analyse
from harness.cube import STATUS, dense_cube, sparse_cube
from harness.device import DeviceRecord
from harness.tile import Tile
from models.additive import AdditiveModel

HOSTILE = '</script><script>alert("1")</script>'
SIDE, DEPTH = np.arange(256, 3073, 256), np.arange(512, 2049, 512)
NAMES = ("256x128x32", "96x128x32", "vendor")
DEVICE = DeviceRecord(
    id="planted",
    name=f"Planted {HOSTILE}",
    vendor="tests",
    kind="other",
    cores=20,
    simulated=True,
    peak_flops_per_s={"bf16": 6e13},
    bandwidth_bytes_per_s=5e11,
)


def seconds(name, M, N, K):
    tm, tn, tk = (64, 64, 32) if name == "vendor" else (int(size) for size in name.split("x"))
    waves = np.ceil(-(-M // tm) * -(-N // tn) / 20)
    steps, cost = -(-K // tk), tm * tn / 32768
    ripple = 1 + 0.02 * np.sin(M * 0.013 + N * 0.029 + K * 0.007 + tm)
    return ripple * (5e-6 + waves * (1e-6 + steps * 8e-7 * cost))


def times():
    return np.stack([seconds(name, *np.ix_(SIDE, SIDE, DEPTH)) for name in NAMES])


@lru_cache
def grid_analysis():
    time = times()
    status = np.full(time.shape, STATUS["ok"], dtype=np.int8)
    gaps = np.random.default_rng(0).random(time.shape) < 0.02
    gaps[0, 3, 4] = gaps[:, 5, 6] = True
    status[gaps], time[gaps] = STATUS["failed"], np.nan
    attrs = {
        "protocol": {"repeats": 5, "center": f"median {HOSTILE}"},
        "software": "no json {",
        "pass_ratio": [1.0, 1.01],
        "largest_relative_error": {"vendor": 1e-3},
        "empty_kernel_s": 1.5e-6,
        "measured_at": "2026-01-01",
        "note": HOSTILE,
    }
    cube = dense_cube(
        time,
        SIDE,
        SIDE,
        DEPTH,
        [Tile.labelled(n) for n in NAMES],
        DEVICE,
        status=status,
        spread=0.001 * times(),
        attrs=attrs,
    )
    return analyse(cube, fit=AdditiveModel(draws=20).fit(cube))


@lru_cache
def sparse_analysis():
    rng = np.random.default_rng(1)
    shapes = np.stack(
        [rng.integers(1, 80, 240) * 16, rng.integers(1, 80, 240) * 16, rng.integers(2, 60, 240) * 32], 1
    )
    label = f"lib{HOSTILE}"
    tiles = [Tile.labelled(label)] * 240
    time = np.array([seconds("vendor", m, n, k) for m, n, k in shapes])
    device = replace(DEVICE, name="Off the grid", simulated=False)
    cube = sparse_cube(time, shapes, tiles, device)
    return analyse(cube, fit=AdditiveModel(draws=20).fit(cube))


@pytest.fixture(scope="session")
def grid():
    return grid_analysis()


@pytest.fixture(scope="session")
def samples():
    return sparse_analysis()
