"""Planted truth: landscapes whose timing formula is written out here, far from the terms under test."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from harness.cube import dense_cube
from harness.device import DeviceRecord
from harness.grid import Grid
from harness.samples import Samples
from harness.tile import Tile
from harness.twin import Twin
from models.blocks import block_labels
from models.design import Design
from models.hardware import Hardware
from models.terms import ALL_TERMS
from models.tile_data import split_tiles

BLANK = DeviceRecord(id="planted", name="Planted", vendor="tests", kind="other", simulated=True)
"""A device whose record states nothing: all that a fit says of it comes from the timings."""


@dataclass(frozen=True)
class Kernel:
    """Costs of one tile variant, seconds."""

    name: str
    residency: int
    wave: tuple[float, ...]  # of a wave with 1, 2, ... work-groups a core
    step: tuple[float, ...]  # of its mainloop step
    group: float
    group_step: float
    masked_step: float = 0.0
    pitch_step: float = 0.0
    edge_step: float = 0.0  # of a launch with a ragged edge
    edge_share: float = 0.0  # further, by the share of the tile outside, beyond the half of it


@dataclass(frozen=True)
class Machine:
    """A device to plant: its launch cost, cores and kernels."""

    cores: int = 20
    launch: float = 6e-6
    kernels: tuple[Kernel, ...] = field(
        default=(
            Kernel("256x256x32", 1, (4e-6,), (8e-7,), 3e-8, 6e-9),
            Kernel("128x256x32", 2, (2e-6, 3e-6), (4.5e-7, 8e-7), 2e-8, 3e-9),
            Kernel("96x160x32", 3, (1.5e-6, 2.1e-6, 2.6e-6), (2e-7, 3.5e-7, 4.8e-7), 1e-8, 1.5e-9),
        )
    )

    def seconds(self, kernel: Kernel, M: int, N: int, K: int) -> float:
        """Time of one launch, counted work-group by work-group rather than by design columns."""
        tm, tn, tk = (int(size) for size in kernel.name.split("x"))
        groups, steps = -(-M // tm) * -(-N // tn), -(-K // tk)
        total = self.launch + groups * (kernel.group + steps * kernel.group_step)
        left = groups
        while left > 0:
            level = min(kernel.residency, -(-left // self.cores))
            step = kernel.step[level - 1]
            if K % tk:
                step += kernel.masked_step
            if (2 * N) % 128:
                step += kernel.pitch_step
            total += kernel.wave[level - 1] + steps * step
            left -= self.cores * kernel.residency
        for size, tile in ((M, tm), (N, tn)):
            if size % tile:
                late = max(0.0, 0.5 - (size % tile) / tile)
                total += steps * (kernel.edge_step + kernel.edge_share * late)
        return total

    def cube(self, M, N, K, noise=0.003, seed=0, kernels=None, device=BLANK):
        """Dense cube of all kernels with multiplicative noise, and its spread."""
        kernels = kernels or self.kernels
        times = np.array([[[[self.seconds(c, m, n, k) for k in K] for n in N] for m in M] for c in kernels])
        rng = np.random.default_rng(seed)
        times *= np.exp(noise * rng.standard_normal(times.shape))
        return dense_cube(times, M, N, K, [Tile.parse(c.name) for c in kernels], device, spread=noise * times)


@pytest.fixture(scope="session")
def machine():
    return Machine()


@pytest.fixture(scope="session")
def grid():
    side = np.arange(256, 4097, 256)
    return side, side, np.arange(512, 4097, 512)


@pytest.fixture(scope="session")
def planted(machine, grid):
    return machine.cube(*grid)


@pytest.fixture
def computing_launches():
    """Launches of a twin of 20 cores that compute, most of them ragged, with the residents that are given."""

    def build(names, residency, off=()):
        side = np.arange(1, 17) * 240 - 96
        grid = Grid(side, side, np.array([1024, 2048]))
        samples = Samples.from_cube(Twin(off=off).landscape(grid, tiles=[Tile.parse(name) for name in names]))
        every = np.ones(samples.size, dtype=np.bool_)
        data, _ = split_tiles(samples, block_labels(samples.M, samples.N), (2, 4), every)
        held = dict(zip(names, residency, strict=True))
        hardware = Hardware(cores=20, residency=held, cache_bytes=1.8e7, kept_bytes=1.8e7)
        return data, {label: Design.of(ALL_TERMS, item.tile, hardware) for label, item in data.items()}, hardware

    return build
