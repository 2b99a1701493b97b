"""Several devices: a local cluster of simulated devices, workers that are killed, and workers that do not fit."""

import json
import logging
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import BackendError, InputError
from harness.grid import Grid
from harness.protocol import Protocol
from harness.sweep.append_only import MEMORY
from harness.sweep.cells import CellTable
from harness.sweep.collect import cube_of
from harness.sweep.executors import open_executor
from harness.sweep.run import fingerprint, run_sweep
from harness.sweep.spec import BenchSpec
from harness.sweep.store import SweepStore
from harness.tile import Tile

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

TILES = (Tile.parse("256x256x32"), Tile.parse("128x128x32"))
SHAPES = Grid.parse("512:2048:512").shapes()
PROTOCOL = Protocol(repeats=4, max_repeats=4, warmup_seconds=0.0)


def spec(**options):
    return BenchSpec(("twin",), {key: str(value) for key, value in options.items()}, tiles=TILES)


def sweep(executor, store, protocol=PROTOCOL):
    return run_sweep(executor, CellTable.product(executor.facts.tiles, SHAPES), protocol, store)


@pytest.fixture
def cluster():
    """A scheduler with two single-threaded workers, as a user starts them."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as running:
        yield running


def test_two_devices_share_a_sweep_and_their_offset_is_told():
    with open_executor(spec(), devices=["0", "3"]) as executor, SweepStore(MEMORY) as store:
        tally = sweep(executor, store)
        cube = cube_of(store)
        assert set(executor.devices) == {"simulated-0", "simulated-3"}
    assert (tally.count == 4).all()
    assert len(tally.devices) == 2
    used = cube["repeat_device"].values
    assert 0.2 < used.mean() < 0.8  # both took their part
    assert ((used == 0).any(-1) & (used == 1).any(-1)).mean() > 0.5  # of most cells
    first, second = sorted(tally.devices)
    one, two = measured_alone("0"), measured_alone("3")
    planted = float(np.median(two["time"] / one["time"])) - 1.0
    assert abs(planted) > 1e-3
    offsets = {entry["device"]: entry for entry in json.loads(cube.attrs["device_offsets"])}
    found = offsets[second]["fraction"] - offsets[first]["fraction"]
    assert found == pytest.approx(planted, abs=3e-4)
    assert offsets[first]["error"] < 2e-4
    # Neither the spread of a cell nor the ruggedness of the landscape has the devices' difference in it.
    assert float((cube["time_spread"] / cube["time"]).median()) < 1e-3 < abs(planted)
    ratio = (cube["time"] / one["time"]).values
    assert ratio.std() < 1e-3


def measured_alone(device):
    with open_executor(spec(device=device)) as executor, SweepStore(MEMORY) as store:
        sweep(executor, store)
        return cube_of(store)


def named(cluster, **options):
    return open_executor(spec(pace=0.002, device="{worker}", **options), dask=cluster.scheduler_address)


class At:
    """Do something once, as soon as a sweep has come to a stage."""

    def __init__(self, stage, action):
        self.stage, self.action = stage, action
        self.remarks = []
        self.happened = False

    def __call__(self, step):
        if step.remark:
            self.remarks.append(step.remark)
        if step.stage.startswith(self.stage) and step.done > 0 and not self.happened:
            self.happened = True
            self.action()


def kill(cluster, *which):
    for nanny in [list(cluster.workers.values())[index] for index in which]:
        os.kill(nanny.pid, signal.SIGKILL)


@pytest.mark.parametrize("stage", ["verifying", "rough pass", "repeat 2"])
def test_a_killed_workers_cells_are_measured_by_others(cluster, stage):
    watcher = At(stage, lambda: kill(cluster, 0))
    with named(cluster) as executor, SweepStore(MEMORY) as store:
        table = CellTable.product(executor.facts.tiles, SHAPES)
        tally = run_sweep(executor, table, PROTOCOL, store, progress=watcher)
        cube = cube_of(store)
    assert watcher.happened
    assert any("lost" in remark for remark in watcher.remarks)
    assert (tally.count == 4).all()
    assert (cube["status"].values == 0).all()
    assert any("lost" in note for note in json.loads(cube.attrs["notes"]))


def test_no_worker_is_missed_while_the_client_renews_what_it_knows(cluster):
    # The client asks the scheduler for the totals, without the workers, again and again.
    with (
        dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}),
        named(cluster) as executor,
        SweepStore(MEMORY) as store,
    ):
        tally = sweep(executor, store)
        assert executor.take_remarks() == []
        seen = [len(executor.devices) for _ in range(300)]
    assert (tally.count == 4).all()
    assert set(seen) == {2}


@pytest.mark.parametrize("which", [0, 1])
def test_no_worker_depends_on_what_another_holds(cluster, which):
    killed = []

    def watcher(step):
        # No task is in flight now, and then the scheduler drops replicas; the last one must not go with a worker.
        if step.stage == "verifying results" and step.done == step.total and not killed:
            cluster.loop.add_callback(cluster.scheduler.extensions["amm"].run_once)
            time.sleep(0.3)
            kill(cluster, which)
            killed.append(which)

    with named(cluster) as executor, SweepStore(MEMORY) as store:
        table = CellTable.product(executor.facts.tiles, SHAPES)
        tally = run_sweep(executor, table, PROTOCOL, store, progress=watcher)
    assert killed
    assert (tally.count == 4).all()


def test_a_worker_that_joins_late_is_checked_first(cluster):
    def join():
        cluster.scale(3)
        until = time.monotonic() + 30
        while len(cluster.scheduler_info["workers"]) < 3 and time.monotonic() < until:
            time.sleep(0.01)

    watcher = At("rough pass", join)
    with named(cluster) as executor, SweepStore(MEMORY) as store:
        table = CellTable.product(executor.facts.tiles, SHAPES)
        tally = run_sweep(executor, table, replace(PROTOCOL, repeats=12, max_repeats=12), store, progress=watcher)
        checked = {device for device, _ in store.checked()}
    assert any("joined" in remark for remark in watcher.remarks)
    assert set(tally.devices) == checked == {"simulated-0", "simulated-1", "simulated-2"}


def test_when_all_workers_are_lost_everything_finished_is_kept(cluster, tmp_path):
    path = tmp_path / "sweep"
    with named(cluster) as executor:
        watcher = At("repeat 1", lambda: kill(cluster, 0, 1))
        table = CellTable.product(executor.facts.tiles, SHAPES)
        with SweepStore(path) as store, pytest.raises(BackendError, match="every worker was lost"):
            run_sweep(executor, table, PROTOCOL, store, progress=watcher)
    with SweepStore(path) as store:
        kept = len(list(store.results()))
    assert kept > 0


def test_a_device_that_computes_wrong_is_left_out(cluster):
    with named(cluster) as executor, SweepStore(MEMORY) as store:
        table = CellTable.product(executor.facts.tiles, SHAPES)
        store.begin(fingerprint(executor.facts, PROTOCOL), table, {})
        store.add_checked("simulated-1", {0: 0.7, len(table) // 2: 1e-6})
        watcher = At("repeat 1", lambda: None)
        tally = run_sweep(executor, table, PROTOCOL, store, progress=watcher)
        cube = cube_of(store)
    assert tally.devices == ["simulated-0"]
    assert any("left out" in remark for remark in watcher.remarks)
    assert (cube["status"].values == 0).all()
    assert list(json.loads(cube.attrs["dismissed_devices"])) == ["simulated-1"]


def test_workers_that_own_the_same_device_are_refused(cluster):
    with (
        pytest.raises(BackendError, match="two workers own the device"),
        open_executor(spec(), dask=cluster.scheduler_address),
    ):
        pass


def test_a_worker_with_several_threads_is_refused():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as running,
        pytest.raises(BackendError, match="--nthreads 1"),
        open_executor(spec(), dask=running.scheduler_address),
    ):
        pass


def test_an_address_without_a_scheduler():
    with pytest.raises(BackendError, match="no dask scheduler"), open_executor(spec(), dask="tcp://127.0.0.1:1"):
        pass


def test_a_device_twice_or_both_ways_at_once():
    with pytest.raises(BackendError, match="twice"), open_executor(spec(), devices=["0", "0"]):
        pass
    with (
        pytest.raises(InputError, match="at once"),
        open_executor(spec(), dask="tcp://127.0.0.1:1", devices=["0"]),
    ):
        pass


def test_a_backend_that_cannot_be_opened_says_so(cluster):
    with (
        pytest.raises(BackendError, match="worker"),
        open_executor(spec(device="nonsense"), dask=cluster.scheduler_address),
    ):
        pass
