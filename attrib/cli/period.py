"""``attrib period``: which periods throughput has along an axis, and what they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrib.cli.inputs import read_cubes, read_tile
from attrib.cli.options import Cube, Json
from attrib.cli.screen import progress, show, show_json, show_table
from harness.errors import InputError, NotApplicableError

if TYPE_CHECKING:
    from attrib.periods import PeriodFinding

EXAMPLE = "attrib period cube.nc --axis N --at M=4096,K=4096"


def period(
    cube: Cube,
    axis: Annotated[str, typer.Option("--axis", metavar="AXIS", help="The axis that varies: M, N or K.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="SIZES", help="Sizes of the other axes, as M=4096,K=4096; by default all are pooled."),
    ] = None,
    tile: Annotated[
        str | None, typer.Option("--tile", metavar="TILE", help="Tile to test; by default each of the cube's.")
    ] = None,
    without: Annotated[
        Path | None,
        typer.Option(
            metavar="CUBE",
            help="The same shapes with padded rows: test what padding took away, on the ratio of both times.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=199, help="Block permutations of each test.")] = 1999,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutations.")] = 0,
    as_json: Json = False,
) -> None:
    """Test for periods along an axis, and name their mechanisms."""
    if axis not in ("M", "N", "K"):
        raise InputError(f"--axis {axis!r}: expected M, N or K")
    held = read_at(at, axis)
    opened = read_cubes([cube])[0]
    other = None if without is None else read_cubes([without])[0]
    chosen = read_tile(tile, opened)

    from attrib.periods import (
        compare_laws,
        compare_paired_laws,
        find_paired_periods,
        find_periods,
        lines_of,
        paired_lines,
        removed_pitch,
    )
    from harness.cube import tiles_of

    if other is None:
        take, find, compare = (
            partial(lines_of, opened),
            partial(find_periods, opened),
            partial(compare_laws, opened),
        )
        about: dict[str, Any] = {}
    else:
        take = partial(paired_lines, opened, other)
        find = partial(find_paired_periods, opened, other)
        compare = partial(compare_paired_laws, opened, other)
        about = {"pair": {"pitch_multiple": [1, removed_pitch(opened, other)]}}
    findings: list[PeriodFinding] = []
    usable, refusals = [], []
    for item in tiles_of(opened) if chosen is None else (chosen,):
        try:
            take(axis, item, held)
            usable.append(item)
        except NotApplicableError as refusal:
            refusals.append(str(refusal))
    if not usable:
        raise NotApplicableError(refusals[0])
    with progress() as say:
        for item in usable:
            say(f"tile {item.name}")
            findings += find(axis, item, held, draws=draws, seed=seed)
        laws = compare(axis, held) if chosen is None else None
    if as_json:
        data = {**about, "periods": [finding.to_contract() for finding in findings]}
        show_json(data if laws is None else {**data, "laws": laws.to_dict()})
        return
    if other is not None:
        show("Times of the cube over those of the cube without: what both have cancels.\n")
    for name in dict.fromkeys(finding.tile for finding in findings):
        _show_tile(name, axis, [finding for finding in findings if finding.tile == name])
    for text in refusals:
        show(f"left out: {text}")
    if laws is not None:
        show(str(laws))


def read_at(text: str | None, axis: str) -> dict[str, int]:
    """Read ``M=4096,K=4096``, sizes of axes other than ``axis``.

    Raises
    ------
    InputError
        If the text is anything else.
    """
    held: dict[str, int] = {}
    for part in [] if text is None else text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        usable = name in ("M", "N", "K") and name != axis and name not in held
        if not usable or not (value.isascii() and value.isdigit() and int(value) > 0):
            others = ",".join(f"{other}=4096" for other in "MNK" if other != axis)
            raise InputError(f"--at {text!r}: expected sizes of the other axes, as {others}")
        held[name] = int(value)
    return held


def _show_tile(name: str, axis: str, findings: Sequence[PeriodFinding]) -> None:
    rows = [
        (
            finding.mechanism or "none predicted",
            finding.status,
            "-" if finding.period is None else f"{finding.period:.5g}",
            "-"
            if finding.lower is None or finding.upper is None
            else f"{finding.lower:.5g} to {finding.upper:.5g}",
            "-" if finding.p_value is None else f"{finding.p_value:.2g}",
            str(finding.lines),
        )
        for finding in findings
    ]
    columns = ("Mechanism", "Status", f"Period, elements of {axis}", "95 % interval", "p (Holm)", "Lines")
    found = sum(finding.status == "detected" for finding in findings)
    show_table(f"Tile {name}, along {axis}: {found} of {len(findings)} periods detected", columns, rows, left=2)
    for finding in findings:
        if finding.reason:
            show(f"  {finding.mechanism or 'none predicted'}, {finding.status}: {finding.reason}")
    show()
