"""``attrib devices``: the device records there are, and the devices in this machine."""

from __future__ import annotations

import importlib
import warnings
from typing import Annotated, Any

import typer

from attrib.cli.options import Json
from attrib.cli.quantities import number
from attrib.cli.screen import show, show_json, show_table
from harness.errors import AttribError

EXAMPLE = "attrib devices b580"


def devices(
    device: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A record's id, alias or TOML file: show its numbers.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the device records, and the CUDA and SYCL devices here."""
    import json

    from harness.device import known_devices, load_device

    if device is not None:
        record = load_device(device)
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
    for found in here:
        show(f"here: {found['name']} ({found['api']}), record {found['record'] or 'none'}")
    for remark in remarks:
        show(f"here: {remark}")


def devices_here() -> tuple[list[dict[str, Any]], list[str]]:
    """Find the devices of this machine through whichever of torch and dpctl is installed; never fails.

    Returns
    -------
    list of dict
        Name, programming interface and known record (or ``None``) of each device.
    list of str
        Why an interface found none.
    """
    found: list[dict[str, Any]] = []
    remarks: list[str] = []
    for api, package, search in (("CUDA", "torch", _cuda_devices), ("SYCL", "dpctl", _sycl_devices)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                names = search()
        except ImportError:
            remarks.append(f"no look for {api} devices: {package} is not installed")
        except (AttribError, OSError, RuntimeError, AttributeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            remarks.append(f"no {api} device: {package} says {reason}")
        else:
            found += [{"name": name, "api": api, "record": record_of(name)} for name in names]
            if not names:
                remarks.append(f"no {api} device: {package} finds none")
    return found, remarks


def record_of(name: str) -> str | None:
    """Id of the packaged record that a device's own name matches: it holds the id, or is an alias."""
    from harness.device import known_devices, load_device

    words = name.casefold().replace("-", " ").replace("(tm)", "").replace("(r)", "").split()
    for known in known_devices():
        record = load_device(known)
        if record.kind == "gpu" and (record.id in words or " ".join(words) in map(str.casefold, record.aliases)):
            return record.id
    return None


def _cuda_devices() -> list[str]:
    torch: Any = importlib.import_module("torch")
    return [str(torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())]


def _sycl_devices() -> list[str]:
    dpctl: Any = importlib.import_module("dpctl")
    return [str(device.name) for device in dpctl.get_devices()]
