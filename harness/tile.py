"""Kernel tiles: the work-group's share of the output and its mainloop step, ``"256x256x32"``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import InputError

VENDOR = "vendor"
"""Label of a library whose tile is hidden: its sizes are 0."""

_PATTERN = re.compile(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)")


@dataclass(frozen=True, order=True)
class Tile:
    """One tile variant of a kernel.

    Attributes
    ----------
    m, n : int
        Rows and columns of the output that one work-group computes, in elements; 0 when hidden.
    k : int
        Elements of K that one mainloop step consumes; 0 when hidden.
    name : str
        ``"MxNxK"``, or the library's name when the tile is hidden.
    """

    m: int
    n: int
    k: int
    name: str

    @property
    def hidden(self) -> bool:
        """Whether the kernel does not tell its tile (a vendor library)."""
        return self.m == 0

    @classmethod
    def parse(cls, text: str) -> Tile:
        """Read ``"256x128x32"`` or the label of a library with a hidden tile, ``"vendor"``.

        Raises
        ------
        InputError
            If the text is neither.
        """
        label = text.strip()
        if label == VENDOR:
            return cls(0, 0, 0, label)
        match = _PATTERN.fullmatch(label)
        if match is None:
            raise InputError(
                f"tile {text!r} is not MxNxK with positive integers (as 256x256x32) and not {VENDOR!r}"
            )
        m, n, k = (int(group) for group in match.groups())
        return cls(m, n, k, label)

    @classmethod
    def labelled(cls, text: str) -> Tile:
        """Read the label of a tile in a cube or a table, where any library may hide its tile.

        A label that begins with a letter names a library (``"libxsmm"``); any other is ``"MxNxK"``.

        Raises
        ------
        InputError
            If the label is empty or neither.
        """
        label = text.strip()
        return cls(0, 0, 0, label) if label[:1].isalpha() else cls.parse(label)

    @classmethod
    def of(cls, m: int, n: int, k: int) -> Tile:
        """Make the tile of given sizes (elements); all zero means hidden."""
        if (m, n, k) == (0, 0, 0):
            return cls(0, 0, 0, VENDOR)
        return cls.parse(f"{m}x{n}x{k}")

    def __str__(self) -> str:
        return self.name
