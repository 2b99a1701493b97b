"""What the host tells of its processor, put into the generic record of a CPU."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.device import DeviceRecord, load_device

_CPUINFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SOURCE = "reading of the host"


def cpu_record(cpuinfo: Path = _CPUINFO, caches: Path = _CACHES) -> DeviceRecord:
    """Return the record ``cpu`` with the name, cores, caches and memory of this host, as far as Linux tells.

    Parameters
    ----------
    cpuinfo, caches : Path
        Where Linux describes its processors and the caches of the first.
    """
    generic = load_device("cpu")
    text = _read(cpuinfo)
    last, line = _last_level_cache(caches)
    read: dict[str, Any] = {
        "cores": _physical_cores(text),
        "last_level_cache_bytes": last,
        "line_bytes": line,
        "memory_bytes": _memory(),
    }
    known = {key: value for key, value in read.items() if value}
    name = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return replace(
        generic,
        name=name[1].strip() if name else platform.processor() or generic.name,
        sources={**generic.sources, **dict.fromkeys(known, _SOURCE)},
        notes={key: note for key, note in generic.notes.items() if key not in known},
        **known,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _physical_cores(cpuinfo: str) -> int:
    """Physical cores among the processors that this process may use; the processors where these are not told."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores: set[tuple[str, str]] = set()
    for block in cpuinfo.split("\n\n"):
        facts = {key.strip(): value.strip() for key, _, value in (row.partition(":") for row in block.splitlines())}
        if facts.get("processor", "").isdigit() and int(facts["processor"]) in allowed and "core id" in facts:
            cores.add((facts.get("physical id", "0"), facts["core id"]))
    return len(cores) or len(allowed)


def _last_level_cache(caches: Path) -> tuple[int | None, int | None]:
    """Size of the highest level, and the line, in bytes."""
    found: list[tuple[int, int, int]] = []
    for folder in caches.glob("index*"):
        size = re.fullmatch(r"(\d+)([KMG]?)", _read(folder / "size"))
        level, line = _read(folder / "level"), _read(folder / "coherency_line_size")
        if size and level.isdigit():
            found.append((int(level), int(size[1]) * _UNITS.get(size[2], 1), int(line) if line.isdigit() else 0))
    if not found:
        return None, None
    _, size_bytes, line_bytes = max(found)
    return size_bytes, line_bytes or None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
