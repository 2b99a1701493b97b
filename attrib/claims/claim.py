"""What a claim is, and the one rule that turns a measured effect into a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attrib.claims.sign_flips import Measure
from harness.errors import NotApplicableError

if TYPE_CHECKING:
    from attrib.claims.evidence import Evidence

SUPPORTED, REFUTED, NOT_TESTABLE = "supported", "refuted", "not testable here"

ABOVE, BELOW = "above", "below"

RULE = (
    "Supported: the 95 % interval of the effect lies wholly on the claim's side of the smallest effect of "
    "interest, which is fixed beforehand. Refuted: wholly on the other side. Otherwise not testable "
    "here, with what is missing."
)

FRACTION = "fraction"
"""Unit of effects that are shown as per cents."""


@dataclass(frozen=True)
class Finding:
    """One claim, and what a cube says of it.

    Attributes
    ----------
    name, claim, section : str
        Short name; the claim in words; where the paper makes it.
    null, statistic : str
        Hypothesis that ``p_value`` tests; what the effect is and what stands for a block.
    effect, lower, upper : float or None
        Effect with its 95 % interval, in ``unit``.
    unit : str
    smallest, side : float and {"above", "below"}
        Smallest effect of interest, and on which side of it the claim lies.
    p_value, adjusted_p_value : float or None
        Of the null hypothesis; adjusted for all that were tested (Holm 1979).
    verdict : {"supported", "refuted", "not testable here"}
    reason : str
        Numbers behind the verdict, or what is missing.
    plain : str
        One sentence for those who do not read intervals.
    """

    name: str
    claim: str
    section: str
    null: str
    statistic: str
    effect: float | None
    lower: float | None
    upper: float | None
    unit: str
    smallest: float
    side: str
    p_value: float | None
    adjusted_p_value: float | None
    verdict: str
    reason: str
    plain: str

    def to_contract(self) -> dict[str, Any]:
        """Return the entry of summary.json."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Claim:
    """A claim that a cube can be asked about.

    Attributes
    ----------
    name, words, section, null, statistic, unit : str
        As in :class:`Finding`.
    smallest : float
    side : {"above", "below"}
    examine : callable
        Takes the evidence and returns a :class:`Measure`; raises ``NotApplicableError`` with what is missing.
    supported, refuted : str
        The plain sentence for each verdict. ``{effect}`` stands for the effect with its unit.
    question : str
        The claim as it follows "whether", for what cannot be told.
    would_settle : str
        What would narrow an interval that holds the smallest effect of interest.
    """

    name: str
    words: str
    section: str
    null: str
    statistic: str
    unit: str
    smallest: float
    side: str
    examine: Callable[[Evidence], Measure]
    supported: str
    refuted: str
    question: str
    would_settle: str = "more sizes of M and N would narrow the interval"

    def judge(self, evidence: Evidence) -> Finding:
        """Examine the evidence and decide by :data:`RULE`."""
        try:
            found = self.examine(evidence)
        except NotApplicableError as missing:
            return self._finding(None, NOT_TESTABLE, str(missing))
        verdict = decide(found, self.smallest, self.side)
        bound = shown(self.smallest, self.unit)
        if found.lower is None or found.upper is None:
            reason = found.detail
        else:
            interval = f"{shown(found.lower, self.unit)} to {shown(found.upper, self.unit)}"
            reason = f"{interval} {self._relation(verdict)} {bound}"
            if verdict == NOT_TESTABLE:
                reason = f"inconclusive: {reason}; {self.would_settle}"
            if found.detail:
                reason += f"; {found.detail}"
        return self._finding(found, verdict, reason)

    def _relation(self, verdict: str) -> str:
        if verdict == NOT_TESTABLE:
            return "holds"
        return "is above" if (verdict == SUPPORTED) == (self.side == ABOVE) else "is below"

    def _finding(self, found: Measure | None, verdict: str, reason: str) -> Finding:
        sentence = {SUPPORTED: self.supported, REFUTED: self.refuted}.get(verdict)
        effect = None if found is None else found.value
        if sentence is None:
            cannot = "These timings cannot tell" if effect is None else "These timings do not settle"
            plain = f"{cannot} whether {self.question}."
        else:
            assert effect is not None
            plain = sentence.format(effect=shown(effect, self.unit))
        return Finding(
            name=self.name,
            claim=self.words,
            section=self.section,
            null=self.null,
            statistic=self.statistic,
            effect=effect,
            lower=None if found is None else found.lower,
            upper=None if found is None else found.upper,
            unit=self.unit,
            smallest=self.smallest,
            side=self.side,
            p_value=None if found is None else found.p_value,
            adjusted_p_value=None,
            verdict=verdict,
            reason=reason,
            plain=plain,
        )


def decide(found: Measure, smallest: float, side: str) -> str:
    """Apply :data:`RULE`."""
    if found.lower is None or found.upper is None:
        return NOT_TESTABLE
    if found.lower > smallest:
        return SUPPORTED if side == ABOVE else REFUTED
    if found.upper < smallest:
        return REFUTED if side == ABOVE else SUPPORTED
    return NOT_TESTABLE


def shown(value: float, unit: str) -> str:
    """Effect as it is read aloud: three digits, fractions as per cents."""
    if unit == FRACTION:
        size = 100.0 * value
        digits = 0 if abs(size) >= 100 else 1 if abs(size) >= 1 else 2
        return f"{size:.{digits}f} %"
    return f"{value:.3g} {unit}"
