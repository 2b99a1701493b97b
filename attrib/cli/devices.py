"""``attrib devices``: the device records there are, and the devices in this machine."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrib.cli.options import Json
from attrib.cli.outputs import check_outputs
from attrib.cli.quantities import number
from attrib.cli.screen import show, show_json, show_table
from harness.errors import AttribError, InputError, MissingExtraError

if TYPE_CHECKING:
    from harness.device import DeviceRecord

EXAMPLE = "attrib devices b580"

_FILTER = re.compile(r"[a-z_]+:[a-z_]+(:\d+)?")
"""A device as SYCL names it: ``opencl:gpu:0``."""


def devices(
    device: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="A record's id, alias or TOML file, or a SYCL device here (opencl:cpu:0): show its numbers.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.toml", help="Write the record of ID, for you to complete."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the device records, and the CUDA and SYCL devices here."""
    import json

    from harness.device import known_devices, load_device

    if device is None and output is not None:
        raise InputError(
            f"{output}: which record? Name an id or a SYCL device: attrib devices opencl:gpu:0 -o {output}"
        )
    if device is not None:
        check_outputs([output], [Path(device)])
        record = _sycl_record(device) if _FILTER.fullmatch(device.strip()) else load_device(device)
        if output is not None:
            _write(record, output)
        if as_json:
            show_json(json.loads(record.to_json()))
        else:
            show(str(record))
        return
    records = [load_device(name) for name in known_devices()]
    here, remarks = devices_here()
    if as_json:
        show_json({"records": [json.loads(r.to_json()) for r in records], "here": here, "remarks": remarks})
        return
    _show_records(records)
    for found in here:
        if found["api"] != "SYCL":
            show(f"here: {found['name']} ({found['api']}), record {found['record'] or 'none'}")
    _show_sycl_devices([found for found in here if found["api"] == "SYCL"])
    for remark in remarks:
        show(f"here: {remark}")


def devices_here() -> tuple[list[dict[str, Any]], list[str]]:
    """Find the devices of this machine through whichever of torch and dpctl is installed; never fails.

    Returns
    -------
    list of dict
        Name, programming interface and known record (or ``None``) of each device; of SYCL devices all that
        :func:`harness.backends.sycl.host.describe_device` tells.
    list of str
        Why an interface found none.
    """
    from harness.backends.sycl.host import GET_A_CPU_DEVICE

    found: list[dict[str, Any]] = []
    remarks: list[str] = []
    for api, package, search in (("CUDA", "torch", _cuda_devices), ("SYCL", "dpctl", _sycl_devices)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seen = search()
        except MissingExtraError as error:
            remarks.append(f"no look for {api} devices: {error}")
        except ImportError:
            remarks.append(f"no look for {api} devices: {package} is not installed")
        except (AttribError, OSError, RuntimeError, AttributeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            remarks.append(f"no {api} device: {package} says {reason}")
        else:
            found += [{"api": api, **device} for device in seen]
            if not seen:
                way_out = f"; {GET_A_CPU_DEVICE}" if api == "SYCL" else ""
                remarks.append(f"no {api} device: {package} finds none{way_out}")
    return found, remarks


def record_of(name: str) -> str | None:
    """Id of the packaged record that a device's own name matches: it holds the id, or is an alias."""
    from harness.backends.sycl.record import packaged_record

    record = packaged_record(name)
    return None if record is None else record.id


def _show_records(records: Sequence[DeviceRecord]) -> None:
    rows = []
    for record in records:
        peak, bandwidth = record.peak_flops_per_s.get("bf16"), record.bandwidth_bytes_per_s
        cores = "open" if record.cores is None else f"{record.cores} {record.core_name}s"
        rates = (
            "open" if peak is None else f"{number(peak / 1e12)} TFLOP/s",
            "open" if bandwidth is None else f"{number(bandwidth / 1e9, 0)} GB/s",
        )
        rows.append((record.id, record.name, cores, *rates))
    show_table("Device records", ("id", "name", "cores", "BF16 peak", "bandwidth"), rows, left=2)


def _show_sycl_devices(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        return
    rows = []
    for device in found:
        memory, sizes = device.get("memory_bytes"), device.get("sub_group_sizes")
        rows.append(
            (
                device.get("filter") or "-",
                device["name"],
                device["record"] or "none",
                device.get("driver") or "-",
                str(device.get("compute_units") or "-"),
                "-" if memory is None else f"{number(memory / 1e9)} GB",
                "-" if not sizes else ", ".join(map(str, sizes)),
            )
        )
    columns = ("device", "name", "record", "driver", "compute units", "memory", "sub-groups")
    show()
    show_table("SYCL devices here", columns, rows, left=4)


def _cuda_devices() -> list[Mapping[str, Any]]:
    torch: Any = importlib.import_module("torch")
    names = [str(torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())]
    return [{"name": name, "record": record_of(name)} for name in names]


def _sycl_devices() -> list[Mapping[str, Any]]:
    from harness.backends.sycl.host import sycl_devices

    return sycl_devices()


def _sycl_record(wanted: str) -> DeviceRecord:
    from harness.backends.sycl.backend import record_of_filter

    return record_of_filter(wanted)


def _write(record: DeviceRecord, path: Path) -> None:
    from harness.device_toml import format_toml
    from harness.store import atomic_path

    if path.suffix != ".toml":
        raise InputError(f"{path}: expected a name that ends in .toml")
    with atomic_path(path) as draft:
        draft.write_text(format_toml(record), encoding="utf-8")
