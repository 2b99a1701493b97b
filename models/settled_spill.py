"""How abruptly a warm cache gives way, settled when all else is known.

The spill size is profiled for a cache that keeps as much as can be kept. Real ones lose some of a working set that
would fit, and keep some of one that does not. What a sharp edge misses is the same for all launches of one volume:
too short where little is lost, too long beyond, and costs of short mainloops or of launching would make up for it.
So when it is known which launches wait for memory, a size and a sharpness are looked for together.

Hill's curve is the usual two-parameter step from nothing to all. The caches of the simulated chips follow it too,
so that they are no test of its form, only of how well a size and a sharpness are found beside all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.design import Design
from models.edge_turns import LEAST_LOSS, Bounded, solved
from models.hardware import Hardware
from models.settled_spreads import thinned
from models.terms.cache_spill import CacheSpill
from models.tile_data import TileData

Array = NDArray[np.float64]

_SHARPNESSES = (0.8, 1.3, 2.0, 4.0)
_SIZES = (0.5, 1.0, 2.0, 4.0)
"""Of the spill size: what is tried to begin with."""
_GENTLEST, _SHARPEST = 0.5, 20.0
_FARTHEST = 16.0
"""Of the spill size, either way: sizes beyond it are not looked at."""
_FIRST_STEP, _STEPS, _EXACT = 0.3, 40, 5e-3
"""Of the search from the best of these, in logarithms: how far at first, how often, and how near in the end."""
_NO_MATTER = 0.1
"""Difference of the criterion that is not worth another step."""
_STRONG = 10.0
"""Fall of the criterion that is very strong evidence (Kass & Raftery 1995, section 3.2)."""


def settle_spill(
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    bounded: Mapping[str, Bounded],
    seed: int,
) -> Hardware | None:
    """Look for a size and a sharpness of the cache that tell launches better than a sharp edge does.

    Parameters
    ----------
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        With all memory terms, for tiles that overlap.
    hardware : Hardware
        With all constants found so far.
    bounded : mapping of tile label to Bounded
        Of tiles that overlap; others do not count.
    seed : int
        Of the cells that large landscapes are thinned to.

    Returns
    -------
    Hardware or None
        With what the cache keeps; ``None`` where launches do not find it warm, no tile overlaps, or there is no
        very strong evidence: the sum of B log(loss) over tiles of B blocks falls by no more than 10 and two
        logarithms of all blocks.
    """
    labels = [label for label in bounded if CacheSpill.name in designs[label].names]
    if hardware.kept_bytes <= 0.0 or not labels:
        return None
    parts = {label: thinned(data[label], bounded[label], seed) for label in labels}
    blocks = {label: np.unique(parts[label][0].blocks).size for label in labels}

    def criterion(state: Hardware) -> float:
        losses = {label: solved(parts[label][0], designs[label], state, parts[label][1])[1] for label in labels}
        return float(sum(blocks[label] * np.log(max(losses[label], LEAST_LOSS)) for label in labels))

    def with_edge(size: float, sharpness: float) -> Hardware:
        return replace(hardware, kept_bytes=size * hardware.cache_bytes, kept_sharpness=sharpness)

    starts = [(size, sharpness) for size in _SIZES for sharpness in _SHARPNESSES]
    begin: Array = np.log(min(starts, key=lambda start: criterion(with_edge(*start))))

    def judge(logs: Array) -> float:
        size, sharpness = np.exp(logs)
        return criterion(with_edge(float(size), float(sharpness)))

    options: Any = {"maxfev": _STEPS, "xatol": _EXACT, "fatol": _NO_MATTER}
    # By default the first step is a share of the logarithm, which may be zero.
    options["initial_simplex"] = begin + _FIRST_STEP * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    sides = [(-np.log(_FARTHEST), np.log(_FARTHEST)), (np.log(_GENTLEST), np.log(_SHARPEST))]
    found = minimize(judge, begin, method="Nelder-Mead", bounds=sides, options=options)
    price = _STRONG + 2.0 * np.log(sum(blocks.values()))
    return with_edge(*map(float, np.exp(found.x))) if found.fun < criterion(hardware) - price else None
