"""Axes of a landscape: ``"128:4096:128"`` and what makes a set of samples a grid."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError

AXES = ("M", "N", "K")

_MOST_VALUES = 1_000_000

_RANGE = re.compile(r"(\d+):(\d+):(\d+)")


def parse_axis(text: str) -> NDArray[np.int64]:
    """Read one axis, ``first:last:step`` (both ends included) or a comma-separated list, in elements.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        Strictly ascending positive values.

    Raises
    ------
    InputError
        If the text is neither, is empty, or holds a value below 1.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is not None:
        first, last, step = (int(group) for group in match.groups())
        if first < 1 or step < 1 or last < first:
            raise InputError(f"axis {text!r}: expected 1 <= first <= last and step >= 1 in first:last:step")
        if (last - first) // step >= _MOST_VALUES:
            raise InputError(f"axis {text!r}: more than {_MOST_VALUES:,} values; take a larger step")
        return np.arange(first, last + 1, step, dtype=np.int64)
    try:
        values = np.unique(np.array([int(part) for part in text.split(",")], dtype=np.int64))
    except (ValueError, OverflowError):
        raise InputError(
            f"axis {text!r}: expected first:last:step (as 128:4096:128) or a list (as 128,256,384)"
        ) from None
    if values[0] < 1:
        raise InputError(f"axis {text!r}: sizes are positive, got {values[0]}")
    return values


@dataclass(frozen=True)
class Grid:
    """A full grid of shapes: every combination of three axes, in elements."""

    M: NDArray[np.int64]
    N: NDArray[np.int64]
    K: NDArray[np.int64]

    @classmethod
    def parse(cls, text: str) -> Grid:
        """Read one axis for all three dimensions, or three separated by ``;`` in the order M, N, K."""
        parts = text.split(";")
        if len(parts) not in (1, 3):
            raise InputError(f"grid {text!r}: expected one axis for all of M, N and K, or three separated by ';'")
        axes = [parse_axis(part) for part in parts]
        return cls(*(axes * 3 if len(axes) == 1 else axes))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of values along M, N and K."""
        return (self.M.size, self.N.size, self.K.size)

    def shapes(self) -> NDArray[np.int64]:
        """All shapes in C order, as an array of shape (n, 3) with columns M, N, K."""
        mesh = np.meshgrid(self.M, self.N, self.K, indexing="ij")
        return np.stack([axis.ravel() for axis in mesh], axis=1)


def uniform_step(values: NDArray[np.int64]) -> int | None:
    """Return the step of an evenly spaced axis that starts at one step (g, 2g, 3g, ...), else ``None``.

    Only such an axis is closed under splitting: a size of i steps is i one-step parts.
    """
    if values.size == 0:
        return None
    step = int(values[0])
    even = np.array_equal(values, step * np.arange(1, values.size + 1))
    return step if even else None
