"""A file that only grows, and that says so when it is none."""

import multiprocessing
import sqlite3

import pytest

from harness.errors import InputError
from harness.sweep.append_only import MEMORY, AppendOnlyFile

SCHEMA = {"note": "text TEXT NOT NULL", "number": "value INTEGER PRIMARY KEY"}


@pytest.fixture
def file(path):
    file = AppendOnlyFile(path, SCHEMA)
    yield file
    file.close()


def test_rows_come_back_in_order(file, path):
    with file.transaction():
        assert [file.insert("note", text) for text in ("first", "second")] == [1, 2]
    file.close()
    again = AppendOnlyFile(path, SCHEMA)
    assert again.rows("SELECT text FROM note ORDER BY rowid") == [("first",), ("second",)]
    again.close()


@pytest.mark.parametrize("statement", ["UPDATE note SET text = 'other'", "DELETE FROM note"])
def test_nothing_can_be_changed(file, statement):
    with file.transaction():
        file.insert("note", "kept")
    with pytest.raises(InputError, match="append-only"):
        file.execute(statement)
    assert file.rows("SELECT text FROM note") == [("kept",)]


def test_a_failed_block_leaves_nothing(file):
    def interrupted():
        with file.transaction():
            file.insert("note", "lost")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.rows("SELECT * FROM note") == []
    with file.transaction():
        file.insert("note", "kept")
    assert file.rows("SELECT text FROM note") == [("kept",)]


def test_a_file_of_anything_else_is_left_alone(path):
    path.write_text("M,N,K,time_s\n" * 500)
    before = path.read_bytes()
    with pytest.raises(InputError, match="not a sweep store, or damaged"):
        AppendOnlyFile(path, SCHEMA)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_left_alone(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE invoice (total REAL)")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="a database of something else"):
        AppendOnlyFile(path, SCHEMA)
    assert path.read_bytes() == before


def test_a_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be used"):
        AppendOnlyFile(tmp_path, SCHEMA)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be used"):
        AppendOnlyFile(tmp_path / "missing" / "store", SCHEMA)


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
def test_a_truncated_file(file, path, left):
    with file.transaction():
        for number in range(4000):
            file.insert("note", f"{number:040}")
    file.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(InputError, match="not a sweep store, or damaged"):
        AppendOnlyFile(path, SCHEMA).rows("SELECT * FROM note")


def _open(path, outcome):
    try:
        AppendOnlyFile(path, SCHEMA).close()
        outcome.put("opened")
    except InputError as error:
        outcome.put(str(error))


def test_one_writer_at_a_time(file, path):
    spawn = multiprocessing.get_context("spawn")
    outcome = spawn.Queue()
    answers = []
    for close in (False, True):
        if close:
            file.close()
        process = spawn.Process(target=_open, args=(path, outcome))
        process.start()
        answers.append(outcome.get(timeout=30))
        process.join()
    assert answers == [f"{path}: another process is measuring into this store", "opened"]


def test_in_memory():
    file = AppendOnlyFile(MEMORY, SCHEMA)
    with file.transaction():
        file.insert("number", 7)
    assert file.rows("SELECT value FROM number") == [(7,)]
    file.close()
