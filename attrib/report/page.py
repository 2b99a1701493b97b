"""The page: gathers figures, tables and sentences, and fills the template."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from attrib.analysis import Analysis
from attrib.claims import Finding
from attrib.report.actor_figures import actor_figures, actor_table
from attrib.report.attribution_figures import NEGATIVE, attribution_figures, attribution_table
from attrib.report.claims import INTRODUCTION, claims_detail, claims_table
from attrib.report.coefficient_table import coefficient_tables
from attrib.report.constant_table import constant_table
from attrib.report.figure import Figure
from attrib.report.findings import findings
from attrib.report.fit_figures import fit_figures
from attrib.report.glossary import GLOSSARY
from attrib.report.landscape_figures import landscape_figures
from attrib.report.left_out import left_out_table
from attrib.report.profile_figures import profile_figures
from attrib.report.provenance import Provenance
from attrib.report.quantity_tables import quantity_tables
from attrib.report.stage_figures import stage_figures
from attrib.report.stage_table import stage_table
from attrib.report.table import Table
from harness.store import atomic_path

TABLE_VALUES = (
    "Gains of choosing, padding and splitting are table values: sums of measured times of single launches. They "
    "become realized gains once the plan has been run on the device."
)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name, title : str
    intro : tuple of str
        Paragraphs before the figures.
    figures : tuple of Figure
    tables : tuple of Table
    folded : tuple of Table
        Tables that open on demand.
    """

    name: str
    title: str
    intro: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.figures or self.tables or self.folded)


def write_report(
    analysis: Analysis,
    path: Path | str,
    links: tuple[tuple[str, str], ...] = (),
    claims: tuple[Finding, ...] = (),
) -> None:
    """Write the analysis as one self-contained HTML page, which opens offline.

    Parameters
    ----------
    analysis : Analysis
    path : Path
        File to write; it is replaced only by a complete page.
    links : tuple of (str, str)
        Titles and names of files beside it that the contents point to.
    claims : tuple of Finding
        The claims ledger; without one the page has no such section.
    """
    text = render_report(analysis, links, claims)
    with atomic_path(Path(path)) as draft:
        draft.write_text(text, encoding="utf-8")


def render_report(
    analysis: Analysis, links: tuple[tuple[str, str], ...] = (), claims: tuple[Finding, ...] = ()
) -> str:
    """Return the page as HTML text; ``links`` and ``claims`` as for :func:`write_report`."""
    environment = Environment(
        loader=PackageLoader("attrib", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = tuple(section for section in _sections(analysis, claims) if not section.empty)
    drawn = any(section.figures for section in sections)
    library = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8") if drawn else ""
    return environment.get_template("page.html.j2").render(
        head=Provenance.of(analysis),
        findings=findings(analysis),
        sections=sections,
        glossary=GLOSSARY,
        plotly=Markup(library),
        safe=Markup,
        links=links,
    )


def _sections(analysis: Analysis, claims: tuple[Finding, ...] = ()) -> tuple[Section, ...]:
    shares, stages = attribution_table(analysis), stage_table(analysis)
    constants, missing = constant_table(analysis), left_out_table(analysis)
    negative = shares is not None and any(
        cell.value is not None and cell.value < 0 for row in shares.rows for cell in row[1:-2]
    )
    tables = coefficient_tables(analysis)
    return (
        Section("landscape", "The landscape", (), landscape_figures(analysis)),
        Section(
            "stages", "The stages", (TABLE_VALUES,), stage_figures(analysis), () if stages is None else (stages,)
        ),
        Section(
            "causes",
            "The causes",
            (NEGATIVE,) if negative else (),
            (*attribution_figures(analysis), *actor_figures(analysis)),
            tuple(table for table in (shares, actor_table(analysis)) if table is not None),
            quantity_tables(analysis),
        ),
        Section(
            "claims",
            "The claims",
            INTRODUCTION,
            (),
            tuple(table for table in (claims_table(claims),) if table is not None),
            tuple(table for table in (claims_detail(claims),) if table is not None),
        ),
        Section("fit", "The fit", (), fit_figures(analysis)),
        Section(
            "costs",
            "What things cost",
            (
                "Costs are never negative; intervals allow for lack of fit that neighbouring shapes share. "
                "Costs of the hardware are shared by all tiles, those of a kernel are its own.",
            ),
            profile_figures(analysis),
            (*(() if constants is None else (constants,)), *tables[:1]),
            tables[1:],
        ),
        Section("left-out", "What was left out, and why", (), (), () if missing is None else (missing,)),
    )
