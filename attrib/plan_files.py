"""Plans in files: NetCDF-4 with the dimensions M, N, K and tile, without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.stages import Decisions
from harness.errors import CubeError, InputError
from harness.grid import AXES
from harness.store import atomic_path
from harness.tile import Tile

PLAN_VERSION = 1
"""Version of the file format, the attribute ``plan_version``."""

AnyPlan = TypeVar("AnyPlan")


def plan_dataset(
    variables: Mapping[str, NDArray[np.generic]],
    axes: Sequence[NDArray[np.int64]],
    tiles: Sequence[Tile],
    stage: str,
    device: str,
) -> xr.Dataset:
    """Everything a plan holds, as a dataset with dimensions M, N, K and tile.

    Parameters
    ----------
    variables : Mapping of str to numpy.ndarray, shape (M, N, K)
        Decisions and times, by their names in a file.
    axes : sequence of numpy.ndarray of int64
        M, N and K, in elements.
    tiles : sequence of Tile
    stage, device : str
        Names of the stage and of the device the times are from.
    """
    sizes = {f"tile_{axis}": ("tile", [getattr(tile, axis) for tile in tiles]) for axis in "mnk"}
    names = [tile.name for tile in tiles]
    plan = xr.Dataset(
        {name: (AXES, values) for name, values in variables.items()},
        coords={**dict(zip(AXES, axes, strict=True)), "tile": names, **sizes},
        attrs={
            "title": f"GEMM plan: {stage} on {device}",
            "plan_version": PLAN_VERSION,
            "stage": stage,
            "device": device,
        },
    )
    for name in ("time", "direct_time"):
        plan[name].attrs["units"] = "s"
    return plan


def save_dataset(dataset: xr.Dataset, path: Path | str) -> None:
    """Write the dataset of a plan as NetCDF-4; never leaves half a file."""
    packed = {name: {"compression": "gzip", "shuffle": True} for name in dataset.data_vars}
    with atomic_path(Path(path)) as draft:
        dataset.to_netcdf(draft, engine="h5netcdf", encoding=packed)


def open_plan(path: Path | str, plan: Callable[..., AnyPlan]) -> AnyPlan:
    """Read a saved plan.

    Parameters
    ----------
    path : path-like
        The file.
    plan : callable
        Makes the plan of its fields, given by name.

    Raises
    ------
    InputError
        If there is no such file.
    CubeError
        If it is something else, was cut short, or is of a later version.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as handle:
            return plan(**_fields(handle.load()))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CubeError(f"{path}: not a readable plan, or cut short ({reason})") from None
    except CubeError as error:
        raise CubeError(f"{path}: {error}") from None


def _fields(dataset: xr.Dataset) -> dict[str, Any]:
    """Sort a dataset into the fields of a plan."""
    version = dataset.attrs.get("plan_version")
    if version is None:
        raise CubeError("not a plan: it has no plan_version attribute; 'attrib optimize' makes plans")
    if int(version) > PLAN_VERSION:
        raise CubeError(f"plan_version is {version}, this attrib reads up to {PLAN_VERSION}: update attrib")
    labels = [dataset[name].values.tolist() for name in ("tile_m", "tile_n", "tile_k", "tile")]
    return {
        "decisions": Decisions(
            tile=dataset["tile_index"].values.astype(np.int16),
            target=dataset["target"].values.astype(np.int32),
            action=dataset["action"].values.astype(np.int8),
            part=dataset["part"].values.astype(np.int32),
        ),
        "time": dataset["time"].values.astype(np.float64),
        "direct_tile": dataset["direct_tile"].values.astype(np.int16),
        "direct_time": dataset["direct_time"].values.astype(np.float64),
        "tiles": tuple(Tile(m, n, k, str(name)) for m, n, k, name in zip(*labels, strict=True)),
        "M": dataset["M"].values.astype(np.int64),
        "N": dataset["N"].values.astype(np.int64),
        "K": dataset["K"].values.astype(np.int64),
        "stage": str(dataset.attrs["stage"]),
        "device": str(dataset.attrs["device"]),
    }
