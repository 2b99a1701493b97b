"""What timings say of a device once its cores are counted: cache, channels, alignments, tiles, then the structure.

Each is told best when those before it are known. A wrong count of cores spoils them all, and the model with them:
how well that model fits tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.cache_size import profile_cache
from models.constants.channel_pairs import ChannelPair, profile_channels
from models.constants.constant import Constant
from models.constants.granules import Granules, granularities
from models.effective_tile import effective_tile
from models.hardware import Hardware
from models.structure import Structure, find_structure, misfit
from models.term import Term
from models.tile_data import TileData
from models.waves import WaveConstants

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class DeviceSearch:
    """What was found with one count of cores.

    Attributes
    ----------
    data : mapping of tile label to TileData
        With effective tiles in place of hidden ones, where they tell timings better.
    cache : Constant or None
        The spill size.
    channels : ChannelPair
    granules : mapping of tile label to Granules
    effective : mapping of tile label to Constant
        Residents of effective tiles.
    structure : Structure
    """

    data: dict[str, TileData]
    cache: Constant | None
    channels: ChannelPair
    granules: dict[str, Granules]
    effective: dict[str, Constant]
    structure: Structure

    def misfit(self) -> float:
        """Criterion by which counts of cores compare (:func:`models.structure.misfit`)."""
        return misfit(self.data, self.structure)


def search_device(
    data: Mapping[str, TileData],
    grid: Mapping[str, TileData],
    hardware: Hardware,
    waves: WaveConstants | None,
    *,
    terms: Sequence[Term],
    fold_of_block: Indices,
    places: tuple[Indices, Indices],
    progress: Callable[[str], object],
    seed: int,
    streams: tuple[np.random.Generator, np.random.Generator],
) -> DeviceSearch:
    """Find all that shapes the design of some tiles.

    Parameters
    ----------
    data, grid : mapping of tile label to TileData
        All samples, and those of the main cube.
    hardware : Hardware
        As the record has it.
    waves : WaveConstants or None
        Cores and residents; ``None`` where all tiles are hidden.
    terms : sequence of Term
        Candidates.
    fold_of_block, places
        As for :func:`models.structure.find_structure`.
    progress : callable
        Called with a few words when a step begins.
    seed : int
        Of the cells that large landscapes are thinned to.
    streams : tuple of numpy.random.Generator
        The first resamples blocks for the spill size, the second for all else.
    """
    data, own = dict(data), streams[1]
    summed = tuple(term for term in terms if not term.needs_overlap)
    if waves is not None:
        hardware = hardware.with_waves(waves.cores, waves.residency)
    progress("finding the cache size")
    cache = profile_cache(
        {label: (item.problem, item.samples.time, item.blocks) for label, item in grid.items()},
        hardware,
        summed,
        streams[0],
    )
    # The best size serves the model even where rivals are tenable: the nominal one would bias the other costs.
    if cache is not None and cache.estimate is not None:
        hardware = hardware.with_spill_size(cache.estimate)
    progress("looking for channels and granularities")
    channels = profile_channels(data, hardware, summed, fold_of_block.size, own)
    stated_pair = hardware.channels, hardware.interleave_bytes
    refuted = channels.refutes(*stated_pair)
    if refuted:
        channels = channels.noting(*stated_pair)
    if refuted or (channels.identified and hardware.channels is None):
        hardware = replace(hardware, channels=channels.pair[0], interleave_bytes=channels.pair[1])
    granules = granularities(data, hardware, summed, own)
    effective: dict[str, Constant] = {}
    for label, item in list(data.items()):
        if item.tile.hidden:
            progress(f"looking for the effective tile of {label}")
            found = effective_tile(
                grid[label].problem, grid[label].samples.time, grid[label].blocks, hardware, summed
            )
            if found is not None:
                data[label] = item.with_tile(found.tile)
                residency = {**hardware.residency, label: found.residency}
                hardware = hardware.with_waves(hardware.cores, residency)
                effective[label] = Constant(float(found.residency), (), "effective, the tile is hidden")

    structure = find_structure(
        data, hardware, terms, waves, fold_of_block, places, progress=progress, seed=seed, rng=own
    )
    return DeviceSearch(data, cache, channels, granules, effective, structure)
