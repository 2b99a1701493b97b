"""The power with which memory and computing overlap: how much longer a launch takes where both last about as long.

Around the size at which a device goes from computing to memory, the longer of the two is too short by 2^(1/p) - 1:
0 for infinite p, 6 % for p = 12, 41 % for p = 2. That is lack of fit of the same few sizes of K on all of a grid,
which other mechanisms that act there would take up. A device moves data in one way, so all its tiles have one p.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.overlap import LONGER, OverlapLaw, scales_at
from models.overlap_comparison import OverlapTest
from models.overlap_fit import fit_overlap
from models.tile_data import TileData

Array = NDArray[np.float64]

POWERS = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 48.0, LONGER)
"""Powers that are tried, before a better one is looked for between the neighbours of the best."""
_STEPS, _EXACT = 8, 0.01
"""Of that search: how many, and how near to each other logarithms of powers are that are tried."""

_PRICE = 2.0
"""Of a finite power, in twice the logarithm of the likelihood."""
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
    power that is finite is one more number, and has to gain 2 (Akaike 1974): it is to tell launches well, a large
    one does no harm where there is none, and chains that were counted without one hide it from then on. Kernels
    that hide their tile have a power of their own each.

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
        prepared = [_Prepared.of(data[label], tests[label], designs[label], hardware, seed) for label in group]
        scores = np.array([_score(np.log(power), prepared) for power in POWERS])
        scores[-1] -= _PRICE
        best = int(np.argmin(scores))
        power = POWERS[best]
        if 0 < best < len(POWERS) - 2:
            search = minimize_scalar(
                _score,
                args=(prepared,),
                bounds=(np.log(POWERS[best - 1]), np.log(POWERS[best + 1])),
                method="bounded",
                options={"xatol": _EXACT, "maxiter": _STEPS},
            )
            if search.fun < scores[best]:
                power = float(np.exp(search.x))
        for label, item in zip(group, prepared, strict=True):
            theta, _ = item.fit(power)
            found[label] = replace(tests[label], theta=theta, how=replace(tests[label].how, power=power))
        if group is known:
            power_of_known = power
    return found, power_of_known


@dataclass(frozen=True)
class _Prepared:
    """What fits of one tile with several powers share."""

    matrix: Array
    time: Array
    resources: tuple[str, ...]
    law: OverlapLaw
    begin: Array
    blocks: int

    @classmethod
    def of(cls, data: TileData, test: OverlapTest, design: Design, hardware: Hardware, seed: int) -> _Prepared:
        item = data.thinned(_MOST_CELLS, np.random.default_rng(seed))
        matrix, resources = design.matrix(item.problem, hardware), tuple(design.resources(hardware))
        law = test.how.law(item.problem, hardware, ALL_MECHANISMS)
        begin = scales_at(matrix, test.theta, resources, law)
        return cls(matrix, item.samples.time, resources, law, begin, np.unique(item.blocks).size)

    def fit(self, power: float) -> tuple[Array, float]:
        """Coefficients with some power, and their loss."""
        law = replace(self.law, power=power)
        return fit_overlap(self.matrix, self.time, self.resources, [self.begin], law)


def _score(log_power: float, items: Sequence[_Prepared]) -> float:
    power = float(np.exp(log_power))
    return float(sum(item.blocks * np.log(max(item.fit(power)[1], _LEAST_LOSS)) for item in items))
