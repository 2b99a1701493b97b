"""``attrib attribute``: what causes each stage's roughness."""

from __future__ import annotations

from attrib.cli.inputs import read_cubes, read_model, read_tile
from attrib.cli.options import Also, Cube, FixedTile, Json, Model, Seed
from attrib.cli.screen import progress, show_json
from attrib.cli.stage_tables import show_shares, show_stages
from harness.errors import InputError

EXAMPLE = "attrib attribute cube.nc --model model.json"


def attribute(
    cube: Cube,
    model: Model = None,
    also: Also = None,
    tile: FixedTile = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Share out each stage's roughness among the mechanisms."""
    if model is not None and also:
        raise InputError("--also is for fitting a model: it cannot go with --model")
    opened = read_cubes([cube, *(also or [])])
    chosen = read_tile(tile, opened[0])
    fitted = None if model is None else read_model(model, opened[0])

    from attrib.analysis import analyse
    from attrib.summary import summary

    with progress() as say:
        analysis = analyse(opened[0], also=opened[1:], fit=fitted, tile=chosen, seed=seed, progress=say)
    if as_json:
        show_json(summary(analysis)["stages"])
        return
    show_stages(analysis)
    show_shares(analysis)
