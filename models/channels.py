"""Memory channels: the share of them that strided rows of a matrix keep busy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InputError


def channel_efficiency(
    element_bytes: int,
    leading_dim: ArrayLike,
    channels: int,
    interleave_bytes: int,
    run_bytes: int | None = None,
) -> NDArray[np.float64]:
    """Efficiency eta of the memory channels on rows that lie one pitch apart (paper, section 9.2).

    Addresses go round the channels in blocks of ``interleave_bytes``. Rows start ``L e`` bytes apart, so they
    start on only some channels, and each row is credited with w = min(channels, e) channels at a time:
    ``eta = min(channels, w * starts) / channels``.

    The paper counts the starts as c / gcd(s, c) with s = (L e / interleave) mod c, which needs a pitch of
    whole blocks. Counting the channels that row starts reach, for any pitch, extends it: starts lie on the
    multiples of g = gcd(L e, c * interleave) bytes, so they reach all c channels where g is at most a block,
    and c * interleave / g otherwise. On whole blocks the two agree.

    The paper's w counts bytes as if they were channels. Where it is known how many bytes of a row a kernel loads at
    a time, they tell how many channels one row start keeps busy: w = run / interleave, at least 1.

    Parameters
    ----------
    element_bytes : int
        Bytes per element e.
    leading_dim : array_like of int
        Row pitch L in elements (K for A, N for B and for D in row-major order).
    channels : int
        Number of channels c.
    interleave_bytes : int
        Bytes on one channel before the next takes over.
    run_bytes : int, optional
        Bytes of a row that are loaded together; the paper's w without it.

    Returns
    -------
    numpy.ndarray of float64, shape of `leading_dim`
        Efficiency in (0, 1]; 1 keeps every channel busy.

    Raises
    ------
    InputError
        If a quantity is below 1.
    """
    pitch = np.asarray(leading_dim, dtype=np.int64)
    if min(element_bytes, channels, interleave_bytes, 1 if run_bytes is None else run_bytes) < 1 or np.any(
        pitch < 1
    ):
        raise InputError(
            "element bytes, leading dimension, channels, interleave and run must all be at least 1, got "
            f"{element_bytes}, {pitch.min(initial=1)} (smallest), {channels}, {interleave_bytes} and {run_bytes}"
        )
    turn = channels * interleave_bytes
    spacing = np.gcd(pitch * element_bytes, turn)
    starts = np.minimum(channels, turn // spacing)
    width = min(channels, element_bytes if run_bytes is None else max(1, run_bytes // interleave_bytes))
    return np.asarray(np.minimum(channels, width * starts) / channels, dtype=np.float64)
