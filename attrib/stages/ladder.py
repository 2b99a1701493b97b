"""The standard ladder of stages, from one fixed tile to the full stack."""

from __future__ import annotations

from attrib.landscape import Landscape
from attrib.stages.best_tile import BestTile
from attrib.stages.fixed_tile import FixedTile, default_tile
from attrib.stages.pad import Pad
from attrib.stages.split import Split
from attrib.stages.stage import Stage
from harness.tile import Tile


def standard_stages(landscape: Landscape, tile: Tile | None = None) -> tuple[Stage, ...]:
    """Stages of the paper's stack (Table 10) and splitting alone, in order.

    Fixed tile, best tile, then on the fixed and on the best tile: pad, split, pad and split. All eight are
    returned for every landscape: applying one that a landscape does not allow raises
    `harness.errors.NotApplicableError` with the reason, which belongs in a report.

    Parameters
    ----------
    landscape : Landscape
        The landscape they are for.
    tile : Tile, optional
        The fixed tile; by default `default_tile` of the landscape.
    """
    fixed = FixedTile(default_tile(landscape.tiles) if tile is None else tile)
    best = BestTile()
    ladder: list[Stage] = [fixed, best]
    for base in (fixed, best):
        ladder += [Pad(base), Split(base), Split(Pad(base))]
    return tuple(ladder)
