"""``attrib fit``: cubes become a model of additive mechanism costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrib.cli.constant_tables import show_constants, show_proposal
from attrib.cli.fit_tables import show_fit
from attrib.cli.inputs import read_cubes
from attrib.cli.options import Also, Json, Seed
from attrib.cli.outputs import check_outputs
from attrib.cli.screen import progress, show, show_json
from harness.errors import InputError

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
    draws: Annotated[int, typer.Option(min=20, help="Draws of the coefficients, for intervals.")] = 200,
    propose: Annotated[
        int | None,
        typer.Option(
            "--propose-shapes",
            metavar="N",
            help="Choose N shapes, 8 or more, whose timings would tell what the fit leaves open.",
        ),
    ] = None,
    shapes_out: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Write the proposed shapes (M,N,K), for 'attrib measure --shapes'; with --propose-shapes.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit what each mechanism costs, and what the hardware is."""
    paths = [*cubes, *(also or [])]
    check_outputs([output, shapes_out], paths)
    if shapes_out is not None and propose is None:
        raise InputError("--shapes-out needs --propose-shapes N: how many shapes to choose")
    if propose is not None:
        from models.constants.propose import check_count

        check_count(propose)
    opened = read_cubes(paths)

    from models.additive import AdditiveModel
    from models.model_file import save_model

    with progress() as say:
        result = AdditiveModel(seed=seed, draws=draws).fit(opened[0], opened[1:], progress=say)
    if output is not None:
        save_model(result, output)
    groups = None
    if propose is not None:
        from harness.samples import Samples
        from models.constants.propose import propose_shapes, write_shapes

        measured = Samples.concatenate([Samples.from_cube(cube) for cube in opened])
        groups = propose_shapes(result, propose, measured, seed)
        if shapes_out is not None and groups:
            write_shapes(groups, shapes_out)
    if as_json:
        fitted = result.to_contract()
        show_json(fitted if groups is None else {"fit": fitted, "proposed": [group.to_dict() for group in groups]})
        return
    show_fit(result)
    show_constants(result)
    if output is not None:
        show(f"model: {output}")
    if groups is not None:
        show_proposal(groups, None if shapes_out is None else str(shapes_out))
