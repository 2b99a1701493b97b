"""What the SYCL backend needs of its host: dpctl, the OpenCL CPU driver of the environment, and the devices."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Final

from harness.backends.sycl.record import intel_facts, packaged_record
from harness.errors import BackendError, MissingExtraError

_DRIVER_FILES: Final = "OCL_ICD_FILENAMES"
_DRIVER_FOLDERS: Final = ("/etc/OpenCL/vendors",)
_CPU_DRIVER: Final = "libintelocl.so"

_NEW_NAMES: Final = ("create_kernel_bundle_from_source", "SyclKernelBundleCompilationError")
_OLD_NAMES: Final = ("create_program_from_source", "SyclProgramCompilationError")
_COMPILERS: Final = (
    ("dpctl.compiler", *_NEW_NAMES),
    ("dpctl.program", *_NEW_NAMES),
    ("dpctl.program", *_OLD_NAMES),
)

GET_A_CPU_DEVICE: Final = "pip install 'gemm-attrib[sycl-cpu]' brings an OpenCL driver for the CPU"
_NONE_HERE: Final = f"dpctl finds no SYCL device: install the driver of your GPU, or {GET_A_CPU_DEVICE}"


def import_dpctl() -> Any:
    """Import dpctl with the OpenCL CPU driver of the environment, if there is one, in reach.

    Raises
    ------
    MissingExtraError
        If dpctl is not installed.
    """
    _offer_cpu_driver()
    try:
        return importlib.import_module("dpctl")
    except ImportError as error:
        if getattr(error, "name", None) != "dpctl":
            raise MissingExtraError(
                f"dpctl does not load ({error}): bring it and its libraries to one version with "
                "pip install --upgrade --force-reinstall 'gemm-attrib[sycl]'"
            ) from None
        raise MissingExtraError(
            "dpctl is not installed: pip install 'gemm-attrib[sycl]' for the devices whose drivers are here, "
            "'gemm-attrib[sycl-cpu]' for the CPU as well"
        ) from None


def create_program(queue: Any, source: str, options: str) -> Any:
    """Build a program from OpenCL C.

    Parameters
    ----------
    queue : dpctl.SyclQueue
    source : str
        OpenCL C.
    options : str
        Options of the OpenCL compiler, as ``"-DTM=64"``.

    Raises
    ------
    BackendError
        If the driver's compiler refuses it. dpctl does not hand on the compiler's log.
    """
    function, failure = _compiler()
    try:
        return function(queue, source, copts=options)
    except failure as error:
        reason = str(error).strip() or "it gives no reason"
        raise BackendError(f"the OpenCL compiler refuses the kernel ({options}): {reason}") from None


def choose_device(dpctl: Any, wanted: str | None) -> Any:
    """Return the SYCL device to measure.

    Parameters
    ----------
    dpctl : module
    wanted : str or None
        A filter string (``"opencl:gpu:0"``), or the position in ``dpctl.get_devices()`` (``"0"``); by default
        the first GPU, else the CPU.

    Raises
    ------
    BackendError
        If there is none, or it cannot build OpenCL C.
    """
    found = list(dpctl.get_devices())
    if not found:
        raise BackendError(_NONE_HERE)
    if wanted is not None:
        return _builds_opencl(named_device(dpctl, wanted), found)
    for device in found:
        if device.is_gpu and device.backend.name == "opencl":
            return device
    for device in found:
        if device.is_gpu:
            _builds_opencl(device, found)  # a GPU that cannot be measured must not become the CPU in silence
    for device in found:
        if device.backend.name == "opencl":
            return device
    return _builds_opencl(found[0], found)


def named_device(dpctl: Any, wanted: str) -> Any:
    """Return the device of a filter string or a position in the list of devices.

    Raises
    ------
    BackendError
        If there is none; the message lists those there are.
    """
    text, found = wanted.strip(), list(dpctl.get_devices())
    if not found:
        raise BackendError(_NONE_HERE)
    if text.isdecimal():
        if int(text) < len(found):
            return found[int(text)]
    else:
        try:
            return dpctl.SyclDevice(text)
        except (ValueError, dpctl.SyclDeviceCreationError):
            pass
    listed = ", ".join(f"{position}: {device.filter_string}" for position, device in enumerate(found))
    raise BackendError(f"no SYCL device {wanted!r} here: expected one of {listed}")


def sycl_devices() -> list[Mapping[str, Any]]:
    """Describe the SYCL devices here, in dpctl's order; see :func:`describe_device`.

    Raises
    ------
    MissingExtraError
        If dpctl is not installed.
    """
    return [describe_device(device) for device in import_dpctl().get_devices()]


def describe_device(device: Any) -> Mapping[str, Any]:
    """What dpctl tells of a device, as plain JSON data; ``None`` where the driver does not answer.

    Returns
    -------
    dict
        ``name``, ``filter`` (the string that selects it), ``driver``, ``vendor``, ``kind``, ``compute_units``,
        ``memory_bytes``, ``sub_group_sizes``, ``device_id`` (PCI, hexadecimal) and ``record`` (the id of the
        packaged record that matches, if any).
    """
    kind = _answer(device, "device_type")
    sizes = _answer(device, "sub_group_sizes")
    name = str(device.name).strip()
    device_id = intel_facts(device).get("device_id")
    record = packaged_record(name, device_id)
    return {
        "name": name,
        "filter": _answer(device, "filter_string"),
        "driver": _answer(device, "driver_version"),
        "vendor": _answer(device, "vendor"),
        "kind": getattr(kind, "name", None),
        "compute_units": _answer(device, "max_compute_units"),
        "memory_bytes": _answer(device, "global_mem_size"),
        "sub_group_sizes": None if sizes is None else [int(size) for size in sizes],
        "device_id": None if device_id is None else f"0x{device_id:04x}",
        "record": None if record is None else record.id,
    }


def _compiler() -> tuple[Any, type[Exception]]:
    """Return the function that builds OpenCL C, and what it raises, under their newest names.

    dpctl 0.22 has them in dpctl.program; later versions, in dpctl.compiler and under other names, warn about these.
    """
    for module, function, failure in _COMPILERS:
        try:
            home: Any = importlib.import_module(module)
        except ImportError:
            continue
        if hasattr(home, function):
            return getattr(home, function), getattr(home, failure)
    raise BackendError("this version of dpctl has no function that builds OpenCL C: expected dpctl 0.22 or later")


def _builds_opencl(device: Any, found: list[Any]) -> Any:
    """Return the device if dpctl can build OpenCL C for it: only through its OpenCL driver."""
    if device.backend.name == "opencl":
        return device
    peers = [peer.filter_string for peer in found if peer.backend.name == "opencl" and peer.name == device.name]
    others = [peer.filter_string for peer in found if peer.backend.name == "opencl"]
    if peers:
        way_out = f"the same device is {' or '.join(peers)}"
    else:
        way_out = " or ".join(["install the OpenCL driver of the device", *(f"choose {other}" for other in others)])
    raise BackendError(f"{device.filter_string} cannot build OpenCL C through dpctl: {way_out}")


def _answer(device: Any, question: str) -> Any:
    """One property of a device, ``None`` where dpctl or the driver does not know it."""
    try:
        return getattr(device, question)
    except (AttributeError, RuntimeError, ValueError):
        return None


def _offer_cpu_driver() -> None:
    """Name the environment's OpenCL CPU driver to the OpenCL loader, which reads the variable at its first query.

    The loader takes the files that the variable names beside the drivers that the system has registered, so a
    GPU's driver stays in reach. A setting of the user stays as it is, and a system that has registered
    the CPU driver itself gets no second one.
    """
    if _DRIVER_FILES in os.environ:
        return
    registered = [Path(folder) for folder in (os.environ.get("OCL_ICD_VENDORS"), *_DRIVER_FOLDERS) if folder]
    for folder in registered:
        for entry in sorted(folder.glob("*.icd")) if folder.is_dir() else ():
            try:
                if _CPU_DRIVER in entry.read_text():
                    return
            except OSError:
                continue
    driver = _environment_driver()
    if driver is not None:
        os.environ[_DRIVER_FILES] = str(driver)


def _environment_driver() -> Path | None:
    """Path of the driver that the package intel-opencl-rt installed."""
    try:
        listed = files("intel-opencl-rt") or ()
    except PackageNotFoundError:
        return None
    for entry in listed:
        if entry.name == _CPU_DRIVER:
            path = Path(str(entry.locate())).resolve()
            if path.is_file():
                return path
    return None
