"""The claims section: every claim a row, verdicts first, and nothing where there is no ledger."""

import pytest

from attrib.claims import CLAIMS, Evidence, examine_claims
from attrib.report.claims import claims_detail, claims_table
from attrib.report.page import render_report


@pytest.fixture(scope="module")
def ledger(grid):
    return examine_claims(Evidence(grid.cube, (), grid.fit))


def test_every_claim_is_a_row(ledger):
    table, detail = claims_table(ledger), claims_detail(ledger)
    assert len(table.rows) == len(detail.rows) == len(CLAIMS)
    verdicts = [row[0].text for row in table.rows]
    assert verdicts == sorted(verdicts, key=("supported", "refuted", "not testable here").index)
    known = {item.claim: item for item in ledger}
    for row in table.rows:
        assert row[1].note == known[row[1].text].plain
        assert row[2].value == known[row[1].text].effect
    assert all(row[-1].text for row in detail.rows)


def test_page_has_the_section_where_there_is_a_ledger(grid, ledger):
    text = render_report(grid, (), ledger)
    assert '<section id="claims">' in text
    assert "wholly on the claim&#39;s side" in text
    assert text.count("not testable here") >= sum(item.verdict == "not testable here" for item in ledger)
    assert '<section id="claims">' not in render_report(grid)
    assert claims_table(()) is None
    assert claims_detail(()) is None
