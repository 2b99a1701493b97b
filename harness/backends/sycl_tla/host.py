"""What a host with an Intel GPU tells about itself: driver, compiler, packages and clocks, where readable."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MISSING = "missing"
"""Recorded for a fact that this host does not tell."""

PACKAGES = ("libze-intel-gpu1", "intel-opencl-icd", "libigc2", "intel-igc-core-2", "libze1")
"""Debian packages of Intel's GPU driver: the Level Zero and OpenCL drivers, the graphics compiler, the loader."""

_FREQUENCIES = ("act_freq", "cur_freq", "min_freq", "max_freq", "throttle/status")
_SECONDS = 30.0


def host_facts(selector: str) -> Mapping[str, Any]:
    """Facts that a resumed sweep must find unchanged; plain JSON data.

    Parameters
    ----------
    selector : str
        Value of ``ONEAPI_DEVICE_SELECTOR`` under which devices are listed.

    Returns
    -------
    mapping
        Host, kernel, oneAPI folder and compiler, the lines of ``sycl-ls`` and the versions of the driver's
        packages; :data:`MISSING` for each that cannot be read.
    """
    compiler = _lines(("icpx", "--version"))
    return {
        "host": platform.node(),
        "kernel": platform.release(),
        "oneapi_root": os.environ.get("ONEAPI_ROOT", MISSING),
        "icpx": compiler[0] if compiler else MISSING,
        "sycl_ls": _lines(("sycl-ls",), {"ONEAPI_DEVICE_SELECTOR": selector}) or MISSING,
        "packages": {name: _package(name) for name in PACKAGES},
    }


def gpu_frequencies(root: Path = Path("/sys/class/drm")) -> Mapping[str, Any]:
    """Read the clocks of every GPU of the ``xe`` kernel driver at this moment.

    Parameters
    ----------
    root : Path
        Where the kernel shows its graphics devices.

    Returns
    -------
    mapping of str to float
        By ``card/tile/gt/name``; frequencies in Hz. Empty without such a driver.
    """
    found: dict[str, Any] = {}
    for folder in sorted(root.glob("card*/device/tile*/gt*/freq0")):
        gt, tile, card = folder.parent, folder.parents[1], folder.parents[3]
        for name in _FREQUENCIES:
            try:
                value = float((folder / name).read_text())
            except (OSError, ValueError):
                continue
            scale = 1e6 if name.endswith("_freq") else 1.0
            found[f"{card.name}/{tile.name}/{gt.name}/{name}"] = scale * value
    return found


def _package(name: str) -> str:
    lines = _lines(("dpkg-query", "--show", "--showformat=${Version}\n", name))
    return lines[0] if lines else MISSING


def _lines(command: Sequence[str], extra: Mapping[str, str] | None = None) -> list[str]:
    """Lines that a program prints; none when it is not there or fails."""
    program = shutil.which(command[0])
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={**os.environ, **(extra or {})},
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
