"""The record of a SYCL device: a packaged one where its name or PCI id matches, else what the drivers tell."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.device import Alternative, DeviceRecord, known_devices, load_device
from harness.device_numbers import Atom
from harness.device_record import Kind

_CPU_CACHES: Final = Path("/sys/devices/system/cpu")
_INTEL: Final = "intel"


def record_of_sycl_device(device: Any, atom: Atom | None = None) -> DeviceRecord:
    """Return the record of a SYCL device.

    Parameters
    ----------
    device : dpctl.SyclDevice
    atom : tuple of int, optional
        Atom of the matrix engine that was found on the device, for a record that is not a packaged one.

    Returns
    -------
    DeviceRecord
        The packaged record if the device's name or PCI id is among its names; else a record with the numbers
        that the drivers report, each with that source. What they do not report is open, with a note.
    """
    name = str(device.name).strip()
    facts = dict(intel_facts(device))
    known = packaged_record(name, facts.get("device_id"))
    if known is not None:
        return known
    filling = _Filling(f"reported by the {_INTERFACES.get(device.backend.name, device.backend.name)} driver")
    kind: Kind = "gpu" if device.is_gpu else "cpu" if device.is_cpu else "other"
    intel_gpu = kind == "gpu" and _INTEL in str(device.vendor).casefold()
    _fill_cores(filling, device, kind, facts if intel_gpu else None)
    _fill_caches(filling, device, kind)
    filling.positive("clock_hz", 1e6 * int(device.max_clock_frequency), "the driver reports no clock")
    filling.positive("memory_bytes", int(device.global_mem_size), "the driver reports no memory size")
    filling.positive("line_bytes", int(device.global_mem_cache_line_size), "the driver reports no cache line")
    bandwidth = float(facts.get("max_mem_bandwidth") or 0.0)
    filling.positive("bandwidth_bytes_per_s", bandwidth, "the drivers report no bandwidth", "Level Zero")
    if atom is not None:
        filling.value("atom", atom, "derived: the matrix functions that the driver's OpenCL compiler offers")
    core_name = "Xe-core" if intel_gpu else "compute unit"
    return DeviceRecord(
        id=_slug(name),
        name=name,
        vendor=_maker(device, name, kind),
        kind=kind,
        aliases=(f"0x{facts['device_id']:04x}",) if intel_gpu and "device_id" in facts else (),
        core_name=core_name,
        sources=filling.sources,
        notes=filling.notes,
        alternatives=filling.alternatives,
        **filling.values,
    )


def packaged_record(name: str, device_id: int | None = None) -> DeviceRecord | None:
    """Return the packaged GPU record that a device's own name or PCI id matches, if any."""
    words = name.casefold().replace("-", " ").replace("(tm)", "").replace("(r)", "").split()
    names = {" ".join(words), name.strip().casefold()}
    if device_id is not None:
        names.add(f"0x{device_id:04x}")
    for known in known_devices():
        record = load_device(known)
        if record.simulated or record.kind != "gpu":
            continue
        if record.id in words or names & {alias.casefold() for alias in record.aliases}:
            return record
    return None


def intel_facts(device: Any) -> Mapping[str, Any]:
    """Return what dpctl asks of Intel GPUs beyond SYCL: PCI id, slices, engines, bandwidth; else nothing.

    The OpenCL interface answers only for the PCI id. Level Zero knows the rest: where the device is also seen
    through that, it is asked.
    """
    try:
        if not device.is_gpu:
            return {}
        utils: Any = importlib.import_module("dpctl.utils")
        facts = dict(utils.intel_device_info(device))
        if facts and device.backend.name != "level_zero":
            dpctl: Any = importlib.import_module("dpctl")
            for peer in dpctl.get_devices():
                told = utils.intel_device_info(peer) if peer.backend.name == "level_zero" else {}
                if told.get("device_id", -1) == facts.get("device_id"):
                    return {**told, **facts}
    except (ImportError, AttributeError, RuntimeError, ValueError):
        return {}
    return facts


def last_level_caches(folder: Path = _CPU_CACHES) -> tuple[int, ...]:
    """Sizes of the host's last-level caches in bytes, one entry for each; empty where Linux does not tell.

    Parameters
    ----------
    folder : Path
        Where sysfs lists the processors.
    """
    found: dict[tuple[int, str], int] = {}
    for entry in folder.glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            kind, level = (entry / "type").read_text().strip(), int((entry / "level").read_text())
            size = re.fullmatch(r"(\d+)([KMG]?)", (entry / "size").read_text().strip())
            shared = (entry / "shared_cpu_list").read_text().strip()
        except (OSError, ValueError):
            continue
        if size is not None and kind in ("Unified", "Data"):
            found[level, shared] = int(size[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[size[2]]
    last = max((level for level, _ in found), default=0)
    return tuple(size for (level, _), size in sorted(found.items()) if level == last)


_INTERFACES: Final = {"opencl": "OpenCL", "level_zero": "Level Zero", "cuda": "CUDA", "hip": "HIP"}


class _Filling:
    """Numbers of a record in the making, each with its source or with a note why it is open."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.alternatives: dict[str, tuple[Alternative, ...]] = {}

    def value(self, key: str, value: Any, source: str | None = None, note: str | None = None) -> None:
        self.values[key] = value
        self.sources[key] = source or self._source
        if note is not None:
            self.notes[key] = note

    def positive(self, key: str, value: float, why_open: str, interface: str | None = None) -> None:
        if value > 0:
            self.value(key, value, None if interface is None else f"reported by the {interface} driver")
        else:
            self.notes[key] = f"Open: {why_open}."


def _fill_cores(filling: _Filling, device: Any, kind: Kind, intel_gpu: Mapping[str, Any] | None) -> None:
    units = int(device.max_compute_units)
    sizes = ", ".join(str(size) for size in device.sub_group_sizes)
    if intel_gpu is None:
        threads = "Hardware threads that the driver runs work-groups on." if kind == "cpu" else None
        filling.value("cores", units, note=threads)
        filling.notes["max_subgroups_per_core"] = f"Open: the driver does not report it. Sub-group sizes: {sizes}."
        return
    # An Intel driver counts vector engines as compute units, eight or sixteen to an Xe-core.
    slices, parts = (int(intel_gpu.get(key, 0)) for key in ("gpu_slices", "gpu_subslices_per_slice"))
    engines, threads_each = (
        int(intel_gpu.get(key, 0)) for key in ("gpu_eu_count_per_subslice", "gpu_hw_threads_per_eu")
    )
    level_zero = "reported by the Level Zero driver"
    if slices * parts > 0 and slices * parts * engines == units:
        filling.value("cores", slices * parts, f"{level_zero}: {slices} slices of {parts} Xe-cores")
    else:
        filling.notes["cores"] = (
            f"Open: the driver counts {units} vector engines, and how many make an Xe-core it does not say."
        )
    if engines * threads_each > 0:
        note = f"With the smaller register file of a thread; half with the larger. Sub-group sizes: {sizes}."
        source = f"{level_zero}: {engines} vector engines of {threads_each} threads"
        filling.value("max_subgroups_per_core", engines * threads_each, source, note)
    else:
        filling.notes["max_subgroups_per_core"] = f"Open: the drivers do not report it. Sub-group sizes: {sizes}."


def _fill_caches(filling: _Filling, device: Any, kind: Kind) -> None:
    reported, local = int(device.global_mem_cache_size), int(device.local_mem_size)
    if kind != "cpu":
        filling.positive("last_level_cache_bytes", reported, "the driver reports no cache size")
        filling.positive("core_local_bytes", local, "the driver reports no local memory")
        filling.notes["core_local_bytes"] = "What one work-group may allocate; a core may have more."
        return
    filling.notes["core_local_bytes"] = f"Open: on a CPU local memory is ordinary memory ({local} bytes allowed)."
    caches = last_level_caches()
    if not caches:
        filling.notes["last_level_cache_bytes"] = "Open: the host does not report its last-level cache."
    else:
        note = f"Sum of {len(caches)} caches, each shared by some cores." if len(caches) > 1 else None
        filling.value("last_level_cache_bytes", sum(caches), "reported by Linux (sysfs) for this host", note)
    if reported > 0 and reported != sum(caches):
        reason = "The cache of one core, not the last level."
        other = Alternative("driver", reported, "reported by the OpenCL driver", reason)
        filling.alternatives["last_level_cache_bytes"] = (other,)


def _maker(device: Any, name: str, kind: Kind) -> str:
    """Maker of the device; a CPU's driver names its own maker, so there the device's name is asked first."""
    makers = ("Intel", "AMD", "ARM") if kind == "cpu" else ()
    return next((m for m in makers if m.casefold() in name.casefold()), str(device.vendor).strip() or "unknown")


def _slug(name: str) -> str:
    plain = re.sub(r"\((tm|r|c)\)", " ", name.casefold())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "sycl-device"
