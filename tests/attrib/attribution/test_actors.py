"""Who can act: two views that add up to the same, and count nothing twice."""

from dataclasses import replace

import numpy as np
import pytest

from attrib.attribution import ACTORS, FLOOR, NOISE, UNEXPLAINED, Attribution, Share, actor_of, by_actor
from attrib.attribution.actors import HARDWARE, KERNEL, LAYOUT, STAGES
from harness.errors import InputError

NAMES = ("wave quantization", "row pitch", "masked edge", "tile padding", FLOOR, UNEXPLAINED, NOISE)


def attribution(stage, values, seed=0, quantity="slice_N", draws=50):
    rng = np.random.default_rng(seed)
    samples = {name: value + 0.1 * rng.standard_normal(draws) for name, value in zip(NAMES, values, strict=True)}
    samples[NOISE] = np.full(draws, values[-1])
    shares = {name: Share.of(value, samples[name]) for name, value in zip(NAMES, values, strict=True)}
    shares[NOISE] = Share(values[-1])
    whole = float(sum(values))
    none = dict.fromkeys(NAMES, 0.0)
    return Attribution(stage, quantity, "TFLOP/s per step", whole, shares, whole, 1.0, 0.0, draws, samples, none)


FIXED = attribution("fixed", (8.0, 3.0, 2.0, 4.0, 1.0, 0.5, 0.2), 1)
BEST = attribution("best tile", (7.0, 3.5, 2.0, 1.0, 1.5, -0.3, 0.1), 2)
FULL = attribution("best tile + pad + split", (5.0, 3.0, 1.5, 0.5, 1.0, 0.4, 0.3), 3)


def test_everything_adds_up_to_what_was_measured():
    view = by_actor(FIXED, (BEST, FULL))
    assert view.last_stage == FULL.stage
    assert sum(share.share for share in view.actors.values()) == pytest.approx(FIXED.measured)
    assert view.by_stage == pytest.approx(
        {BEST.stage: FIXED.measured - BEST.measured, FULL.stage: BEST.measured - FULL.measured}
    )
    assert sum(view.by_stage.values()) == pytest.approx(view.actors[STAGES].share)
    for name in NAMES:
        parts = view.removed[name].share + view.remaining[name].share
        assert parts == pytest.approx(FIXED.shares[name].share)
    assert sum(share.share for share in view.removed.values()) == pytest.approx(view.actors[STAGES].share)
    assert sum(share.share for share in view.remaining.values()) == pytest.approx(FULL.measured)


def test_only_what_the_stages_leave_is_tagged():
    view = by_actor(FIXED, (BEST, FULL))
    assert list(view.actors) == [STAGES, LAYOUT, KERNEL, HARDWARE, FLOOR, UNEXPLAINED, NOISE]
    assert view.actors[LAYOUT].share == FULL.shares["row pitch"].share
    assert view.actors[KERNEL].share == pytest.approx(2.0)
    assert view.actors[HARDWARE].share == FULL.shares["wave quantization"].share
    assert view.actors[STAGES].lower is None  # measured
    assert view.actors[KERNEL].lower < 2.0 < view.actors[KERNEL].upper
    assert {actor_of(name) for name in NAMES} <= set(ACTORS)


def test_intervals_are_of_sums_and_differences_drawn_together():
    view = by_actor(FIXED, (FULL,))
    together = FULL.samples["masked edge"] + FULL.samples["tile padding"]
    assert view.actors[KERNEL] == Share.of(2.0, together)
    difference = FIXED.samples["row pitch"] - FULL.samples["row pitch"]
    assert view.removed["row pitch"] == Share.of(0.0, difference)
    assert view.removed[NOISE].lower is None


def test_the_last_stage_leaves_everything():
    view = by_actor(FULL, ())
    assert view.by_stage == {}
    assert view.actors[STAGES].share == 0
    assert sum(share.share for share in view.actors.values()) == pytest.approx(FULL.measured)
    data = view.to_dict()
    assert data["by_mechanism"]["row pitch"]["actor"] == LAYOUT
    assert data["by_mechanism"]["row pitch"]["remaining"]["share"] == 3.0


def test_other_quantities_and_other_models_do_not_mix():
    with pytest.raises(InputError, match="one quantity of one model"):
        by_actor(FIXED, (attribution("best tile", [1.0] * 7, quantity="K"),))
    with pytest.raises(InputError, match="best tile"):
        by_actor(FIXED, (attribution("best tile", [1.0] * 7, draws=3),))


def test_errors_at_bounds_add_up_like_the_shares():
    given = (
        replace(FIXED, too_large={**FIXED.too_large, NAMES[0]: 0.3, NAMES[1]: -0.2}),
        replace(FULL, too_large={**FULL.too_large, NAMES[0]: 0.1, NAMES[1]: 0.4}),
    )
    plain, found = by_actor(FIXED, (FULL,)), by_actor(given[0], given[1:])
    moved = found.removed[NAMES[0]]
    assert moved.lower == pytest.approx(plain.removed[NAMES[0]].lower - 0.2)
    assert moved.upper == plain.removed[NAMES[0]].upper
    moved = found.removed[NAMES[1]]
    assert moved.lower == plain.removed[NAMES[1]].lower
    assert moved.upper == pytest.approx(plain.removed[NAMES[1]].upper + 0.6)
    actor = actor_of(NAMES[0])
    assert found.actors[actor].lower == pytest.approx(plain.actors[actor].lower - 0.1)
