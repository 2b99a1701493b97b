"""The power with which memory and computing overlap: how much longer a launch takes where both last about as long.

Around the size at which a device goes from computing to memory, the longer of the two is too short by 2^(1/p) - 1:
0 for infinite p, 6 % for p = 12, 41 % for p = 2. That is lack of fit of the same few sizes of K on all of a grid,
which other mechanisms that act there would take up. A device moves data in one way, so all its tiles have one p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.overlap import LONGER, fit_overlap, scales_at
from models.overlap_comparison import OverlapTest
from models.tile_data import TileData

POWERS = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 48.0, LONGER)
"""Powers that are tried."""

_MOST_CELLS = 4096
"""Of a tile; beyond it, cells are drawn at random."""
_LEAST_LOSS = 1e-300
"""Of a logarithm: an exact fit has none."""


def with_power(
    tests: Mapping[str, OverlapTest],
    data: Mapping[str, TileData],
    designs: Mapping[str, Design],
    hardware: Hardware,
    seed: int,
) -> tuple[dict[str, OverlapTest], float]:
    """Give all overlapping tiles of known size the power that tells them best together, and refit them with it.

    The least B log(loss), summed over tiles of B blocks each: blocks are what lack of fit makes independent. A
    power that is finite is one more number, and has to gain its logarithm (Schwarz 1978). Kernels that hide their
    tile have a power of their own each.

    Parameters
    ----------
    tests : mapping of tile label to OverlapTest
    data : mapping of tile label to TileData
    designs : mapping of tile label to Design
        With all memory terms.
    hardware : Hardware
    seed : int
        Of the cells that large landscapes are thinned to.

    Returns
    -------
    dict of tile label to OverlapTest
    float
        Power of the tiles of known size.
    """
    found, power_of_known = dict(tests), LONGER
    overlapping = [label for label, test in tests.items() if test.overlaps]
    known = [label for label in overlapping if not data[label].hidden]
    for group in [known, *([label] for label in overlapping if data[label].hidden)]:
        if not group:
            continue
        scores = np.zeros(len(POWERS))
        fits: list[dict[str, OverlapTest]] = [{} for _ in POWERS]
        for label in group:
            item, test = data[label].thinned(_MOST_CELLS, np.random.default_rng(seed)), tests[label]
            blocks = np.unique(item.blocks).size
            matrix, resources = designs[label].matrix(item.problem, hardware), designs[label].resources(hardware)
            law = test.how.law(item.problem, hardware, ALL_MECHANISMS)
            begin = scales_at(matrix, test.theta, resources, law)
            for place, power in enumerate(POWERS):
                other = replace(law, power=power)
                theta, loss = fit_overlap(matrix, item.samples.time, resources, [begin], other)
                scores[place] += blocks * np.log(max(loss, _LEAST_LOSS))
                fits[place][label] = replace(test, theta=theta, how=replace(test.how, power=power))
        price = np.log(sum(np.unique(data[label].blocks).size for label in group))
        scores[-1] -= price
        best = int(np.argmin(scores))
        found.update(fits[best])
        if group is known:
            power_of_known = POWERS[best]
    return found, power_of_known
