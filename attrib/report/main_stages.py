"""Which stages the page is about: the fixed tile, the best tile, the full stack, and the libraries."""

from __future__ import annotations

from dataclasses import dataclass

from attrib.analysis import Analysis, StageReport
from harness.cube import tiles_of


@dataclass(frozen=True)
class MainStages:
    """The stages a reader compares first.

    Attributes
    ----------
    fixed : StageReport or None
        One tile for all shapes.
    best, best_pad, full : StageReport or None
        Best tile, with padding, and with everything that software does; ``None`` where it does not apply.
    tiles : tuple of StageReport
        Every tile alone that shows its sizes.
    libraries : tuple of StageReport
        Every tile alone that hides them.
    """

    fixed: StageReport | None
    best: StageReport | None
    best_pad: StageReport | None
    full: StageReport | None
    tiles: tuple[StageReport, ...]
    libraries: tuple[StageReport, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> MainStages:
        """Find them by name."""
        by_name = {stage.name: stage for stage in analysis.stages}
        alone: tuple[list[StageReport], list[StageReport]] = ([], [])
        for tile in tiles_of(analysis.cube):
            stage = by_name.get(f"fixed {tile.name}")
            if stage is not None:
                alone[tile.hidden].append(stage)
        fixed = analysis.stages[0] if analysis.stages else None
        best = by_name.get("best tile")
        full = next(
            (by_name[name] for name in ("best tile + pad + split", "best tile + split") if name in by_name), None
        )
        return cls(fixed, best, by_name.get("best tile + pad"), full, tuple(alone[False]), tuple(alone[True]))

    def ladder(self) -> tuple[StageReport, ...]:
        """Fixed tile, best tile, padded, full stack: those that exist, each once."""
        found = [stage for stage in (self.fixed, self.best, self.best_pad, self.full) if stage is not None]
        return tuple(found)


def short_name(stage: StageReport) -> str:
    """Name of a stage as a reader says it: a tile alone needs no "fixed"."""
    return stage.name.removeprefix("fixed ")
