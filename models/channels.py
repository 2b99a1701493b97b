"""Memory channels: the share of them that strided rows of a matrix keep busy.

Two measures. The paper's counts the channels on which the rows of a whole matrix start: all that can be said of a
kernel whose tile is hidden. Where the tile is known, so are the rows that are loaded together, and what counts is
the channel that carries most of their bytes: a pitch a few bytes off a turn round all channels reaches every one of
them in the long run, but the rows of one tile crowd on a few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.compiled import njit
from harness.errors import InputError


def channel_efficiency(
    element_bytes: int,
    leading_dim: ArrayLike,
    channels: int,
    interleave_bytes: int,
) -> NDArray[np.float64]:
    """Efficiency eta of the memory channels on rows that lie one pitch apart (paper, section 9.2).

    Addresses go round the channels in blocks of ``interleave_bytes``. Rows start ``L e`` bytes apart, so they
    start on only some channels, and each row is credited with w = min(channels, e) channels at a time:
    ``eta = min(channels, w * starts) / channels``.

    The paper counts the starts as c / gcd(s, c) with s = (L e / interleave) mod c, which needs a pitch of
    whole blocks. Counting the channels that row starts reach, for any pitch, extends it: starts lie on the
    multiples of g = gcd(L e, c * interleave) bytes, so they reach all c channels where g is at most a block,
    and c * interleave / g otherwise. On whole blocks the two agree.

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
    if min(element_bytes, channels, interleave_bytes) < 1 or np.any(pitch < 1):
        raise InputError(
            "element bytes, leading dimension, channels and interleave must all be at least 1, got "
            f"{element_bytes}, {pitch.min(initial=1)} (smallest), {channels} and {interleave_bytes}"
        )
    turn = channels * interleave_bytes
    spacing = np.gcd(pitch * element_bytes, turn)
    starts = np.minimum(channels, turn // spacing)
    width = min(channels, element_bytes)
    return np.asarray(np.minimum(channels, width * starts) / channels, dtype=np.float64)


def block_efficiency(
    pitch_bytes: ArrayLike, rows: int, run_bytes: int, channels: int, interleave_bytes: int
) -> NDArray[np.float64]:
    """Efficiency of the memory channels on a block of rows that are loaded or stored together.

    The block has moved once its fullest channel has, so this is what each channel would carry of an even spread, of
    what the fullest one carries.

    Parameters
    ----------
    pitch_bytes : array_like of int
        Bytes from one row to the next, at least 1.
    rows : int
        Rows of the block, at least 1.
    run_bytes : int
        Bytes of one row that the block covers, at least 1.
    channels, interleave_bytes : int
        As for :func:`channel_efficiency`.

    Returns
    -------
    numpy.ndarray of float64, shape of `pitch_bytes`
        Efficiency in [1 / channels, 1].

    Raises
    ------
    InputError
        If a quantity is below 1.
    """
    pitch = np.asarray(pitch_bytes, dtype=np.int64)
    if min(rows, run_bytes, channels, interleave_bytes) < 1 or np.any(pitch < 1):
        raise InputError(
            "pitch, rows, run, channels and interleave must all be at least 1, got "
            f"{pitch.min(initial=1)} (smallest), {rows}, {run_bytes}, {channels} and {interleave_bytes}"
        )
    # Pitches that differ by whole turns round the channels place their rows alike.
    turn = channels * interleave_bytes
    offset = pitch % turn
    efficiency = np.zeros(turn)
    efficiency[offset] = 1.0
    _fill_in(efficiency, rows, run_bytes, channels, interleave_bytes)
    return np.asarray(efficiency[offset])


@njit
def _fill_in(efficiency: NDArray[np.float64], rows: int, run: int, channels: int, interleave: int) -> None:
    """Put the efficiency of each pitch that is marked by a 1 in its place."""
    for pitch in range(efficiency.size):
        if efficiency[pitch] > 0.0:
            fullest = _fullest(pitch, rows, run, channels, interleave)
            efficiency[pitch] = rows * run / channels / fullest


@njit
def _fullest(pitch: int, rows: int, run: int, channels: int, interleave: int) -> int:
    """Count the bytes on the fullest channel: whole turns lie on all alike, and what is left of a run on a few."""
    turn = channels * interleave
    rest = run % turn
    more = np.zeros(channels, dtype=np.int64)
    start = 0
    for _ in range(rows):
        channel, left = start // interleave, rest
        part = interleave - start % interleave
        while left > 0:
            part = min(part, left)
            more[channel] += part
            left -= part
            part = interleave
            channel = (channel + 1) % channels
        start = (start + pitch) % turn
    return rows * (run // turn) * interleave + int(more.max())
