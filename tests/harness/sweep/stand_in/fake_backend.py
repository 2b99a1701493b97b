"""A backend that computes its times: of the cell and the pass alone, so that two sweeps can be compared bit by bit.

It stands for a third party's: nothing here is known to the package.
"""

import os
import time
import zlib
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from harness.backends.backend import Backend, BackendOptions, Problem, Timings
from harness.device import load_device
from harness.errors import BackendError
from harness.protocol import Protocol
from harness.sweep.bench import Bench
from harness.sweep.cells import CellTable
from harness.sweep.executor import SerialExecutor
from harness.sweep.run import run_sweep
from harness.sweep.store import SweepStore
from harness.tile import Tile

SMALL, LARGE = Tile.parse("64x64x32"), Tile.parse("256x256x32")
SHAPES = np.array([[m, n, k] for m in (8, 512, 1024, 2048) for n in (64, 128, 4096) for k in (64, 256)])
QUICK = Protocol(repeats=3, max_repeats=3, warmup_seconds=0.0, seed=4, sentinels=3)


@dataclass(frozen=True)
class FakeOptions(BackendOptions):
    noise: float = field(default=0.01, metadata={"help": "relative standard deviation of one timing"})
    sleep: float = field(default=0.0, metadata={"help": "seconds that every timing really takes"})
    wrong_tile: str | None = field(default=None, metadata={"help": "a tile whose kernel computes nonsense"})
    lost_after: int | None = field(default=None, metadata={"help": "calls until the device is lost"})
    interrupt_after: int | None = field(default=None, metadata={"help": "calls until somebody presses Ctrl-C"})
    failing_m: int | None = field(default=None, metadata={"help": "cells of this M give no time"})
    refuse: bool = field(default=False, metadata={"help": "support no cell"})
    driver: str = field(default="1.0", metadata={"help": "version of the driver"})


class Fake(Backend):
    """A made-up device for the tests.

    ``answers`` maps a cell to what comes in place of its time: a number, or a Problem.
    """

    options_type = FakeOptions
    dtypes = ("bf16", "f16")

    def __init__(self, options=None):
        super().__init__(options)
        self.options: FakeOptions
        self.offered = (SMALL, LARGE)
        self.answers = {}
        self.wrong = {}
        self.smallest_m = 0
        self.calls, self.checked, self.prepared, self.closed = [], [], [], 0
        self.number_of_pass = -1
        self.slower = 0.0

    @property
    def device(self):
        return self.options.record or load_device("b580")

    @property
    def tiles(self):
        return self.offered

    def configuration(self):
        return {"driver": self.options.driver, "device": self.options.device}

    def environment(self):
        return {"clock_hz": 2.8e9}

    def unsupported(self, cell):
        if self.options.refuse:
            return "this device is out of order"
        if cell.tile not in self.offered:
            return f"no kernel of tile {cell.tile}"
        return None if self.smallest_m <= cell.M else f"M is below {self.smallest_m}"

    def prepare(self, cells):
        self.prepared.append(tuple(cells))

    def seconds(self, cell, number_of_pass):
        key = f"{cell.tile} {cell.M} {cell.N} {cell.K} {number_of_pass}".encode()
        deviate = ndtri((zlib.crc32(key) + 0.5) / 2**32)
        noise = self.options.noise * (1 + (cell.tile == LARGE))
        return true_seconds(cell) * (1 + noise * deviate) * (1 + self.slower)

    def time(self, cells, launches, cache):
        self.calls.append((tuple(cells), np.array(launches), cache))
        for limit, error in (
            (self.options.lost_after, BackendError("the device fell off the bus")),
            (self.options.interrupt_after, KeyboardInterrupt()),
        ):
            if limit is not None and len(self.calls) > limit:
                raise error
        if self.options.sleep:
            time.sleep(self.options.sleep * len(cells))
        seconds, problems = np.empty(len(cells)), {}
        for position, cell in enumerate(cells):
            answer = self.answers.get(cell, self.seconds(cell, self.number_of_pass))
            if self.options.failing_m == cell.M:
                answer = np.nan
            if isinstance(answer, Problem):
                problems[position], answer = answer, np.nan
            seconds[position] = answer
        return Timings(seconds, problems)

    def relative_error(self, cell):
        self.checked.append(cell)
        if str(cell.tile) == self.options.wrong_tile:
            return 0.5
        return self.wrong.get(cell, 1e-3)

    def close(self):
        self.closed += 1


class Undescribed(Fake):
    cache_states = ("rotating", "warm")


def true_seconds(cell):
    return 1e-6 + 1e-13 * cell.M * cell.N * cell.K


class PassBench(Bench):
    """Tells the fake backends which pass it is, which a backend must not need to know."""

    def measure(self, batch, launches, table, owner, cache):
        for backend in self.backends.values():
            backend.number_of_pass = batch.number_of_pass
        return super().measure(batch, launches, table, owner, cache)


def make_table(tiles=(SMALL, LARGE), shapes=SHAPES):
    return CellTable.product(tiles, shapes)


def executor_of(*backends):
    return SerialExecutor(PassBench({f"fake{i or ''}": backend for i, backend in enumerate(backends)}))


def sweep(store, *backends, table=None, protocol=QUICK, **more):
    """Run a sweep on fake backends and return its tally."""
    table = make_table() if table is None else table
    return run_sweep(executor_of(*(backends or (Fake(),))), table, protocol, store, **more)


def fake(**options):
    return Fake(FakeOptions(**options))


class ReportingStore(SweepStore):
    """Notes every batch in a side file once the store says that it is on the disk."""

    def __init__(self, path, notes):
        super().__init__(path)
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def commit(self, result):
        super().commit(result)
        os.write(self._notes, f"{result.number_of_pass} {result.number}\n".encode())
        os.fsync(self._notes)
