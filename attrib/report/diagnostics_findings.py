"""Findings of the diagnostics page: one plain sentence each, what could change the model first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrib.diagnostics import Diagnostics, TileDiagnostics
from attrib.report.diagnostics_tables import LEVEL, is_found
from attrib.report.numbers_with_units import count, percent
from models.inference.nested import NestedTest
from models.reasons import ONE_SIZE

Part = Callable[[TileDiagnostics], str]
"""What a sentence says of one tile; nothing where it does not hold."""

_LEAST_GAIN = 1e-3
"""Of the squared error: what is less than this of it changes no model."""

_MUCH_LEVERAGE = 0.2
"""Share of the leverage, three times that of the cells, that an edge is named for."""


def diagnostics_findings(found: Diagnostics) -> tuple[str, ...]:
    """Say what was found: one sentence a topic, with the tiles that it holds for, the strongest first."""
    return tuple(_sentences(found.tiles))


def _sentences(tiles: Mapping[str, TileDiagnostics]) -> Iterator[str]:
    ranked = dict(sorted(tiles.items(), key=lambda item: -max((t.gain for t in _missing(item[1])), default=0.0)))
    yield from _joined(
        ranked,
        "Not in the model, but would improve held-out blocks beyond chance",
        lambda tile: ", ".join(f"{t.name} ({percent(t.gain)} less squared error)" for t in _missing(tile)),
    )
    yield from _joined(
        tiles,
        "Overlap of memory and computing explains held-out blocks better than the sum that the model uses",
        lambda tile: "yes" if tile.overlap is not None and tile.overlap.overlaps and not tile.uses_overlap else "",
    )
    yield from _joined(tiles, "Coefficients that a robust fit moves beyond their interval", _moved)
    ranked = dict(sorted(tiles.items(), key=lambda item: -max((t.gain for t in _pairs(item[1])), default=0.0)))
    yield from _joined(ranked, "Pairs of mechanisms that are no plain sum, the strongest of each tile", _strongest)
    yield from _joined(
        tiles,
        "Hardly told apart by these cells, so that their sum is known better than each",
        lambda tile: "; ".join(
            f"{_listed(names)} (condition index {index:.0f})" for index, names in tile.collinearity.entangled[:1]
        ),
    )
    yield from _joined(tiles, "Leverage at an edge", _edge)
    yield from _joined(
        tiles,
        "Cells beyond six robust standard deviations, all of them in the fit",
        lambda tile: (
            f"{count(tile.robust.outliers.size)} of {count(tile.M.size)}" if tile.robust.outliers.size else ""
        ),
    )
    yield from _joined(
        tiles, "In the model, but not needed beyond chance on held-out blocks", lambda tile: ", ".join(_idle(tile))
    )
    yield from _joined(
        tiles,
        "In the model, but told by one size alone, where anything else that is special may be it",
        _of_one_size,
    )
    yield from _joined(
        tiles,
        "The shorter of memory traffic and computing hides behind the other, as the model has it",
        lambda tile: "yes" if tile.overlap is not None and tile.uses_overlap else "",
    )
    yield from _joined(
        tiles,
        "Costs of memory and of computing add up, overlap explains held-out blocks no better",
        lambda tile: (
            "yes" if tile.overlap is not None and not tile.uses_overlap and not tile.overlap.overlaps else ""
        ),
    )
    yield from _joined(tiles, "Measurement noise in the held-out squared error", _noise)
    yield from _joined(
        tiles,
        "Noise and lack of fit cannot be told apart",
        lambda tile: "" if tile.lack_of_fit.testable else tile.lack_of_fit.note,
    )
    yield from _joined(
        tiles,
        "What the cells are worth, neighbours sharing their residual",
        lambda tile: (
            f"{count(tile.M.size)} as about {count(max(1.0, tile.effective_size))} independent ones"
            if tile.own < 1.0 and not tile.note
            else ""
        ),
    )
    yield from _joined(
        tiles,
        "Neighbouring residuals are independent, as far as these cells tell",
        lambda tile: "yes" if tile.own >= 1.0 and not tile.note else "",
    )
    yield from _joined(tiles, "Not tested", lambda tile: tile.note)


def _joined(tiles: Mapping[str, TileDiagnostics], words: str, part: Part) -> Iterator[str]:
    """One sentence with the tiles that it holds for; tiles of which the same is said stand together."""
    said: dict[str, list[str]] = {}
    for label, tile in tiles.items():
        text = part(tile)
        if text:
            said.setdefault(text, []).append(label)
    if said.keys() == {"yes"}:
        yield f"{words}: {_those(said['yes'], len(tiles))}."
    elif said:
        yield (
            f"{words}: " + "; ".join(f"{_those(labels, len(tiles))}: {text}" for text, labels in said.items()) + "."
        )


def _those(labels: list[str], of: int) -> str:
    return "all tiles" if len(labels) == of > 1 else ", ".join(labels)


def _missing(tile: TileDiagnostics) -> list[NestedTest]:
    return [
        test
        for test in tile.terms
        if not test.in_model and test.p_holm is not None and test.p_holm <= LEVEL and test.gain >= _LEAST_GAIN
    ]


def _idle(tile: TileDiagnostics) -> list[str]:
    return [t.name for t in tile.terms if t.in_model and t.p_holm is not None and t.p_holm > LEVEL]


def _of_one_size(tile: TileDiagnostics) -> str:
    told = [test for test in tile.terms if test.in_model and ONE_SIZE in test.note]
    return ", ".join(f"{test.name} ({test.note.partition(f'{ONE_SIZE}, ')[2].partition(':')[0]})" for test in told)


def _pairs(tile: TileDiagnostics) -> list[NestedTest]:
    return sorted((test for test in tile.interactions if is_found(test)), key=lambda test: -test.gain)


def _strongest(tile: TileDiagnostics) -> str:
    pairs = _pairs(tile)
    if not pairs:
        return ""
    way = "they overlap in time" if pairs[0].share < 0 else "they cost more together than their sum"
    number = f"{len(pairs)} of {len(tile.interactions)} pairs"
    return f"{pairs[0].name} ({percent(pairs[0].gain)} less squared error, {way}; {number})"


def _moved(tile: TileDiagnostics) -> str:
    far = zip(tile.coefficients, tile.robust.moved, strict=True)
    return _listed(name for name, moved in far if math.isfinite(moved) and abs(moved) > 1.0)


def _listed(names: Iterable[str]) -> str:
    """Names of coefficients, which may have commas of their own."""
    return ", ".join(name.replace(",", "") for name in names)


def _edge(tile: TileDiagnostics) -> str:
    edge, (share, cells) = max(tile.leverage.by_edge.items(), key=lambda item: item[1][0] - item[1][1])
    if share <= max(3 * cells, _MUCH_LEVERAGE):
        return ""
    return f"{percent(share, 0)} at the {edge}, {percent(cells, 0)} of the cells"


def _noise(tile: TileDiagnostics) -> str:
    fit = tile.lack_of_fit
    if not fit.testable:
        return ""
    verdict = "the model is not exact" if fit.p_value <= LEVEL else "nothing says that the model misses more"
    return (
        f"{percent(fit.noise_share, 0)} (no model has a median error below {percent(fit.ceiling_median, 2)} here, "
        f"and {verdict})"
    )
