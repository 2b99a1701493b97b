"""``attrib run``: all of it, into one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrib.cli.fit_tables import tile_line
from attrib.cli.inputs import read_cubes, read_model, read_tile
from attrib.cli.options import Also, FixedTile, Json, Model, Seed
from attrib.cli.outputs import folder_draft
from attrib.cli.quantities import percent
from attrib.cli.screen import finite, progress, show, show_json
from attrib.cli.stage_tables import show_stages
from harness.errors import InputError

if TYPE_CHECKING:
    from attrib.analysis import Analysis
    from attrib.plan import Plan

EXAMPLE = "attrib run cube.nc -o report/"

REPORT, DIAGNOSTICS, SUMMARY, MODEL, PLAN = FILES = (
    "report.html",
    "diagnostics.html",
    "summary.json",
    "model.json",
    "plan.nc",
)

BUNDLED_GRID = "h200_bf16_grid"
BUNDLED_ALSO = ("h200_bf16_lines", "h200_bf16_scatter")
"""Shapes off the grid: without them the model has never seen an odd size, and row pitch and atom remainder cannot
be identified."""


def run(
    cube: Annotated[
        Path | None,
        typer.Argument(metavar="[CUBE]", help="Landscape cube; by default the bundled one, measured on an H200."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder to fill; its other files stay.")
    ] = Path("report"),
    also: Also = None,
    model: Model = None,
    tile: FixedTile = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Do all of it: fit, stages, attribution, plan and report."""
    if model is not None and also:
        raise InputError("--also is for fitting a model: it cannot go with --model")
    with folder_draft(output, FILES) as draft:
        if cube is not None:
            opened = read_cubes([cube, *(also or [])])
        else:
            from harness.landscapes import bundled_cube

            names = (BUNDLED_GRID, *(BUNDLED_ALSO if model is None else ()))
            opened = [*map(bundled_cube, names), *read_cubes(also or [])]
        chosen = read_tile(tile, opened[0])
        fitted = None if model is None else read_model(model, opened[0])

        from attrib.analysis import analyse
        from attrib.claims import Evidence, examine_claims
        from attrib.diagnostics import diagnose
        from attrib.report.diagnostics_page import write_diagnostics
        from attrib.report.page import write_report
        from attrib.summary import summary, write_summary
        from models.model_file import save_model

        with progress() as say:
            analysis = analyse(opened[0], also=opened[1:], fit=fitted, tile=chosen, seed=seed, progress=say)
            say("writing the plan, the model and the summary")
            plan = plan_of(analysis)
            if plan is not None:
                plan.save(draft / PLAN)
            save_model(analysis.fit, draft / MODEL)
            evidence = Evidence(analysis.cube, opened[1:], analysis.fit, seed)
            ledger = examine_claims(evidence, progress=say)
            data = {**summary(analysis), "claims": [finite(item.to_contract()) for item in ledger]}
            write_summary(data, draft / SUMMARY)
            say("writing the report")
            write_report(analysis, draft / REPORT, (("Diagnostics of the fit", DIAGNOSTICS),), ledger)
            found = diagnose(opened[0], analysis.fit, seed=seed, progress=say)
            write_diagnostics(opened[0], analysis.fit, found, draft / DIAGNOSTICS)
        made = [name for name in FILES if (draft / name).exists()]
    if as_json:
        show_json({**data, "files": {Path(name).stem: str(output / name) for name in made}})
        return
    for label, item in analysis.fit.tiles.items():
        show(tile_line(label, item, analysis.fit.hardware))
    show()
    show_stages(analysis)
    quality = data["predict"]
    show(
        f"prediction: held-out error {percent(quality['mape'])}, coverage of the 90 % interval "
        f"{percent(quality['coverage'])}"
    )
    show(f"files: {', '.join(str(output / name) for name in made)}")
    show(f"report: {output / REPORT}")


def plan_of(analysis: Analysis) -> Plan | None:
    """Plan the last stage of the ladder that applied; ``None`` where the samples form no grid."""
    from attrib.plan import Plan
    from attrib.stages import FixedTile, standard_stages

    if analysis.landscape is None:
        return None
    results = {stage.name: stage.result for stage in analysis.stages}
    fixed = next(tile for tile in analysis.landscape.tiles if FixedTile(tile).name == analysis.stages[0].name)
    for stage in reversed(standard_stages(analysis.landscape, fixed)):
        result = results.get(stage.name)
        if result is not None:
            return Plan.from_stage(analysis.landscape, result, analysis.device.name)
    return None
