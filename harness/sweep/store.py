"""The store of a sweep: what it is, and every finished batch.

Beside the guarantees of the append-only file each batch carries a checksum, so that a disk's error is noticed and
not averaged in.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.backends.backend import Problem
from harness.errors import InputError
from harness.sweep.append_only import MEMORY, AppendOnlyFile
from harness.sweep.cells import CellTable, Rows
from harness.sweep.order import Batch
from harness.sweep.verification import Kernel
from harness.tile import Tile

if TYPE_CHECKING:
    from harness.protocol import Protocol
    from harness.sweep.bench import Facts, Survey

FORMAT = 1

_SCHEMA = {
    "meta": "key TEXT PRIMARY KEY, value BLOB NOT NULL",
    "session": "started REAL NOT NULL",
    "environment": "session INTEGER NOT NULL, read REAL NOT NULL, state TEXT NOT NULL",
    "note": "session INTEGER NOT NULL, made REAL NOT NULL, text TEXT NOT NULL",
    "pass": "number INTEGER PRIMARY KEY, size INTEGER NOT NULL, rows BLOB NOT NULL",
    "batch": "pass INTEGER NOT NULL, number INTEGER NOT NULL, session INTEGER NOT NULL, device TEXT NOT NULL, "
    "finished REAL NOT NULL, seconds_taken REAL NOT NULL, timings BLOB NOT NULL, problems TEXT NOT NULL, "
    "checksum INTEGER NOT NULL, PRIMARY KEY (pass, number)",
    "checked": "device TEXT NOT NULL, row INTEGER NOT NULL, error REAL",
}

_RECORD = np.dtype([("row", "<i8"), ("launches", "<i4"), ("sentinel", "<i1"), ("seconds", "<f8")])


@dataclass(frozen=True)
class BatchResult:
    """One finished batch.

    Attributes
    ----------
    number_of_pass, number : int
    rows, launches : ndarray of int64, shape (n,)
    sentinel : ndarray of bool, shape (n,)
    seconds : ndarray of float64, shape (n,)
        Seconds per launch; NaN where a problem stood in the way.
    problems : mapping of int to Problem
        By row.
    device : str
        Which device measured it.
    finished : float
        Unix time in seconds.
    seconds_taken : float
        Wall time of the batch.
    session : int
        Which start of the sweep it belongs to.
    """

    number_of_pass: int
    number: int
    rows: Rows
    launches: Rows
    sentinel: np.ndarray[tuple[int], np.dtype[np.bool_]]
    seconds: np.ndarray[tuple[int], np.dtype[np.float64]]
    problems: Mapping[int, Problem] = field(default_factory=dict)
    device: str = ""
    finished: float = 0.0
    seconds_taken: float = 0.0
    session: int = 0

    @classmethod
    def of(
        cls,
        batch: Batch,
        launches: Rows,
        seconds: np.ndarray[Any, np.dtype[np.float64]],
        problems: Mapping[int, Problem],
        device: str,
        taken: float,
    ) -> BatchResult:
        """Put a batch and its timings together."""
        return cls(
            batch.number_of_pass,
            batch.number,
            batch.rows,
            launches,
            batch.sentinel,
            seconds,
            problems,
            device,
            time.time(),
            taken,
        )


class SweepStore:
    """One sweep on disk; use it as a context manager.

    Parameters
    ----------
    path : Path or ":memory:"
        Opened, or made where it does not exist.

    Raises
    ------
    InputError
        If the file is no store, is damaged, is in use by another process, or cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._session = 0
        self._made_here = path != MEMORY and not Path(path).exists()
        self._file = AppendOnlyFile(path, _SCHEMA)
        if self._get("format") is None:
            with self._file.transaction():
                self._put("format", str(FORMAT).encode())
        if self._get("format") != str(FORMAT).encode():
            self.close()
            raise InputError(f"{path}: a sweep store of another version of attrib; give another output")

    def __enter__(self) -> SweepStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; one that was made here and in which no sweep was begun is removed."""
        unused = self._made_here and self.fingerprint is None
        self._file.close()
        if unused:
            Path(self.path).unlink(missing_ok=True)

    def begin(self, fingerprint: Mapping[str, Any], table: CellTable, environment: Mapping[str, Any]) -> int:
        """Begin or resume: store what the sweep is, or check that it is the same.

        Parameters
        ----------
        fingerprint : mapping
            Device, configuration and the part of the protocol that must not change; plain JSON data.
        table : CellTable
        environment : mapping
            State of the device at this start.

        Returns
        -------
        int
            Number of this start, from 1.

        Raises
        ------
        InputError
            If the store holds another sweep; the message names the first difference.
        """
        given = {**json.loads(json.dumps(fingerprint, sort_keys=True)), "cells": table.digest()}
        stored = self.fingerprint
        if stored is not None and stored != given:
            raise InputError(
                f"{self.path}: holds another sweep ({_difference(stored, given)}); "
                "resume with the same settings on the same device, or give another output"
            )
        with self._file.transaction():
            if stored is None:
                self._put("fingerprint", json.dumps(given, sort_keys=True).encode())
                self._put("tiles", json.dumps([tile.name for tile in table.tiles]).encode())
                self._put("tile", _pack(table.tile))
                self._put("shapes", _pack(table.shapes))
            self._session = self._file.insert("session", time.time())
        self.note_environment(environment)
        return self._session

    def keep_survey(self, facts: Facts, survey: Survey, protocol: Protocol) -> None:
        """Store what a cube needs beside the timings, so that it can be made without the device.

        The protocol is kept for every start: its number of repeats may grow.
        """
        with self._file.transaction():
            if self._get("survey") is None:
                self._put("owner", _pack(survey.owner))
                self._put("reason", _pack(survey.reason))
                self._put("survey", json.dumps({"reasons": survey.reasons, "facts": asdict(facts)}).encode())
            self._put(f"protocol {self._session}", json.dumps(protocol.to_dict()).encode())

    def survey(self) -> tuple[dict[str, Any], Rows, Rows, tuple[str, ...]]:
        """Return the facts as plain data, owner and reason of every row, and the texts of the reasons.

        Raises
        ------
        InputError
            If no sweep was begun.
        """
        text, owner, reason = (self._get(key) for key in ("survey", "owner", "reason"))
        if text is None or owner is None or reason is None:
            raise InputError(f"{self.path}: no sweep was begun in this store")
        data = json.loads(text)
        return data["facts"], self._unpack(owner), self._unpack(reason), tuple(data["reasons"])

    def protocol(self) -> dict[str, Any]:
        """Return the protocol of the newest start, as plain data."""
        found = self._file.rows("SELECT value FROM meta WHERE key LIKE 'protocol %' ORDER BY rowid DESC LIMIT 1")
        if not found:
            raise InputError(f"{self.path}: no sweep was begun in this store")
        return dict(json.loads(found[0][0]))

    def keep_kernels(self, kernels: Sequence[Kernel]) -> None:
        """Store the compiled kernels: which rows each runs, and which of them are checked at this start."""
        with self._file.transaction():
            if self._get("kernels") is None:
                names = [[kernel.name, kernel.backend] for kernel in kernels]
                self._put("kernels", json.dumps(names).encode())
                for index, kernel in enumerate(kernels):
                    self._put(f"rows of kernel {index}", _pack(kernel.rows))
            samples = [list(kernel.sample) for kernel in kernels]
            self._put(f"samples {self._session}", json.dumps(samples).encode())

    def kernels(self) -> list[Kernel]:
        """Return the compiled kernels with everything that was checked of them at any start."""
        text = self._get("kernels")
        if text is None:
            return []
        found = self._file.rows("SELECT value FROM meta WHERE key LIKE 'samples %'")
        samples = [json.loads(value) for (value,) in found]
        kernels = []
        for index, (name, backend) in enumerate(json.loads(text)):
            rows = self._get(f"rows of kernel {index}")
            checked = sorted({row for sample in samples for row in sample[index]})
            kernels.append(Kernel(name, backend, self._unpack(rows or b""), tuple(checked)))
        return kernels

    @property
    def fingerprint(self) -> dict[str, Any] | None:
        """What the sweep is, or ``None`` in a new store."""
        text = self._get("fingerprint")
        return None if text is None else dict(json.loads(text))

    def table(self) -> CellTable:
        """Return the cells of the sweep.

        Raises
        ------
        InputError
            If no sweep was begun.
        """
        names, tile, shapes = (self._get(key) for key in ("tiles", "tile", "shapes"))
        if names is None or tile is None or shapes is None:
            raise InputError(f"{self.path}: no sweep was begun in this store")
        tiles = tuple(Tile.labelled(name) for name in json.loads(names))
        return CellTable(tiles, self._unpack(tile), self._unpack(shapes).reshape(-1, 3))

    def note_environment(self, state: Mapping[str, Any]) -> None:
        """Append the state of the devices at this moment."""
        with self._file.transaction():
            self._file.insert("environment", self._session, time.time(), json.dumps(state, sort_keys=True))

    def environments(self) -> list[dict[str, Any]]:
        """State of the devices whenever it was read, with the time of day in ``read`` (Unix seconds)."""
        found = self._file.rows("SELECT session, read, state FROM environment ORDER BY rowid")
        return [{"start": start, "read": read, **json.loads(text)} for start, read, text in found]

    def started(self) -> float:
        """Time of day of the first start, Unix seconds."""
        return float(self._file.rows("SELECT min(started) FROM session")[0][0])

    def note(self, text: str) -> None:
        """Append something that happened, for the cube's attribute ``notes``."""
        with self._file.transaction():
            self._file.insert("note", self._session, time.time(), text)

    def notes(self) -> list[str]:
        """Everything that was noted, in order."""
        return [str(text) for (text,) in self._file.rows("SELECT text FROM note ORDER BY rowid")]

    def begun_pass(self, number: int) -> tuple[Rows, int] | None:
        """Return the cells that a begun pass visits and its cells in a batch; ``None`` where it was not begun."""
        found = self._file.rows("SELECT rows, size FROM pass WHERE number = ?", (number,))
        return (self._unpack(found[0][0]), int(found[0][1])) if found else None

    def begin_pass(self, number: int, rows: Rows, size: int) -> None:
        """Settle the cells and the batches of a pass before its first: resuming must not choose anew."""
        with self._file.transaction():
            self._file.insert("pass", number, size, _pack(rows))

    def done(self, number_of_pass: int) -> set[int]:
        """Return the numbers of the finished batches of a pass."""
        found = self._file.rows("SELECT number FROM batch WHERE pass = ?", (number_of_pass,))
        return {int(number) for (number,) in found}

    def commit(self, result: BatchResult) -> None:
        """Append one finished batch; on return it is on the disk."""
        record = np.empty(result.rows.size, dtype=_RECORD)
        record["row"], record["launches"] = result.rows, result.launches
        record["sentinel"], record["seconds"] = result.sentinel, result.seconds
        packed = zlib.compress(record.tobytes(), 1)
        problems = json.dumps({str(row): [p.status, p.reason] for row, p in result.problems.items()})
        with self._file.transaction():
            self._file.insert(
                "batch",
                result.number_of_pass,
                result.number,
                self._session,
                result.device,
                result.finished,
                result.seconds_taken,
                packed,
                problems,
                zlib.crc32(packed + problems.encode()),
            )

    def results(self) -> Iterator[BatchResult]:
        """Yield all finished batches in the order of their commits.

        Raises
        ------
        InputError
            If a batch does not match its checksum.
        """
        for number_of_pass, number, session, device, finished, taken, packed, problems, checksum in self._file.rows(
            "SELECT * FROM batch ORDER BY rowid"
        ):
            if zlib.crc32(packed + problems.encode()) != checksum:
                raise InputError(f"{self.path}: batch {number} of pass {number_of_pass} is damaged")
            record = np.frombuffer(zlib.decompress(packed), dtype=_RECORD)
            yield BatchResult(
                number_of_pass,
                number,
                record["row"].astype(np.int64),
                record["launches"].astype(np.int64),
                record["sentinel"].astype(np.bool_),
                record["seconds"].astype(np.float64),
                {int(row): Problem(*parts) for row, parts in json.loads(problems).items()},
                device,
                finished,
                taken,
                session,
            )

    def checked(self) -> dict[tuple[str, int], float]:
        """Relative error of every verified cell, by device and row; NaN where the kernel could not be run."""
        found = self._file.rows("SELECT device, row, error FROM checked ORDER BY rowid")
        return {(device, int(row)): float("nan") if e is None else float(e) for device, row, e in found}

    def add_checked(self, device: str, errors: Mapping[int, float]) -> None:
        """Append the errors of verified rows."""
        with self._file.transaction():
            for row, error in errors.items():
                self._file.insert("checked", device, row, None if np.isnan(error) else error)

    def _get(self, key: str) -> bytes | None:
        found = self._file.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return bytes(found[0][0]) if found else None

    def _put(self, key: str, value: bytes) -> None:
        self._file.insert("meta", key, value)

    def _unpack(self, data: bytes) -> Rows:
        try:
            return np.frombuffer(zlib.decompress(data), dtype="<i8").astype(np.int64)
        except (zlib.error, ValueError):
            raise InputError(f"{self.path}: the cells of the sweep are damaged; give another output") from None


def _pack(values: Rows) -> bytes:
    return zlib.compress(np.ascontiguousarray(values, dtype="<i8").tobytes(), 1)


def _difference(stored: Any, given: Any, where: str = "") -> str:
    """Name the first place where two nested mappings differ."""
    if isinstance(stored, Mapping) and isinstance(given, Mapping):
        for key in (*stored, *(key for key in given if key not in stored)):
            if stored.get(key) != given.get(key):
                return _difference(stored.get(key), given.get(key), f"{where}.{key}".lstrip("."))
    if where == "cells":
        return "other cells"
    return f"{where}: {_short(stored)} there, {_short(given)} here"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
