"""What the CUDA backends share of their host: importing torch, naming the device, reading its state."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from typing import Any

from harness.device import DeviceRecord, known_devices, load_device
from harness.errors import BackendError, MissingExtraError


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


def cuda_device_record(torch: Any) -> DeviceRecord:
    """Return the known record whose name matches the CUDA device's own.

    Raises
    ------
    BackendError
        If no record matches; the message says how to supply one.
    """
    name = str(torch.cuda.get_device_name())
    for known in known_devices():
        record = load_device(known)
        if record.vendor.lower() == "nvidia" and record.id.lower() in name.lower().replace("-", " ").split():
            return record
    raise BackendError(f"no device record for {name!r}: write one as TOML and pass its path")


def cuda_environment(torch: Any) -> Mapping[str, Any]:
    """Driver, library versions, clocks and power of the device at this moment."""
    properties = torch.cuda.get_device_properties(0)
    facts: dict[str, Any] = {
        "device": str(torch.cuda.get_device_name()),
        "multiprocessors": int(properties.multi_processor_count),
        "l2_bytes": int(properties.L2_cache_size),
        "torch": str(torch.__version__),
        "cuda": str(torch.version.cuda),
        "python": platform.python_version(),
        "host": platform.platform(terse=True),
    }
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return facts
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    facts["driver"] = str(nvml.nvmlSystemGetDriverVersion())
    facts["sm_clock_hz"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
    facts["memory_clock_hz"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)
    facts["power_w"] = 1e-3 * nvml.nvmlDeviceGetPowerUsage(handle)
    facts["temperature_c"] = int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    nvml.nvmlShutdown()
    return facts
