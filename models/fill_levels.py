"""What a wave costs by how many work-groups a core holds in it: its levels, and the costs that they are made of.

Of two residents the second adds at most what one costs, for they run at the same time: that tells a wave of two
from two waves of one. From the third on each adds something of its own. Where one work-group cannot keep a core
busy, two last hardly longer than one, and every further one makes the wave longer by all of its work: max(T, j t),
which costs that are each counted up to some number of residents never add up to, as they are concave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fill_levels(residency: int) -> dict[str, Array]:
    """How often a wave of 1, 2, ... R residents has each cost, by what the cost is counted over; shape (R,) each.

    Parameters
    ----------
    residency : int
        R. A wave of lone work-groups has one cost, of no name.
    """
    held = np.arange(1.0, residency + 1.0)
    if residency == 1:
        return {"": held}
    found = {f"residents to {cap}": np.minimum(held, cap) for cap in (1, 2)}
    found.update({f"resident {j}": (held >= j).astype(np.float64) for j in range(3, residency)})
    if residency > 2:
        found["last resident"] = (held == residency).astype(np.float64)
    return found


def of_waves(counts: Array) -> Array:
    """How often launches have each cost, shape (n, R).

    Parameters
    ----------
    counts : ndarray, shape (n, R)
        Sums of min(residents, j) over the waves of each launch (:func:`models.residents.residents`).
    """
    return np.concatenate([counts[:, :2], np.diff(counts[:, 1:], axis=1)], axis=1)
