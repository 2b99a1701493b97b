"""A fit in words and tables that can be read aloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrib.cli.quantities import cost, digits, interval, percent
from attrib.cli.screen import show, show_table
from models.reasons import COMBINATION, NO_GAIN, ZERO

if TYPE_CHECKING:
    from models.hardware import Hardware
    from models.result import FitResult, TileFit

_COLUMNS = ("mechanism", "coefficient", "cost", "95 % interval", "share of time")
_OTHER_FORM = "the tile is known: its mainloop is counted instead"


def show_fit(result: FitResult) -> None:
    """Print one table a tile, then what could not be identified, merged over the tiles."""
    show(
        f"{result.device.name}: {len(result.tiles)} tiles; errors held out by {result.blocks} blocks of (M, N) "
        f"in {result.folds} folds, intervals allow for lack of fit that neighbours share"
    )
    show()
    for label, item in result.tiles.items():
        rows = [
            (
                estimate.term,
                estimate.meaning,
                cost(estimate.estimate, estimate.unit),
                interval(estimate.lower, estimate.upper, estimate.estimate),
                percent(estimate.share),
            )
            for estimate in item.estimates
            if estimate.estimate is not None
        ]
        show_table(tile_line(label, item, result.hardware), _COLUMNS, rows, left=2)
        show()
    for line in remarks(result.tiles):
        show(line)


def tile_line(label: str, item: TileFit, hardware: Hardware) -> str:
    """Say samples, held-out error, cores, residency and what the cache keeps of one tile on a line."""
    parts = [
        f"{label}: {item.n:,} samples",
        f"held-out error {percent(item.mape)} (median {percent(item.median_ape)})",
    ]
    known = {name: constant.estimate for name, constant in item.constants.items()}
    cores, resident, slots = (known.get(name) for name in ("cores", "residency", "slots"))
    if cores is not None and resident is not None and slots is not None:
        text = f"{cores:.0f} cores x {resident:.0f} resident = {slots:.0f} slots"
        if item.constants["cores"].status != "identified":
            text += f" ({item.constants['cores'].status})"
        elif len(item.constants["cores"].values) > 1:
            text += f" (95 % set of cores: {', '.join(f'{value:.0f}' for value in item.constants['cores'].values)})"
        parts.append(text)
    elif not item.tile.hidden:
        parts.append(f"hidden tile, behaves as {item.tile.m}x{item.tile.n}x{item.tile.k}")
    else:
        parts.append("hidden tile")
    if "spilt byte" in {estimate.name for estimate in item.estimates}:
        if hardware.kept_sharpness is not None:
            kept, sharpness = digits(hardware.kept_bytes / 2**20), digits(hardware.kept_sharpness)
            parts.append(f"warm cache loses half of {kept} MiB, sharpness {sharpness}")
        elif known.get("cache_spill_bytes"):
            parts.append(f"cache spills beyond {digits((known['cache_spill_bytes'] or 0.0) / 2**20)} MiB")
    return "; ".join(parts)


def remarks(tiles: Mapping[str, TileFit]) -> list[str]:
    """Say which costs are not in the model and why, each reason once, with the tiles it holds for."""
    unknown: dict[tuple[str, str], list[str]] = {}
    useless: dict[str, list[str]] = {}
    for label, item in tiles.items():
        reasons = {(e.term, e.reason): None for e in item.estimates if not e.identifiable}
        reasons |= {pair: None for pair in item.left_out.items() if pair[1] not in (NO_GAIN, _OTHER_FORM)}
        for pair in reasons:
            unknown.setdefault(pair, []).append(label)
        for term, reason in item.left_out.items():
            if reason == NO_GAIN:
                useless.setdefault(term, []).append(label)
    lines = [
        f"{_heading(reason)}: {term}{_of(labels, tiles)}: {reason}" for (term, reason), labels in unknown.items()
    ]
    return lines + [f"not in the model: {term}{_of(labels, tiles)}: {NO_GAIN}" for term, labels in useless.items()]


def _heading(reason: str) -> str:
    grid = reason.startswith((ZERO, COMBINATION))
    return "not identifiable on this grid" if grid else "not in the model"


def _of(labels: list[str], tiles: Mapping[str, TileFit]) -> str:
    return "" if len(labels) == len(tiles) else f" of {', '.join(labels)}"
