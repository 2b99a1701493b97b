"""Count the cores of a device from a landscape of timings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.cube import element_bytes_of, output_bytes_of
from harness.errors import FitError
from harness.samples import Samples
from models.blocks import block_labels
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.limits import Limit
from models.overlap import MEMORY
from models.ragged_launches import MASKED
from models.term import Term
from models.terms import ALL_TERMS
from models.tile_data import LEAST_SAMPLES, TileData, split_tiles
from models.waves import GroupedWaves, WaveConstants, tenable_residencies, wave_constants

LARGEST = 256
"""Largest core count tried, unless the device record states more than half of it."""

_SPILL_SIZES = tuple(float(size << 20) for size in (8, 16, 32, 64, 128))
"""Cache sizes that stand in for the unknown one: without them a spill looks like waves of another length."""

SPREADS = (0.0, 0.03, 0.08)
"""Rates of cores that residents are counted with, as the spread is known after them only."""


def count_cores(cube: xr.Dataset, terms: Sequence[Term] = ALL_TERMS, seed: int = 0) -> WaveConstants:
    """Count cores and residencies from the timings alone: the device record is not looked at.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube with at least one tile of known size.
    terms : sequence of Term
        What else may cost time.
    seed : int
        Seed of the bootstrap behind the confidence sets.

    Returns
    -------
    WaveConstants
        With the profile of every tile.

    Raises
    ------
    FitError
        If every tile is hidden or has too few samples.
    """
    samples = Samples.from_cube(cube)
    everything = np.ones(samples.size, dtype=np.bool_)
    sizes = (element_bytes_of(cube), output_bytes_of(cube))
    data, _ = split_tiles(samples, block_labels(samples.M, samples.N), sizes, everything)
    found = count_cores_of_tiles(data, Hardware(), terms, None, np.random.default_rng(seed))
    if found is None:
        raise FitError("no tile of known size has enough samples: work-groups cannot be counted")
    return found


def count_cores_of_tiles(
    data: Mapping[str, TileData],
    hardware: Hardware,
    terms: Sequence[Term],
    known: int | None,
    rng: np.random.Generator,
) -> WaveConstants | None:
    """Profile cores and residencies of the tiles of known size; ``None`` where there is none.

    Each candidate is judged with all other costs in the model, so that a launch cost or memory traffic is not
    mistaken for a wave. Masked edges take many columns and are in the model of a tile only where the criterion of
    its best candidate is better for them: on few samples they would blur the waves.

    Parameters
    ----------
    data : mapping of tile label to TileData
    hardware : Hardware
        What else shapes the designs.
    terms : sequence of Term
    known : int or None
        Core count of the device record, used unless the timings refute it.
    rng : numpy.random.Generator
    """
    candidates = np.arange(1, max(LARGEST, 2 * (known or 1)) + 1)
    others = [term for term in terms if term.name != "waves"]
    plain = [term for term in others if term.name != MASKED]
    grouped = {}
    for label, item in data.items():
        if item.tile.hidden:
            continue
        grouped[label] = without = _grouped(item, hardware, plain)
        with_edges = _grouped(item, hardware, others)
        if with_edges.width > without.width:
            better = with_edges.profile(candidates).criterion.min() < without.profile(candidates).criterion.min()
            grouped[label] = with_edges if better else without
    return wave_constants(grouped, candidates, rng, known) if grouped else None


def count_residents(
    item: TileData,
    computing: NDArray[np.bool_],
    hardware: Hardware,
    terms: Sequence[Term],
    rng: np.random.Generator,
) -> tuple[int, tuple[int, ...]] | None:
    """Count the residents of a tile on the launches that its computing bounds, cores in step or out of it.

    Where memory costs overlap with computing, a sum of both makes waves of other lengths of the launches that wait
    for memory. Once it is known which those are, they are left out.

    Parameters
    ----------
    item : TileData
        Of known size.
    computing : ndarray of bool, shape (n,)
        Launches that do not wait for memory.
    hardware : Hardware
        With the cores.
    terms : sequence of Term
    rng : numpy.random.Generator
        Resamples blocks for the confidence set.

    Returns
    -------
    tuple of int and tuple of int, or None
        Residency and the residencies that it does not refute; ``None`` where too few launches are left.
    """
    rows = np.flatnonzero(computing)
    if rows.size < LEAST_SAMPLES:
        return None
    part = item.part(rows)
    others = [term for term in terms if term.name != "waves" and term.resource != MEMORY]
    cores = np.array([hardware.cores])
    best = None
    for chosen in ([term for term in others if term.name != MASKED], others):
        for spread in SPREADS:
            waves = _grouped(part, hardware, chosen, spread)
            profile = waves.profile(cores)
            if best is None or profile.criterion.min() < best[1].criterion.min():
                best = waves, profile
    assert best is not None
    residency = best[1].residency_at(hardware.cores)
    return residency, tenable_residencies(*best, hardware.cores, residency, rng)


def _grouped(item: TileData, hardware: Hardware, others: Sequence[Term], spread: float = 0.0) -> GroupedWaves:
    """Sums from which the waves of a tile can be fitted beside the other terms, whatever the cache's size is."""
    states = [replace(hardware, cores=1, residency={}, cache_bytes=size, kept_bytes=0.0) for size in _SPILL_SIZES]
    design = Design.of(others, item.tile, states[0])
    # Of masked edges only what the last work-group costs: the rest needs the count that is looked for.
    columns = [
        term.limit_columns(Limit.LONGEST, item.problem, states[0], ALL_MECHANISMS)
        if term.name == MASKED
        else term.columns(item.problem, states[0], ALL_MECHANISMS)
        for term in design.terms
    ]
    spill = [term for term in design.terms if term.name == "cache spill"]
    columns += [term.columns(item.problem, state, ALL_MECHANISMS) for term in spill for state in states[1:]]
    matrix = np.concatenate(columns, axis=1)
    matrix = matrix[:, (matrix != 0).any(axis=0)]
    return GroupedWaves(item.problem, item.samples.time, matrix, item.blocks, ALL_MECHANISMS, spread)
