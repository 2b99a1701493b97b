"""The claims section: the ledger as a table, and what stands behind each verdict."""

from __future__ import annotations

from collections.abc import Sequence

from attrib.claims.claim import RULE, Finding
from attrib.claims.page import COLUMNS, by_verdict, cells
from attrib.report.table import Cell, Table

INTRODUCTION = (RULE,)


def claims_table(found: Sequence[Finding]) -> Table | None:
    """One row a claim, verdicts first, with the plain sentence under the claim."""
    if not found:
        return None
    rows = []
    for item in by_verdict(found):
        verdict, _, effect, interval, holds, p_value = (text.replace("-", "−") for text in cells(item))
        rows.append(
            (
                Cell(verdict),
                Cell(item.claim, note=item.plain),
                Cell(effect, item.effect),
                Cell(interval),
                Cell(holds),
                Cell(p_value, item.adjusted_p_value),
            )
        )
    return Table("claims-table", "Claims, and what these timings say of them", COLUMNS, tuple(rows))


def claims_detail(found: Sequence[Finding]) -> Table | None:
    """Statistic, null hypothesis and reason of each claim."""
    if not found:
        return None
    rows = tuple(
        (Cell(item.name), Cell(item.section), Cell(item.statistic), Cell(item.null), Cell(item.reason))
        for item in by_verdict(found)
    )
    columns = ("claim", "paper, section", "effect", "null hypothesis", "reason for the verdict")
    return Table("claims-detail", "How each claim was tested", columns, rows)
