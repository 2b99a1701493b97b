"""``attrib fit``: cubes become a model of additive mechanism costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrib.cli.fit_tables import show_fit
from attrib.cli.inputs import read_cubes
from attrib.cli.options import Also, Json, Seed
from attrib.cli.outputs import check_outputs
from attrib.cli.screen import progress, show, show_json

EXAMPLE = "attrib fit cube.nc -o model.json"


def fit(
    cubes: Annotated[
        list[Path], typer.Argument(metavar="CUBE", help="The cube, and more to learn from, as with --also.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="MODEL", help="Model to write (.json).")
    ] = None,
    also: Also = None,
    seed: Seed = 0,
    draws: Annotated[int, typer.Option(min=20, help="Bootstrap draws for the intervals.")] = 200,
    as_json: Json = False,
) -> None:
    """Fit what each mechanism costs, and count the cores."""
    paths = [*cubes, *(also or [])]
    check_outputs([output], paths)
    opened = read_cubes(paths)

    from models.additive import AdditiveModel

    with progress() as say:
        result = AdditiveModel(seed=seed, draws=draws).fit(opened[0], opened[1:], progress=say)
    if output is not None:
        result.save(output)
    if as_json:
        show_json(result.to_contract())
        return
    show_fit(result)
    if output is not None:
        show(f"model: {output}")
