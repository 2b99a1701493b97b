"""Period tests: which periods throughput has along an axis, with what interval, by what mechanism."""

from attrib.periods.candidate import Candidate, Facts, candidates
from attrib.periods.design import PeriodDesign, design, nested
from attrib.periods.family import (
    DETECTED,
    NOT_DETECTED,
    NOT_TESTABLE,
    PeriodFinding,
    find_periods,
    judge_candidates,
)
from attrib.periods.interval import PeriodInterval, period_interval
from attrib.periods.laws import LawComparison, compare_laws, compare_laws_of_lines
from attrib.periods.line import Line, lines_of
from attrib.periods.one_period import PeriodHypothesis, PeriodTest, period_test
from attrib.periods.paired import compare_paired_laws, find_paired_periods, paired_lines, removed_pitch
from attrib.periods.scan import PeriodScan, scan_periods
from attrib.periods.survey import survey_periods

__all__ = [
    "DETECTED",
    "NOT_DETECTED",
    "NOT_TESTABLE",
    "Candidate",
    "Facts",
    "LawComparison",
    "Line",
    "PeriodDesign",
    "PeriodFinding",
    "PeriodHypothesis",
    "PeriodInterval",
    "PeriodScan",
    "PeriodTest",
    "candidates",
    "compare_laws",
    "compare_laws_of_lines",
    "compare_paired_laws",
    "design",
    "find_paired_periods",
    "find_periods",
    "judge_candidates",
    "lines_of",
    "nested",
    "paired_lines",
    "period_interval",
    "period_test",
    "removed_pitch",
    "scan_periods",
    "survey_periods",
]
