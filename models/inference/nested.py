"""Tests of one mechanism: whether it improves held-out blocks, and whether the improvement is beyond chance.

For each term, the model of all other terms is compared with that of all, by the squared relative error of blocks of
(M, N) that neither was fitted to. Of all, not of the chosen: what a term tells no better than another one that was
not chosen (a masked K than rows off a cache line, say, where every such K is both) is no evidence of it.

Dropping or adding a term of no effect changes that error too, and neighbouring blocks that share their lack of fit
can make it look like a gain. The null distribution comes therefore from surrogate landscapes
(:mod:`models.inference.surrogates`): the fitted model without the term, plus a residual with the scale and the
correlation of the real one; what does not surely cost something costs nothing there, and is estimated as in the
landscape. A cost at its bound gains exactly nothing in about half of them, which is the half-normal mixture of
tests at a boundary (Self & Liang 1987). One that is at its bound with all blocks has no gain either, whatever it is
without some of them: what costs nothing is not there.

Hardware constants and the choice of the other terms were made on the same cells and stay as they are in surrogates:
p-values are conditional on them, and too small for a term whose constants were looked for among many. Numbers that
have no cost of their own (spread, spill size and sharpness, power of overlap) have columns beside the terms
(:mod:`models.inference.estimated_constants`).

Columns of a term that one size alone tells from the others (:mod:`models.inference.support`) are no part of its
test.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inference.criteria import CriteriaChange, criteria_change
from models.inference.surrogates import HeldOut, Surrogates
from models.reasons import COMBINATION, ONE_SIZE, ZERO

_multitest: Any = importlib.import_module("statsmodels.stats.multitest")

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_UNIQUE = 1e-6
"""A term whose columns the others reproduce but for this share of their squares cannot be tested."""

SMALLEST = 1e-6
"""Of a p-value: further out, the tail of a few hundred surrogates says nothing."""

_NOTHING = 1e-9
"""Fall of the logarithm of a squared error that is rounding."""

_COUNTED, _TAIL = 5, 10
"""With fewer surrogates beyond the observed value than this, the p-value is that of a tail fitted to so many."""


@dataclass(frozen=True)
class NestedTest:
    """Test of one addition to a model.

    Attributes
    ----------
    name : str
        The term, or the pair of terms.
    in_model : bool
        Whether the fitted model has it.
    gain : float
        Fall of the held-out squared error that it brings, a fraction; negative where it harms.
    standard_error : float
        Of the gain, over folds (Nadeau & Bengio 2003).
    p_value : float or None
        Share of surrogates without it that gain as much; ``None`` where it cannot be tested.
    p_in_sample : float or None
        The same for the error of the fit itself.
    p_holm, p_bh : float or None
        Adjusted over all tests that were done together: family-wise (Holm 1979) and false discovery rate
        (Benjamini & Hochberg 1995).
    share : float
        Mean share of the fitted time that it takes in the larger model; negative for an interaction that saves
        time.
    criteria : CriteriaChange or None
        Change of the information criteria.
    note : str
        Why it cannot be tested.
    """

    name: str
    in_model: bool
    gain: float
    standard_error: float
    p_value: float | None
    p_in_sample: float | None
    p_holm: float | None = None
    p_bh: float | None = None
    share: float = 0.0
    criteria: CriteriaChange | None = None
    note: str = ""


def tail_probability(observed: float, null: Array) -> float:
    """Probability of a value as large as the observed one under the null.

    The share of surrogates, counting the observation among them. Where fewer than five reach it, a tail is fitted
    to the k largest of n, a twentieth and ten at least: exponential, its mean estimated. One of n + 1 values that
    are alike is among the k + 1 largest with probability (k + 1) / (n + 1), and exceeds the least of these by more
    than x means with probability (1 + x / k)^-k (their ratio has an F distribution). That is exact for exponential
    tails, and nearly so for those of squared errors, of which many may be zero. It is a millionth at least.

    Parameters
    ----------
    observed : float
    null : ndarray, shape (draws,)
    """
    beyond = int((null >= observed - 1e-12).sum())
    counted = (1.0 + beyond) / (1.0 + null.size)
    tail = max(_TAIL, null.size // 20)
    if beyond >= _COUNTED or null.size < 5 * _TAIL:
        return counted
    ordered = np.sort(null)
    start, excess = float(ordered[-tail - 1]), ordered[-tail:] - ordered[-tail - 1]
    mean = float(excess.mean())
    if mean <= 0 or observed <= start:
        return counted
    return max(
        SMALLEST, (tail + 1.0) / (null.size + 1.0) * float((1.0 + (observed - start) / mean / tail) ** -tail)
    )


def judge_additions(
    surrogates: Surrogates,
    places: Mapping[str, Indices],
    model: Sequence[str],
    additions: Sequence[str],
    beside: Sequence[str] | None = None,
) -> list[NestedTest]:
    """Test each addition against a model without it.

    Parameters
    ----------
    surrogates : Surrogates
    places : mapping of name to ndarray of int64
        Columns of each term or addition.
    model : sequence of str
        Terms of the fitted model.
    additions : sequence of str
        What to test.
    beside : sequence of str, optional
        Terms beside which each is tested, without itself where it is one of them; those of the fitted model when
        left out.

    Returns
    -------
    list of NestedTest
        In the order of ``additions``; not yet adjusted.
    """
    return [_test(surrogates, places, name, model, model if beside is None else beside) for name in additions]


def _test(
    surrogates: Surrogates, places: Mapping[str, Indices], name: str, model: Sequence[str], beside: Sequence[str]
) -> NestedTest:
    in_model = name in model
    others = [places[other] for other in beside if other != name]
    own = places[name]
    base = np.sort(np.concatenate(others)) if others else np.empty(0, dtype=np.int64)
    whole = surrogates.grams.sum(axis=0)
    note = ""
    if not np.diag(whole)[own].any():
        note = f"not testable: {ZERO}"
    elif base.size and not _told_apart(whole, base, own):
        note = f"not testable: {COMBINATION}"
    elif not base.size:
        note = "not testable: the model has nothing else"
    elif len(sizes := {surrogates.one_size[int(j)] for j in own[np.diag(whole)[own] > 0]}) == 1 and sizes != {""}:
        note = f"not testable: {ONE_SIZE}, {sizes.pop()}: anything else that is special there may be it"
    else:
        alone = [surrogates.by_size.told_alone(int(j), base) if surrogates.partial[j] else "" for j in own]
        told = np.array([size == "" for size in alone]) & (np.diag(whole)[own] > 0)
        if not told.any():
            named = " or ".join(sorted({size for size in alone if size}))
            note = f"not testable: {ONE_SIZE}, {named}: anything else that is special there may be it"
        own = own[told]
    if note:
        return NestedTest(name, in_model, 0.0, 0.0, None, None, note=note)
    found: HeldOut = surrogates.compare(base, np.sort(np.concatenate([base, own])))
    larger = found.theta.copy()
    share = float(np.sum(surrogates.means[own] * larger[own]))
    change = criteria_change(
        found.squares, (found.active_base, found.active), surrogates.residual.size, surrogates.effective_size
    )
    return NestedTest(
        name,
        in_model,
        found.gain,
        found.standard_error,
        tail_probability(*_gains(found)),
        tail_probability(found.drop, found.null_drop),
        share=share,
        criteria=change,
    )


def _gains(found: HeldOut) -> tuple[float, Array]:
    """Gain of the landscape and of its surrogates; none where the addition costs nothing with all blocks."""
    null = np.where(found.null_drop > _NOTHING, found.null, np.minimum(found.null, 0.0))
    return found.gain if found.drop > _NOTHING else min(found.gain, 0.0), null


def adjusted(tests: Sequence[NestedTest]) -> list[NestedTest]:
    """Adjust the p-values of tests that were done together, those of several tiles say."""
    rows = [row for row, test in enumerate(tests) if test.p_value is not None]
    out = list(tests)
    if not rows:
        return out
    raw = np.array([tests[row].p_value for row in rows], dtype=np.float64)
    holm = _multitest.multipletests(raw, method="holm")[1]
    false_discovery = _multitest.multipletests(raw, method="fdr_bh")[1]
    for row, first, second in zip(rows, holm, false_discovery, strict=True):
        out[row] = replace(tests[row], p_holm=float(first), p_bh=float(second))
    return out


def _told_apart(gram: Array, base: Indices, own: Indices) -> bool:
    """Whether the base leaves some of the added columns unexplained."""
    used = base[np.diag(gram)[base] > 0]
    scale = np.sqrt(np.diag(gram))
    inner = gram[np.ix_(used, used)] / scale[used, None] / scale[used]
    for j in own:
        if scale[j] > 0:
            cross = gram[used, j] / scale[used] / scale[j]
            if 1.0 - float(cross @ np.linalg.lstsq(inner, cross, rcond=1e-12)[0]) > _UNIQUE:
                return True
    return False
