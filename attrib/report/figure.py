"""A figure of the page: Plotly data and layout as plain dictionaries, with a heading and a caption.

Plotly's own Python classes are left aside: they validate every property (seconds for a page like this), and the
browser needs nothing but the dictionaries.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
        Identifier in the page.
    title : str
        Heading.
    caption : str
        One sentence that says what to look at.
    data : list of dict
        Traces.
    layout : dict
    min_width : int
        Pixels below which the figure scrolls rather than shrinks.
    """

    name: str
    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    min_width: int = 640

    @property
    def height(self) -> int:
        """Pixels, kept free before the figure is drawn."""
        return int(self.layout["height"])

    def to_json(self) -> str:
        """Data and layout as JSON that may stand inside a script element."""
        text = json.dumps({"data": self.data, "layout": self.layout}, separators=(",", ":"), allow_nan=False)
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def packed(values: ArrayLike) -> dict[str, str]:
    """Array as base64 of single floats (32-bit integers stay such), a fifth of its size as text.

    NaN survives and is drawn as a gap.
    """
    array = np.asarray(values)
    kind, code = ("<i4", "i4") if np.issubdtype(array.dtype, np.integer) else ("<f4", "f4")
    data = base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode("ascii")
    out = {"dtype": code, "bdata": data}
    if array.ndim > 1:
        out["shape"] = ", ".join(str(size) for size in array.shape)
    return out


def label(text: str) -> str:
    """Foreign text for use inside a figure, where Plotly would read tags."""
    return html.escape(text, quote=False)
