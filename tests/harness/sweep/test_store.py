"""The store of a sweep: what goes in comes out, and another sweep does not get in."""

import dataclasses
import sqlite3

import numpy as np
import pytest
from fake_backend import LARGE, QUICK, SMALL, Fake, FakeOptions, executor_of, fake, make_table, sweep

from harness.backends import Problem
from harness.device import load_device
from harness.errors import InputError
from harness.sweep.order import Batch
from harness.sweep.run import fingerprint
from harness.sweep.store import BatchResult, SweepStore


def result_of(number, rows=5):
    batch = Batch(1, number, np.arange(rows), np.arange(rows) == 2)
    seconds = np.random.default_rng(number).exponential(size=rows)
    seconds[0] = np.nan
    problems = {0: Problem("failed", "no time, 'quoted' and non-ASCII: µs")}
    return BatchResult.of(batch, np.full(rows, 3), seconds, problems, "GPU-1", 0.25)


def begin(store, protocol=QUICK, table=None, backend=None):
    executor = executor_of(backend or Fake())
    table = make_table() if table is None else table
    store.begin(fingerprint(executor.facts, protocol), table, executor.environment())
    store.keep_survey(executor.facts, executor.survey(table), protocol)
    return executor


def test_batches_come_back_bit_by_bit(path):
    results = [result_of(number) for number in (3, 0, 1)]
    with SweepStore(path) as store:
        begin(store)
        for result in results:
            store.commit(result)
    with SweepStore(path) as store:
        found = list(store.results())
        assert store.done(1) == {0, 1, 3}
        assert store.done(2) == set()
    assert len(found) == 3
    for result, again in zip(results, found, strict=True):
        np.testing.assert_array_equal(again.rows, result.rows)
        np.testing.assert_array_equal(again.launches, result.launches)
        np.testing.assert_array_equal(again.sentinel, result.sentinel)
        np.testing.assert_array_equal(again.seconds, result.seconds)
        assert again.problems == result.problems
        assert (again.device, again.finished, again.seconds_taken) == ("GPU-1", result.finished, 0.25)
        assert again.session == 1


def test_a_batch_is_stored_once(store):
    begin(store)
    store.commit(result_of(0))
    with pytest.raises(InputError, match="UNIQUE"):
        store.commit(result_of(0))
    assert len(list(store.results())) == 1


def test_cells_survey_and_passes_come_back(store):
    backend = Fake()
    backend.smallest_m = 500
    executor = begin(store, backend=backend)
    assert store.table().tiles == (SMALL, LARGE)
    assert store.table().digest() == make_table().digest()
    facts, owner, reason, reasons = store.survey()
    np.testing.assert_array_equal(owner, executor.survey(make_table()).owner)
    assert reasons == ("M is below 500",)
    np.testing.assert_array_equal(reason == 0, make_table().shapes[:, 0] < 500)
    assert facts["dtype"] == "bf16"
    assert store.begun_pass(3) is None
    store.begin_pass(3, np.array([5, 2, 9]), 64)
    rows, size = store.begun_pass(3)
    assert (rows.tolist(), size) == ([5, 2, 9], 64)


def test_checks_are_kept_by_device(store):
    store.add_checked("a", {1: 1e-3, 2: float("inf")})
    store.add_checked("b", {1: 2e-3})
    assert store.checked() == {("a", 1): 1e-3, ("a", 2): float("inf"), ("b", 1): 2e-3}


def test_a_check_that_could_not_be_made_is_no_number(store):
    store.add_checked("a", {1: float("nan"), 2: 0.5})
    store.add_checked("a", {1: 1e-3})  # tried again: the newest counts
    assert store.checked() == {("a", 1): 1e-3, ("a", 2): 0.5}
    store.add_checked("a", {1: float("nan")})
    assert np.isnan(store.checked()["a", 1])


def test_notes_are_kept_in_order(path):
    for text in ("one", "two"):
        with SweepStore(path) as store:
            begin(store)
            store.note(text)
    with SweepStore(path) as store:
        assert store.notes() == ["one", "two"]


def test_every_start_is_kept(path):
    for repeats in (3, 5):
        with SweepStore(path) as store:
            begin(store, dataclasses.replace(QUICK, repeats=repeats, max_repeats=9))
    with SweepStore(path) as store:
        assert len(store.environments()) == 2
        assert store.started() <= store.environments()[0]["read"] <= store.environments()[1]["read"]
        assert store.protocol()["repeats"] == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": dataclasses.replace(QUICK, seed=9)}, "protocol.seed: 4 there, 9 here"),
        ({"protocol": dataclasses.replace(QUICK, series_seconds=1e-3)}, "protocol.series_seconds: 4e-05 there"),
        ({"protocol": dataclasses.replace(QUICK, sentinels=1)}, "protocol.sentinels: 3 there, 1 here"),
        ({"table": make_table([SMALL])}, "other cells"),
        ({"backend": fake(driver="1.1")}, 'configuration.fake.driver: "1.0" there, "1.1" here'),
        ({"backend": fake(dtype="f16")}, 'dtype: "bf16" there, "f16" here'),
        ({"backend": fake(record=load_device("h200"))}, r"device\.[a-z_]+.*: .* there, .* here"),
        (
            {"backend": fake(record=dataclasses.replace(load_device("b580"), clock_hz=1e9))},
            r"device\..*clock_hz.*there, 1000000000.0 here",
        ),
    ],
)
def test_another_sweep_is_refused_by_name(path, change, message):
    with SweepStore(path) as store:
        begin(store)
    before = path.read_bytes()
    with SweepStore(path) as store, pytest.raises(InputError, match=message):
        begin(store, **change)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"repeats": 5, "max_repeats": 8},
        {"target_error": 0.5},
        {"verified_per_kernel": 9},
        {"outlier_threshold": 3.0},
    ],
)
def test_what_adds_to_a_sweep_is_accepted(path, change):
    for protocol in (QUICK, dataclasses.replace(QUICK, **change)):
        with SweepStore(path) as store:
            begin(store, protocol)


def spoil(path, table, column, where, value=None):
    """Change bytes of a stored value behind the store's back, as a bad disk would."""
    database = sqlite3.connect(path)
    database.execute(f"DROP TRIGGER no_update_{table}")
    (data,) = database.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    if value is None:
        middle = len(data) // 2
        value = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("column", "value"), [("timings", None), ("problems", '{"0": ["ok", ""]}'), ("checksum", 12345)]
)
def test_a_damaged_batch_is_noticed(path, column, value):
    with SweepStore(path) as store:
        sweep(store)
    spoil(path, "batch", column, "pass = 2 AND number = 0", value)
    with SweepStore(path) as store, pytest.raises(InputError, match="batch 0 of pass 2 is damaged"):
        list(store.results())


@pytest.mark.parametrize("key", ["shapes", "tile"])
def test_damaged_cells_are_noticed(path, key):
    with SweepStore(path) as store:
        begin(store)
    spoil(path, "meta", "value", f"key = '{key}'")
    with SweepStore(path) as store, pytest.raises(InputError, match="damaged"):
        store.table()


def test_a_store_of_another_version(path):
    with SweepStore(path) as store:
        begin(store)
    spoil(path, "meta", "value", "key = 'format'", b"99")
    with pytest.raises(InputError, match="another version of attrib"):
        SweepStore(path)
    assert path.exists()


def test_nothing_was_begun(store):
    for question in (store.table, store.survey, store.protocol):
        with pytest.raises(InputError, match="no sweep was begun"):
            question()
    assert store.kernels() == []


def test_a_store_without_a_sweep_leaves_no_file(path, tmp_path):
    SweepStore(path).close()
    assert list(tmp_path.iterdir()) == []
    with SweepStore(path) as store:
        begin(store)
    SweepStore(path).close()
    assert list(tmp_path.iterdir()) == [path]


def test_read_only_folder(tmp_path, path):
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        (folder / "probe").touch()
    except PermissionError:
        with pytest.raises(InputError, match="cannot be used"):
            SweepStore(folder / "store")
    else:
        pytest.skip("this user may write into read-only folders")


def test_kernels_unite_the_samples_of_all_starts(path):
    for count in (0, 4):
        with SweepStore(path) as store:
            protocol = dataclasses.replace(QUICK, verified_per_kernel=count)
            executor = begin(store, protocol)
            table = make_table()
            found = executor.kernels(table, executor.survey(table).owner, count, 0)
            store.keep_kernels(found)
            kept = store.kernels()
    assert [kernel.name for kernel in kept] == ["64x64x32", "256x256x32"]
    assert [kernel.sample for kernel in kept] == [kernel.sample for kernel in found]


def test_options_are_part_of_the_stores_memory_only_through_the_configuration(path):
    """Another noise is no other device: what must not change is the backend's to say."""
    with SweepStore(path) as store:
        begin(store)
    with SweepStore(path) as store:
        begin(store, backend=Fake(FakeOptions(noise=0.5)))
