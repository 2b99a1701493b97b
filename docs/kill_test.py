"""Kill a sweep again and again (SIGKILL) and count what is lost: ``python docs/kill_test.py``.

A child sweeps the simulated device. After every commit it notes the batch in a side file, flushed before going on.
The parent kills it at a random moment, opens the store, checks every page and every checksum, looks for every noted
batch, and starts the child again; a sweep that gets through is checked whole, and the next begins in a new store.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import InputError
from harness.protocol import Protocol
from harness.sweep.cells import CellTable
from harness.sweep.collect import cube_of
from harness.sweep.executor import SerialExecutor
from harness.sweep.run import run_sweep
from harness.sweep.spec import BenchSpec
from harness.sweep.store import BatchResult, SweepStore
from harness.tile import Tile

SPEC = BenchSpec(("twin",), {"pace": "0.0002"}, tiles=(Tile.parse("256x256x32"), Tile.parse("128x128x32")))
AXIS = np.arange(256, 2049, 256)
PROTOCOL = Protocol(repeats=3, max_repeats=4, warmup_seconds=0.0)
BATCH_CELLS = 32
LONGEST_LIFE_S = 0.5
COMMIT_S = 0.02


class NotingStore(SweepStore):
    """A store that notes every batch in a side file once it is said to be on the disk."""

    def __init__(self, path: Path, notes: Path) -> None:
        super().__init__(path)
        self._notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def commit(self, result: BatchResult) -> None:
        """Commit, then note."""
        super().commit(result)
        os.write(self._notes, f"{result.number_of_pass} {result.number}\n".encode())
        os.fsync(self._notes)


@dataclass
class Count:
    """What happened so far."""

    kills: int = 0
    before_the_first_batch: int = 0
    reported: int = 0
    lost: int = 0
    damaged: int = 0
    resumes: int = 0
    finished: int = 0

    def __str__(self) -> str:
        return (
            f"kills {self.kills}, batches reported {self.reported}, batches lost {self.lost}, "
            f"stores damaged {self.damaged}, resumes {self.resumes}, sweeps finished and whole {self.finished}"
        )


def table() -> CellTable:
    """Two tiles on a grid of 8 x 8 x 8 shapes."""
    axes = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")
    return CellTable.product(SPEC.tiles, np.stack([axis.ravel() for axis in axes], axis=1))


def sweep(path: Path, notes: Path) -> None:
    """Measure what the store lacks; runs in the child."""
    bench = SPEC.build()
    for backend in bench.backends.values():
        backend.batch_cells = BATCH_CELLS
    with NotingStore(path, notes) as store:
        run_sweep(SerialExecutor(bench), table(), PROTOCOL, store)


def compile_once() -> None:
    """Time one cell, so that the simulator is compiled before the children are forked."""
    bench = SPEC.build()
    few = CellTable.product(SPEC.tiles[:1], np.array([[256, 256, 256]]))
    bench.warm_up(few, np.zeros(1, dtype=np.int64), 0.01, PROTOCOL.cache, 0)
    bench.close()


def start(path: Path, notes: Path) -> int:
    """Fork a child that sweeps, and return its number."""
    child = os.fork()
    if child:
        return child
    try:
        sweep(path, notes)
    except BaseException as error:  # noqa: BLE001 - the child must not return into the parent's loop
        sys.stderr.write(f"child: {error!r}\n")
        os._exit(1)
    os._exit(0)


def lines(notes: Path) -> list[str]:
    """Batches noted; a line that the kill cut short is no claim."""
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def wait(chance: random.Random, notes: Path, before: int) -> None:
    """Let the child live for a random time; every other one dies within a batch or its commit."""
    until = time.monotonic() + chance.uniform(0.0, LONGEST_LIFE_S)
    if chance.random() < 0.5:
        while time.monotonic() < until:
            time.sleep(0.001)
        return
    wanted = before + chance.randrange(1, 12)
    until = time.monotonic() + 10 * LONGEST_LIFE_S
    while time.monotonic() < until and len(lines(notes)) < wanted:
        time.sleep(0.0005)
    time.sleep(chance.uniform(0.0, COMMIT_S))


def inspect(path: Path, notes: Path, count: Count) -> None:
    """Open the store as a resumed sweep does, read it whole, and look for every noted batch."""
    noted = set(lines(notes))
    kept: set[str] = set()
    if path.exists():
        try:
            with SweepStore(path) as store:
                kept = {f"{result.number_of_pass} {result.number}" for result in store.results()}
        except InputError as error:
            sys.stdout.write(f"damaged: {error}\n")
            count.damaged += 1
        if path.exists():
            database = sqlite3.connect(path)
            if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                sys.stdout.write(f"damaged: {path} fails SQLite's integrity check\n")
                count.damaged += 1
            database.close()
    missing = noted - kept
    if missing:
        sys.stdout.write(f"lost: {', '.join(sorted(missing))}\n")
    count.lost += len(missing)


def whole(path: Path) -> bool:
    """Whether the finished sweep has every promised repeat of every cell."""
    with SweepStore(path) as store:
        cube = cube_of(store)
    repeats = cube["time_repeats"].notnull().sum("repeat")
    return bool((cube["status"] == 0).all()) and int(repeats.min()) >= PROTOCOL.repeats


def main() -> int:
    """Kill as often as asked and print one line of counts; exit status 1 if anything was lost or damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance, count = random.Random(given.seed), Count()
    began = time.monotonic()
    compile_once()
    with tempfile.TemporaryDirectory() as folder:
        while count.kills < given.kills:
            path, notes = (Path(folder) / f"{count.finished}.{kind}" for kind in ("sweep", "notes"))
            while True:
                before = len(lines(notes))
                child = start(path, notes)
                if count.kills < given.kills:
                    wait(chance, notes, before)
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                inspect(path, notes, count)
                if os.WIFEXITED(status):
                    if os.WEXITSTATUS(status) != 0:
                        return 1
                    break
                count.kills += 1
                count.resumes += 1
                count.before_the_first_batch += len(lines(notes)) == before
            count.reported += len(lines(notes))
            if not whole(path):
                sys.stdout.write(f"{path}: a finished sweep lacks repeats\n")
                return 1
            count.finished += 1
    sys.stdout.write(
        f"{platform.system()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"seed {given.seed}: {count.kills} x SIGKILL in {time.monotonic() - began:.0f} s, "
        f"{count.before_the_first_batch} of them before the first batch of a start\n{count}\n"
    )
    return 1 if count.lost or count.damaged else 0


if __name__ == "__main__":
    sys.exit(main())
