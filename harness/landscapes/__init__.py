"""Landscapes that ship with the project, with the scripts that measured and packed them."""

from __future__ import annotations

from importlib.resources import as_file, files

import xarray as xr

from harness.errors import InputError
from harness.store import open_cube

BUNDLED = {
    "h200_bf16_grid": "dense: M, N, K in 128..4096 step 128, six Triton tiles and the vendor library",
    "h200_bf16_lines": "sparse: fine lines along M, N and K at step 16",
    "h200_bf16_scatter": "sparse: shapes off the grid, 16..8192 a side, some odd",
}
"""Names of the bundled landscapes and what they hold."""


def bundled_cube(name: str) -> xr.Dataset:
    """Open a bundled landscape by name.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in BUNDLED:
        raise InputError(f"no bundled landscape {name!r}: there are {', '.join(BUNDLED)}")
    with as_file(files(__package__) / f"{name}.nc") as path:
        return open_cube(path)
