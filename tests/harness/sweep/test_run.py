"""Whole sweeps: what is run, what is refused, and what a stop leaves behind."""

import dataclasses

import numpy as np
import pytest
from fake_backend import LARGE, QUICK, SMALL, Fake, PassBench, executor_of, fake, make_table, sweep, true_seconds

import harness.sweep.run as run
from harness.backends import Cell, Problem
from harness.cube import STATUS
from harness.errors import BackendError, InputError, KernelError
from harness.protocol import Protocol
from harness.sweep.collect import cube_of
from harness.sweep.executor import SerialExecutor
from harness.sweep.run import batch_size
from harness.sweep.store import SweepStore


def small_batches(backend):
    backend.batch_cells = 10
    return backend


def timed(backend):
    return {cell for cells, _, _ in backend.calls for cell in cells}


def assert_same(tally, other):
    np.testing.assert_array_equal(tally.repeats, other.repeats)
    np.testing.assert_array_equal(tally.launches, other.launches)
    np.testing.assert_array_equal(tally.rough, other.rough)
    for one, two in zip(tally.sentinel_timings()[:2], other.sentinel_timings()[:2], strict=True):
        np.testing.assert_array_equal(one, two)


def test_every_cell_gets_the_promised_repeats(store):
    backend = small_batches(Fake())
    table = make_table()
    tally = sweep(store, backend)
    assert (tally.count == QUICK.repeats).all()
    truth = np.array([true_seconds(cell) for cell in table.cells(range(len(table)))])
    np.testing.assert_allclose(np.median(tally.repeats, axis=1), truth, rtol=0.1)
    asked = [cell for cells, _, _ in backend.calls for cell in cells]
    watched = sum(int(result.sentinel.sum()) for result in store.results())
    assert len(asked) == len(table) * (QUICK.repeats + 1) + watched
    assert watched >= 3 * 5
    assert {cache for _, _, cache in backend.calls} == {"warm"}
    assert max(len(cells) for cells, _, _ in backend.calls) <= 10


def test_launches_fill_a_timing_after_the_rough_pass(store):
    backend = Fake()
    tally = sweep(store, backend, protocol=dataclasses.replace(QUICK, series_seconds=20e-6, max_launches=12))
    assert (backend.calls[0][1] == 1).all()
    np.testing.assert_array_equal(tally.launches, np.clip(np.ceil(20e-6 / tally.rough), 1, 12))
    assert tally.launches.max() == 12
    assert tally.launches.min() == 1


def test_noisy_cells_are_measured_more_often(store):
    protocol = Protocol(repeats=3, max_repeats=12, target_error=0.01, warmup_seconds=0.0)
    backend = fake(noise=0.01)  # twice as much with the large tile
    tally = sweep(store, backend, protocol=protocol)
    table = make_table()
    large = table.tile == 1
    assert tally.count[large].mean() > tally.count[~large].mean() + 2
    done = tally.precision(protocol).error <= protocol.target_error
    assert (done | (tally.count == 12)).all()
    assert done.mean() > 0.8


@pytest.mark.parametrize("fails_at", [1, 4, 9, 17, 25])
@pytest.mark.parametrize("how", ["lost_after", "interrupt_after"])
def test_a_resumed_sweep_is_bit_identical(path, tmp_path, fails_at, how):
    protocol = dataclasses.replace(QUICK, max_repeats=6, target_error=0.006)
    with SweepStore(tmp_path / "whole") as whole:
        expected = sweep(whole, small_batches(Fake()), protocol=protocol)
    error = BackendError if how == "lost_after" else KeyboardInterrupt
    with SweepStore(path) as store, pytest.raises(error):
        sweep(store, small_batches(fake(**{how: fails_at})), protocol=protocol)
    with SweepStore(path) as store:
        assert len(list(store.results())) == fails_at
        resumed = sweep(store, small_batches(Fake()), protocol=protocol)
    assert_same(resumed, expected)
    assert expected.count.max() > 3


def test_stopped_again_and_again(path, tmp_path):
    with SweepStore(tmp_path / "whole") as whole:
        expected = sweep(whole, small_batches(Fake()))
    stops = 0
    while True:
        with SweepStore(path) as store:
            try:
                resumed = sweep(store, small_batches(fake(lost_after=2)))
                break
            except BackendError:
                stops += 1
    assert stops > 8
    assert_same(resumed, expected)
    with SweepStore(path) as store:
        assert {entry["start"] for entry in store.environments()} == set(range(1, stops + 2))


def test_batches_of_a_begun_pass_do_not_depend_on_the_release(path, monkeypatch):
    """Another batch size in between would give the numbers of batches another meaning."""
    with SweepStore(path) as store, pytest.raises(BackendError):
        sweep(store, small_batches(fake(lost_after=7)))
    monkeypatch.setattr(run, "_BATCH_SECONDS", 1e-4)
    with SweepStore(path) as store:
        backend = Fake()
        backend.batch_cells = 7
        assert (sweep(store, backend).count == QUICK.repeats).all()


def test_more_repeats_extend_a_finished_sweep(path):
    with SweepStore(path) as store:
        first = sweep(store)
    with SweepStore(path) as store:
        backend = Fake()
        more = sweep(store, backend, protocol=dataclasses.replace(QUICK, repeats=5, max_repeats=5))
    np.testing.assert_array_equal(more.repeats[:, :3], first.repeats)
    assert (more.count == 5).all()
    assert sum(len(cells) for cells, _, _ in backend.calls) < 2.2 * len(make_table())
    assert backend.checked == []


def test_a_finished_sweep_needs_no_device(path):
    with SweepStore(path) as store:
        sweep(store)
    backend, said = Fake(), []
    with SweepStore(path) as store:
        sweep(store, backend, progress=said.append)
    assert (backend.calls, backend.checked, backend.prepared) == ([], [], [])
    assert said[-1].stage == "nothing left to measure"


def test_a_wrong_kernel_is_not_timed(store):
    backend = fake(wrong_tile="256x256x32")
    tally = sweep(store, backend)
    assert {cell.tile for cell in timed(backend)} == {SMALL}
    assert (tally.count == np.where(make_table().tile == 0, QUICK.repeats, 0)).all()


@pytest.mark.parametrize("error", [0.5, np.nan, np.inf])
def test_one_wrong_result_is_enough(store, error):
    table = make_table()
    backend = Fake()
    backend.wrong = {table.cells([0])[0]: error}
    sweep(store, backend)
    assert {cell.tile for cell in timed(backend)} == {LARGE}


def test_checks_are_not_repeated(path):
    backend = fake(lost_after=0)
    with SweepStore(path) as store, pytest.raises(BackendError):
        sweep(store, backend)
    again = fake()
    with SweepStore(path) as store:
        sweep(store, again)
    assert len(backend.checked) == len(set(backend.checked)) > 4
    assert again.checked == []


def test_a_kernel_found_wrong_by_a_later_check_is_left(path):
    table = make_table()
    last = int(np.argsort(table.volume[:24], kind="stable")[10])
    with SweepStore(path) as store:
        sweep(store, protocol=dataclasses.replace(QUICK, verified_per_kernel=0))
    backend = Fake()
    backend.wrong = {table.cells([last])[0]: 0.9}
    protocol = dataclasses.replace(QUICK, verified_per_kernel=99, repeats=4, max_repeats=4)
    with SweepStore(path) as store:
        sweep(store, backend, protocol=protocol)
    cells = [cell for cells, _, _ in backend.calls for cell in cells]
    assert sum(cell.tile == SMALL for cell in cells) <= QUICK.sentinels  # only to show drift


class SelfChecking(Fake):
    checks_itself = True


def test_a_backend_that_checks_itself_is_not_asked(store):
    backend = SelfChecking()
    cell = make_table().cells([5])[0]
    backend.answers = {cell: Problem("wrong_result", "the program says so")}
    tally = sweep(store, backend)
    assert backend.checked == []
    assert tally.problems == {5: backend.answers[cell]}
    assert sum(cell in cells for cells, _, _ in backend.calls) == 1


@pytest.mark.parametrize("answer", [np.nan, 0.0, -1e-6, np.inf])
def test_a_time_that_is_none_has_failed(store, answer):
    cell = make_table().cells([7])[0]
    backend = Fake()
    backend.answers = {cell: answer}
    tally = sweep(store, backend)
    assert tally.problems == {7: Problem("failed", f"a timing of {answer} s")}
    assert tally.count[7] == 0
    assert (np.delete(tally.count, 7) == QUICK.repeats).all()
    assert sum(cell in cells for cells, _, _ in backend.calls) == 1


def test_a_time_beside_a_problem_is_not_believed(store):
    cell = make_table().cells([7])[0]

    class Both(Fake):
        def time(self, cells, launches, cache):
            found = super().time(cells, launches, cache)
            problems = {i: Problem("failed", "too hot") for i, own in enumerate(cells) if own == cell}
            return dataclasses.replace(found, problems=problems)

    tally = sweep(store, Both())
    assert tally.count[7] == 0
    assert tally.problems[7].reason == "too hot"


def test_a_backend_that_forgets_a_cell_is_stopped(store):
    class Forgetful(Fake):
        def time(self, cells, launches, cache):
            found = super().time(cells, launches, cache)
            return dataclasses.replace(found, seconds=found.seconds[:1])

    with pytest.raises(BackendError, match=r"Forgetful gave 1 times for \d+ cells"):
        sweep(store, Forgetful())


def test_failed_cells_are_measured_again_on_request(path):
    cells = make_table().cells([7, 9])
    broken = Fake()
    broken.answers = {cells[0]: Problem("failed", "out of memory"), cells[1]: Problem("wrong_result", "nonsense")}
    with SweepStore(path) as store:
        sweep(store, broken)
    for retry in (False, True):
        backend = Fake()
        with SweepStore(path) as store:
            tally = sweep(store, backend, retry_failed=retry)
        assert timed(backend) >= {cells[0]} if retry else not backend.calls
        assert cells[1] not in timed(backend)
    assert set(tally.problems) == {9}
    assert tally.count[7] == QUICK.repeats
    # As many launches as the like cells, although the rough pass knows nothing of this one.
    assert tally.launches[7] == tally.launches[7 + len(make_table()) // 2]


def test_a_cell_that_keeps_failing_ends(path):
    backend = Fake()
    backend.answers = {make_table().cells([7])[0]: np.nan}
    for _ in range(3):
        with SweepStore(path) as store:
            tally = sweep(store, backend, retry_failed=True)
    assert set(tally.problems) == {7}


def test_unsupported_cells_are_never_run(store):
    backend = Fake()
    backend.smallest_m = 500
    tally = sweep(store, backend)
    assert min(cell.M for cell in timed(backend) | set(backend.checked) | set(backend.prepared[0])) == 512
    assert (tally.count[make_table().shapes[:, 0] == 8] == 0).all()


def test_nothing_can_run(path):
    with SweepStore(path) as store, pytest.raises(BackendError, match=r"out of order \(48 cells\)"):
        sweep(store, fake(refuse=True))
    assert not path.exists()


@pytest.mark.parametrize("cache", ["cold", "rotating"])
def test_a_cache_state_that_cannot_be_had(path, cache):
    with SweepStore(path) as store, pytest.raises(InputError, match=f"cache '{cache}' cannot be had .* warm"):
        sweep(store, protocol=dataclasses.replace(QUICK, cache=cache))
    assert not path.exists()


class Rotating(Fake):
    cache_states = ("rotating", "cold")


def test_the_cache_state_reaches_the_backend(store):
    backend = Rotating()
    sweep(store, backend, protocol=dataclasses.replace(QUICK, cache="cold"))
    assert {cache for _, _, cache in backend.calls} == {"cold"}


def test_backends_without_a_common_cache_state(store):
    with pytest.raises(InputError, match="none in common"):
        sweep(store, Fake(), Rotating())


def test_the_first_backend_that_can_runs_the_cell(store):
    first, second = Fake(), Fake()
    first.offered = (SMALL,)
    first.smallest_m = 100
    tally = sweep(store, first, second)
    assert {cell.tile for cell in timed(first)} == {SMALL}
    assert {(cell.tile, cell.M < 100) for cell in timed(second)} == {(SMALL, True), (LARGE, True), (LARGE, False)}
    assert (tally.count == QUICK.repeats).all()


def test_backends_that_measure_different_things(store):
    with pytest.raises(BackendError, match="sweep them one by one"):
        sweep(store, Fake(), fake(dtype="f16"))


def test_warm_up_runs_supported_cells_and_is_not_kept(store):
    backend = Fake()
    backend.smallest_m = 500
    tally = sweep(store, backend, protocol=dataclasses.replace(QUICK, warmup_seconds=0.05))
    kept = sum(result.rows.size for result in store.results())
    assert sum(len(cells) for cells, _, _ in backend.calls) > kept
    assert min(cell.M for cell in timed(backend)) == 512
    assert tally.count.max() == QUICK.repeats


def test_progress_never_goes_back(store):
    steps = []
    sweep(store, small_batches(Fake()), progress=steps.append)
    timings = [step for step in steps if step.all_total]
    done = [step.all_done for step in timings]
    assert done == sorted(done)
    total = len(make_table()) * (QUICK.repeats + 1)
    assert {step.all_total for step in timings} == {total}
    assert done[-1] == total
    assert steps[0].stage == "compiling and warming up"
    assert {"rough pass", "verifying results", "repeat 1 of 3", "repeat 3 of 3", "done"} <= {s.stage for s in steps}


def test_batches_last_about_as_long():
    assert batch_size(None, 1.0, 1024) == 256
    assert batch_size(1e-3, 4.0, 4096) == 500
    assert batch_size(1e-6, 4.0, 4096) == 4096
    assert batch_size(30.0, 1.0, 4096) == 8
    assert batch_size(30.0, 1.0, 4) == 4


@pytest.mark.parametrize("cells", [1, 2, 10, 64])
def test_sentinels_fit_into_the_batches(store, cells):
    """Otherwise every batch ends in a call of its own for a cell or two, which some backends pay dearly."""
    backend = Fake()
    backend.batch_cells = cells
    sweep(store, backend)
    kept = [result for result in store.results() if result.number_of_pass > 0]
    if cells > 1:
        assert len(backend.calls) == len(list(store.results()))
        assert max(result.rows.size for result in kept) <= cells
    assert all(result.sentinel.any() for result in kept)


def test_another_seed_measures_in_another_order(tmp_path):
    orders = []
    for seed in (1, 1, 2):
        backend = Fake()
        with SweepStore(tmp_path / f"{seed}{len(orders)}") as store:
            sweep(store, backend, protocol=dataclasses.replace(QUICK, seed=seed))
        orders.append([cells for cells, _, _ in backend.calls])
    assert orders[0] == orders[1] != orders[2]


def test_a_cell_of_one_launch(store):
    table = make_table([SMALL], np.array([[8, 8, 8]]))
    tally = sweep(store, table=table)
    assert tally.count.tolist() == [3]
    assert Cell(SMALL, 8, 8, 8) == table.cells([0])[0]


def test_facts_are_those_of_the_bench():
    backend = Fake()
    assert executor_of(backend).facts.tiles == (SMALL, LARGE)
    assert executor_of(fake(tiles=(LARGE,))).facts.tiles == (LARGE,)
    assert executor_of(fake(dtype="f16")).facts.tolerances == (2e-3,)


def test_several_devices_have_their_share_of_a_pass(store):
    """One batch a pass would leave the second device without work, and its pace unknown."""

    class Three(SerialExecutor):
        devices = ("a", "b", "c")

    executor = Three(PassBench({"fake": Fake()}))
    run.run_sweep(executor, make_table(), QUICK, store)
    numbers = [sum(result.number_of_pass == number for result in store.results()) for number in range(4)]
    assert min(numbers) >= 12


def test_the_refusal_of_a_backend_that_has_the_tile_is_told(store):
    first, second = Fake(), Fake()
    first.offered, first.smallest_m = (SMALL,), 500
    second.offered = (LARGE,)
    for backends in ((first, second), (second, first)):
        survey = executor_of(*backends).survey(make_table())
        assert survey.refusals() == {"M is below 500": 6}


def test_a_kernel_that_cannot_be_run_costs_only_itself(store):
    class Unbuilt(Fake):
        def relative_error(self, cell):
            if cell.tile == LARGE:
                raise KernelError("out of registers")
            return super().relative_error(cell)

    tally = sweep(store, Unbuilt())
    status = cube_of(store)["status"].values.ravel()
    large = make_table().tile == 1
    assert (status[large] == STATUS["failed"]).all()
    assert (status[~large] == STATUS["ok"]).all()
    assert (tally.count[large] == 0).all()
    assert any("out of registers" in note for note in store.notes())


def test_a_kernel_that_could_not_be_run_is_tried_again_on_request(path):
    class Unbuilt(Fake):
        def relative_error(self, cell):
            raise KernelError(f"no compiler for {cell.tile}")

    with SweepStore(path) as store:
        sweep(store, Unbuilt())
        assert (cube_of(store)["status"].values == STATUS["failed"]).all()
    with SweepStore(path) as store:
        sweep(store, Fake(), retry_failed=True)
        assert (cube_of(store)["status"].values == STATUS["ok"]).all()
