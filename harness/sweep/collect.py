"""From the store of a sweep to the landscape cube; also from one that was never finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import STATUS, dense_cube, sparse_cube
from harness.device import DeviceRecord
from harness.protocol import Protocol
from harness.sweep.cells import CellTable, Rows
from harness.sweep.sentinels import drift, sentinel_names
from harness.sweep.store import SweepStore
from harness.sweep.tally import Tally
from harness.sweep.verification import Kernel, Verdict, judge

_EXAMPLES = 3


def cube_of(store: SweepStore) -> xr.Dataset:
    """Make the cube of everything measured so far.

    Parameters
    ----------
    store : SweepStore

    Returns
    -------
    xarray.Dataset
        Dense where the cells are a grid, else sparse. Beside the variables of every cube: ``launches`` per timing,
        ``time_error`` (s, standard error of the median), ``outliers`` (beyond the declared threshold; kept),
        and where several devices measured, ``repeat_device``.

    Raises
    ------
    InputError
        If no sweep was begun in the store, or it is damaged.
    """
    table = store.table()
    facts, owner, reason, reasons = store.survey()
    declared = store.protocol()
    protocol = Protocol(**{key: declared[key] for key in Protocol.__dataclass_fields__})
    kernels = store.kernels()
    verdict = judge(kernels, store.checked(), facts["tolerances"])
    tally = Tally.read(store, table, protocol.cache == "warm", dismissed=verdict.devices)
    status, because = _status(table, tally, kernels, verdict, owner, reason, reasons)
    ok = (status == STATUS["ok"])[:, None]
    repeats = np.where(ok, tally.repeats, np.nan)
    known = tally.precision(protocol)
    center = _median(np.where(ok, tally.leveled(), np.nan))
    spread = _robust_spread(np.where(ok, tally.leveled(), np.nan), center)
    extra: dict[str, tuple[NDArray[Any], dict[str, str]]] = {
        "launches": (tally.launches.astype(np.int16), {"long_name": "launches averaged by one timing"}),
        "outliers": (known.outliers.astype(np.int16), {"long_name": "repeats beyond the outlier threshold; kept"}),
        "time_error": (known.error * center, {"units": "s", "long_name": "standard error of the median"}),
    }
    if len(tally.devices) > 1:
        labels = {"long_name": "device of each repeat, as numbered in device_labels"}
        extra["repeat_device"] = (tally.repeat_device, labels)
    if tally.failures.any():
        extra["failures"] = (tally.failures.astype(np.int16), {"long_name": "timings that failed"})
    attrs = _attributes(store, table, tally, facts, declared, because)
    if verdict.devices:
        attrs["dismissed_devices"] = dict(verdict.devices)
    return _cube(table, facts, center, spread, status, repeats, extra, attrs)


def _status(
    table: CellTable,
    tally: Tally,
    kernels: Sequence[Kernel],
    verdict: Verdict,
    owner: Rows,
    reason: Rows,
    reasons: tuple[str, ...],
) -> tuple[NDArray[np.int8], dict[str, list[str]]]:
    """Status of every row, and for every reason the first cells it holds for."""
    status = np.where(tally.count > 0, STATUS["ok"], STATUS["not_measured"]).astype(np.int8)
    because: dict[str, list[int]] = {}
    for row, problem in tally.problems.items():
        status[row] = STATUS[problem.status]
        because.setdefault(f"{problem.status}: {problem.reason}", []).append(row)
    for index, problem in verdict.problems.items():
        status[kernels[index].rows] = STATUS[problem.status]
        because.setdefault(f"{problem.status}: {problem.reason}", []).extend(kernels[index].rows.tolist())
    status[owner < 0] = STATUS["unsupported"]
    for index, text in enumerate(reasons):
        because.setdefault(f"unsupported: {text}", []).extend(np.flatnonzero(reason == index).tolist())
    because["not_measured: the sweep has not come to them yet"] = np.flatnonzero(
        status == STATUS["not_measured"]
    ).tolist()
    named = {
        text: [f"{len(rows)} cells", *sentinel_names(table, np.array(rows[:_EXAMPLES]))]
        for text, rows in because.items()
        if rows
    }
    return status, named


def _attributes(
    store: SweepStore,
    table: CellTable,
    tally: Tally,
    facts: Mapping[str, Any],
    declared: Mapping[str, Any],
    because: Mapping[str, list[str]],
) -> dict[str, Any]:
    rows, seconds, finished, device = tally.sentinel_timings()
    offsets = tally.offsets()
    # A device's own pace is no drift: the sentinels are compared within each.
    levels = (
        np.array([1.0 + offset.fraction for offset in offsets]) if offsets else np.ones(max(1, len(tally.devices)))
    )
    # In the order of the commits: a clock may have been set back.
    ordered = np.maximum.accumulate(finished)
    moved = drift(rows, seconds / levels[device], ordered, sentinel_names(table, np.unique(rows)))
    worst: dict[str, float] = {}
    for (_, row), error in store.checked().items():
        label = table.tiles[table.tile[row]].name
        worst[label] = max(worst.get(label, 0.0), error)
    attrs: dict[str, Any] = {
        **facts["cube_attributes"],
        "dtype_out": facts["dtype_out"],
        "protocol": dict(declared),
        "seed": int(declared["seed"]),
        "software": facts["configuration"],
        "environment": store.environments(),
        "measured_at": datetime.fromtimestamp(store.started(), UTC).isoformat(timespec="seconds"),
        "notes": store.notes(),
        "drift": moved.to_dict(),
        "largest_relative_error": worst,
        "problems": because,
        "kernel_seconds": tally.kernel_seconds,
        "busy_seconds": tally.busy_seconds,
        "backend": ", ".join(facts["configuration"]),
    }
    if len(tally.devices) > 1:
        attrs["device_labels"] = list(tally.devices)
        attrs["device_offsets"] = [offset.to_dict() for offset in offsets]
    return attrs


def _cube(
    table: CellTable,
    facts: Mapping[str, Any],
    center: NDArray[np.float64],
    spread: NDArray[np.float64],
    status: NDArray[np.int8],
    repeats: NDArray[np.float64],
    extra: Mapping[str, tuple[NDArray[Any], dict[str, str]]],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    device = DeviceRecord.from_json(str(facts["device"]))
    axes = grid_axes(table)
    if axes is None:
        cube = sparse_cube(
            center,
            table.shapes,
            [table.tiles[i] for i in table.tile],
            device,
            dtype=str(facts["dtype"]),
            status=status,
            spread=spread,
            repeats=repeats,
            attrs=attrs,
        )
        shape: tuple[int, ...] = (len(table),)
    else:
        shape = (len(table.tiles), *(axis.size for axis in axes))
        cube = dense_cube(
            center.reshape(shape),
            *axes,
            table.tiles,
            device,
            dtype=str(facts["dtype"]),
            status=status.reshape(shape),
            spread=spread.reshape(shape),
            repeats=repeats.reshape(*shape, -1),
            attrs=attrs,
        )
    dims = cube["time"].dims
    for name, (values, labels) in extra.items():
        own = (*dims, "repeat") if values.ndim == 2 else dims
        cube[name] = (own, values.reshape(*shape, *values.shape[1:]), labels)
    return cube


def grid_axes(table: CellTable) -> tuple[Rows, Rows, Rows] | None:
    """Return M, N and K of a table whose rows are a full grid in C order, tiles outermost, else ``None``."""
    axes = tuple(np.unique(table.shapes[:, i]) for i in range(3))
    each = axes[0].size * axes[1].size * axes[2].size
    if each * len(table.tiles) != len(table):
        return None
    mesh = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    tile = np.repeat(np.arange(len(table.tiles)), each)
    if not np.array_equal(table.tile, tile) or not np.array_equal(
        table.shapes, np.tile(mesh, (len(table.tiles), 1))
    ):
        return None
    return axes[0], axes[1], axes[2]


def _robust_spread(repeats: NDArray[np.float64], center: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = 1.4826 * _median(np.abs(repeats - center[:, None]))
    spread[np.isfinite(repeats).sum(axis=1) < 2] = np.nan
    return spread


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each row's finite values; NaN where there is none."""
    result = np.full(values.shape[0], np.nan)
    some = np.isfinite(values).any(axis=1)
    result[some] = np.nanmedian(values[some], axis=1)
    return result
