"""The claims ledger: what a cube says of each claim of the paper, with an interval and a verdict."""

from attrib.claims.claim import NOT_TESTABLE, REFUTED, RULE, SUPPORTED, Claim, Finding
from attrib.claims.evidence import Evidence
from attrib.claims.registry import CLAIMS, examine_claims
from attrib.claims.sign_flips import Measure

__all__ = [
    "CLAIMS",
    "NOT_TESTABLE",
    "REFUTED",
    "RULE",
    "SUPPORTED",
    "Claim",
    "Evidence",
    "Finding",
    "Measure",
    "examine_claims",
]
