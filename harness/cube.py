"""The landscape cube: measured times of a kernel over shapes and tiles, as an ``xarray.Dataset``.

Two forms carry the same variables. A *dense* cube has the dimensions ``tile, M, N, K``; a *sparse* one has
the single dimension ``sample`` with ``M, N, K, tile`` as coordinates on it.

=============== ======== ===========================================================================
variable        unit     meaning
=============== ======== ===========================================================================
``time``        s        median over the repeats of one cell; NaN where nothing was measured
``status``      int8     CF flags, see :data:`STATUS`
``time_spread`` s        robust standard deviation of one repeat (1.4826 x median absolute deviation)
``time_repeats`` s       the kept repeats, with the extra dimension ``repeat``
=============== ======== ===========================================================================

Throughput is a function of a cube (:func:`throughput`), never stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from harness.device import DeviceRecord
from harness.errors import CubeError, InputError
from harness.tile import VENDOR, Tile

SCHEMA_VERSION = 1

STATUS = {"ok": 0, "not_measured": 1, "unsupported": 2, "wrong_result": 3, "failed": 4}
"""Meaning of ``status``: only cells that are ``ok`` take part in a fit."""

ELEMENT_BYTES = {"bf16": 2, "f16": 2, "f32": 4, "tf32": 4, "f64": 8, "i8": 1, "fp8": 1}
"""Bytes per element of the known data types."""

DENSE_DIMS = ("tile", "M", "N", "K")

_TILE_SIZES = ("tile_m", "tile_n", "tile_k")
_UNITS = {"time": "s", "time_spread": "s", "time_repeats": "s"}


def is_dense(cube: xr.Dataset) -> bool:
    """Whether the cube is a full grid (``tile, M, N, K``) rather than a list of samples."""
    return "sample" not in cube.dims


def dense_cube(
    time: ArrayLike,
    M: ArrayLike,
    N: ArrayLike,
    K: ArrayLike,
    tiles: Sequence[Tile],
    device: DeviceRecord,
    *,
    dtype: str = "bf16",
    status: ArrayLike | None = None,
    spread: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build a dense cube.

    Parameters
    ----------
    time : array_like, shape (tile, M, N, K)
        Seconds, NaN where not measured.
    M, N, K : array_like of int
        Axes in elements, strictly ascending.
    tiles : sequence of Tile
    device : DeviceRecord
    dtype : str
        Element type of A and B, a key of :data:`ELEMENT_BYTES`.
    status, spread : array_like, shape (tile, M, N, K), optional
    repeats : array_like, shape (tile, M, N, K, repeat), optional
        Kept repeats, seconds.
    attrs : mapping, optional
        Protocol, software, seed and what else explains the cube; nested mappings are stored as JSON.

    Raises
    ------
    CubeError
        If the result breaks the schema.
    """
    variables: dict[str, Any] = {"time": (DENSE_DIMS, np.asarray(time, dtype=np.float64))}
    if status is not None:
        variables["status"] = (DENSE_DIMS, np.asarray(status, dtype=np.int8))
    if spread is not None:
        variables["time_spread"] = (DENSE_DIMS, np.asarray(spread, dtype=np.float64))
    if repeats is not None:
        variables["time_repeats"] = ((*DENSE_DIMS, "repeat"), np.asarray(repeats, dtype=np.float64))
    axes = {name: np.asarray(values) for name, values in (("M", M), ("N", N), ("K", K))}
    cube = xr.Dataset(
        variables,
        coords={"tile": [tile.name for tile in tiles], **axes},
        attrs=_attrs(device, dtype, attrs),
    )
    return validate(cube.assign_coords(_tile_sizes(tiles, "tile")))


def sparse_cube(
    time: ArrayLike,
    shapes: ArrayLike,
    tiles: Sequence[Tile],
    device: DeviceRecord,
    *,
    dtype: str = "bf16",
    status: ArrayLike | None = None,
    spread: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build a sparse cube: one sample per row.

    Parameters
    ----------
    time : array_like, shape (sample,)
        Seconds.
    shapes : array_like of int, shape (sample, 3)
        Columns M, N, K in elements.
    tiles : sequence of Tile, length sample
        The tile of each sample.
    device, dtype, status, spread, repeats, attrs
        As for :func:`dense_cube`, with the one dimension ``sample`` (and ``repeat``).

    Raises
    ------
    CubeError
        If the result breaks the schema.
    """
    variables: dict[str, Any] = {"time": ("sample", np.asarray(time, dtype=np.float64))}
    if status is not None:
        variables["status"] = ("sample", np.asarray(status, dtype=np.int8))
    if spread is not None:
        variables["time_spread"] = ("sample", np.asarray(spread, dtype=np.float64))
    if repeats is not None:
        variables["time_repeats"] = (("sample", "repeat"), np.asarray(repeats, dtype=np.float64))
    table = np.asarray(shapes)
    if table.ndim != 2 or table.shape[1] != 3:
        raise CubeError(f"shapes: expected an array of shape (sample, 3), got {table.shape}")
    coords: dict[str, Any] = {axis: ("sample", table[:, i]) for i, axis in enumerate("MNK")}
    coords["tile"] = ("sample", np.array([tile.name for tile in tiles], dtype=object))
    cube = xr.Dataset(variables, coords=coords, attrs=_attrs(device, dtype, attrs))
    return validate(cube.assign_coords(_tile_sizes(tiles, "sample")))


def validate(cube: xr.Dataset) -> xr.Dataset:
    """Check a cube against the schema and return it in canonical form; called once, at the boundary.

    A ``time`` that carries its repeats in a ``repeat`` dimension is split into ``time`` (the median),
    ``time_spread`` (NaN below two repeats) and ``time_repeats``. A missing ``status`` or tile size is
    derived.

    Raises
    ------
    CubeError
        Naming the variable, what was expected and what was found.
    """
    version = cube.attrs.get("schema_version")
    if version is None:
        raise CubeError("not a landscape cube: it has no schema_version attribute")
    if not isinstance(version, int | np.integer):
        raise CubeError(f"schema_version must be a whole number, got {version!r}")
    if version > SCHEMA_VERSION:
        raise CubeError(
            f"cube has schema_version {version}, this attrib reads up to {SCHEMA_VERSION}: update attrib"
        )
    if "time" not in cube:
        raise CubeError("cube has no variable 'time'")
    if "device" not in cube.attrs or "dtype" not in cube.attrs:
        raise CubeError("cube lacks the attribute 'device' or 'dtype': a cube must explain itself")
    for key in ("dtype", "dtype_out"):
        if key in cube.attrs and str(cube.attrs[key]) not in ELEMENT_BYTES:
            raise CubeError(f"{key} {cube.attrs[key]!r} is unknown: expected one of {', '.join(ELEMENT_BYTES)}")
    dims: tuple[str, ...] = DENSE_DIMS if is_dense(cube) else ("sample",)
    cube = _split_repeats(cube, dims)
    if set(cube["time"].dims) != set(dims):
        raise CubeError(f"'time' has dimensions {tuple(cube['time'].dims)}, expected {dims}")
    cube = cube.transpose(*dims, ..., missing_dims="ignore")
    cube = _check_coordinates(cube, dims)
    cube = _check_tiles(cube, dims[0])
    return _check_values(cube, dims)


def throughput(cube: xr.Dataset) -> xr.DataArray:
    """Useful throughput 2 M N K / time of every cell, in TFLOP/s."""
    volume = cube["M"].astype(np.float64) * cube["N"] * cube["K"]
    result: xr.DataArray = 2e-12 * volume / cube["time"]
    result = result.transpose(*cube["time"].dims)
    return result.rename("throughput").assign_attrs(units="TFLOP/s")


def tiles_of(cube: xr.Dataset) -> tuple[Tile, ...]:
    """Return the distinct tiles of a cube, in order of first appearance."""
    names = list(dict.fromkeys(str(name) for name in cube["tile"].values))
    return tuple(_tile_named(name) for name in names)


def device_of(cube: xr.Dataset) -> DeviceRecord:
    """Return the device record stored with the cube."""
    return DeviceRecord.from_json(str(cube.attrs["device"]))


def element_bytes_of(cube: xr.Dataset) -> int:
    """Bytes per element of A and B."""
    return ELEMENT_BYTES[str(cube.attrs["dtype"])]


def output_bytes_of(cube: xr.Dataset) -> int:
    """Bytes per element of the output D (attribute ``dtype_out``; that of A and B when not stated)."""
    return ELEMENT_BYTES[str(cube.attrs.get("dtype_out", cube.attrs["dtype"]))]


def cache_state_of(cube: xr.Dataset) -> str | None:
    """Return how launches found the caches, ``"warm"`` say; ``None`` if nobody says.

    Measured cubes state it in their protocol, simulated ones beside their numbers.
    """
    for name in ("protocol", "twin"):
        try:
            stated = json.loads(str(cube.attrs.get(name, "{}")))
        except ValueError:
            continue  # a cube from elsewhere may describe its protocol in words
        if isinstance(stated, dict) and isinstance(stated.get("cache"), str):
            return str(stated["cache"]).partition(":")[0]
    return None


def densify(cube: xr.Dataset) -> xr.Dataset | None:
    """Return the dense form of a sparse cube whose samples fill a grid completely, else ``None``."""
    if is_dense(cube):
        return cube
    sizes = {axis: np.unique(cube[axis].values) for axis in "MNK"}
    tiles = tiles_of(cube)
    full = len(tiles) * math.prod(values.size for values in sizes.values())
    if full != cube.sizes["sample"]:
        return None
    index = tuple(np.searchsorted(sizes[axis], cube[axis].values) for axis in "MNK")
    number = {tile.name: i for i, tile in enumerate(tiles)}
    tile_index = np.array([number[str(name)] for name in cube["tile"].values])
    position = (tile_index, *index)
    shape = (len(tiles), *(values.size for values in sizes.values()))
    if np.unique(np.ravel_multi_index(position, shape)).size != full:
        return None

    def scatter(name: str) -> NDArray[Any] | None:
        if name not in cube:
            return None
        source = cube[name].values
        out = np.empty(shape + source.shape[1:], dtype=source.dtype)
        out[position] = source
        return out

    dense = dense_cube(
        _required(scatter("time")),
        sizes["M"],
        sizes["N"],
        sizes["K"],
        tiles,
        device_of(cube),
        dtype=str(cube.attrs["dtype"]),
        status=scatter("status"),
        spread=scatter("time_spread"),
        repeats=scatter("time_repeats"),
        attrs={key: value for key, value in cube.attrs.items() if key not in ("device", "dtype")},
    )
    for name in (str(name) for name in cube.data_vars if name not in dense):
        dims = (*DENSE_DIMS, *cube[name].dims[1:])
        dense[name] = (dims, _required(scatter(name)), cube[name].attrs)
    return dense


def _required(array: NDArray[Any] | None) -> NDArray[Any]:
    if array is None:
        raise CubeError("cube has no variable 'time'")
    return array


def _tile_named(name: str) -> Tile:
    try:
        return Tile.labelled(name)
    except InputError as error:
        raise CubeError(f"tile label {name!r}: {error}") from None


def _attrs(device: DeviceRecord, dtype: str, extra: Mapping[str, Any] | None) -> dict[str, Any]:
    if dtype not in ELEMENT_BYTES:
        raise CubeError(f"dtype {dtype!r} is unknown: expected one of {', '.join(ELEMENT_BYTES)}")
    attrs: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "title": f"GEMM landscape of {device.name}",
        "device": device.to_json(),
        "dtype": dtype,
        "layout": "NN",
        "simulated": int(device.simulated),
    }
    for key, value in (extra or {}).items():
        attrs[key] = json.dumps(value, sort_keys=True) if isinstance(value, Mapping | list) else value
    return attrs


def _tile_sizes(tiles: Sequence[Tile], dim: str) -> dict[str, Any]:
    sizes = np.array([[tile.m, tile.n, tile.k] for tile in tiles], dtype=np.int64).reshape(-1, 3)
    return {name: (dim, sizes[:, i]) for i, name in enumerate(_TILE_SIZES)}


def _split_repeats(cube: xr.Dataset, dims: tuple[str, ...]) -> xr.Dataset:
    if "repeat" not in cube["time"].dims:
        return cube
    repeats = cube["time"].transpose(*dims, "repeat")
    # A cell without any repeat would make the median warn: fill it, then blank it again.
    empty = repeats.isnull().all("repeat")
    filled = repeats.where(~empty, 1.0)
    center = filled.median("repeat")
    single = repeats.count("repeat") < 2
    spread = (1.4826 * abs(filled - center).median("repeat")).where(~single)
    return cube.drop_vars("time").assign(
        {"time_spread": spread, **cube.data_vars, "time_repeats": repeats, "time": center.where(~empty)}
    )


def _check_coordinates(cube: xr.Dataset, dims: tuple[str, ...]) -> xr.Dataset:
    for axis in ("M", "N", "K"):
        if axis not in cube.coords:
            raise CubeError(f"cube has no coordinate {axis!r}")
        where = axis if len(dims) > 1 else "sample"
        if cube[axis].dims != (where,):
            raise CubeError(f"coordinate {axis!r} has dimensions {cube[axis].dims}, expected ({where!r},)")
        values = np.asarray(cube[axis].values)
        if not np.issubdtype(values.dtype, np.integer):
            whole = np.issubdtype(values.dtype, np.floating) and np.isfinite(values).all()
            if not whole or not np.array_equal(values, np.round(values)):
                raise CubeError(f"coordinate {axis!r} must hold whole numbers of elements, got {values.dtype}")
            values = values.astype(np.int64)
        if values.size and values.min() < 1:
            raise CubeError(f"coordinate {axis!r} must be positive, got {values.min()}")
        if len(dims) > 1 and values.size > 1 and np.diff(values).min() <= 0:
            raise CubeError(f"coordinate {axis!r} must be strictly ascending")
        cube = cube.assign_coords({axis: (where, values.astype(np.int64), {"units": "1", "long_name": "elements"})})
    return cube


def _check_tiles(cube: xr.Dataset, dim: str) -> xr.Dataset:
    if "tile" not in cube.coords:
        raise CubeError("cube has no coordinate 'tile'")
    if cube["tile"].dims != (dim,):
        raise CubeError(f"coordinate 'tile' has dimensions {cube['tile'].dims}, expected ({dim!r},)")
    names = [str(name).strip() for name in cube["tile"].values]
    if dim == "tile" and len(set(names)) != len(names):
        raise CubeError(f"coordinate 'tile' has duplicates: {names}")
    known = {name: _tile_named(name) for name in dict.fromkeys(names)}
    tiles = [known[name] for name in names]
    derived = _tile_sizes(tiles, dim)
    for name, (_, sizes) in derived.items():
        if name in cube.coords and not np.array_equal(np.asarray(cube[name].values), sizes):
            raise CubeError(f"coordinate {name!r} contradicts the labels of 'tile'")
    return cube.assign_coords(derived).assign_coords(tile=(dim, np.array(names, dtype=object)))


def _check_values(cube: xr.Dataset, dims: tuple[str, ...]) -> xr.Dataset:
    for name in ("status", *_UNITS):
        if name not in cube:
            continue
        if set(cube[name].dims) - {"repeat"} != set(dims) or ("repeat" in cube[name].dims) != (
            name == "time_repeats"
        ):
            raise CubeError(f"{name!r} has dimensions {cube[name].dims}, expected those of 'time', {dims}")
        if not np.issubdtype(cube[name].dtype, np.number):
            raise CubeError(f"{name!r} must hold numbers, got {cube[name].dtype}")
    time = np.array(cube["time"].values, dtype=np.float64)
    if "status" in cube:
        given = np.asarray(cube["status"].values)
        unknown = ~np.isin(given, list(STATUS.values()))
        if unknown.any():
            raise CubeError(f"'status' holds {given[unknown].ravel()[0]}, expected {STATUS}")
        status = given.astype(np.int8)
    else:
        status = np.where(np.isfinite(time), STATUS["ok"], STATUS["not_measured"]).astype(np.int8)
    measured = status == STATUS["ok"]
    bad = measured & ~(np.isfinite(time) & (time > 0))
    if bad.any():
        raise CubeError(
            f"'time' of {int(bad.sum())} cells with status ok is not positive and finite "
            f"(first: {time[bad][0]} s); mark them not_measured or failed"
        )
    flags = {
        "flag_values": np.array(list(STATUS.values()), dtype=np.int8),
        "flag_meanings": " ".join(STATUS),
    }
    cube = cube.assign(time=(dims, time), status=(dims, status, flags))
    for name, unit in _UNITS.items():
        if name in cube:
            cube[name] = cube[name].astype(np.float64).assign_attrs(units=unit)
    return cube


__all__ = [
    "DENSE_DIMS",
    "ELEMENT_BYTES",
    "SCHEMA_VERSION",
    "STATUS",
    "VENDOR",
    "dense_cube",
    "densify",
    "device_of",
    "element_bytes_of",
    "is_dense",
    "output_bytes_of",
    "sparse_cube",
    "throughput",
    "tiles_of",
    "validate",
]
