"""All periods of one tile along one axis: candidates from the largest down, then what nobody predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attrib.periods.candidate import Candidate, Facts, candidates, tooth_columns, wave_count
from attrib.periods.guards import untestable
from attrib.periods.interval import PeriodInterval, period_interval
from attrib.periods.line import Line, lines_of, some_lines
from attrib.periods.one_period import PeriodHypothesis, period_test
from attrib.periods.scan import scan_periods
from harness.errors import InputError
from harness.tile import Tile

Array = NDArray[np.float64]

DETECTED, NOT_DETECTED, NOT_TESTABLE = "detected", "not detected", "not testable"
LEVEL = 0.05
DRAWS = 1999
MOST_LINES = 48
_MOST_UNPREDICTED = 3


@dataclass(frozen=True, eq=False)
class PeriodFinding:
    """What was found of one period of one tile along one axis.

    Attributes
    ----------
    axis : {"M", "N", "K"}
    tile : str
    mechanism : str or None
        What predicts it; ``None`` for a period nobody predicted.
    predicted : float or None
        Elements; the median where lines differ.
    period, lower, upper : float or None
        Estimate and 95 % interval, elements, where detected; else the predicted period without an interval.
    status : {"detected", "not detected", "not testable"}
    p_value : float or None
        After Holm's correction over all tests of this tile and axis.
    raw_p_value, statistic : float or None
        Before it, and the log likelihood ratio.
    null : str
    distribution : ndarray, shape (draws,)
        The statistic under the null; empty where not testable.
    lines : int
        Lines that could tell.
    reason : str
        Why not testable, and the grid that would be; or a remark.
    """

    axis: str
    tile: str
    mechanism: str | None
    predicted: float | None
    period: float | None
    lower: float | None
    upper: float | None
    status: str
    p_value: float | None
    raw_p_value: float | None
    statistic: float | None
    null: str
    distribution: Array
    lines: int
    reason: str = ""

    def to_contract(self) -> dict[str, Any]:
        """Return the entry of summary.json."""
        names = (
            "axis",
            "tile",
            "period",
            "lower",
            "upper",
            "mechanism",
            "predicted",
            "p_value",
            "status",
            "reason",
        )
        return {name: getattr(self, name) for name in (*names, "lines")}


def find_periods(
    cube: xr.Dataset,
    axis: str,
    tile: Tile,
    at: Mapping[str, int] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    most_lines: int = MOST_LINES,
) -> tuple[PeriodFinding, ...]:
    """Test every period that a mechanism predicts for a tile, and look for others.

    Parameters
    ----------
    cube : xarray.Dataset
        Landscape cube.
    axis : {"M", "N", "K"}
    tile : Tile
    at : mapping of str to int, optional
        Sizes of the other axes to hold, elements; by default all lines are pooled.
    draws : int
        Block permutations of each test.
    seed : int
    most_lines : int
        Lines pooled, evenly taken from all.

    Returns
    -------
    tuple of PeriodFinding
        From the largest period down; not predicted ones last.

    Raises
    ------
    InputError, NotApplicableError
        If an argument is wrong, or the cube has no such line.
    """
    checked_draws(draws)
    chosen = some_lines(lines_of(cube, axis, tile, at), most_lines)
    return judge_candidates(chosen, candidates(chosen, Facts.of(cube)), draws=draws, seed=seed)


def checked_draws(draws: int) -> None:
    """Refuse fewer permutations than a p-value below the level takes.

    Raises
    ------
    InputError
        If there are fewer than 199.
    """
    if draws < 199:
        raise InputError(f"{draws} permutations cannot reach small p-values: take 199 or more")


def judge_candidates(
    lines: tuple[Line, ...], predicted: Sequence[Candidate], *, draws: int = DRAWS, seed: int = 0
) -> tuple[PeriodFinding, ...]:
    """Test candidates on lines of one tile, from the largest down, then look for further periods.

    A period counts only by the harmonics that no smaller candidate shares; once detected, it is conditioned on
    when smaller ones are tested. The p-values of all tests are corrected together (Holm 1979).

    Parameters
    ----------
    lines : tuple of Line
        Of one tile and axis.
    predicted : sequence of Candidate
        Largest first.
    draws : int
    seed : int

    Returns
    -------
    tuple of PeriodFinding
        In the order of the candidates; periods that none predicted last.
    """
    rng = np.random.default_rng(seed)
    findings: list[PeriodFinding] = []
    found: list[tuple[Candidate, frozenset[int]]] = []
    guards = [untestable(item, lines, predicted[place + 1 :]) for place, item in enumerate(predicted)]
    threshold = LEVEL / (1 + sum(not reason for reason, _ in guards))
    for place, (item, (reason, usable)) in enumerate(zip(predicted, guards, strict=True)):
        hypothesis = _hypothesis(item, lines, usable, predicted[place + 1 :], found)
        result = period_test(hypothesis, draws=draws, rng=rng) if usable else None
        if result is None:
            why = reason or "trend and larger periods leave nothing of it: measure more sizes, or a finer step"
            findings.append(_finding(lines, item, NOT_TESTABLE, reason=why))
            continue
        interval = None
        if result.p_value <= threshold:
            found.append((item, frozenset(usable)))
        if result.p_value <= LEVEL:
            interval = period_interval(hypothesis)
            if item.slots:
                interval = _calibrated(interval, hypothesis, item.slots[-1])
        finding = _finding(lines, item, NOT_DETECTED, reason=_spread(item, usable))
        finding = replace(finding, predicted=float(np.median(hypothesis.periods)))
        findings.append(
            replace(
                finding,
                period=finding.predicted if interval is None else interval.period,
                lower=None if interval is None else interval.lower,
                upper=None if interval is None else interval.upper,
                raw_p_value=result.p_value,
                statistic=result.statistic,
                null=result.null,
                distribution=result.distribution,
                lines=result.lines,
            )
        )
    findings += _unpredicted(lines, predicted, [item for item, _ in found], draws, threshold, rng)
    return _corrected(findings)


def _calibrated(interval: PeriodInterval | None, hypothesis: PeriodHypothesis, slots: int) -> PeriodInterval | None:
    """Scale a wave period by what the same estimate makes of the waves counted on these lines.

    Waves begin at whole tiles and the first ones are the widest apart relative to the trend: on a short line their
    exact count seems to have another period than C R tiles. Indirect inference takes that off.
    """
    counted = tuple(
        replace(line, log_throughput=np.log(line.x) - np.log(wave_count(slots, line))) for line in hypothesis.lines
    )
    seen = period_interval(replace(hypothesis, lines=counted))
    if interval is None or seen is None:
        return interval
    scale = float(np.median(hypothesis.periods)) / seen.period
    return PeriodInterval(interval.period * scale, interval.lower * scale, interval.upper * scale)


def _hypothesis(
    item: Candidate,
    lines: tuple[Line, ...],
    usable: Sequence[int],
    smaller: Sequence[Candidate],
    larger: Sequence[tuple[Candidate, frozenset[int]]],
) -> PeriodHypothesis:
    # Where a larger one could not be told itself, its columns would take the teeth of this one with them.
    conditions = [
        np.concatenate(
            [np.empty((lines[n].x.size, 0))]
            + [
                tooth_columns(other, n, lines[n], [item.periods[n]], levels=not item.slots)
                for other, told in larger
                if n in told
            ],
            axis=1,
        )
        for n in usable
    ]
    return PeriodHypothesis(
        tuple(lines[n] for n in usable),
        tuple(item.periods[n] for n in usable),
        item.growing,
        tuple(tuple(other.periods[n] for n in usable) for other in smaller),
        tuple(conditions),
    )


def _unpredicted(
    lines: tuple[Line, ...],
    predicted: Sequence[Candidate],
    found: Sequence[Candidate],
    draws: int,
    threshold: float,
    rng: np.random.Generator,
) -> list[PeriodFinding]:
    """Search blindly, again after each period found, until one is not."""
    known = list(found)
    findings: list[PeriodFinding] = []
    for _ in range(_MOST_UNPREDICTED):
        conditions = [
            np.concatenate(
                [np.empty((line.x.size, 0))] + [tooth_columns(item, n, line, []) for item in known], axis=1
            )
            for n, line in enumerate(lines)
        ]
        scan = scan_periods(lines, conditions, draws=draws, rng=rng)
        if scan is None:
            break
        item = Candidate("", (scan.period,) * len(lines), False, True)
        interval: PeriodInterval | None = None
        if scan.p_value <= LEVEL:
            interval = period_interval(PeriodHypothesis(lines, item.periods, conditions=tuple(conditions)))
        blank = _finding(lines, item, NOT_DETECTED, reason=_relation(scan.period, predicted, lines))
        match = next((other for other in predicted if _resolved(scan.period, other.period, lines)), None)
        findings.append(
            replace(
                blank,
                mechanism=None if match is None else match.mechanism,
                predicted=None if match is None else match.period,
                period=scan.period if interval is None else interval.period,
                lower=None if interval is None else interval.lower,
                upper=None if interval is None else interval.upper,
                raw_p_value=scan.p_value,
                statistic=scan.statistic,
                null=scan.null,
                distribution=scan.distribution,
                lines=len(lines),
            )
        )
        if scan.p_value > threshold:
            break
        known.append(item)
    return findings


def _finding(lines: Sequence[Line], item: Candidate, status: str, reason: str = "") -> PeriodFinding:
    return PeriodFinding(
        axis=lines[0].axis,
        tile=lines[0].tile.name,
        mechanism=item.mechanism,
        predicted=item.period,
        period=item.period,
        lower=None,
        upper=None,
        status=status,
        p_value=None,
        raw_p_value=None,
        statistic=None,
        null="",
        distribution=np.empty(0),
        lines=0,
        reason=reason,
    )


def _spread(item: Candidate, usable: Sequence[int]) -> str:
    """Say over what the pooled lines' periods range, where they do."""
    values = [item.periods[number] for number in usable]
    return f"lines predict {min(values):g} to {max(values):g}" if max(values) > min(values) else ""


def _relation(period: float, predicted: Sequence[Candidate], lines: Sequence[Line]) -> str:
    """Name a predicted period of which this may be a harmonic."""
    for item in predicted:
        number = max(1, round(item.period / period))
        if number <= 8 and _resolved(period, item.period / number, lines):
            part = "" if number == 1 else f"1/{number} of "
            return f"blind search: within the resolution of {part}{item.period:g} ({item.mechanism})"
    return "blind search"


def _resolved(period: float, other: float, lines: Sequence[Line]) -> bool:
    """Whether two periods are closer than the lines resolve."""
    return abs(1.0 / period - 1.0 / other) <= 1.0 / max(line.span for line in lines)


def _corrected(findings: Sequence[PeriodFinding]) -> tuple[PeriodFinding, ...]:
    """Correct all p-values together, and decide."""
    raw = [item.raw_p_value for item in findings if item.raw_p_value is not None]
    adjusted = iter(holm(np.array(raw, dtype=np.float64)))
    decided = []
    for item in findings:
        if item.raw_p_value is None:
            decided.append(item)
            continue
        value = float(next(adjusted))
        if value <= LEVEL:
            decided.append(replace(item, p_value=value, status=DETECTED, reason=_with_match(item)))
        else:
            shown = item.period if item.predicted is None else item.predicted
            decided.append(replace(item, p_value=value, period=shown, lower=None, upper=None))
    return _without_doubles(decided)


def holm(p_values: Array) -> Array:
    """Correct p-values for being several (Holm 1979), shape (m,) in and out.

    That of statsmodels collects garbage at every call, which takes longer than the tests.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(p_values.size, 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted


def _without_doubles(findings: Sequence[PeriodFinding]) -> tuple[PeriodFinding, ...]:
    """Keep one finding a mechanism: the detected one, where a blind search came to a candidate's period."""
    kept: dict[str, PeriodFinding] = {}
    for place, item in enumerate(findings):
        key = item.mechanism or f"unpredicted {place}"
        if key not in kept or (item.status == DETECTED and kept[key].status != DETECTED):
            kept[key] = item
    return tuple(kept.values())


def _with_match(item: PeriodFinding) -> str:
    """Add to a remark that the interval does not hold what the mechanism predicts, where it does not."""
    if (
        item.predicted is None
        or item.lower is None
        or item.upper is None
        or item.lower <= item.predicted <= item.upper
    ):
        return item.reason
    outside = max(item.lower - item.predicted, item.predicted - item.upper)
    missed = f"predicted {item.predicted:g}, {outside:.2g} outside the interval"
    return f"{item.reason}; {missed}" if item.reason else missed
