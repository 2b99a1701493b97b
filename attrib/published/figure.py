"""One figure that the paper states."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A published figure and what has to be computed to meet it.

    Attributes
    ----------
    key : str
        Name of the quantity, as :func:`attrib.published.quantities.quantities` computes it.
    place : str
        Table or section of the paper (arXiv 2605.29752, version 2).
    value : float
        The published value.
    unit : str
        Its unit; ``"%"`` for shares and changes.
    stage : bool
        Whether it is one of the twelve figures of Table 10 on which the paper's claim rests.
    contradiction : str
        Where the paper, or arithmetic, says otherwise; empty when nothing does.
    """

    key: str
    place: str
    value: float
    unit: str = "TFLOP/s"
    stage: bool = False
    contradiction: str = ""
