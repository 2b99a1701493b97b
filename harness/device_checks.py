"""What the fields of a device record accept: each check says what was expected and what came."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from harness.device_numbers import PEAK, UNITS, Alternative, Value, require_known
from harness.errors import DeviceError

_TEXTS: Final = ("id", "name", "vendor", "kind", "core_name")
_REALS: Final = ("clock_hz", PEAK, "bandwidth_bytes_per_s")


def checked_fields(values: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields of a record in their types, the tables read-only copies; open numbers are left out.

    Parameters
    ----------
    values : Mapping of str to object
        All fields of a record, by name.

    Raises
    ------
    DeviceError
        If a value has the wrong type, is not positive, or belongs to no known number.
    """
    checked: dict[str, object] = {key: _text(key, values[key]) for key in _TEXTS}
    if values["kind"] not in ("gpu", "cpu", "other"):
        raise DeviceError(f"kind: expected gpu, cpu or other, got {values['kind']!r}")
    if not isinstance(values["aliases"], tuple | list):
        raise DeviceError(f"aliases: expected a list of names, got {values['aliases']!r}")
    checked["aliases"] = tuple(_text("aliases", alias) for alias in values["aliases"])
    if not isinstance(values["simulated"], bool):
        raise DeviceError(f"simulated: expected true or false, got {values['simulated']!r}")
    peaks = checked_table(PEAK, values[PEAK], lambda key, value: _number(f"{PEAK}.{key}", value))
    checked[PEAK] = peaks
    for key in UNITS:
        if key != PEAK and values[key] is not None:
            checked[key] = _number(key, values[key])
    sources, notes, alternatives = values["sources"], values["notes"], values["alternatives"]
    checked["sources"] = checked_table("sources", sources, lambda key, text: _text(f"{key}.source", text))
    checked["notes"] = checked_table("notes", notes, lambda key, text: _text(f"{key}.note", text))
    checked["alternatives"] = checked_table("alternatives", alternatives, _alternatives)
    for key in (*(f"{PEAK}.{dtype}" for dtype in peaks), *sources, *notes, *alternatives):
        require_known(key)
    return checked


def checked_table(where: str, value: object, convert: Callable[[str, Any], Any]) -> Mapping[str, Any]:
    """Return a read-only copy with every value converted."""
    if not isinstance(value, Mapping):
        raise DeviceError(f"{where}: expected a table, got {value!r}")
    return MappingProxyType({key: convert(key, item) for key, item in value.items()})


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
