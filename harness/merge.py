"""Merge cubes of one kernel that several devices of a kind measured, and tell how their paces differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import STATUS, densify, device_of, sparse_cube, tiles_of
from harness.errors import CubeError
from harness.sweep.device_offsets import device_offsets, leveled

_SAME = ("dtype", "dtype_out", "layout", "pitch_multiple", "core_limit", "vector_bytes")


def merge_cubes(cubes: Sequence[xr.Dataset], labels: Sequence[str]) -> xr.Dataset:
    """Put the repeats of several cubes together, cell by cell.

    Parameters
    ----------
    cubes : sequence of xarray.Dataset
        Landscape cubes of the same kind of device and the same kernels; cells may overlap or not.
    labels : sequence of str
        Name of each cube's device.

    Returns
    -------
    xarray.Dataset
        Dense where the cells fill a grid. ``repeat_device`` says which cube each repeat comes from; the attribute
        ``device_offsets`` holds the paces, told from cells that several cubes have. Repeats are kept as they were;
        times and spreads are those of the median device, as far as the paces can be told.

    Raises
    ------
    CubeError
        If there are fewer than two cubes, or they are not of the same kind.
    """
    if len(cubes) < 2:
        raise CubeError("merging takes two cubes at least")
    first = cubes[0]
    for cube in cubes[1:]:
        if device_of(cube).id != device_of(first).id:
            raise CubeError(f"cubes of {device_of(first).name} and {device_of(cube).name} cannot be merged")
        if cube.identical(first):
            raise CubeError("a cube cannot be merged with itself: its repeats would count twice")
        if _cache(cube) != _cache(first):
            raise CubeError(f"cubes of {_cache(first)} and of {_cache(cube)} caches cannot be merged")
        for key in _SAME:
            if cube.attrs.get(key) != first.attrs.get(key):
                raise CubeError(f"cubes of {key} {first.attrs.get(key)} and {cube.attrs.get(key)} cannot be merged")
    tiles = list(dict.fromkeys(tile for cube in cubes for tile in tiles_of(cube)))
    parts = [_columns(cube, [tile.name for tile in tiles]) for cube in cubes]
    keys, place = np.unique(np.concatenate([key for key, _, _ in parts]), axis=0, return_inverse=True)
    ends = np.cumsum([key.shape[0] for key, _, _ in parts])
    places = np.split(place.ravel(), ends[:-1])
    widths = [repeats.shape[1] for _, repeats, _ in parts]
    repeats = np.full((keys.shape[0], sum(widths)), np.nan)
    device = np.full(repeats.shape, -1, dtype=np.int16)
    status = np.full(keys.shape[0], STATUS["not_measured"], dtype=np.int8)
    start = 0
    for number, ((_, own, flags), rows, width) in enumerate(zip(parts, places, widths, strict=True)):
        repeats[rows, start : start + width] = own
        device[rows, start : start + width] = np.where(np.isfinite(own), number, -1)
        # A wrong result anywhere is a wrong kernel; otherwise a time says more than the lack of one.
        status[rows] = np.maximum(status[rows], np.where(flags == STATUS["ok"], STATUS["not_measured"], flags))
        start += width
    ok = np.isfinite(repeats).any(axis=1) & (status != STATUS["wrong_result"])
    status[ok] = STATUS["ok"]
    repeats[~ok] = np.nan
    offsets = device_offsets(repeats, device, labels)
    level = leveled(repeats, device, offsets)
    center = np.full(keys.shape[0], np.nan)
    center[ok] = np.nanmedian(level[ok], axis=1)
    spread = np.full(keys.shape[0], np.nan)
    several = np.isfinite(repeats).sum(axis=1) > 1
    spread[several] = 1.4826 * np.nanmedian(np.abs(level - center[:, None])[several], axis=1)
    attrs: dict[str, Any] = {key: first.attrs[key] for key in _SAME[1:] if key in first.attrs}
    attrs |= {
        "device_labels": list(labels),
        "device_offsets": [offset.to_dict() for offset in offsets],
        "merged_from": [{str(k): str(v) for k, v in cube.attrs.items() if k != "device"} for cube in cubes],
    }
    merged = sparse_cube(
        center,
        keys[:, 1:],
        [tiles[index] for index in keys[:, 0]],
        device_of(first),
        dtype=str(first.attrs["dtype"]),
        status=status,
        spread=spread,
        repeats=repeats,
        attrs=attrs,
    )
    merged["repeat_device"] = (("sample", "repeat"), device)
    dense = densify(merged)
    return merged if dense is None else dense


def offsets_of(cube: xr.Dataset) -> list[dict[str, Any]]:
    """Return the paces of the devices that a cube comes from, as plain data; empty for one device."""
    return list(json.loads(str(cube.attrs.get("device_offsets", "[]"))))


def _cache(cube: xr.Dataset) -> str:
    """Cache state that a cube declares; cubes of imported tables declare none."""
    return str(json.loads(str(cube.attrs.get("protocol", "{}"))).get("cache", "undeclared"))


def _columns(
    cube: xr.Dataset, names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
    """Keys (n, 4) of tile, M, N, K, repeats (n, r) and status (n,) of a cube's cells."""
    dims = cube["time"].dims
    shape = cube["time"].shape
    index = xr.DataArray([names.index(str(name)) for name in cube["tile"].values], dims=cube["tile"].dims)
    like = xr.zeros_like(cube["time"], dtype=np.int64)
    columns = [(like + part).transpose(*dims).values.ravel() for part in (index, cube["M"], cube["N"], cube["K"])]
    kept = cube["time_repeats"].values if "time_repeats" in cube else cube["time"].values[..., None]
    return np.stack(columns, axis=1), kept.reshape(int(np.prod(shape)), -1), cube["status"].values.ravel()
