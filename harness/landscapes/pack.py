"""Pack measured cubes for shipping: ``python -m harness.landscapes.pack MEASURED_FOLDER``.

Those that the folder lacks stay as they are.

Keeps the median and spread of all repeats, the first two repeats, and the launches per timing. Times are
rounded to 13 binary digits (0.006 %, a hundredth of the spread of one repeat), so that they compress.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.landscapes import BUNDLED, INTERVENTIONS
from harness.store import open_cube, save_cube

KEPT_REPEATS = 2
_TIME_BITS, _SPREAD_BITS = 13, 5


def round_bits(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Round to ``bits`` binary digits after the leading one: relative error at most 2**-(bits + 1)."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, bits + 1)), exponent - bits - 1))


def pack(cube: xr.Dataset) -> xr.Dataset:
    """Return the cube with fewer repeats and rounded times."""
    small = cube.isel(repeat=slice(0, KEPT_REPEATS))
    for name, bits in (("time", _TIME_BITS), ("time_repeats", _TIME_BITS), ("time_spread", _SPREAD_BITS)):
        small[name] = small[name].copy(data=round_bits(small[name].values, bits))
    return small.assign_attrs(
        repeats_measured=cube.sizes["repeat"],
        packed=f"{KEPT_REPEATS} repeats kept, times rounded to {_TIME_BITS} binary digits",
    )


def main() -> None:
    """Pack the bundled landscapes and interventions found in a folder into this package's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path)
    folder = parser.parse_args().measured
    for name in (*BUNDLED, *INTERVENTIONS):
        if (folder / f"{name}.nc").exists():
            save_cube(pack(open_cube(folder / f"{name}.nc")), Path(__file__).parent / f"{name}.nc")


if __name__ == "__main__":
    main()
