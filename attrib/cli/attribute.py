"""``attrib attribute``: what causes each stage's roughness, lost throughput and time, and who can act on it."""

from __future__ import annotations

from typing import Annotated

import typer

from attrib.cli.inputs import read_cubes, read_model, read_tile
from attrib.cli.options import Also, Cube, FixedTile, Json, Model, Seed
from attrib.cli.screen import progress, show_json
from attrib.cli.stage_tables import show_actors, show_shares, show_stages, show_variance
from harness.errors import InputError

EXAMPLE = "attrib attribute cube.nc --model model.json"


def attribute(
    cube: Cube,
    model: Model = None,
    also: Also = None,
    tile: FixedTile = None,
    quantity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QUANTITY",
            help="What to attribute: slice_N (the default of the tables), slice_M, M, N, K, mean (roughness), "
            "lost_throughput or slowdown (against the ideal landscape); repeatable. JSON holds all by default.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Share out each stage's roughness among the mechanisms."""
    if model is not None and also:
        raise InputError("--also is for fitting a model: it cannot go with --model")

    from attrib.analysis import analyse
    from attrib.attribution import QUANTITIES
    from attrib.summary import summary

    unknown = [key for key in quantity or () if key not in QUANTITIES]
    if unknown:
        raise InputError(f"--quantity {unknown[0]}: there is {', '.join(QUANTITIES)}")
    chosen = list(dict.fromkeys(quantity or ()))
    opened = read_cubes([cube, *(also or [])])
    fixed = read_tile(tile, opened[0])
    fitted = None if model is None else read_model(model, opened[0])
    with progress() as say:
        analysis = analyse(opened[0], also=opened[1:], fit=fitted, tile=fixed, seed=seed, progress=say)
    if as_json:
        stages = summary(analysis)["stages"]
        if chosen:
            for stage in stages:
                kept = {key: part for key, part in stage["attributions"].items() if key in chosen}
                stage["attributions"] = kept
        show_json(stages)
        return
    show_stages(analysis)
    for key in chosen or ["slice_N"]:
        show_shares(analysis, key)
        show_actors(analysis, key)
    show_variance(analysis)
