"""Save and open cubes without loss: NetCDF-4 files, or Zarr directories for large ones."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from harness.cube import validate
from harness.errors import CubeError, InputError, MissingExtraError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that replaces it only if the block succeeds.

    Whatever happens in the block, ``path`` holds either its old content or the complete new one.

    Raises
    ------
    InputError
        If the folder is missing or not writable, the disk is full, or a folder stands where a file is to go.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror})") from None
    try:
        draft = folder / path.name
        try:
            yield draft
        except OSError as error:
            raise InputError(f"{path}: could not be written ({error.strerror or error})") from None
        _put_in_place(draft, path, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(draft: Path, path: Path, folder: Path) -> None:
    """Move the finished draft over the old content; give that back if the move fails."""
    if path.exists() and path.is_dir() != draft.is_dir():
        kind = "folder" if path.is_dir() else "file"
        raise InputError(f"{path}: a {kind} of this name is in the way")
    old = folder / "replaced"
    try:
        if path.is_dir():
            path.rename(old)
        draft.replace(path)
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        raise InputError(f"{path}: could not be replaced ({error.strerror})") from None


def save_cube(cube: xr.Dataset, path: Path | str) -> None:
    """Write a cube; the suffix ``.zarr`` chooses Zarr, anything else NetCDF-4. Never leaves half a file."""
    path = Path(path)
    cube = validate(cube)
    cube = cube.assign_coords(tile=cube["tile"].astype(str))
    with atomic_path(path) as draft:
        if path.suffix == ".zarr":
            _require_zarr()
            # Version 3 has no settled specification of fixed-length strings yet.
            cube.to_zarr(draft, zarr_format=2, consolidated=True)
        else:
            cube.to_netcdf(draft, engine="h5netcdf", encoding=_encoding(cube))


def open_cube(path: Path | str) -> xr.Dataset:
    """Read a cube into memory and validate it.

    Raises
    ------
    InputError
        If there is no such file.
    CubeError
        If the file is no cube or was cut short.
    MissingExtraError
        If it is a Zarr directory and zarr is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".zarr":
            _require_zarr()
            cube = xr.open_zarr(path, zarr_format=2).load()
        else:
            with xr.open_dataset(path, engine="h5netcdf") as handle:
                cube = handle.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CubeError(f"{path}: not a readable cube, or cut short ({reason})") from None
    try:
        return validate(cube)
    except CubeError as error:
        raise CubeError(f"{path}: {error}") from None


def _encoding(cube: xr.Dataset) -> dict[str, dict[str, Any]]:
    packing = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in cube.variables.items():
        if variable.size and variable.ndim and np.issubdtype(variable.dtype, np.number):
            encoding[str(name)] = dict(packing)
    # Labels as a character array: variable-length strings are not compressed and cost 16 bytes each.
    encoding["tile"] = {"dtype": "S1", **packing}
    return encoding


def _require_zarr() -> None:
    if importlib.util.find_spec("zarr") is None:
        raise MissingExtraError("Zarr cubes need the extra 'zarr': pip install 'gemm-attrib[zarr]'")
