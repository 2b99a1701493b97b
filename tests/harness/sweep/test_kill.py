"""SIGKILL at any moment loses no finished batch and damages no store."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_backend
import numpy as np
from fake_backend import QUICK, Fake, make_table, sweep

from harness.sweep.collect import cube_of
from harness.sweep.store import SweepStore

KILLS = 20
ZYGOTE = """
import os, sys
from fake_backend import ReportingStore, fake, sweep

for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        backend = fake(sleep=0.0005)
        backend.batch_cells = 3
        with ReportingStore(sys.argv[1], sys.argv[2]) as store:
            sweep(store, backend)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Imports once, then forks a sweep for every line: twenty starts of Python would take most of the time."""


def wait_for_lines(notes, wanted):
    """Wait until so many batches are reported."""
    until = time.monotonic() + 10
    while time.monotonic() < until and len(lines(notes)) < wanted:
        time.sleep(0.0005)


def lines(notes):
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def test_killed_at_random_moments(path, tmp_path):
    notes = tmp_path / "notes"
    chance = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": str(Path(fake_backend.__file__).parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    lost, kills = set(), 0
    with subprocess.Popen([sys.executable, "-c", ZYGOTE, path, notes], **pipes) as zygote:
        status = None
        while status != 0:
            before = len(lines(notes))
            zygote.stdin.write("sweep\n")
            zygote.stdin.flush()
            child = int(zygote.stdout.readline())
            if kills < KILLS:
                # Sometimes before the first batch of this start, sometimes within one or within its commit.
                wait_for_lines(notes, before + chance.randrange(0, 4))
                time.sleep(chance.uniform(0, 0.02))
                with contextlib.suppress(ProcessLookupError):  # it came to the end of the sweep first
                    os.kill(child, signal.SIGKILL)
                    kills += 1
            status = int(zygote.stdout.readline())
            if path.exists():
                with SweepStore(path) as store:
                    kept = {f"{result.number_of_pass} {result.number}" for result in store.results()}
                lost |= set(lines(notes)) - kept
        zygote.stdin.close()
    assert kills > KILLS / 2
    assert lost == set()
    assert len(lines(notes)) > 2 * kills
    with SweepStore(path) as store:
        assert len(store.environments()) > kills / 2
        resumed = cube_of(store)
    assert (resumed["status"].values == 0).all()
    with SweepStore(tmp_path / "whole") as store:
        backend = Fake()
        backend.batch_cells = 3
        expected = sweep(store, backend)
    repeats = resumed["time_repeats"].values.reshape(len(make_table()), -1)
    np.testing.assert_array_equal(repeats, expected.repeats)
    assert repeats.shape[1] == QUICK.repeats


LIMITED = """
import resource, sys
from fake_backend import ReportingStore, fake, sweep
from harness.errors import InputError

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
backend = fake()
backend.batch_cells = 2
try:
    with ReportingStore(sys.argv[1], sys.argv[2]) as store:
        sweep(store, backend)
except InputError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_keeps_what_was_finished(path, tmp_path):
    """A limit on the size of files stands for the disk: writing fails just so."""
    notes = tmp_path / "notes"
    environment = {**os.environ, "PYTHONPATH": str(Path(fake_backend.__file__).parent)}
    command = [sys.executable, "-c", LIMITED, path, notes]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert re.fullmatch(rf"{re.escape(str(path))}: the sweep store cannot be used \([\w/ ]+\)\n", done.stdout)
    assert done.stderr == ""
    with SweepStore(path) as store:
        kept = {f"{result.number_of_pass} {result.number}" for result in store.results()}
        assert 0 < len(kept) < 96
        assert set(lines(notes)) <= kept
        backend = Fake()
        backend.batch_cells = 2
        assert (sweep(store, backend).count == QUICK.repeats).all()
