"""Interactions: whether two mechanisms together cost more, or less, than the sum of both.

The model adds costs. The simplest departure that is still a time is

    t = ... + c_i + c_j + gamma sqrt(c_i c_j),

with c_i and c_j the fitted seconds of two terms: the product column is zero where either is, grows with both, and
doubles when both double. gamma has no unit and either sign: a negative one says that the costs overlap in time.
The columns are tested like terms (:mod:`models.inference.nested`); the model is never changed by what is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from models.inference.nested import NestedTest, judge_additions
from models.inference.surrogates import Surrogates

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_LEAST_SHARE = 1e-3
"""Mean share of the time that a term takes at least to be paired."""

BETWEEN = " × "
"""Stands between the names of a pair."""


def product_columns(contributions: Mapping[str, Array], time: Array) -> dict[str, Array]:
    """Columns sqrt(c_i c_j) of every pair of terms that cost something.

    Parameters
    ----------
    contributions : mapping of term to ndarray of shape (n,)
        Fitted seconds.
    time : ndarray, shape (n,)
        Seconds; terms below a thousandth of it on average are not paired.

    Returns
    -------
    dict of str to ndarray of shape (n, 2)
        Under the names of both terms: the column and its negative, because costs are fitted non-negative and an
        interaction may have either sign. Pairs that never meet are left out.
    """
    used = [name for name, cost in contributions.items() if float(np.mean(cost / time)) >= _LEAST_SHARE]
    columns = {}
    for first, second in combinations(used, 2):
        product = np.sqrt(contributions[first] * contributions[second])
        if product.any():
            columns[f"{first}{BETWEEN}{second}"] = np.stack([product, -product], axis=1)
    return columns


def judge_interactions(
    surrogates: Surrogates, places: Mapping[str, Indices], model: tuple[str, ...], pairs: tuple[str, ...]
) -> list[NestedTest]:
    """Test pairs of mechanisms; the share of each is that of its product column, with its sign."""
    return judge_additions(surrogates, places, model, pairs)
