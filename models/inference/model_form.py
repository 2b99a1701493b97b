"""Lack of fit that is always reckoned with: no model of a device is exact to a five-thousandth of the time.

Where a model fits to within its noise, what it misses is too little to be seen in its residual, and too much to be
none: sizes of one axis share it, whatever their noise, and a mechanism that acts at the same sizes would be found
for it. So beside the residual that was estimated stands one that was not, as physicists add systematic errors that
their data do not show (Barlow 2002, arXiv hep-ex/0207026). Where residuals are a per cent and neighbours share
them, it changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.inference.lattice import Lattice

SHARE = 2e-4
"""Standard deviation of what a model misses at the least, relative to the time."""


def model_form(lattice: Lattice, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw what a model misses at the least: a part that sizes of M share, one of N, one of K; shape (n, draws).

    Parameters
    ----------
    lattice : Lattice
        Of n samples.
    draws : int
    rng : numpy.random.Generator
    """
    ranks = lattice.ranks()
    found = np.zeros((ranks.shape[0], draws))
    for own in ranks.T:
        found += rng.standard_normal((int(own.max()) + 1, draws))[own]
    return np.asarray(SHARE / np.sqrt(ranks.shape[1]) * found)
