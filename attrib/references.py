"""Reference landscapes of a cube: the ideal and the optimal throughput of its device."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.ideal import ideal_throughput
from attrib.landscape import Landscape
from attrib.optimal import optimal_throughput
from attrib.stages import default_tile
from harness.cube import element_bytes_of, output_bytes_of
from harness.device import DeviceRecord
from harness.errors import DeviceError
from models.result import FitResult

Array = NDArray[np.float64]

_BOTH = "ideal and optimal landscapes, tau, rho and level"


def reference_landscapes(
    landscape: Landscape, cube: xr.Dataset, device: DeviceRecord, fit: FitResult
) -> tuple[Array | None, Array | None, tuple[tuple[str, str], ...]]:
    """Ideal and optimal landscapes from the device record and the counted cores.

    Parameters
    ----------
    landscape : Landscape
    cube : xarray.Dataset
        Its element types are used.
    device : DeviceRecord
    fit : FitResult
        Its counted cores go before those of the record.

    Returns
    -------
    ideal, optimal : ndarray, shape (M, N, K), or None
        TFLOP/s.
    skipped : tuple of (str, str)
        What was left out, and why.
    """
    known = tuple(tile for tile in landscape.tiles if not tile.hidden)
    counted = [item.constants["cores"] for item in fit.tiles.values() if "cores" in item.constants]
    cores = next((int(c.estimate) for c in counted if c.status == "identified" and c.estimate), device.cores)
    if not known or cores is None:
        why = (
            "every tile is hidden"
            if not known
            else "the device record leaves the cores open and these timings do not count them"
        )
        return None, None, ((_BOTH, why),)
    rows, columns, depth = np.ix_(landscape.M, landscape.N, landscape.K)
    try:
        peak = device.peak(str(cube.attrs["dtype"]))
        bandwidth = device.number("bandwidth_bytes_per_s")
    except DeviceError as error:
        return None, None, ((_BOTH, str(error)),)
    ideal = ideal_throughput(rows, columns, depth, peak_flops_per_s=peak, cores=cores, tile=default_tile(known))
    skipped: tuple[tuple[str, str], ...] = ()
    channels, interleave = device.memory_channels, device.channel_interleave_bytes
    if channels is None or interleave is None:
        # One channel of any interleave is no hash at all.
        channels, interleave = 1, 256
        skipped = (
            ("channel hash in the optimal landscape", "the device record leaves channels or interleave open"),
        )
    optimal = optimal_throughput(
        rows,
        columns,
        depth,
        peak_flops_per_s=peak,
        cores=cores,
        bandwidth_bytes_per_s=bandwidth,
        tiles=known,
        channels=channels,
        interleave_bytes=interleave,
        input_bytes=element_bytes_of(cube),
        output_bytes=output_bytes_of(cube),
    )
    return np.broadcast_to(ideal, landscape.shape), np.broadcast_to(optimal, landscape.shape), skipped
