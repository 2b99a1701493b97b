"""``attrib claims``: what a cube says of each claim, with an interval and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrib.cli.inputs import read_cubes, read_model
from attrib.cli.options import Also, Cube, Json, Model, Seed
from attrib.cli.outputs import check_outputs
from attrib.cli.screen import progress, show, show_json, show_table
from harness.errors import InputError

if TYPE_CHECKING:
    from attrib.claims import Finding

EXAMPLE = "attrib claims cube.nc --also lines.nc"

_SUFFIX = ".md"


def claims(
    cube: Cube,
    also: Also = None,
    model: Model = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Also write it as a page (.md).")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say which claims about ruggedness hold here, and which do not."""
    cubes = [cube, *(also or [])]
    if output is not None:
        if output.suffix != _SUFFIX:
            raise InputError(f"{output}: expected a name that ends in {_SUFFIX}")
        check_outputs([output], cubes if model is None else [*cubes, model])
    opened = read_cubes(cubes)
    fitted = None if model is None else read_model(model, opened[0])

    from attrib.claims import Evidence, examine_claims
    from attrib.claims.page import page
    from harness.store import atomic_path

    with progress() as say:
        if fitted is None:
            from models.additive import AdditiveModel

            fitted = AdditiveModel(seed=seed).fit(opened[0], opened[1:], progress=say)
        found = examine_claims(Evidence(opened[0], opened[1:], fitted, seed), progress=say)
    if output is not None:
        with atomic_path(output) as draft:
            draft.write_text(page(found, f"Claims on {cube.name}"), encoding="utf-8")
    if as_json:
        show_json([finding.to_contract() for finding in found])
        return
    show_findings(found)
    if output is not None:
        show(f"page: {output}")


def show_findings(found: Sequence[Finding]) -> None:
    """Print verdicts first, then a sentence for each, then why."""
    from attrib.claims import RULE
    from attrib.claims.page import COLUMNS, by_verdict, cells

    show_table("Claims", COLUMNS, [cells(item) for item in by_verdict(found)], left=2)
    show()
    for item in by_verdict(found):
        show(f"{item.verdict.upper()}: {item.claim}")
        show(f"  {item.plain}")
        show(f"  {item.reason}")
    show()
    show(RULE)
