"""A device record as TOML, for a file that its owner completes and :meth:`DeviceRecord.from_toml` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.device import DeviceRecord
from harness.device_numbers import PEAK, UNITS


def format_toml(record: DeviceRecord) -> str:
    """Write a record in the layout that :mod:`harness.devices` describes.

    Notes on numbers that are open, which that layout has no place for, become comments.

    Parameters
    ----------
    record : DeviceRecord

    Returns
    -------
    str
        TOML; read again it gives an equal record, but for those notes.

    Examples
    --------
    >>> from harness.device import load_device
    >>> format_toml(load_device("cpu")).splitlines()[0]
    'id = "cpu"'
    """
    lines = [f"{key} = {_value(getattr(record, key))}" for key in ("id", "name", "vendor", "kind", "core_name")]
    if record.aliases:
        lines.append(f"aliases = {_value(record.aliases)}")
    if record.simulated:
        lines.append("simulated = true")
    for key in UNITS:
        if key == PEAK:
            keys = {name for name in (*record.sources, *record.alternatives) if name.startswith(f"{PEAK}.")}
            for name in sorted(keys):
                lines += _entry(record, name, record.peak_flops_per_s.get(name.partition(".")[2]))
        else:
            lines += _entry(record, key, getattr(record, key))
    return "\n".join(lines) + "\n"


def _entry(record: DeviceRecord, key: str, value: Any) -> Iterator[str]:
    note, others = record.notes.get(key), record.alternatives.get(key, ())
    if value is None and not others:
        if note:
            yield ""
            yield f"# {key}: {' '.join(note.split())}"
        return
    yield ""
    yield f"[{key}]"
    texts = {"source": record.sources[key]} if value is not None else {}
    yield from _pairs({**({} if value is None else {"value": value}), **texts, **({"note": note} if note else {})})
    for other in others:
        yield f"[[{key}.alternatives]]"
        yield from _pairs(vars(other))


def _pairs(items: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_value(item)}" for key, item in items.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):
        # The escapes of JSON are those of TOML, which wants the delete character escaped as well.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
