"""Device records: the numbers of a device, each with the source that states it.

Records are data (``harness/devices/*.toml``), not code. Where sources disagree, one value is in use and the
others are kept beside it as labelled alternatives; a number that no source states stays open.
"""

from __future__ import annotations

import json
import math
import numbers
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from harness.errors import DeviceError

Atom: TypeAlias = tuple[int, int, int]
Value: TypeAlias = int | float | Atom
Kind: TypeAlias = Literal["gpu", "cpu", "other"]

DTYPES: Final = ("bf16", "f16", "tf32", "f32", "f64", "fp8", "i8")
"""Element types for which a record can state a peak."""

_PEAK: Final = "peak_flops_per_s"
_UNITS: Final = {
    "cores": "",
    "clock_hz": "Hz",
    _PEAK: "FLOP/s",
    "bandwidth_bytes_per_s": "B/s",
    "last_level_cache_bytes": "B",
    "core_local_bytes": "B",
    "memory_bytes": "B",
    "memory_channels": "",
    "channel_interleave_bytes": "B",
    "line_bytes": "B",
    "atom": "",
    "block_unit_bytes": "B",
    "max_subgroups_per_core": "",
    "register_bytes_per_core": "B",
}
_REALS: Final = ("clock_hz", _PEAK, "bandwidth_bytes_per_s")
_REQUIRED: Final = ("id", "name", "vendor", "kind")
_PLAIN: Final = (*_REQUIRED, "aliases", "core_name", "simulated")


@dataclass(frozen=True)
class Alternative:
    """A value that some source states for a number, and that the record does not use.

    Attributes
    ----------
    label : str
        Short name, unique among the alternatives of one number: ``"paper-section-9"``.
    value : int or float or tuple of int
        The value, in the unit of the number.
    source : str
        Who states it.
    note : str
        Why it is not the value in use.
    """

    label: str
    value: Value
    source: str
    note: str


@dataclass(frozen=True)
class DeviceRecord:
    """What is known of one device; ``None`` where a number is open.

    Numbers are addressed by their field name, peaks by ``"peak_flops_per_s.<dtype>"``.

    Attributes
    ----------
    id : str
        Name of the record, ``"b580"``.
    name, vendor : str
        Name of the device and its maker.
    kind : {"gpu", "cpu", "other"}
        Sort of device.
    aliases : tuple of str
        Other names that :func:`load_device` accepts, in any case.
    cores : int or None
        Units that run work-groups independently: the C of a wave.
    core_name : str
        What the vendor calls a core: ``"Xe-core"``, ``"SM"``.
    clock_hz : float or None
        Highest clock, in Hz.
    peak_flops_per_s : Mapping of str to float
        Dense peak by element type, in FLOP/s (operations per second for integers).
    bandwidth_bytes_per_s : float or None
        Peak bandwidth of device memory, in B/s.
    last_level_cache_bytes : int or None
        Cache that all cores share, in bytes.
    core_local_bytes : int or None
        Shared memory (SLM) that the work-groups of one core can allocate, in bytes.
    memory_bytes : int or None
        Device memory, in bytes.
    memory_channels : int or None
        Channels over which addresses are spread.
    channel_interleave_bytes : int or None
        Contiguous bytes on one channel.
    line_bytes : int or None
        Cache line, in bytes.
    atom : tuple of int or None
        Smallest (m, n, k) of a matrix instruction on BF16, in elements.
    block_unit_bytes : int or None
        Granularity of the row pitch that block loads accept, in bytes.
    max_subgroups_per_core : int or None
        Sub-groups (warps) a core holds at once in the mode that GEMM kernels run in.
    register_bytes_per_core : int or None
        Register file of one core, in bytes.
    simulated : bool
        Whether the device is a model rather than hardware.
    sources : Mapping of str to str
        Source of each number.
    notes : Mapping of str to str
        Why the value in use is used, or why a number is open.
    alternatives : Mapping of str to tuple of Alternative
        Values that other sources state.

    Raises
    ------
    DeviceError
        If a value has the wrong type, is not positive, or belongs to no known number.
    """

    id: str
    name: str
    vendor: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    cores: int | None = None
    core_name: str = "core"
    clock_hz: float | None = None
    peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    bandwidth_bytes_per_s: float | None = None
    last_level_cache_bytes: int | None = None
    core_local_bytes: int | None = None
    memory_bytes: int | None = None
    memory_channels: int | None = None
    channel_interleave_bytes: int | None = None
    line_bytes: int | None = None
    atom: Atom | None = None
    block_unit_bytes: int | None = None
    max_subgroups_per_core: int | None = None
    register_bytes_per_core: int | None = None
    simulated: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, tuple[Alternative, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked: dict[str, object] = {key: _text(key, getattr(self, key)) for key in (*_REQUIRED, "core_name")}
        if self.kind not in ("gpu", "cpu", "other"):
            raise DeviceError(f"kind: expected gpu, cpu or other, got {self.kind!r}")
        if not isinstance(self.aliases, tuple | list):
            raise DeviceError(f"aliases: expected a list of names, got {self.aliases!r}")
        checked["aliases"] = tuple(_text("aliases", alias) for alias in self.aliases)
        if not isinstance(self.simulated, bool):
            raise DeviceError(f"simulated: expected true or false, got {self.simulated!r}")
        peaks = _mapping(_PEAK, self.peak_flops_per_s, lambda key, value: _number(f"{_PEAK}.{key}", value))
        checked[_PEAK] = peaks
        for key in _UNITS:
            value = getattr(self, key)
            if key != _PEAK and value is not None:
                checked[key] = _number(key, value)
        checked["sources"] = _mapping("sources", self.sources, lambda key, text: _text(f"{key}.source", text))
        checked["notes"] = _mapping("notes", self.notes, lambda key, text: _text(f"{key}.note", text))
        checked["alternatives"] = _mapping("alternatives", self.alternatives, _alternatives)
        for key in (*(f"{_PEAK}.{dtype}" for dtype in peaks), *self.sources, *self.notes, *self.alternatives):
            _require_known(key)
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> DeviceRecord:
        """Read a record from a TOML file, in which every number names its source.

        Parameters
        ----------
        path : str or path-like
            The file; :mod:`harness.devices` describes its layout.

        Raises
        ------
        DeviceError
            If the file cannot be read, or an entry is unknown, lacks its source or has a wrong value; the
            message names the file and the key.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DeviceError(f"{os.fspath(path)}: cannot read the device file: {error.strerror}") from error
        return _parse_toml(content, os.fspath(path))

    @classmethod
    def from_json(cls, text: str) -> DeviceRecord:
        """Read a record from the text that :meth:`to_json` wrote.

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
            _require_keys(payload, _REQUIRED, tuple(item.name for item in fields(cls)))
            listed = _mapping("alternatives", payload.pop("alternatives", {}), _read_alternatives)
            return cls(**payload, alternatives=listed)
        except DeviceError as error:
            raise DeviceError(f"device record: {error}") from error

    def to_json(self) -> str:
        """Return the whole record as one line of JSON; :meth:`from_json` gives back an equal record."""
        payload = {item.name: getattr(self, item.name) for item in fields(self)}
        for key in (_PEAK, "sources", "notes"):
            payload[key] = dict(payload[key])
        payload["alternatives"] = {
            key: [vars(alternative) for alternative in listed] for key, listed in self.alternatives.items()
        }
        return json.dumps(payload, sort_keys=True, allow_nan=False)

    def peak(self, dtype: str, label: str | None = None) -> float:
        """Return the dense peak for an element type, in FLOP/s.

        Parameters
        ----------
        dtype : str
            Element type of A and B, ``"bf16"``.
        label : str, optional
            Label of an alternative; the value in use when absent.

        Raises
        ------
        DeviceError
            If the record states no such peak.
        """
        return self.number(f"{_PEAK}.{dtype}", label)

    def number(self, key: str, label: str | None = None) -> float:
        """Return a number that must not be open, or one of its alternatives.

        Parameters
        ----------
        key : str
            Field name, or ``"peak_flops_per_s.<dtype>"``; not ``"atom"``.
        label : str, optional
            Label of an alternative; the value in use when absent.

        Returns
        -------
        float
            The number in SI units.

        Raises
        ------
        DeviceError
            If the number is unknown or open, or has no such alternative.
        """
        _require_known(key)
        others = {alternative.label: alternative.value for alternative in self.alternatives.get(key, ())}
        listed = f"alternatives: {', '.join(others)}" if others else "no alternatives"
        value = self._in_use(key) if label is None else others.get(label)
        if value is None and label is None:
            raise DeviceError(
                f"{key} of {self.name} is open ({listed}): "
                "state it, with its source, in a device TOML file of your own"
            )
        if value is None:
            raise DeviceError(f"{key} of {self.name} has no alternative {label!r} ({listed})")
        if isinstance(value, tuple):
            raise DeviceError(f"{key} of {self.name} is a triple, not one number: read the field itself")
        return float(value)

    def __str__(self) -> str:
        rows = [("number", "value", "source")]
        for key in self._keys():
            value = self._in_use(key)
            rows.append((key, "open" if value is None else _format(key, value), self.sources.get(key, "")))
            rows.extend(
                (f"  or {other.label}", _format(key, other.value), other.source)
                for other in self.alternatives.get(key, ())
            )
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{self.name} ({self.id}), {'simulated ' if self.simulated else ''}{self.kind} by {self.vendor}"]
        lines += [f"{key:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip() for key, value, source in rows]
        return "\n".join(lines)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __reduce__(self) -> tuple[Callable[[str], DeviceRecord], tuple[str]]:
        return DeviceRecord.from_json, (self.to_json(),)  # read-only mappings do not pickle

    def _in_use(self, key: str) -> Value | None:
        name, _, dtype = key.partition(".")
        value: Value | None = self.peak_flops_per_s.get(dtype) if dtype else getattr(self, name)
        return value

    def _keys(self) -> Iterable[str]:
        for name in _UNITS:
            if name != _PEAK:
                yield name
                continue
            keys = [f"{_PEAK}.{dtype}" for dtype in DTYPES]
            yield from (key for key in keys if self._in_use(key) is not None or key in self.alternatives)


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
    records = [_parse_toml(entry.read_bytes(), str(entry)) for entry in entries]
    return tuple(sorted(records, key=lambda record: record.id))


def _parse_toml(content: bytes, origin: str) -> DeviceRecord:
    """Make a record of the bytes of a TOML file; `origin` names the file in errors."""
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{origin}: not TOML: {error}") from error
    try:
        _require_keys(document, _REQUIRED, (*_PLAIN, *_UNITS))
        payload = {key: document[key] for key in _PLAIN if key in document}
        entries = {key: document[key] for key in _UNITS if key in document and key != _PEAK}
        peaks = _mapping(_PEAK, document.get(_PEAK, {}), lambda _, entry: entry)
        entries |= {f"{_PEAK}.{dtype}": entry for dtype, entry in peaks.items()}
        return DeviceRecord(**payload, **_read_entries(entries))
    except DeviceError as error:
        raise DeviceError(f"{origin}: {error}") from error


def _read_entries(entries: Mapping[str, object]) -> dict[str, Any]:
    """Sort the tables of the numbers into the fields of a record."""
    found: dict[str, Any] = {_PEAK: {}, "sources": {}, "notes": {}, "alternatives": {}}
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
            into, slot = (found[_PEAK], dtype) if dtype else (found, name)
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


def _alternatives(key: str, listed: object) -> tuple[Alternative, ...]:
    """Check the alternatives of one number and bring their values to its type."""
    if not isinstance(listed, tuple | list) or not all(isinstance(item, Alternative) for item in listed):
        raise DeviceError(f"{key}.alternatives: expected Alternative objects, got {listed!r}")
    where = f"{key}.alternatives"
    labels = [_text(f"{where}.label", item.label) for item in listed]
    if len(set(labels)) < len(labels):
        raise DeviceError(f"{where}: labels must differ, got {', '.join(labels)}")
    return tuple(
        Alternative(
            label,
            _number(key, item.value, f"{where}.{label}"),
            _text(f"{where}.source", item.source),
            _text(f"{where}.note", item.note),
        )
        for label, item in zip(labels, listed, strict=True)
    )


def _number(key: str, value: object, where: str | None = None) -> Value:
    """Return `value` in the type of the number `key`; `where` names it in errors."""
    where = where or key
    if key == "atom":
        if not isinstance(value, tuple | list) or len(value) != 3:
            raise DeviceError(f"{where}: expected three positive integers (m, n, k), got {value!r}")
        m, n, k = (_count(where, size) for size in value)
        return (m, n, k)
    return _real(where, value) if key.partition(".")[0] in _REALS else _count(where, value)


def _count(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value <= 0:
        raise DeviceError(f"{where}: expected a positive integer, got {value!r}")
    return int(value)


def _real(where: str, value: object) -> float:
    fault = DeviceError(f"{where}: expected a positive, finite number, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise fault
    try:
        number = float(value)
    except OverflowError as error:
        raise fault from error
    if not 0 < number < math.inf:
        raise fault
    return number


def _text(where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DeviceError(f"{where}: expected a text that is not empty, got {value!r}")
    return value


def _mapping(where: str, value: object, convert: Callable[[str, Any], Any]) -> Mapping[str, Any]:
    """Return a read-only copy with every value converted."""
    if not isinstance(value, Mapping):
        raise DeviceError(f"{where}: expected a table, got {value!r}")
    return MappingProxyType({key: convert(key, item) for key, item in value.items()})


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


def _require_known(key: str) -> None:
    name, _, dtype = key.partition(".")
    if name not in _UNITS or (name == _PEAK) != bool(dtype):
        raise DeviceError(f"{key}: no such number of a device, expected one of {', '.join(_UNITS)}")
    if dtype and dtype not in DTYPES:
        raise DeviceError(f"{key}: unknown element type, expected one of {', '.join(DTYPES)}")


def _format(key: str, value: Value) -> str:
    """Print a value with its unit, scaled; bytes by powers of 1024 where that leaves an integer."""
    if isinstance(value, tuple):
        return "x".join(str(size) for size in value)
    unit = _UNITS[key.partition(".")[0]]
    if not unit:
        return str(value)
    if unit == "B":
        binary = _scaled(float(value), 1024, ("", "Ki", "Mi", "Gi"))
        if binary[0].is_integer():
            return f"{binary[0]:.0f} {binary[1]}{unit}"
    decimal = _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))
    return f"{decimal[0]:.6g} {decimal[1]}{unit}"


def _scaled(value: float, base: int, prefixes: tuple[str, ...]) -> tuple[float, str]:
    step = 0
    while value >= base and step + 1 < len(prefixes):
        value, step = value / base, step + 1
    return value, prefixes[step]
