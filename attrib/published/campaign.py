"""The timings that the published figures need, from any device that can be asked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.landscape import Landscape
from harness.errors import InputError
from harness.samples import Samples
from harness.tile import Tile

PAPER_TILES = tuple(
    Tile.parse(name) for name in ("256x256x32", "128x128x32", "256x128x32", "128x256x32", "64x64x32", "64x128x32")
)
"""The paper's six variants, its default first."""

SIZES = np.arange(128, 4097, 128, dtype=np.int64)
FINE_N = np.arange(3000, 4089, 32, dtype=np.int64)
LINE_N = np.arange(32, 4097, 32, dtype=np.int64)
K = 4096
"""Depth of the slice, of both lines and of all single shapes."""

ALIGNED = ((4096, 1024), (4096, 2048), (4096, 4096), (3840, 2048), (2048, 2048))
MISALIGNED = ((4096, 3168), (4096, 3200), (4096, 3232), (4096, 3264), (4096, 3968))
CONTROL = ((1024, 3168), (2048, 3168), (3072, 3168), (4096, 3168), (2048, 3232))
SATURATION = ((256, 256), (512, 512), (1024, 1024), (2560, 1536), (3840, 2048))
GROUPS = {"aligned": ALIGNED, "misaligned": MISALIGNED, "control": CONTROL, "saturation": SATURATION}
"""(M, N) of the paper's twenty shapes (section 8.1)."""

SHAPES = tuple(dict.fromkeys([*ALIGNED, *MISALIGNED, *CONTROL, *SATURATION, (4096, 3096)]))

Timer = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Tile], NDArray[np.float64]]
"""Seconds of shapes (arrays M, N, K of one length) for one tile; NaN where not measured."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """Timings in seconds; NaN where not measured.

    Attributes
    ----------
    cube : Landscape
        The six tiles on the paper's grid, or on fewer values of K that end at 4096.
    fine : ndarray of float64, shape (6, 35)
        M = K = 4096, N = 3000..4088 step 32 (section 8.3).
    line : ndarray of float64, shape (6, 128)
        M = K = 4096, N = 32..4096 step 32 (section 6.3; the paper does not state its range).
    kernel : dict of (int, int) to float
        The default tile's kernel time of each of :data:`SHAPES`, without the host's part of a launch.
    """

    cube: Landscape
    fine: NDArray[np.float64]
    line: NDArray[np.float64]
    kernel: dict[tuple[int, int], float]

    @classmethod
    def run(
        cls, timer: Timer, kernel_timer: Timer | None = None, depths: Sequence[int] | NDArray[np.int64] = SIZES
    ) -> Campaign:
        """Ask a device for all timings.

        Parameters
        ----------
        timer : callable
            Times launches as a user sees them.
        kernel_timer : callable, optional
            Times kernels on the device, as the paper's profiler did (section 8.1); by default ``timer``.
        depths : sequence of int
            Values of K for the grid, ascending to 4096.

        Raises
        ------
        InputError
            If the depths do not end at 4096.
        """
        values = np.asarray(depths, dtype=np.int64)
        if values.size == 0 or values[-1] != K:
            raise InputError(f"depths must end at {K}, the paper's slice, got {values.tolist()}")
        M, N, depth = (axis.ravel() for axis in np.meshgrid(SIZES, SIZES, values, indexing="ij"))
        shape = (SIZES.size, SIZES.size, values.size)
        time = np.stack([timer(M, N, depth, tile).reshape(shape) for tile in PAPER_TILES])
        lines = [
            np.stack([timer(np.full_like(axis, K), axis, np.full_like(axis, K), tile) for tile in PAPER_TILES])
            for axis in (FINE_N, LINE_N)
        ]
        rows, columns = np.array(SHAPES, dtype=np.int64).T
        seconds = (kernel_timer or timer)(rows, columns, np.full_like(rows, K), PAPER_TILES[0])
        return cls(
            Landscape(time, PAPER_TILES, SIZES, SIZES, values),
            lines[0],
            lines[1],
            dict(zip(SHAPES, map(float, seconds), strict=True)),
        )

    @classmethod
    def from_cubes(cls, cubes: Iterable[xr.Dataset]) -> Campaign:
        """Look all timings up in landscape cubes, dense or sparse; what no cube holds is NaN."""
        known: dict[tuple[str, int, int, int], float] = {}
        for cube in cubes:
            samples = Samples.from_cube(cube)
            for index, tile in enumerate(samples.tiles):
                part = samples.of_tile(index)
                keys = zip(part.M.tolist(), part.N.tolist(), part.K.tolist(), strict=True)
                known |= {(tile.name, *key): time for key, time in zip(keys, part.time.tolist(), strict=True)}

        def timer(
            M: NDArray[np.int64], N: NDArray[np.int64], depth: NDArray[np.int64], tile: Tile
        ) -> NDArray[np.float64]:
            shapes = zip(M.tolist(), N.tolist(), depth.tolist(), strict=True)
            return np.array([known.get((tile.name, *shape), np.nan) for shape in shapes])

        return cls.run(timer)
