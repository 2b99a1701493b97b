"""The ledger as text: one row a claim, verdicts first."""

from __future__ import annotations

from collections.abc import Sequence

from attrib.claims.claim import BELOW, NOT_TESTABLE, REFUTED, RULE, SUPPORTED, Finding, shown

COLUMNS = ("Verdict", "Claim", "Effect", "95 % interval", "Claim holds", "p (Holm)")

_ORDER = (SUPPORTED, REFUTED, NOT_TESTABLE)


def by_verdict(found: Sequence[Finding]) -> list[Finding]:
    """Sort into supported, refuted and not testable, each in the order of the claims."""
    return sorted(found, key=lambda item: _ORDER.index(item.verdict))


def cells(item: Finding) -> tuple[str, ...]:
    """Texts of one row, in the order of :data:`COLUMNS`."""
    effect = "-" if item.effect is None else shown(item.effect, item.unit)
    interval = "-"
    if item.lower is not None and item.upper is not None:
        low, high = (shown(end, item.unit).removesuffix(f" {item.unit}") for end in (item.lower, item.upper))
        interval = f"{low} to {high}"
    holds = f"{'below' if item.side == BELOW else 'above'} {shown(item.smallest, item.unit)}"
    p_value = "-" if item.adjusted_p_value is None else f"{item.adjusted_p_value:.2g}"
    return (item.verdict, item.name, effect, interval, holds, p_value)


def page(found: Sequence[Finding], title: str, introduction: Sequence[str] = ()) -> str:
    """Write the ledger as Markdown.

    Parameters
    ----------
    found : sequence of Finding
    title : str
    introduction : sequence of str
        Paragraphs before the table.
    """
    return "\n".join([f"# {title}", "", *(f"{text}\n" for text in introduction), RULE, "", *section(found)]) + "\n"


def section(found: Sequence[Finding]) -> list[str]:
    """Lines of the table, and of a paragraph for each claim."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---|---|---:|---:|---:|---:|",
        *(f"| {' | '.join(cells(item))} |" for item in by_verdict(found)),
        "",
    ]
    for item in by_verdict(found):
        lines += [
            f"**{item.claim}** (paper, section {item.section}) *{item.verdict}*. {item.plain}",
            f"Effect: {item.statistic}. Null hypothesis: {item.null}. {item.reason[:1].upper()}{item.reason[1:]}.",
            "",
        ]
    return lines[:-1]
