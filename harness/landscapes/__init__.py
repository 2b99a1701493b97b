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

INTERVENTIONS = {
    "h200_bf16_rows_plain": "sparse: ten lines along N at step 16, nine Triton tiles and the vendor library, "
    "rows directly after each other",
    "h200_bf16_rows_padded": "sparse: the same lines in the same passes, rows padded to 64 elements",
}
"""Names of the bundled interventions (:mod:`harness.landscapes.interventions_h200`) and what they hold."""


def bundled_cube(name: str) -> xr.Dataset:
    """Open a bundled landscape or intervention by name.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    known = {**BUNDLED, **INTERVENTIONS}
    if name not in known:
        raise InputError(f"no bundled landscape {name!r}: there are {', '.join(known)}")
    with as_file(files(__package__) / f"{name}.nc") as path:
        return open_cube(path)
