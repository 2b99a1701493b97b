"""Memory channels and their interleave, profiled in pairs: which pair's idle channels explain the timings best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.constants.confidence import unrefuted
from models.constants.constant import IDENTIFIED, Constant, Profile, not_identifiable
from models.constants.scan import Finding, Scan, judge, places_of
from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.state_losses import state_losses
from models.term import Term
from models.terms.channel_hash import ChannelHash
from models.tile_data import TileData

Array = NDArray[np.float64]

CHANNELS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
INTERLEAVES = (64, 128, 256, 512, 1024, 2048, 4096)
"""Candidates; interleaves in bytes."""

PAIRS = tuple((c, i) for c in CHANNELS for i in INTERLEAVES)

_ALIKE = 1.0 - 1e-6
_EQUAL = 1e-3
_OVERLAPS = 0.1
"""Overlap is heeded where it lowers the logarithm of the squared errors by this much on average over the tiles."""
_CELLS = 1024
"""Of a tile, where each pair is fitted with overlap."""
_MOST = 10_000
"""Shapes of a tile that are looked at: a profile of so many columns needs no more."""

REMEDY = "long rows (K and N of thousands) whose pitches are odd and even multiples of 64 to 4096 B, with few FLOP"


@dataclass(frozen=True)
class ChannelPair:
    """Channels and interleave.

    Attributes
    ----------
    channels, interleave : Constant
    aliases : tuple of (int, int)
        Pairs that are the same model as the best on these shapes.
    """

    channels: Constant
    interleave: Constant
    aliases: tuple[tuple[int, int], ...]

    @property
    def identified(self) -> bool:
        """Whether the timings tell the pair, up to its aliases."""
        return self.channels.identified

    @property
    def pair(self) -> tuple[int, int]:
        """The estimated channels and interleave; 0 where there are none."""
        return int(self.channels.estimate or 0), int(self.interleave.estimate or 0)

    def refutes(self, channels: int | None, interleave: int | None) -> bool:
        """Whether the timings tell the pair, and it is another candidate than the given one."""
        profile = self.channels.profile
        if not self.identified or profile is None or (channels, interleave) not in PAIRS:
            return False
        return not profile.tenable[PAIRS.index((channels or 0, interleave or 0))]

    def noting(self, channels: int | None, interleave: int | None) -> ChannelPair:
        """Return the same with a note that the given pair, which the device record states, is refuted."""
        said = f"the device record says {channels} x {interleave} B, which these timings refute"
        note = "; ".join(part for part in (self.channels.note, said) if part)
        return replace(self, channels=replace(self.channels, note=note))


def profile_channels(
    data: Mapping[str, TileData],
    hardware: Hardware,
    terms: Sequence[Term],
    n_blocks: int,
    rng: np.random.Generator,
) -> ChannelPair:
    """Fit each pair of channels and interleave beside all other terms.

    Parameters
    ----------
    data : mapping of tile label to TileData
    hardware : Hardware
        With cores, residencies and cache size; its channels are not looked at.
    terms : sequence of Term
    n_blocks : int
        Blocks that labels run over.
    rng : numpy.random.Generator
    """
    others = [term for term in terms if term.name != ChannelHash.name]
    # What the record says of channels is no part of the other terms either.
    without = replace(hardware, channels=None, interleave_bytes=None)
    scans, counts = [], []
    thinned = {label: item.thinned(_MOST, rng) for label, item in data.items()}
    # Pairs of equal columns on every tile are one candidate.
    waiting = {label: _columns(item, hardware) for label, item in thinned.items()}
    groups = _groups(list(waiting.values()))
    first = np.unique(groups, return_index=True)[1]
    for label, item in thinned.items():
        time = item.samples.time
        base = Design.of(others, item.tile, without).matrix(item.problem, without, ALL_MECHANISMS)
        scaled = base / time[:, None]
        columns = waiting[label][:, first] / time[:, None]
        scans.append(Scan.of(scaled, columns, np.ones(time.size), item.blocks, n_blocks))
        counts.append(time.size)
    if not any(scan.own.any() for scan in scans):
        return _unknown("no pitch leaves a channel idle, whatever their number", None, ())
    shapes = [np.concatenate([getattr(item.samples, name) for item in thinned.values()]) for name in "MN"]
    blocks = np.concatenate([item.blocks for item in thinned.values()])
    finding = judge(scans, counts, rng, places_of(shapes[0], shapes[1], blocks, n_blocks))
    if finding.found:
        finding = _with_overlap(finding, thinned, hardware, terms, first, n_blocks, rng)
    tenable = finding.tenable[groups]
    profile = Profile(
        ("channels", "interleave, B"),
        tuple((float(c), float(i)) for c, i in PAIRS),
        tuple(map(float, finding.criterion[groups])),
        tuple(map(bool, tenable)),
    )
    if not finding.found:
        return _unknown(f"no idle channel is found to cost anything (p = {finding.p_value:.2g})", profile, ())
    # Costs cannot be negative: a column that is another and bytes besides is told from it where bytes cost little.
    near = np.abs(finding.criterion - finding.criterion[finding.best]) < _EQUAL
    alike = (finding.alike[finding.best] > _ALIKE) & near
    same = tuple(pair for pair, group in zip(PAIRS, groups, strict=True) if alike[group])
    kept = [pair for pair, hold in zip(PAIRS, tenable, strict=True) if hold]
    best = same[0] if same else PAIRS[int(first[finding.best])]
    status = IDENTIFIED
    if len(kept) > 4:
        status = not_identifiable(f"{len(kept)} of {len(PAIRS)} pairs of channels and interleave explain it alike")
    others_alike = tuple(pair for pair in same if pair != best)
    note = ""
    if others_alike:
        note = "the same column on this grid: " + ", ".join(f"{c} x {i} B" for c, i in others_alike)
    channels = Constant(
        float(best[0]), _distinct(c for c, _ in kept), status, "", profile=profile, note=note, remedy=REMEDY
    )
    interleave = replace(channels, estimate=float(best[1]), values=_distinct(i for _, i in kept), unit="B")
    return ChannelPair(channels, interleave, others_alike)


def _with_overlap(
    finding: Finding,
    data: Mapping[str, TileData],
    hardware: Hardware,
    terms: Sequence[Term],
    first: NDArray[np.int64],
    n_blocks: int,
    rng: np.random.Generator,
) -> Finding:
    """Compare the pairs again where memory costs overlap with computing: a sum sees the worst pitches alone.

    Where launches compute longer than most of their pitches make them wait, what is left in a sum is the pattern of
    the pitches with the fewest channels, which is that of another pair.
    """
    parts = []
    for item in data.values():
        if item.hidden:
            continue
        some = np.sort(rng.permutation(item.samples.size)[:_CELLS])
        parts.append((item.problem.take(some), item.samples.time[some], item.blocks[some]))
    pairs = [PAIRS[int(place)] for place in first]
    states = [replace(hardware, channels=c, interleave_bytes=i) for c, i in pairs]
    tried = [state_losses(*part, [states[finding.best]], terms, n_blocks) for part in parts]
    if not parts or np.mean([np.log(added[0] / best.sum()) for best, added in tried]) < _OVERLAPS:
        return finding
    losses = [state_losses(*part, states, terms, n_blocks)[0] for part in parts]
    criterion = np.sum(
        [n_blocks * np.log(loss.sum(axis=1) / part[1].size) for loss, part in zip(losses, parts, strict=True)],
        axis=0,
    )
    tenable = unrefuted(losses, rng) & finding.measured
    return replace(finding, best=int(np.argmin(criterion)), criterion=criterion, tenable=tenable)


def _unknown(reason: str, profile: Profile | None, aliases: tuple[tuple[int, int], ...]) -> ChannelPair:
    channels = Constant(None, (), not_identifiable(reason), "", profile=profile, remedy=REMEDY)
    return ChannelPair(channels, replace(channels, unit="B"), aliases)


def _distinct(values: Iterable[int]) -> tuple[float, ...]:
    return tuple(sorted({float(value) for value in values}))


def _columns(item: TileData, hardware: Hardware) -> Array:
    """Bytes that wait for idle channels, by pair, shape (n, pairs)."""
    states = [replace(hardware, channels=c, interleave_bytes=i) for c, i in PAIRS]
    return np.concatenate([ChannelHash().columns(item.problem, state, ALL_MECHANISMS) for state in states], axis=1)


def _groups(columns: Sequence[Array]) -> NDArray[np.int64]:
    """Number the pairs by their columns: equal ones, up to a factor, share a number. Shape (pairs,)."""
    keys = np.concatenate([_units(part) for part in columns])
    return np.asarray(np.unique(np.round(keys, 9), axis=1, return_inverse=True)[1].ravel(), dtype=np.int64)


def _units(columns: Array) -> Array:
    largest = columns.max(axis=0, initial=0.0)
    return columns / np.where(largest > 0, largest, 1.0)
