"""Print the periods on an H200 by mechanism: ``python docs/h200_periods.py > docs/h200_periods.md``.

The cubes are bundled (``h200_bf16_rows_plain``, ``h200_bf16_rows_padded``): the same lines along N, measured in the
same shuffled passes by ``harness/landscapes/interventions_h200.py --only lines``. Padded rows lie a multiple of 64
elements, 128 bytes, apart. The row pitch is told by the ratio of both, tile width and waves by padded rows alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from attrib.periods import (
    DETECTED,
    Candidate,
    Facts,
    Line,
    PeriodFinding,
    candidates,
    compare_laws,
    compare_paired_laws,
    find_paired_periods,
    find_periods,
    judge_candidates,
    lines_of,
    paired_lines,
)
from attrib.periods.guards import untestable
from attrib.periods.harmonics import harmonic_basis
from harness.cube import tiles_of
from harness.landscapes import bundled_cube
from harness.tile import Tile

PLAIN, PADDED = "h200_bf16_rows_plain", "h200_bf16_rows_padded"
LINE = 64
"""Elements of a cache line of 128 bytes."""

PITCH, WIDTH, WAVES = KINDS = ("row pitch", "tile width", "waves")
PITCH_LINE = "row pitch, line of 128 B"
AXIS = "N"

Found = Mapping[Tile, tuple[PeriodFinding, ...]]


def main() -> None:
    """Print what tells each mechanism, what is left of the others, and what the row pitch costs."""
    out = sys.stdout.write
    plain, padded = bundled_cube(PLAIN), bundled_cube(PADDED)
    tiles = tiles_of(plain)
    pair: Found = {tile: find_paired_periods(plain, padded, AXIS, tile) for tile in tiles}
    alone: Found = {tile: find_periods(padded, AXIS, tile) for tile in tiles}
    before: Found = {tile: find_periods(plain, AXIS, tile) for tile in tiles}
    # Nothing predicts a row pitch with padded rows: a test that could find one asks for it all the same.
    asked = {tile: candidates(lines_of(padded, AXIS, tile), Facts.of(plain)) for tile in tiles}
    after: Found = {tile: judge_candidates(lines_of(padded, AXIS, tile), asked[tile]) for tile in tiles}

    out("# Periods along N on an H200, by mechanism\n\n")
    out("Written by `docs/h200_periods.py`. Ten lines along N in steps of 16 elements, from 16 to 4096, for each\n")
    out("tile; NVIDIA H200, BF16; measured with rows as they come and, in the same passes, with rows padded to\n")
    out("64 elements (128 bytes). On six lines, M from 640 to 4096, a wave is several columns of tiles, and\n")
    out("shows. On four, M from 21,248, a column is 0.6 to 1.8 waves: most edges of a tile begin one, so that\n")
    out("its width shows whether or not the tile loses anything there but waves.\n\n")
    out("Periods in elements of N with 95 % intervals; p after Holm over the candidates.\n")

    out("\n## Row pitch, tile width and waves told apart\n\n")
    out("The row pitch from the ratio of times with rows as they come and padded, where what both have cancels;\n")
    out("tile width and waves from padded rows alone, which have no row pitch.\n\n")
    out(f"| tile | {PITCH}, from the pair | {WIDTH}, padded rows | {WAVES}, padded rows |\n|---|---|---|---|\n")
    for tile in tiles:
        cells = (_cell(pair[tile], PITCH), _cell(alone[tile], WIDTH), _cell(alone[tile], WAVES))
        out(f"| {tile} | {' | '.join(cells)} |\n")
    out(f"\n- {PITCH} in the pair: {_count(pair, PITCH)}\n")
    out(f"- {WIDTH} with padded rows: {_count(alone, WIDTH)}\n")
    out(f"- {WAVES} with padded rows: {_count(alone, WAVES)}\n")
    out("\nFixed or proportional, over the tiles that tell their widths, of which 96, 128 and 160 do not divide\n")
    out("each other:\n\n")
    out(f"- the pair: {compare_paired_laws(plain, padded, AXIS)}\n")
    out(f"- padded rows: {compare_laws(padded, AXIS)}\n")
    out(f"- rows as they come: {compare_laws(plain, AXIS)}\n")

    out("\n## Row pitch with padded rows\n\n")
    out("Nothing predicts a period of the row pitch with padded rows. Tested for all the same, beside tile width\n")
    out("and waves. A tile 64 wide has that period itself; an interval without 64 is of another period.\n\n")
    out(f"| tile | {PITCH} |\n|---|---|\n")
    for tile in tiles:
        out(f"| {tile} | {_cell(after[tile], PITCH_LINE)} |\n")

    out("\n## What the pair leaves of tile width and waves\n\n")
    out("Neither was changed. Costs add up and their logarithms do not, so that they cancel in part. Shares are\n")
    out("amplitudes of the first harmonic, in the pair over with padded rows, noise counted in; waves are those\n")
    out("found with padded rows.\n\n")
    out(f"| tile | {WIDTH} | {WAVES} |\n|---|---|---|\n")
    for tile in tiles:
        if not tile.hidden:
            left = _left_over(plain, padded, tile, pair[tile], alone[tile])
            out(f"| {tile} | {left[0]} | {left[1]} |\n")

    out("\n## One cube alone: rows as they come\n\n")
    out(f"| tile | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}\n")
    for tile in tiles:
        out(f"| {tile} | {' | '.join(_cell(before[tile], kind) for kind in KINDS)} |\n")
    out(f"\n{PITCH.capitalize()} with rows as they come: {_count(before, PITCH)}.\n")

    out("\n## What the row pitch costs\n\n")
    out(
        "Time at sizes off the cache line beyond that of the next multiple of 64 elements, where that has as many\n"
    )
    out("tiles: median over all such N; range over the lines.\n\n")
    out("| tile | rows as they come | rows padded to 64 elements |\n|---|---:|---:|\n")
    for tile in tiles:
        cells = []
        for cube in (plain, padded):
            part = [beyond_the_line(line) for line in lines_of(cube, AXIS, tile)]
            cells.append(f"{np.median(part):+.1%} ({min(part):+.1%} to {max(part):+.1%})")
        out(f"| {tile} | {' | '.join(cells)} |\n")


def beyond_the_line(line: Line) -> float:
    """Time of sizes off the line over that of the next size on it, of as many tiles, less one: the median."""
    time = dict(zip(line.x.tolist(), (line.x * np.exp(-line.log_throughput)).tolist(), strict=True))
    ratios = []
    for n, seconds in time.items():
        on = -(-n // LINE) * LINE
        width = line.tile.n or on
        if n != on and on in time and -(-n // width) == -(-on // width):
            ratios.append(seconds / time[on])
    return float(np.median(ratios)) - 1.0


def amplitude_left(pair: Sequence[Line], alone: Sequence[Line], item: Candidate) -> float:
    """Amplitude of a candidate's first harmonic on paired lines over that on lines of one cube."""
    _, usable = untestable(item, alone, ())
    power = np.zeros(2)
    for number in usable:
        for place, line in enumerate((pair[number], alone[number])):
            basis = harmonic_basis(line, item.periods[number], (1,), growing=item.growing)
            if basis is not None:
                power[place] += basis.powers(basis.residual(line.log_throughput))[0].sum()
    return float(np.sqrt(power[0] / power[1]))


def _left_over(
    plain: xr.Dataset,
    padded: xr.Dataset,
    tile: Tile,
    pair: Sequence[PeriodFinding],
    alone: Sequence[PeriodFinding],
) -> tuple[str, str]:
    """Say of the tile width, and of the waves found with padded rows, what the pair has of them."""
    lines, ratios = lines_of(padded, AXIS, tile), paired_lines(plain, padded, AXIS, tile)
    known = {item.mechanism: item for item in candidates(lines, Facts.of(padded))}
    status = {item.mechanism: item.status for item in pair}

    def say(name: str) -> str:
        return f"{status[name]}, {amplitude_left(ratios, lines, known[name]):.0%}"

    width = say(WIDTH) if WIDTH in status else "the period of the row pitch"
    waves = [item.mechanism for item in alone if item.status == DETECTED and WAVES in (item.mechanism or "")]
    return width, "; ".join(f"{name}: {say(name)}" for name in waves if name is not None)


def _cell(findings: Sequence[PeriodFinding], kind: str) -> str:
    """Say what was found of one kind of mechanism."""
    of_kind = [item for item in findings if kind in (item.mechanism or "")]
    if not of_kind:
        return "not predicted"
    detected = [item for item in of_kind if item.status == DETECTED]
    if not detected:
        return ", ".join(dict.fromkeys(item.status for item in of_kind))
    parts = []
    for item in detected:
        between = "" if item.lower is None else f" ({item.lower:.5g} to {item.upper:.5g})"
        parts.append(f"{item.period:.5g}{between}, p {item.p_value:.2g}: {item.mechanism}")
    return "; ".join(parts)


def _count(found: Found, kind: str) -> str:
    """Count kernels with a detected period of one kind, and of these the intervals that hold what is predicted."""
    first = []
    for findings in found.values():
        of_kind = [item for item in findings if kind in (item.mechanism or "") and item.status == DETECTED]
        first += [min(of_kind, key=lambda item: item.p_value or 0.0)] if of_kind else []
    held = sum(
        item.lower is not None
        and item.upper is not None
        and item.predicted is not None
        and item.lower <= item.predicted <= item.upper
        for item in first
    )
    text = f"{len(first)} of {len(found)} kernels"
    return f"{text}, the interval of {held} holds what is predicted" if first else text


if __name__ == "__main__":
    main()
