"""Published figures beside a device's own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from attrib.published.campaign import Campaign
from attrib.published.figure import Figure
from attrib.published.figures import FIGURES
from attrib.published.quantities import quantities


@dataclass(frozen=True)
class Comparison:
    """All published figures and what a device shows for each.

    Attributes
    ----------
    figures : tuple of Figure
    found : Mapping of str to float
        By key; a figure without a value, or with NaN, was not measured.
    """

    figures: tuple[Figure, ...]
    found: Mapping[str, float]

    def value(self, figure: Figure) -> float:
        """What the device shows, NaN where it was not measured."""
        return self.found.get(figure.key, math.nan)

    def ratio(self, figure: Figure) -> float:
        """Found over published."""
        return self.value(figure) / figure.value

    def within(self, tolerance: float, *, stages: bool = False) -> tuple[Figure, ...]:
        """Figures whose ratio is within a tolerance of 1; of the stages of Table 10 alone, if asked for."""
        return tuple(
            figure
            for figure in self.figures
            if (figure.stage or not stages) and abs(self.ratio(figure) - 1.0) <= tolerance
        )

    @property
    def measured(self) -> tuple[Figure, ...]:
        """Figures that the campaign covers."""
        return tuple(figure for figure in self.figures if not math.isnan(self.value(figure)))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a figure: key, place, unit, published, found, ratio, contradiction."""
        rows = [
            (f.key, f.place, f.unit, f.value, self.value(f), self.ratio(f), f.contradiction) for f in self.figures
        ]
        columns = ["key", "place", "unit", "published", "found", "ratio", "contradiction"]
        return pd.DataFrame(rows, columns=columns)

    def markdown(self) -> Iterator[str]:
        """Yield the lines of a table; figures further off than 10 % are marked."""
        yield "| place | quantity | unit | published | found | ratio | |"
        yield "|---|---|---|---:|---:|---:|---|"
        for figure in self.figures:
            found = self.value(figure)
            cells = f"| {figure.place} | {figure.key} | {figure.unit} | {figure.value:g} "
            if math.isnan(found):
                yield f"{cells}| - | - | not measured |"
                continue
            mark = "" if abs(self.ratio(figure) - 1.0) <= 0.1 else "off"
            yield f"{cells}| {found:.4g} | {self.ratio(figure):.3f} | {mark} |"

    def __str__(self) -> str:
        stages = [figure for figure in self.figures if figure.stage]
        return (
            f"{len(self.within(0.1))} of {len(self.measured)} published figures within 10 %; "
            f"{len(self.within(0.08, stages=True))} of {len(stages)} stage figures within 8 %"
        )


def compare(campaign: Campaign) -> Comparison:
    """Hold a campaign against every published figure."""
    return Comparison(FIGURES, quantities(campaign))
