"""What a sweep is said to take, and what it takes."""

import dataclasses
from time import perf_counter

import numpy as np
import pytest
from fake_backend import QUICK, SHAPES, SMALL, Fake, PassBench, executor_of, fake, make_table, sweep

from harness.backends import Timings
from harness.errors import BackendError, InputError
from harness.sweep.estimate import estimate
from harness.sweep.executor import SerialExecutor
from harness.sweep.run import run_sweep


class Paced(Fake):
    """Takes as long as it says: its launches, and a little for every timing."""

    def seconds(self, cell, _):
        return 20e-6 + 1e-12 * cell.M * cell.N * cell.K / 4

    def time(self, cells, launches, _):
        began = perf_counter()
        seconds = np.array([self.seconds(cell, 0) for cell in cells])
        until = began + float((seconds * (launches + 1)).sum() + 3e-3 * len(cells))
        while perf_counter() < until:
            pass
        return Timings(seconds)


def test_the_prediction_holds(store):
    table, protocol = make_table(), dataclasses.replace(QUICK, max_repeats=4)
    executor = SerialExecutor(PassBench({"fake": Paced()}))
    found = estimate(executor, table, protocol)
    began = perf_counter()
    run_sweep(executor, table, dataclasses.replace(protocol, max_repeats=3), store)
    taken = perf_counter() - began
    assert found.seconds / 1.5 < taken < 1.5 * found.seconds
    assert found.most_seconds > found.seconds
    assert found.timings == 4 * len(table)
    assert found.most_timings == 5 * len(table)


def test_counts():
    backend = Fake()
    backend.smallest_m = 500
    found = estimate(executor_of(backend), make_table(), QUICK)
    assert (found.cells, found.supported) == (48, 36)
    assert found.refusals == (("M is below 500", 12),)
    assert found.kernels == 2
    assert found.verified == len(set(executor_samples(backend)))
    assert backend.checked == []
    assert found.device_bytes == 2 * (2048 * 256 + 4096 * 256 + 2048 * 4096)
    assert 48 * 8 < found.host_bytes < 48 * 1000
    assert 36 * 4 * 8 < found.disk_bytes < 36 * 4 * 200


def executor_samples(backend):
    executor = executor_of(backend)
    table = make_table()
    found = executor.kernels(table, executor.survey(table).owner, QUICK.verified_per_kernel, QUICK.seed)
    return [row for kernel in found for row in kernel.sample]


def test_only_the_probed_cells_are_run():
    table = make_table(shapes=np.array([[m, n, 64] for m in range(8, 808, 8) for n in (64, 128)]))
    backend = Fake()
    found = estimate(executor_of(backend), table, QUICK)
    assert found.probes == 32
    assert len({cell for cells, _, _ in backend.calls for cell in cells}) == 32
    assert {len(cells) for cells in backend.prepared} == {32}


def test_a_spent_budget_leaves_fewer_probes():
    backend = fake(sleep=0.02)
    found = estimate(executor_of(backend), make_table(), QUICK, budget_s=0.1)
    assert 1 <= found.probes <= 4


def test_one_failing_probe_is_no_obstacle():
    table = make_table()
    backend = Fake()
    backend.answers = {table.cells([0])[0]: np.nan}
    assert estimate(executor_of(backend), table, QUICK).seconds > 0


def test_none_can_be_timed():
    table = make_table([SMALL], SHAPES[:3])
    backend = Fake()
    backend.answers = dict.fromkeys(table.cells(range(3)), np.nan)
    with pytest.raises(BackendError, match="none of 3 cells tried could be timed: a timing of nan s"):
        estimate(executor_of(backend), table, QUICK)
    with pytest.raises(BackendError, match="out of order"):
        estimate(executor_of(fake(refuse=True)), table, QUICK)


def test_a_cache_state_that_cannot_be_had():
    with pytest.raises(InputError, match="cannot be had"):
        estimate(executor_of(Fake()), make_table(), dataclasses.replace(QUICK, cache="cold"))


def test_several_devices_share_the_work(store):
    class Two(SerialExecutor):
        devices = ("a", "b")

    bench = PassBench({"fake": Fake()})
    one, two = (estimate(kind(bench), make_table(), QUICK) for kind in (SerialExecutor, Two))
    assert two.seconds == pytest.approx(one.seconds / 2, rel=0.5)


def test_a_sweep_after_an_estimate_is_untouched(store, tmp_path):
    estimate(executor_of(Fake()), make_table(), QUICK)
    assert (sweep(store).count == QUICK.repeats).all()
