"""Who can act on what a stage's landscape still has: two views of one sum that do not count anything twice.

By stage: choosing tiles, padding and splitting take away what lies between this stage and the last of the ladder.
By mechanism: the Shapley shares of this stage. Each mechanism's share is cut at the last stage:

    share here = (share here - share at the last stage) + share at the last stage

The first part is what the later stages take from this mechanism; over all rows it adds up to what they take away
in the by-stage view. The second is what no choice of tile, padding or splitting reaches; only this part is tagged
with whoever else could act on it: whoever lays out the operands, whoever writes the kernel, or nobody short of
other hardware. So a mechanism that padding half removes counts for the stages with one half and for its tag with
the other. The floor, what is unexplained and the noise keep rows of their own, cut in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrib.attribution.share import FLOOR, NOISE, UNEXPLAINED, Attribution, Share
from harness.errors import InputError

Array = NDArray[np.float64]

STAGES, LAYOUT, KERNEL, HARDWARE = "later stages", "operand layout", "kernel code", "hardware"

ACTORS: dict[str, str] = {
    STAGES: "choosing a tile for each shape, padding and splitting: what a dispatch plan does",
    LAYOUT: "rows of the operands laid out with a padded leading dimension",
    KERNEL: "another kernel: its tile sizes, its order of work-groups, its path for ragged tiles, its prefetch",
    HARDWARE: "the device and its driver: what remains after all software stages",
    FLOOR: "what a smooth landscape has too",
    UNEXPLAINED: "measured, and no mechanism of the model",
    NOISE: "finite repeats",
}
"""Everybody, in order, and what they would change."""

_LEVERS = {
    "row pitch": LAYOUT,
    "raster and swizzle": KERNEL,
    "tile padding": KERNEL,
    "masked edge": KERNEL,
    "pipeline fill": KERNEL,
}


def actor_of(name: str) -> str:
    """Who could act on what remains of a share after all stages; of a mechanism not listed, the hardware."""
    return name if name in (FLOOR, UNEXPLAINED, NOISE) else _LEVERS.get(name, HARDWARE)


@dataclass(frozen=True)
class ActorView:
    """One quantity of a stage, by who can act on it.

    Attributes
    ----------
    stage, last_stage : str
        The stage, and the last one of its ladder.
    quantity, unit : str
    measured : float
    by_stage : mapping of str to float
        What each later stage takes away of what was measured, one after the other.
    actors : mapping of str to Share
        Keys of :data:`ACTORS`; they add up to ``measured``.
    removed, remaining : mapping of str to Share
        For every row of the attribution: what the later stages take from it (negative where they add to it), and
        what they leave.
    """

    stage: str
    last_stage: str
    quantity: str
    unit: str
    measured: float
    by_stage: Mapping[str, float]
    actors: Mapping[str, Share]
    removed: Mapping[str, Share]
    remaining: Mapping[str, Share]

    def to_dict(self) -> dict[str, Any]:
        """Return the view as plain data."""
        return {
            "last_stage": self.last_stage,
            "by_stage": dict(self.by_stage),
            "actors": {name: share.to_dict() for name, share in self.actors.items()},
            "by_mechanism": {
                name: {
                    "actor": actor_of(name),
                    "removed_by_later_stages": self.removed[name].to_dict(),
                    "remaining": share.to_dict(),
                }
                for name, share in self.remaining.items()
            },
        }


def by_actor(here: Attribution, later: Sequence[Attribution]) -> ActorView:
    """Cut a stage's shares at the last stage of its ladder and group what is left.

    Parameters
    ----------
    here : Attribution
    later : sequence of Attribution
        The same quantity, from the same model, of the stages still to come; none at the end of the ladder.

    Raises
    ------
    InputError
        If they are of different quantities or models.
    """
    last = later[-1] if later else here
    if here.quantity != last.quantity or set(here.shares) != set(last.shares) or here.draws != last.draws:
        raise InputError(
            f"expected one quantity of one model at two stages, got {here.quantity} of {here.stage} and "
            f"{last.quantity} of {last.stage}"
        )
    by_stage: dict[str, float] = {}
    for before, after in pairwise((here, *later)):
        by_stage[after.stage] = before.measured - after.measured
    removed, remaining = {}, {}
    groups: dict[str, tuple[float, Array, float]] = {}

    def join(actor: str, value: float, draws: Array, too_large: float) -> None:
        total, sums, error = groups.get(actor, (0.0, np.zeros(here.draws), 0.0))
        groups[actor] = (total + value, sums + draws, error + too_large)

    for name in here.shares:
        kept, kept_draws = last.shares[name].share, last.samples[name]
        taken, taken_draws = here.shares[name].share - kept, here.samples[name] - kept_draws
        kept_error = last.too_large[name]
        taken_error = here.too_large[name] - kept_error
        removed[name] = Share(taken) if name == NOISE else Share.of(taken, taken_draws, taken_error)
        remaining[name] = last.shares[name]
        join(STAGES, taken, taken_draws, taken_error)
        join(actor_of(name), kept, kept_draws, kept_error)
    actors = {
        # What stages take away was measured: their difference, and no model's.
        name: Share(groups[name][0]) if name in (STAGES, NOISE) else Share.of(*groups[name])
        for name in ACTORS
        if name in groups
    }
    return ActorView(
        here.stage, last.stage, here.quantity, here.unit, here.measured, by_stage, actors, removed, remaining
    )
