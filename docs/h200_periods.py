"""Print the periods with rows as they come and padded: ``python docs/h200_periods.py > docs/h200_periods.md``.

The cubes are bundled (``h200_bf16_rows_plain``, ``h200_bf16_rows_padded``): the same lines along N, measured in the
same shuffled passes by ``harness/landscapes/interventions_h200.py --only lines``. Padded rows lie a multiple of 64
elements, 128 bytes, apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import xarray as xr

from attrib.periods import DETECTED, PeriodFinding, compare_laws, find_periods, lines_of
from harness.cube import tiles_of
from harness.landscapes import bundled_cube

CUBES = {"as they come": "h200_bf16_rows_plain", "padded to 64 elements": "h200_bf16_rows_padded"}
LINE = 64
"""Elements of a cache line of 128 bytes."""

KINDS = ("row pitch", "tile width", "waves")
AXIS = "N"


def main() -> None:
    """Print one table of detected periods for each cube, and which law they follow across tiles."""
    out = sys.stdout.write
    out("# Periods along N on an H200, with rows as they come and padded\n\n")
    out("Written by `docs/h200_periods.py`. Ten lines along N in steps of 16 elements, from 16 to 4096, for each\n")
    out("tile; NVIDIA H200, BF16. On six of them, M from 640 to 4096, a wave is several columns of tiles, and\n")
    out(
        "shows. On four, M from 21,248, a column is 0.6 to 1.8 waves: most edges of a tile begin one, so that its\n"
    )
    out("width shows whether or not the tile loses anything there but waves.\n\n")
    out("Periods in elements of N with 95 % intervals; p after Holm over the candidates.\n")
    counts = {}
    for rows, name in CUBES.items():
        cube = bundled_cube(name)
        out(f"\n## Rows {rows}\n\n| tile | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}\n")
        found = {tile.name: find_periods(cube, AXIS, tile) for tile in tiles_of(cube)}
        for tile, findings in found.items():
            cells = [_cell([f for f in findings if kind in (f.mechanism or "")]) for kind in KINDS]
            out(f"| {tile} | {' | '.join(cells)} |\n")
        counts[rows] = sum(
            any(f.status == DETECTED and "row pitch" in (f.mechanism or "") for f in findings)
            for findings in found.values()
        )
        _say_laws(cube)
    out("\n## Row pitch\n\n")
    for rows, count in counts.items():
        out(f"- rows {rows}: a period of the row pitch in {count} of {len(found)} kernels\n")
    out("\nThe next multiple of 64 elements has as many tiles, whatever the tile, and rows on a cache line. Time\n")
    out("beyond that of it, median over all N between; range over the lines:\n\n")
    out(f"| tile | {' | '.join(f'rows {rows}' for rows in CUBES)} |\n|---|{'---:|' * len(CUBES)}\n")
    beyond = [beyond_the_line(bundled_cube(name)) for name in CUBES.values()]
    for tile in found:
        cells = [
            f"{np.median(part[tile]):+.1%} ({min(part[tile]):+.1%} to {max(part[tile]):+.1%})" for part in beyond
        ]
        out(f"| {tile} | {' | '.join(cells)} |\n")


def beyond_the_line(cube: xr.Dataset) -> dict[str, list[float]]:
    """Time of sizes off the line over that of the next size on it, less one: median of each line, by tile."""
    found = {}
    for tile in tiles_of(cube):
        found[tile.name] = []
        for line in lines_of(cube, AXIS, tile):
            time = dict(zip(line.x.tolist(), (line.x * np.exp(-line.log_throughput)).tolist(), strict=True))
            ratios = [
                time[n] / time[-(-n // LINE) * LINE] for n in time if n % LINE and -(-n // LINE) * LINE in time
            ]
            found[tile.name].append(float(np.median(ratios)) - 1.0)
    return found


def _cell(findings: Sequence[PeriodFinding]) -> str:
    """Say what was found of one kind of mechanism."""
    if not findings:
        return "not predicted"
    detected = [f for f in findings if f.status == DETECTED]
    if not detected:
        return ", ".join(dict.fromkeys(f.status for f in findings))
    parts = []
    for f in detected:
        between = "" if f.lower is None else f" ({f.lower:.5g} to {f.upper:.5g})"
        parts.append(f"{f.period:.5g}{between}, p {f.p_value:.2g}: {f.mechanism}")
    return "; ".join(parts)


def _say_laws(cube: xr.Dataset) -> None:
    laws = compare_laws(cube, AXIS)
    sys.stdout.write(f"\nAcross tiles: {laws}\n")


if __name__ == "__main__":
    main()
