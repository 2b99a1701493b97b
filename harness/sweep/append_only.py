"""An append-only SQLite file: a commit is all or nothing, whenever the process dies.

SQLite's write-ahead log gives that, and its lock keeps a second writer out. Rows are only ever inserted: triggers
refuse every update and deletion.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import InputError

MEMORY = ":memory:"
"""In place of a path: a file that is not kept."""


class AppendOnlyFile:
    """An SQLite file of insert-only tables, locked for as long as it is open.

    Parameters
    ----------
    path : Path or ":memory:"
        Opened, or made where it does not exist.
    schema : mapping of str to str
        Columns of each table, as in ``CREATE TABLE``.

    Raises
    ------
    InputError
        If the file is no such file, is damaged, is in use by another process, or cannot be written.
    """

    def __init__(self, path: Path | str, schema: dict[str, str]) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None
        try:
            self._open(schema)
        except BaseException:
            self._database.close()
            raise

    def _open(self, schema: dict[str, str]) -> None:
        present = {str(name) for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if present and present != set(schema):
            raise InputError(f"{self.path}: a database of something else, not a sweep store; give another output")
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self.execute(f"PRAGMA {pragma}")
        with self.transaction():  # which takes the exclusive lock, held from here on
            for table, columns in schema.items():
                self.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
                for action in ("UPDATE", "DELETE"):
                    self.execute(
                        f"CREATE TRIGGER IF NOT EXISTS no_{action.lower()}_{table} BEFORE {action} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'this file is append-only'); END"
                    )

    def close(self) -> None:
        """Close the file and give its lock back."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all inserts of the block, or none of them; on return they are on the disk."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.rollback()
            raise
        self.execute("COMMIT")

    def insert(self, table: str, *values: Any) -> int:
        """Append one row and return its number."""
        places = ", ".join("?" * len(values))
        return int(self.execute(f"INSERT INTO {table} VALUES ({places})", values).lastrowid or 0)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises
        ------
        InputError
            If the file is damaged, locked or full.
        """
        try:
            return self._database.execute(statement, values)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: sqlite3.DatabaseError) -> InputError:
        text = str(error)
        if "locked" in text:
            return InputError(f"{self.path}: another process is measuring into this store")
        if isinstance(error, sqlite3.OperationalError):
            return InputError(f"{self.path}: the sweep store cannot be used ({text})")
        return InputError(f"{self.path}: not a sweep store, or damaged ({text}); give another output")
