"""The diagnostics page: one self-contained file beside the report."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from attrib.analysis import Analysis
from attrib.diagnostics import Diagnostics
from attrib.report.diagnostics_figures import diagnostics_figures
from attrib.report.diagnostics_findings import diagnostics_findings
from attrib.report.diagnostics_tables import (
    cells_table,
    collinearity_table,
    interactions_table,
    overlap_table,
    overview_table,
    robust_table,
    terms_table,
)
from attrib.report.page import Section
from attrib.report.provenance import Provenance
from attrib.report.table import Table
from harness.cube import device_of
from harness.store import atomic_path
from models.result import FitResult

GLOSSARY = (
    ("lack of fit", "What a model misses of a time that is the same at every measurement; no noise."),
    ("noise", "Pure error of a cell's time, from its repeats. What all repeats share is not in it."),
    ("held out", "Predicted by a fit that has not seen the block of neighbouring (M, N)."),
    (
        "p",
        "Share of surrogate landscapes without the mechanism that improve as much when it is added. Surrogates "
        "have residuals of the same scale and neighbourhood as the measured ones.",
    ),
    ("Holm, false discovery", "p adjusted for all tests of the page: any false alarm, or their share."),
    (
        "ΔAIC, ΔBIC",
        "Change of information criteria by the addition; negative favours it. Naive ones count every cell.",
    ),
    ("cells are worth", "Independent cells whose average would be as uncertain as that of these correlated ones."),
    ("Moran's I", "Likeness of neighbouring residuals on (M, N): 0 for none, 1 for equal."),
    ("leverage", "Share of a cell's own time in its fitted time; all of them add up to the free coefficients."),
    ("condition index", "Of the weighted columns; from 30 on, coefficients that share it are hardly told apart."),
)

TESTS = (
    "Each test compares two models on blocks of (M, N) that neither was fitted to. The model itself is not changed "
    "by what is found here. Hardware constants and the choice of the other terms are those of the fit, made on the "
    "same cells: p-values are conditional on them."
)


def write_diagnostics(cube: xr.Dataset, fit: FitResult, found: Diagnostics, path: Path | str) -> None:
    """Write the page, which opens offline.

    Parameters
    ----------
    cube : xarray.Dataset
        That was diagnosed.
    fit : FitResult
    found : Diagnostics
    path : Path
        File to write; it is replaced only by a complete page.
    """
    text = render_diagnostics(cube, fit, found)
    with atomic_path(Path(path)) as draft:
        draft.write_text(text, encoding="utf-8")


def render_diagnostics(cube: xr.Dataset, fit: FitResult, found: Diagnostics) -> str:
    """Return the page as HTML text."""
    environment = Environment(
        loader=PackageLoader("attrib", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bare = Analysis(cube, device_of(cube), fit, None, (), None, None, ())
    library = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        head=Provenance.of(bare),
        findings=diagnostics_findings(found),
        sections=tuple(section for section in _sections(fit, found) if not section.empty),
        glossary=GLOSSARY,
        plotly=Markup(library),
        safe=Markup,
        links=(),
    )


def _sections(fit: FitResult, found: Diagnostics) -> tuple[Section, ...]:
    maps, trends, near, leaning = diagnostics_figures(found, fit)
    robust = robust_table(found)
    return (
        Section("noise", "Noise and lack of fit", (), (), (overview_table(found),)),
        Section("residuals", "Residuals", (), (maps, trends, near)),
        Section("mechanisms", "Mechanisms, tested", (TESTS,), (), _some(terms_table(found))),
        Section(
            "interactions",
            "Interactions, tested",
            ("A share below zero is time that the two mechanisms save by overlapping.",),
            (),
            _some(interactions_table(found, True)),
            _some(interactions_table(found, False)),
        ),
        Section("overlap", "Sum or overlap", (), (), _some(overlap_table(found))),
        Section(
            "influence",
            "Influence",
            () if robust.rows else ("No coefficient leaves its interval in a robust fit.",),
            (leaning,),
            (robust,) if robust.rows else (),
            (cells_table(found),),
        ),
        Section("collinearity", "Collinearity", (), (), (), (collinearity_table(found),)),
    )


def _some(table: Table | None) -> tuple[Table, ...]:
    return () if table is None else (table,)
