"""How the rows of one block of a matrix spread over the memory channels, by counting bytes."""

from __future__ import annotations

import numpy as np

from harness.compiled import njit


@njit
def channel_imbalance(pitch: int, rows: int, width: int, channels: int, interleave: int) -> float:
    """Bytes on the fullest channel, relative to an even spread over all.

    Every row is walked block by block; consecutive blocks of the address space lie on consecutive channels.

    Parameters
    ----------
    pitch : int
        Bytes from one row to the next.
    rows : int
        Rows of the block.
    width : int
        Bytes of one row that the block covers.
    channels : int
        Memory channels.
    interleave : int
        Contiguous bytes on one channel.

    Returns
    -------
    float
        1 for an even spread, ``channels`` when one channel carries everything.
    """
    load = np.zeros(channels)
    for row in range(rows):
        address = row * pitch
        end = address + width
        while address < end:
            block = address // interleave
            stop = min(end, (block + 1) * interleave)
            load[block % channels] += stop - address
            address = stop
    return float(load.max() * channels / (rows * width))
