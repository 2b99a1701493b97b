"""Device records by name: the packaged ones, and those of TOML files.

Records are data (``harness/devices/*.toml``), not code.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files

from harness.device_files import parse_toml
from harness.device_numbers import DTYPES, Alternative
from harness.device_record import DeviceRecord
from harness.errors import DeviceError


def load_device(name_or_path: str | os.PathLike[str]) -> DeviceRecord:
    """Load a packaged record by its id or an alias, or any record from a TOML file.

    Parameters
    ----------
    name_or_path : str or path-like
        ``"b580"``, ``"Intel Arc B580"`` (case does not matter), or the path of a ``.toml`` file.

    Returns
    -------
    DeviceRecord
        The record.

    Raises
    ------
    DeviceError
        If no record has that name, or the file is no valid record.

    Examples
    --------
    >>> load_device("b580").cores
    20
    """
    if not isinstance(name_or_path, str) or name_or_path.casefold().endswith(".toml"):
        return DeviceRecord.from_toml(name_or_path)
    wanted = name_or_path.strip().casefold()
    for record in _packaged():
        if wanted in {name.casefold() for name in (record.id, *record.aliases)}:
            return record
    raise DeviceError(
        f"device {name_or_path!r} is unknown: expected one of {', '.join(known_devices())}, "
        "or the path of a TOML file (NAME.toml) that describes it"
    )


def known_devices() -> tuple[str, ...]:
    """Return the ids of the packaged records, sorted."""
    return tuple(record.id for record in _packaged())


@cache
def _packaged() -> tuple[DeviceRecord, ...]:
    entries = (entry for entry in files("harness.devices").iterdir() if entry.name.endswith(".toml"))
    records = [parse_toml(entry.read_bytes(), str(entry), DeviceRecord) for entry in entries]
    return tuple(sorted(records, key=lambda record: record.id))


__all__ = ["DTYPES", "Alternative", "DeviceRecord", "known_devices", "load_device"]
