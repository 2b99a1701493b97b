"""The twin: seconds of a GEMM on a simulated chip, launch by launch, work-group by work-group."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from harness.cube import dense_cube
from harness.device import DeviceRecord, load_device
from harness.errors import InputError
from harness.grid import Grid
from harness.tile import Tile
from harness.twin.chip import B580, Chip, KernelNumbers
from harness.twin.launches import many_seconds
from harness.twin.mechanisms import switches
from harness.twin.noise import noise_factor

_CHUNK = 64
_MAD_TO_SIGMA = 1.4826


class Twin:
    """An event-level simulator of a chip that runs tiled BF16 GEMMs.

    Parameters
    ----------
    chip : Chip
        The numbers of the chip and its kernels.
    off : collection of str
        Mechanisms that do not act, of :data:`harness.twin.mechanisms.MECHANISMS`.
    seed : int
        Seed of the noise.

    Raises
    ------
    InputError
        If a mechanism is unknown.

    Examples
    --------
    >>> twin = Twin()
    >>> bool(twin.seconds(256, 256, 4096, twin.tiles[0]) > 0)
    True
    """

    def __init__(self, chip: Chip = B580, off: Collection[str] = frozenset(), seed: int = 0) -> None:
        self.chip = chip
        self.off = frozenset(off)
        self.seed = seed
        self._on = switches(self.off)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tile variants, the default one first."""
        return tuple(self.chip.kernels)

    @property
    def device(self) -> DeviceRecord:
        """The record of the chip: that of the simulated B580, with the numbers in which the chip differs."""
        record, chip, known = twin_record(), self.chip.numbers, B580.numbers
        if chip == known:
            return record
        faster = chip.clock_hz / known.clock_hz
        wider = (
            chip.cores * chip.engines * chip.flop_per_cycle / (known.cores * known.engines * known.flop_per_cycle)
        )
        assert record.bandwidth_bytes_per_s is not None
        assert record.last_level_cache_bytes is not None
        own = f"a simulated chip, digest {self.chip.digest}, its other numbers those of {record.id}"
        return replace(
            record,
            sources=dict.fromkeys(record.sources, own),
            notes={},
            id=f"{self.chip.id}-{self.chip.digest[:8]}",
            name=f"{record.name} with other numbers",
            aliases=(),
            cores=chip.cores,
            clock_hz=chip.clock_hz,
            peak_flops_per_s={kind: peak * faster * wider for kind, peak in record.peak_flops_per_s.items()},
            bandwidth_bytes_per_s=record.bandwidth_bytes_per_s * chip.bandwidth / known.bandwidth,
            last_level_cache_bytes=round(record.last_level_cache_bytes * chip.cache_bytes / known.cache_bytes),
            memory_channels=chip.channels,
            channel_interleave_bytes=chip.interleave_bytes,
            line_bytes=chip.line_bytes,
            atom=(chip.atom_m, chip.atom_n, chip.atom_k),
            max_subgroups_per_core=chip.subgroups_per_core,
        )

    def residents(self, tile: Tile) -> int:
        """Work-groups of a tile that one core holds at once."""
        return self.chip.numbers.subgroups_per_core // self._kernel(tile).sub_groups

    def seconds(
        self, M: ArrayLike, N: ArrayLike, K: ArrayLike, tile: Tile, *, cache: str = "warm"
    ) -> NDArray[np.float64]:
        """Simulate launches without noise.

        Parameters
        ----------
        M, N, K : array_like of int
            Problem sizes in elements, at least 1; broadcast against each other.
        tile : Tile
            The tile variant.
        cache : {"warm", "cold"}
            Whether the same launch came just before, or other data fill the caches.

        Returns
        -------
        ndarray of float64
            Seconds per launch, in the broadcast shape.

        Raises
        ------
        InputError
            If a size is not a positive whole number, the tile is unknown, or the cache state is.
        """
        if cache not in ("warm", "cold"):
            raise InputError(f"cache state {cache!r} is unknown to the twin: expected warm or cold")
        kernel = self._kernel(tile)
        shape = np.broadcast_shapes(*(np.shape(axis) for axis in (M, N, K)))
        axes = [np.broadcast_to(_sizes(axis), shape).ravel() for axis in (M, N, K)]
        seconds = np.empty(axes[0].size)
        # Neighbouring cells cost alike, so workers take every n-th one; a handful is not worth a thread.
        workers = min(os.cpu_count() or 1, max(1, seconds.size // _CHUNK))
        parts = [[axis[worker::workers].copy() for axis in axes] for worker in range(workers)]
        results = [np.empty(part[0].size) for part in parts]

        def simulate(worker: int) -> None:
            m, n, k = parts[worker]
            many_seconds(m, n, k, kernel, self.chip.numbers, self._on, cache == "cold", results[worker])

        if workers == 1:
            simulate(0)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(simulate, range(workers)))
        for worker, result in enumerate(results):
            seconds[worker::workers] = result
        return seconds.reshape(shape)

    def measure(
        self,
        M: ArrayLike,
        N: ArrayLike,
        K: ArrayLike,
        tile: Tile,
        repeat: ArrayLike = 0,
        *,
        session: int | None = None,
        cache: str = "warm",
    ) -> NDArray[np.float64]:
        """Simulate noisy timings: :meth:`seconds` times :func:`harness.twin.noise.noise_factor`.

        Parameters
        ----------
        M, N, K, tile, cache
            As for :meth:`seconds`.
        repeat : array_like of int
            Number of the repeat, at least 0; broadcast with the sizes.
        session : int, optional
            Number of a session with an offset of its own.
        """
        shape = np.broadcast_shapes(*(np.shape(axis) for axis in (M, N, K, repeat)))
        seconds = np.broadcast_to(self.seconds(M, N, K, tile, cache=cache), shape)
        columns = [np.broadcast_to(_sizes(axis), shape).ravel() for axis in (M, N, K)]
        repeats = np.broadcast_to(np.asarray(repeat, dtype=np.int64), shape).ravel()
        return seconds * self._factor(columns, tile, repeats, session).reshape(shape)

    def landscape(
        self,
        grid: Grid,
        *,
        tiles: Sequence[Tile] | None = None,
        repeats: int = 0,
        session: int | None = None,
        cache: str = "warm",
    ) -> xr.Dataset:
        """Simulate a dense cube, clearly marked as simulated.

        Parameters
        ----------
        grid : Grid
        tiles : sequence of Tile, optional
            All six by default.
        repeats : int
            Noisy repeats to keep; 0 gives the noise-free times.
        session, cache
            As for :meth:`measure`.
        """
        chosen = self.tiles if tiles is None else tuple(tiles)
        M, N, K = np.ix_(grid.M, grid.N, grid.K)
        time = np.stack([self.seconds(M, N, K, tile, cache=cache) for tile in chosen])
        kept = spread = None
        if repeats > 0:
            sizes = [np.broadcast_to(axis, grid.shape).ravel() for axis in (M, N, K)]
            factors = [
                [self._factor(sizes, tile, repeat, session).reshape(grid.shape) for repeat in range(repeats)]
                for tile in chosen
            ]
            kept = time[..., np.newaxis] * np.moveaxis(np.array(factors), 1, -1)
            time = np.median(kept, axis=-1)
            spread = _MAD_TO_SIGMA * np.median(np.abs(kept - time[..., np.newaxis]), axis=-1)
            spread[:] = np.nan if repeats < 2 else spread
        return dense_cube(
            time,
            grid.M,
            grid.N,
            grid.K,
            chosen,
            self.device,
            spread=spread,
            repeats=kept,
            attrs=self.attributes(cache),
        )

    def attributes(self, cache: str = "warm") -> dict[str, object]:
        """Attributes of a cube of this twin: that it is simulated, by which numbers, with what switched off."""
        return {
            "simulated": 1,
            "dtype_out": "f32",
            "twin": {
                "chip": self.chip.id,
                "digest": self.chip.digest,
                "off": sorted(self.off),
                "seed": self.seed,
                "cache": cache,
            },
        }

    def _factor(
        self,
        columns: Sequence[NDArray[np.int64]],
        tile: Tile,
        repeat: NDArray[np.int64] | int,
        session: int | None,
    ) -> NDArray[np.float64]:
        code = np.full(columns[0].size, (tile.m << 40) | (tile.n << 20) | tile.k, dtype=np.int64)
        return noise_factor(np.stack([code, *columns], axis=1), repeat, self.seed, session)

    def _kernel(self, tile: Tile) -> KernelNumbers:
        kernel = self.chip.kernels.get(tile)
        if kernel is None:
            known = ", ".join(known.name for known in self.chip.kernels)
            raise InputError(f"tile {tile.name} is not simulated: the twin has {known}")
        return kernel


@lru_cache(maxsize=1)
def twin_record() -> DeviceRecord:
    """The record of the simulated B580."""
    return load_device("b580-twin")


def _sizes(axis: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(axis)
    if not np.issubdtype(values.dtype, np.integer) or (values.size > 0 and values.min() < 1):
        raise InputError("the twin takes sizes that are positive whole numbers")
    return values.astype(np.int64)
