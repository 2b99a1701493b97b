"""Planted landscapes: times made from known costs, to see what a grid and its noise let a fit recover.

A planted time is the design of a model times its true coefficients, times two random factors of median 1:

* lack of fit, a random field that neighbouring shapes share and that no repeat averages out;
* noise, independent from launch to launch.

Plant the costs you expect of a device on the grid you can afford, fit the result, and compare: intervals that are
too wide to tell a mechanism from nothing say that the grid is too small, before anything is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import dense_cube, element_bytes_of, output_bytes_of
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.grid import Grid
from harness.tile import Tile
from models.design import Design
from models.fill_levels import fill_levels
from models.hardware import Hardware
from models.problem import Problem
from models.random_field import random_field
from models.sweeps import SHARES
from models.term import Coefficient, Term
from models.terms import SUMMED_TERMS

Array = NDArray[np.float64]

_LAUNCH = 5e-6
_CORE_FLOPS = 5e12
_CORE_BANDWIDTH = 2e10
"""A launch, in s, and what a core computes and loads, per s, where no device record says more."""

CORRELATION = (0.25, 0.25, 1.0)
"""Correlation lengths of the lack of fit along M, N and K, octaves: about those of the bundled H200 grid."""

_COMMON = 0.5
"""Share of the variance of the lack of fit that all tiles have in common."""


@dataclass(frozen=True)
class Planted:
    """A planted landscape and the truth behind it.

    Attributes
    ----------
    cube : xarray.Dataset
        Dense cube, as a sweep would have measured it.
    theta : mapping of tile label to ndarray, shape (p,)
        True coefficients in the order of :meth:`names`, seconds per what the column counts.
    hardware : Hardware
        True constants.
    terms : tuple of Term
        Terms that cost something or may.
    """

    cube: xr.Dataset
    theta: Mapping[str, Array]
    hardware: Hardware
    terms: tuple[Term, ...]

    def design(self, label: str) -> Design:
        """Return the true design of one tile."""
        return Design.of(self.terms, Tile.labelled(label), self.hardware)

    def names(self, label: str) -> tuple[str, ...]:
        """Names of one tile's coefficients, in the order of ``theta``."""
        return tuple(column.coefficient.name for column in self.design(label).columns(self.hardware))

    def costs(self, label: str) -> dict[str, float]:
        """Return one tile's true coefficients by name."""
        return dict(zip(self.names(label), map(float, self.theta[label]), strict=True))

    def time(self, label: str, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]) -> Array:
        """Time without lack of fit and without noise, seconds, shape (n,)."""
        sizes = element_bytes_of(self.cube), output_bytes_of(self.cube)
        problem = Problem(M, N, K, Tile.labelled(label), *sizes)
        return np.asarray(self.design(label).matrix(problem, self.hardware) @ self.theta[label])


def planted_cube(
    hardware: Hardware,
    tiles: Sequence[str | Tile],
    grid: Grid,
    *,
    device: DeviceRecord | None = None,
    theta: Mapping[str, float | Mapping[str, float]] | None = None,
    lack_of_fit: float = 0.01,
    correlation: float | Sequence[float] = CORRELATION,
    noise: float = 0.002,
    repeats: int = 0,
    seed: int = 0,
    terms: Sequence[Term] = SUMMED_TERMS,
) -> Planted:
    """Make a landscape from known costs.

    Parameters
    ----------
    hardware : Hardware
        True constants: cores, residency, cache, channels.
    tiles : sequence of str or Tile
    grid : Grid
    device : DeviceRecord, optional
        The record that the cube carries; its peak and bandwidth set the default costs. By default a record that
        states the constants of ``hardware`` and nothing else.
    theta : mapping, optional
        Coefficients by name, seconds per what they count: a number for all tiles, or under a tile's label a
        mapping of its own. What is not given is that of :func:`planted_costs`.
    lack_of_fit : float
        Standard deviation of the logarithm of the lack of fit, 0.01 for about 1 %.
    correlation : float or sequence of float
        Distance at which the correlation of the lack of fit falls to 1/e, octaves: along all axes, or along M, N
        and K (:func:`models.random_field.random_field`); 0 for cells that share nothing.
    noise : float
        Standard deviation of the logarithm of a launch's noise.
    repeats : int
        Launches kept of each cell; with fewer than two only the time of one is.
    seed : int
    terms : sequence of Term
        Terms of the truth; the others cost nothing.

    Returns
    -------
    Planted

    Raises
    ------
    InputError
        If a coefficient is unknown or negative, a standard deviation or length is, or a time is not positive.
    """
    for name, value in (("lack_of_fit", lack_of_fit), ("noise", noise)):
        if not (np.isfinite(value) and value >= 0):
            raise InputError(f"{name} must be a finite number of at least 0, got {value!r}")
    if repeats < 0:
        raise InputError(f"repeats must be at least 0, got {repeats}")
    kernels = tuple(tile if isinstance(tile, Tile) else Tile.labelled(tile) for tile in tiles)
    record = device or record_of(hardware)
    truth = _coefficients(hardware, kernels, record, theta or {}, terms)
    rng = np.random.default_rng(seed)
    shapes = grid.shapes()
    octaves = [np.log2(axis) for axis in (grid.M, grid.N, grid.K)]
    common = random_field(octaves, correlation, rng)
    times = np.empty((len(kernels), *grid.shape))
    for index, tile in enumerate(kernels):
        problem = Problem(shapes[:, 0], shapes[:, 1], shapes[:, 2], tile)
        time = Design.of(terms, tile, hardware).matrix(problem, hardware) @ truth[tile.name]
        if not np.all(time > 0):
            raise InputError(f"the planted costs of tile {tile.name} give a time of zero: plant a launch cost")
        own = random_field(octaves, correlation, rng)
        field = np.sqrt(_COMMON) * common + np.sqrt(1.0 - _COMMON) * own
        times[index] = time.reshape(grid.shape) * np.exp(lack_of_fit * field)
    launches = times[..., None] * np.exp(noise * rng.standard_normal((*times.shape, max(1, repeats))))
    attrs = {
        "seed": seed,
        "vector_bytes": hardware.vector_bytes,
        "pitch_multiple": hardware.pitch_multiple,
        "planted": {"lack_of_fit": lack_of_fit, "correlation": np.atleast_1d(correlation).tolist(), "noise": noise},
    }
    middle = np.median(launches, axis=-1)
    spread = 1.4826 * np.median(np.abs(launches - middle[..., None]), axis=-1) if repeats > 1 else None
    cube = dense_cube(
        middle,
        grid.M,
        grid.N,
        grid.K,
        kernels,
        record,
        spread=spread,
        repeats=launches if repeats > 1 else None,
        attrs=attrs,
    )
    return Planted(cube, truth, hardware, tuple(terms))


def planted_costs(
    hardware: Hardware, tile: Tile, device: DeviceRecord, terms: Sequence[Term] = SUMMED_TERMS
) -> dict[str, float]:
    """Sensible costs of one tile: every known coefficient by name, seconds per what it counts.

    The mainloop runs at the peak of the device, three quarters of it bound to the wave and one to what cores share;
    a wave's prologue and epilogue take four of its steps; a masked or misaligned step costs a few per cent more;
    bytes move at the bandwidth of the device, each of the costs per byte a share of it.

    Raises
    ------
    InputError
        If a term has a coefficient in a unit that is none of those below.
    """
    cores = hardware.cores
    peak = device.peak_flops_per_s.get("bf16", cores * _CORE_FLOPS)
    byte = 1.0 / (device.bandwidth_bytes_per_s or cores * _CORE_BANDWIDTH)
    m, n, k = (tile.m, tile.n, tile.k) if not tile.hidden else (128, 128, 32)
    group_step = 2.0 * m * n * k / peak
    step = group_step * cores
    known = {
        "launch": _LAUNCH,
        "wave": 4.0 * step,
        "wave step": 0.75 * step,
        "work-group": 2.0 * m * n * byte,
        "work-group step": 0.25 * group_step,
        "atom padding": 0.5 / peak,
        "masked wave": step,
        "masked step": 0.1 * step,
        "waiting byte": 0.2 * byte,
        "FLOP": 1.2 / peak,
        "missing step": step,
    }
    residency = hardware.residency_of(tile.name)
    caps = np.arange(1, residency + 1)
    for number, name in enumerate(fill_levels(residency), start=1):
        # Of the cost of a full wave what is counted up to 1, 2, ... R residents has equal parts: they overlap, but
        # not wholly. So the third, say, adds what is counted up to three or more.
        part = float((1.0 / caps[number - 1 :]).sum()) if number > 1 else 1.0
        known[f"wave, {name}"], known[f"step, {name}"] = 4.0 * step * part, 0.75 * step * part
    for share in SHARES:
        # All sweeps of a launch added up would drown every other cost: what is read again is hidden, mostly.
        known[f"byte again, {share:g} of the cache"] = known[f"waiting again, {share:g} of the cache"] = 0.0
    by_unit = {
        "s": _LAUNCH,
        "s/FLOP": 0.1 / peak,
        "s/byte": 0.2 * byte,
        "s/wave": 0.5 * step,
        "s/(wave step)": 0.05 * step,
        "s/step": 0.1 * step,
        "s/work-group": m * n * byte,
        "s/(work-group step)": 0.1 * group_step,
    }
    found = {}
    for column in Design.of(terms, tile, hardware).columns(hardware):
        coefficient: Coefficient = column.coefficient
        value = known.get(coefficient.name, by_unit.get(coefficient.unit))
        if value is None:
            raise InputError(
                f"no cost is known in {coefficient.unit} for {coefficient.name!r} of {column.term.name}: state it"
            )
        found[coefficient.name] = value
    return found


def record_of(hardware: Hardware) -> DeviceRecord:
    """Return a device record that states the constants of ``hardware`` and nothing else."""
    return DeviceRecord(
        id="planted",
        name="Planted",
        vendor="none",
        kind="other",
        simulated=True,
        cores=hardware.cores,
        last_level_cache_bytes=int(hardware.cache_bytes) or None,
        memory_channels=hardware.channels,
        channel_interleave_bytes=hardware.interleave_bytes,
        line_bytes=hardware.line_bytes,
        atom=hardware.atom,
        block_unit_bytes=hardware.vector_bytes,
    )


def _coefficients(
    hardware: Hardware,
    tiles: Sequence[Tile],
    device: DeviceRecord,
    given: Mapping[str, float | Mapping[str, float]],
    terms: Sequence[Term],
) -> dict[str, Array]:
    """Default costs with those that are given in their place, as vectors in design order."""
    shared = {name: value for name, value in given.items() if not isinstance(value, Mapping)}
    own = {label: value for label, value in given.items() if isinstance(value, Mapping)}
    unknown = set(own) - {tile.name for tile in tiles}
    if unknown:
        raise InputError(f"costs of tile {', '.join(sorted(unknown))} are given, which is not among the tiles")
    truth, all_names = {}, set()
    for tile in tiles:
        costs = planted_costs(hardware, tile, device, terms)
        strangers = set(own.get(tile.name, {})) - set(costs)
        if strangers:
            raise InputError(f"tile {tile.name} has no coefficient {', '.join(sorted(strangers))}")
        all_names |= set(costs)
        costs = {name: own.get(tile.name, {}).get(name, shared.get(name, value)) for name, value in costs.items()}
        bad = {name: value for name, value in costs.items() if not (np.isfinite(value) and value >= 0)}
        if bad:
            raise InputError(f"costs are finite and at least 0, got {bad} for tile {tile.name}")
        truth[tile.name] = np.array(list(costs.values()))
    if set(shared) - all_names:
        raise InputError(
            f"no tile has a coefficient {', '.join(sorted(set(shared) - all_names))}; "
            f"known are {', '.join(sorted(all_names))}"
        )
    return truth
