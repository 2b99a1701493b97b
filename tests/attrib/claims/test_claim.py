"""One rule, and texts that follow it."""

import numpy as np
import pytest

from attrib.claims import CLAIMS, NOT_TESTABLE, REFUTED, SUPPORTED, Claim, Finding, Measure
from attrib.claims.claim import ABOVE, BELOW, decide, shown
from attrib.claims.page import COLUMNS, by_verdict, cells, page
from attrib.claims.registry import with_adjusted
from harness.errors import NotApplicableError


def made(examine, side=ABOVE):
    return Claim(
        "n", "Words say.", "1", "h0", "mean", "fraction", 0.1, side, examine, "yes {effect}", "no {effect}", "q"
    )


@pytest.mark.parametrize(
    ("lower", "upper", "side", "verdict"),
    [
        (0.2, 0.3, ABOVE, SUPPORTED),
        (0.2, 0.3, BELOW, REFUTED),
        (-0.1, 0.05, ABOVE, REFUTED),
        (-0.1, 0.05, BELOW, SUPPORTED),
        (0.05, 0.2, ABOVE, NOT_TESTABLE),
        (0.1, 0.2, ABOVE, NOT_TESTABLE),
        (None, None, BELOW, NOT_TESTABLE),
    ],
)
def test_verdict_follows_the_interval(lower, upper, side, verdict):
    found = Measure(0.15, lower, upper, 0.5, 9, "why")
    assert decide(found, 0.1, side) == verdict
    finding = made(lambda _: found, side).judge(None)
    assert finding.verdict == verdict
    assert "why" in finding.reason
    expected = {
        SUPPORTED: "yes 15.0 %",
        REFUTED: "no 15.0 %",
        NOT_TESTABLE: "These timings do not settle whether q.",
    }
    assert finding.plain == expected[verdict]
    assert finding.reason.startswith("inconclusive") == (verdict == NOT_TESTABLE and lower is not None)


def test_what_is_missing_becomes_the_reason():
    def refuse(_):
        raise NotApplicableError("measure more")

    finding = made(refuse).judge(None)
    assert (finding.verdict, finding.reason, finding.effect) == (NOT_TESTABLE, "measure more", None)
    assert finding.plain == "These timings cannot tell whether q."


def test_p_values_are_adjusted_together():
    findings = [made(lambda _, p=p: Measure(0.2, 0.15, 0.3, p, 9)).judge(None) for p in (0.01, None, 0.04, 0.03)]
    adjusted = [item.adjusted_p_value for item in with_adjusted(findings)]
    assert adjusted[1] is None
    assert np.array([adjusted[0], adjusted[2], adjusted[3]]) == pytest.approx([0.03, 0.06, 0.06])


def test_page_has_a_row_a_claim_and_verdicts_first():
    measures = [Measure(0.05, 0.0, 0.2, 0.5, 9), Measure(0.05, 0.0, 0.06, 0.5, 9), Measure(0.3, 0.2, 0.4, 0.01, 9)]
    findings = [made(lambda _, m=m: m).judge(None) for m in measures]
    assert [item.verdict for item in by_verdict(findings)] == [SUPPORTED, REFUTED, NOT_TESTABLE]
    assert all(len(cells(item)) == len(COLUMNS) for item in findings)
    text = page(findings, "T")
    assert text.startswith("# T\n")
    assert text.count("\n| ") == 4
    assert "| supported | n | 30.0 % | 20.0 % to 40.0 % | above 10.0 % | - |" in text


def test_claims_are_whole():
    names = [claim.name for claim in CLAIMS]
    assert len(set(names)) == len(names) >= 14
    for claim in CLAIMS:
        assert claim.words.endswith(".")
        for sentence in (claim.supported, claim.refuted):
            assert sentence.format(effect="3 %").endswith(".")
        texts = (claim.section, claim.null, claim.statistic, claim.unit, claim.question, claim.would_settle)
        assert all(texts)


def test_contract_is_plain_data():
    data = made(lambda _: Measure(0.2, 0.15, 0.3, 0.01, 9)).judge(None).to_contract()
    assert set(data) == set(Finding.__dataclass_fields__)
    assert all(value is None or isinstance(value, str | float) for value in data.values())


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "fraction", "50.0 %"),
        (0.0042, "fraction", "0.42 %"),
        (1.234, "fraction", "123 %"),
        (2.847, "times", "2.85 times"),
    ],
)
def test_effects_are_read_aloud(value, unit, text):
    assert shown(value, unit) == text
