"""Device records in files: TOML, in which every number names its source, and JSON, which cubes carry.

Both are read into the fields of a record, which checks their values itself.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

from harness.device_checks import checked_table
from harness.device_numbers import PEAK, UNITS, Alternative
from harness.errors import DeviceError

_REQUIRED: Final = ("id", "name", "vendor", "kind")
_PLAIN: Final = (*_REQUIRED, "aliases", "core_name", "simulated")

Record = TypeVar("Record")


def read_toml(path: str | os.PathLike[str], record: Callable[..., Record]) -> Record:
    """Read a record from a TOML file; see :func:`parse_toml`.

    Raises
    ------
    DeviceError
        If the file cannot be read, or :func:`parse_toml` refuses it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DeviceError(f"{os.fspath(path)}: cannot read the device file: {error.strerror}") from error
    return parse_toml(content, os.fspath(path), record)


def parse_toml(content: bytes, origin: str, record: Callable[..., Record]) -> Record:
    """Make a record of the bytes of a TOML file.

    Parameters
    ----------
    content : bytes
        The file; :mod:`harness.devices` describes its layout.
    origin : str
        Name of the file in messages.
    record : callable
        Makes the record of its fields, given by name.

    Raises
    ------
    DeviceError
        If an entry is unknown, lacks its source or has a wrong value; the message names file and key.
    """
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{origin}: not TOML: {error}") from error
    try:
        _require_keys(document, _REQUIRED, (*_PLAIN, *UNITS))
        payload = {key: document[key] for key in _PLAIN if key in document}
        entries = {key: document[key] for key in UNITS if key in document and key != PEAK}
        peaks = checked_table(PEAK, document.get(PEAK, {}), lambda _, entry: entry)
        entries |= {f"{PEAK}.{dtype}": entry for dtype, entry in peaks.items()}
        return record(**payload, **_read_entries(entries))
    except DeviceError as error:
        raise DeviceError(f"{origin}: {error}") from error


def parse_json(text: str, record: Callable[..., Record], names: Sequence[str]) -> Record:
    """Make a record of the text that :func:`format_json` wrote.

    Parameters
    ----------
    text : str
        One JSON object.
    record : callable
        Makes the record of its fields, given by name.
    names : sequence of str
        Names of all fields.

    Raises
    ------
    DeviceError
        If the text is no record.
    """
    try:
        payload = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DeviceError(f"device record: not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise DeviceError(f"device record: expected a JSON object, got {type(payload).__name__}")
    try:
        _require_keys(payload, _REQUIRED, names)
        listed = checked_table("alternatives", payload.pop("alternatives", {}), _read_alternatives)
        return record(**payload, alternatives=listed)
    except DeviceError as error:
        raise DeviceError(f"device record: {error}") from error


def format_json(values: Mapping[str, Any]) -> str:
    """Write the fields of a record, given by name, as one line of JSON."""
    payload = dict(values)
    for key in (PEAK, "sources", "notes"):
        payload[key] = dict(payload[key])
    payload["alternatives"] = {
        key: [vars(alternative) for alternative in listed] for key, listed in payload["alternatives"].items()
    }
    return json.dumps(payload, sort_keys=True, allow_nan=False)


def _read_entries(entries: Mapping[str, object]) -> dict[str, Any]:
    """Sort the tables of the numbers into the fields of a record."""
    found: dict[str, Any] = {PEAK: {}, "sources": {}, "notes": {}, "alternatives": {}}
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            raise DeviceError(f"{key}: expected a table with value and source, got {entry!r}")
        _require_keys(entry, (), ("value", "source", "note", "alternatives"), f"{key}.")
        if "value" not in entry and "alternatives" not in entry:
            raise DeviceError(f"{key}: the table has no value; leave the number out where it is open")
        if ("value" in entry) != ("source" in entry):
            missing = "source" if "value" in entry else "value"
            raise DeviceError(f"{key}: {missing} is missing: a number needs both value and source")
        if "value" in entry:
            name, _, dtype = key.partition(".")
            into, slot = (found[PEAK], dtype) if dtype else (found, name)
            into[slot] = entry["value"]
            found["sources"][key] = entry["source"]
        if "note" in entry:
            found["notes"][key] = entry["note"]
        if "alternatives" in entry:
            found["alternatives"][key] = _read_alternatives(key, entry["alternatives"])
    return found


def _read_alternatives(key: str, listed: object) -> tuple[Alternative, ...]:
    names = tuple(item.name for item in fields(Alternative))
    if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
        raise DeviceError(f"{key}.alternatives: expected a list of tables, got {listed!r}")
    for table in listed:
        _require_keys(table, names, names, f"{key}.alternatives.")
    return tuple(Alternative(**table) for table in listed)


def _require_keys(
    table: Mapping[str, object], required: Iterable[str], known: Iterable[str], prefix: str = ""
) -> None:
    known = tuple(known)
    for key in table:
        if key not in known:
            raise DeviceError(f"{prefix}{key}: unknown key, expected one of {', '.join(known)}")
    for key in required:
        if key not in table:
            raise DeviceError(f"{prefix}{key}: missing")
