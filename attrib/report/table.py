"""A table of the page: text and, where a cell is a number, its full value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What is read.
    value : float or None
        The number behind it, unrounded.
    note : str
        Small print under the text.
    """

    text: str
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    name : str
        Identifier in the page.
    caption : str
    columns : tuple of str
    rows : tuple of tuple of Cell
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which are set flush right."""
        return any(row[column].value is not None for row in self.rows)
