"""``attrib diagnose``: how far a fit can be trusted, and where it cannot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrib.cli.inputs import read_cubes, read_model
from attrib.cli.options import Also, Cube, Json, Model, Seed
from attrib.cli.outputs import check_outputs
from attrib.cli.quantities import number, percent
from attrib.cli.screen import progress, show, show_json, show_table
from harness.errors import InputError

if TYPE_CHECKING:
    from attrib.diagnostics import Diagnostics
    from models.inference.nested import NestedTest

EXAMPLE = "attrib diagnose cube.nc --model model.json -o diagnostics.html"

_FEWEST_DRAWS = 99

_NOISE = (
    "tile",
    "cells",
    "worth",
    "held-out rms",
    "noise",
    "lack of fit",
    "noise share",
    "F",
    "p, exact",
    "Moran's I",
    "outliers",
)
SMALLEST = 1e-6
"""Of a p-value, as :data:`models.inference.nested.SMALLEST`, which would take its time to import."""

_TESTED = ("tile", "mechanism", "in model", "gain", "std. error", "p", "p, Holm", "p, FDR")


def diagnose(
    cube: Cube,
    model: Model = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PAGE", help="Page to write (.html), self-contained.")
    ] = None,
    also: Also = None,
    draws: Annotated[int, typer.Option(min=_FEWEST_DRAWS, help="Surrogate landscapes behind each test.")] = 199,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Test each mechanism, and say how far a fit can be trusted."""
    if model is not None and also:
        raise InputError("--also is for fitting a model: it cannot go with --model")
    paths = [cube, *(also or [])]
    if output is not None and output.suffix not in (".html", ".htm"):
        raise InputError(f"{output}: expected a name that ends in .html")
    check_outputs([output], [*paths, *([] if model is None else [model])])
    opened = read_cubes(paths)
    fitted = None if model is None else read_model(model, opened[0])

    from attrib.diagnostics import diagnose as diagnose_fit

    with progress() as say:
        if fitted is None:
            from models.additive import AdditiveModel

            fitted = AdditiveModel(seed=seed).fit(opened[0], opened[1:], progress=say)
        found = diagnose_fit(opened[0], fitted, draws=draws, seed=seed, progress=say)
        if output is not None:
            from attrib.report.diagnostics_page import write_diagnostics

            say("writing the page")
            write_diagnostics(opened[0], fitted, found, output)
    if as_json:
        show_json(found.to_dict())
        return
    _show(found)
    if output is not None:
        show(f"page: {output}")


def _show(found: Diagnostics) -> None:
    """Print noise and lack of fit, the tests, and one sentence a finding."""
    from attrib.report.diagnostics_findings import diagnostics_findings
    from attrib.report.diagnostics_tables import is_found

    rows = []
    for label, tile in found.tiles.items():
        fit = tile.lack_of_fit
        noise = [percent(fit.held_out, 2), percent(fit.noise, 2), percent(fit.lack_of_fit, 2)]
        noise += [percent(fit.noise_share), number(fit.statistic), _p(fit.p_value)]
        moran = number(tile.autocorrelation.moran, 2)
        size = (f"{tile.M.size:,}", f"{tile.effective_size:,.0f}")
        rows.append((label, *size, *noise, moran, str(tile.robust.outliers.size)))
    show_table("noise against lack of fit; what the cells are worth", _NOISE, rows)
    show()
    tested = [_row(label, test) for label, tile in found.tiles.items() for test in tile.terms]
    if tested:
        title = f"each mechanism, beside all others, on held-out blocks; {found.draws} surrogates"
        show_table(title, _TESTED, tested, left=2)
        show()
    pairs = [_row(label, t) for label, tile in found.tiles.items() for t in tile.interactions if is_found(t)]
    if pairs:
        show_table("pairs of mechanisms that are not a plain sum", _TESTED, pairs, left=2)
        show()
    for sentence in diagnostics_findings(found):
        show(sentence.replace("\N{MULTIPLICATION SIGN}", "x").replace("\N{MINUS SIGN}", "-"))


def _row(label: str, test: NestedTest) -> tuple[str, ...]:
    name = test.name.replace("\N{MULTIPLICATION SIGN}", "x")
    if test.p_value is None:
        return (label, f"{name}: {test.note}", *("-" for _ in range(6)))
    gain = (percent(test.gain), percent(test.standard_error))
    return (
        label,
        name,
        "yes" if test.in_model else "no",
        *gain,
        _p(test.p_value),
        _p(test.p_holm),
        _p(test.p_bh),
    )


def _p(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    if value <= SMALLEST:
        return f"<{SMALLEST:.0e}"
    return f"{value:.0e}" if value < 1e-3 else f"{value:.3f}"
