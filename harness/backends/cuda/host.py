"""What the CUDA backends share of their host: importing torch, naming a device, reading its state."""

from __future__ import annotations

import importlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.device import DeviceRecord, known_devices, load_device
from harness.errors import BackendError, MissingExtraError

_DRIVER_FILE = Path("/proc/driver/nvidia/version")


def import_cuda_torch() -> Any:
    """Import torch and make sure that a CUDA device answers.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    BackendError
        If there is no CUDA device.
    """
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError(
            "this backend needs the extra 'triton': pip install 'gemm-attrib[triton]'"
        ) from None
    if not torch.cuda.is_available():
        raise BackendError("torch sees no CUDA device here: 'attrib devices' lists what there is")
    # A float32 reference must be float32: TF32 would round its operands to 10 bits.
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch


def cuda_index(torch: Any, text: str | None) -> int:
    """Read ``"1"`` or ``"cuda:1"``; the current device when absent.

    Raises
    ------
    BackendError
        If the text is neither, or there is no such device.
    """
    if text is None:
        return int(torch.cuda.current_device())
    match = re.fullmatch(r"(?:cuda:)?(\d+)", text.strip())
    if match is None:
        raise BackendError(f"device {text!r} is no CUDA index: expected one as 0 or cuda:0")
    index, count = int(match[1]), int(torch.cuda.device_count())
    if index >= count:
        raise BackendError(f"there is no CUDA device {index}: torch sees {count}, counted from 0")
    return index


def cuda_device_record(torch: Any, index: int = 0) -> DeviceRecord:
    """Return the known record whose id is a word of the CUDA device's own name.

    Raises
    ------
    BackendError
        If no record matches; the message says how to supply one.
    """
    name = str(torch.cuda.get_device_name(index))
    for known in known_devices():
        record = load_device(known)
        if record.vendor.lower() == "nvidia" and record.id.lower() in name.lower().replace("-", " ").split():
            return record
    raise BackendError(f"no device record for {name!r}: write one as TOML and pass its path")


def cuda_configuration(torch: Any, index: int = 0) -> dict[str, Any]:
    """What stays the same while a sweep runs: the very device, its driver, the libraries, the host."""
    properties = torch.cuda.get_device_properties(index)
    return {
        "device": str(properties.name),
        "uuid": str(getattr(properties, "uuid", "unknown")),
        "multiprocessors": int(properties.multi_processor_count),
        "l2_bytes": int(properties.L2_cache_size),
        "driver": _driver(),
        "torch": str(torch.__version__),
        "cuda": str(torch.version.cuda),
        "python": platform.python_version(),
        "host": platform.platform(terse=True),
    }


def cuda_environment(torch: Any, index: int = 0) -> Mapping[str, Any]:
    """Clocks, power and temperature of the device at this moment; empty without pynvml."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return {}
    facts: dict[str, Any] = {}
    try:
        nvml.nvmlInit()
        handle = _handle(nvml, torch, index)
        facts["sm_clock_hz"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
        facts["memory_clock_hz"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)
        facts["power_w"] = 1e-3 * nvml.nvmlDeviceGetPowerUsage(handle)
        facts["temperature_c"] = int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        nvml.nvmlShutdown()
    except nvml.NVMLError as error:
        # Helpful facts only: a driver that keeps them to itself stops no sweep.
        facts["nvml"] = str(error)
    return facts


def _handle(nvml: Any, torch: Any, index: int) -> Any:
    """Find the device by its UUID: the driver and torch count devices differently where some are hidden."""
    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    if uuid is None:
        return nvml.nvmlDeviceGetHandleByIndex(index)
    text = str(uuid)
    return nvml.nvmlDeviceGetHandleByUUID((text if text.startswith("GPU-") else f"GPU-{text}").encode())


def _driver() -> str:
    """Version of the kernel driver, as Linux shows it."""
    try:
        text = _DRIVER_FILE.read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    match = re.search(r"\b\d+\.\d+(?:\.\d+)?\b", text)
    return match[0] if match else "unknown"
