"""Masked edge: work-groups that reach past the edge of the matrix take a slower, masked path.

Their padded work is counted elsewhere; this is what masking costs beyond it, a delay of each such work-group.
Whichever way a raster runs, it ends in the last tile row and column. The last work-group to start is thus at the
edge wherever an edge is ragged, and no other work hides its delay: a launch lasts longer by it once, however many
waves it has. Work-groups at the edge in earlier waves delay the slots they ran on, on average by (V - 1) / columns
(or rows) of a delay after V waves. The empty slots of the last wave take that up, as far as they go; what exceeds
them lengthens the launch, by a coefficient of its own, because co-residents hide a part of it.

Where work is divisible (:mod:`models.limits`) there is no last wave: the delays of all work-groups at the edge are
spread over the slots, or bound the launch by the longest work-group.

Where edge costs are known, launches are handed out work-group by work-group (:mod:`models.ragged_launches`), and
what is counted are the delays of the chain of work-groups that ends last, all at one price.

How the delay grows with the share of the tile that lies outside is left to the timings: an increasing function with
a jump at 0, a sum of non-negative multiples (:func:`models.edge_costs.outside_pieces`). A work-group at both edges
has both delays, and more: as the product of both, where they are known approximately, and until then as the part of
it that lies outside of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.tile import Tile
from models.edge_costs import outside_pieces
from models.hardware import Hardware
from models.limits import Limit, divisible
from models.problem import PADDING, Problem
from models.ragged_launches import MASKED, chains, outside
from models.slow_steps import slowdown
from models.term import Coefficient, Term

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MaskedEdge(Term):
    """Delay of work-groups that are masked in N or in M, by mainloop step: the last one's, and earlier ones'.

    Smooth counterpart: every work-group takes the plain path.
    """

    name: ClassVar[str] = "masked edge"
    mechanisms: ClassVar[tuple[str, ...]] = (MASKED,)
    needs_tile: ClassVar[bool] = True
    resource: ClassVar[str] = "launch"
    """A delay: neither computing nor memory is kept busy meanwhile, and so nothing hides it."""
    source: ClassVar[str] = (
        "arXiv 2605.29752 section 3.3, Table 14 (sizes off the tile cost more than their padding)"
    )
    identified_by: ClassVar[str] = (
        "N and M that are no multiples of the tile's, with few and with most of its columns and rows outside"
    )

    def coefficients(self, tile: Tile, hardware: Hardware) -> tuple[Coefficient, ...]:
        """For N and for M: a masked step, and what it costs more as the tile leaves the matrix; the corner."""
        kinds = [("the last work-group", ""), ("earlier work-groups", "earlier ")]
        if tile.name in hardware.edges:
            kinds = [("the work-groups that a launch waits for", "")]
        found = []
        for which, name in kinds:
            for axis in "NM":
                of = f"per step of {which} ragged in {axis}"
                found.append(Coefficient(f"{name}masked step, {axis}", "s/step", of))
                more = f"{of}, as it leaves: half of it half outside"
                found.append(Coefficient(f"{name}outside, {axis}", "s/step", more))
                found.append(Coefficient(f"{name}mostly outside, {axis}", "s/step", f"{of}, beyond half outside"))
        known = tile.name in hardware.edges
        corner = "product of both delays" if known else "share of the tile outside of both edges"
        found.append(Coefficient("masked corner", "s/step", f"per step and {corner}"))
        return tuple(found)

    def columns(self, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Array:
        """Steps of a launch, by what of its last and earlier work-groups lies outside; zero where switched off."""
        slots = hardware.slots_of(problem.tile.name)
        if problem.tile.name in hardware.edges:
            return self._in_chains(problem, hardware, on)
        waves = np.ceil(problem.whole_groups / slots)
        slack = waves - problem.whole_groups / slots
        # Where work is divisible the engines never wait: co-residents hide the delays.
        whole = ~divisible(problem.whole_groups, slots, on)
        earlier = [
            np.maximum(0.0, (waves - 1.0) / across - slack) * whole
            for across in (problem.tile_columns, problem.tile_rows)
        ]
        # Without padding the last work-group is shorter: Limit.EDGE has what its delay is more than that.
        last = (whole if PADDING in on else whole & ~problem.ragged).astype(np.float64)
        return _delays(problem, hardware, (last, last), earlier, last) * _steps(problem, hardware, on)

    def limit_columns(self, limit: Limit, problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Array:
        """All delays spread over the slots; those of the last work-group; none inside.

        At an edge that is not padded, the delays of a shorter last work-group.
        """
        known = problem.tile.name in hardware.edges
        if limit is Limit.ENGINES or (known and limit is Limit.EDGE):
            return self.columns(problem, hardware, on)
        none = np.zeros(problem.size)
        if limit is Limit.EDGE:
            slots = hardware.slots_of(problem.tile.name)
            last = (problem.ragged & ~divisible(problem.whole_groups, slots, on)).astype(np.float64)
            late = _delays(problem, hardware, (last, last), (none, none), last) * _steps(problem, hardware, on)
            return np.asarray(self.columns(problem, hardware, on) + late)
        if limit is Limit.SLOTS:
            slots = hardware.slots_of(problem.tile.name)
            counts = problem.tile_rows / slots, problem.tile_columns / slots
            earlier = None if known else (none, none)
            return _delays(problem, hardware, counts, earlier, none + 1.0 / slots) * _steps(problem, hardware, on)
        count = none + float(limit is Limit.LONGEST)
        earlier = None if known else (none, none)
        return _delays(problem, hardware, (count, count), earlier, count) * _steps(problem, hardware, on)

    @staticmethod
    def _in_chains(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Array:
        """Steps of the late work-groups that launches wait for; of many waves, of those not hidden on average."""
        slots = hardware.slots_of(problem.tile.name)
        whole = ~divisible(problem.whole_groups, slots, on)
        waves = np.ceil(problem.whole_groups / slots)
        slack = waves - problem.whole_groups / slots
        late = np.stack(
            [
                1.0 + np.maximum(0.0, (waves - 1.0) / across - slack)
                for across in (problem.tile_columns, problem.tile_rows)
            ]
            + [np.ones(problem.size)],
            axis=1,
        )
        late *= whole[:, None]
        rows, found = chains(problem, hardware, on)
        if found is not None and MASKED in on:
            late[rows] = found.late
        return _delays(problem, hardware, (late[:, 0], late[:, 1]), None, late[:, 2]) * _steps(
            problem, hardware, on
        )


def _delays(
    problem: Problem, hardware: Hardware, last: Sequence[Array], earlier: Sequence[Array] | None, corner: Array
) -> Array:
    """Counted delays by the share outside, shape (n, 13): each pair counts those ragged in N and in M.

    Of shape (n, 7) where earlier work-groups are counted with the last one.
    """
    shares = outside(problem.N, problem.tile.n), outside(problem.M, problem.tile.m)
    found = [
        count[:, None] * outside_pieces(share)
        for counts in ((last,) if earlier is None else (last, earlier))
        for share, count in zip(shares, counts, strict=True)
    ]
    costs = hardware.edges.get(problem.tile.name)
    both = shares[0] * shares[1] if costs is None else costs.delays(*shares)[:, 2]
    return np.concatenate([*found, (corner * both)[:, None]], axis=1)


def _steps(problem: Problem, hardware: Hardware, on: AbstractSet[str]) -> Array:
    """Steps, in steps of the usual length: late work-groups are later where their steps are slow."""
    return (problem.steps(on) * (1.0 + slowdown(problem, hardware, on)))[:, None] * float(MASKED in on)
