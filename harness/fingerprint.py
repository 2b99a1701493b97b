"""Fingerprint of a cube: whether two files hold the same timings."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

_LENGTH = 16
"""Hexadecimal digits, 64 bits: of a few billion cubes two would be taken for one."""


def fingerprint(cube: xr.Dataset) -> str:
    """Digest of the shapes, the tiles and the times of a cube; the order of cells counts, attributes do not."""
    digest = hashlib.sha256()
    for name in ("M", "N", "K"):
        digest.update(np.ascontiguousarray(cube[name].values, dtype=np.int64).tobytes())
    digest.update("\n".join(map(str, cube["tile"].values.tolist())).encode())
    digest.update(str(cube["time"].dims).encode())
    digest.update(np.ascontiguousarray(cube["time"].values, dtype=np.float64).tobytes())
    return digest.hexdigest()[:_LENGTH]
