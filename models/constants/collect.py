"""All constants of a tile in one place: those of its waves, its operands, the memory, and its fitted costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.constants.channel_pairs import ChannelPair
from models.constants.constant import IDENTIFIED, Constant, Profile, not_identifiable
from models.constants.granules import Granules
from models.constants.rates import continuous_constants
from models.hardware import Hardware
from models.open_costs import OpenCosts
from models.result import TileFit
from models.waves import WaveConstants, WaveProfile

STATED = "as stated"
"""Beginning of the note of a core count that the device record or the cube states, not the timings alone."""


@dataclass(frozen=True)
class Profiled:
    """What was profiled before the coefficients were solved.

    Attributes
    ----------
    waves : WaveConstants or None
    cache : Constant or None
    granules : mapping of tile label to Granules
    channels : ChannelPair
    effective : mapping of tile label to Constant
        Residencies of effective tiles.
    spreads : mapping of tile label to Constant
        How far cores fall out of step.
    costs : mapping of tile label to OpenCosts
        Draws of the costs under all choices that are tenable, where there are any.
    """

    waves: WaveConstants | None
    cache: Constant | None
    channels: ChannelPair
    granules: Mapping[str, Granules] = field(default_factory=dict)
    effective: Mapping[str, Constant] = field(default_factory=dict)
    spreads: Mapping[str, Constant] = field(default_factory=dict)
    costs: Mapping[str, OpenCosts] = field(default_factory=dict)


def with_constants(label: str, fit: TileFit, profiled: Profiled, hardware: Hardware) -> TileFit:
    """Return the fit of one tile with all that the timings say of constants.

    Parameters
    ----------
    label : str
    fit : TileFit
        With intervals under all tenable choices (:func:`models.open_choices.with_open_choices`).
    profiled : Profiled
    hardware : Hardware
        With the cores and residencies of the fit.
    """
    constants: dict[str, Constant] = {}
    waves = profiled.waves
    if waves is not None and label in waves.by_tile:
        constants.update(_of_waves(label, waves, hardware))
    if label in profiled.effective:
        constants["residency"] = profiled.effective[label]
    if label in profiled.spreads:
        constants["core_spread"] = profiled.spreads[label]
    if profiled.cache is not None:
        constants["cache_spill_bytes"] = profiled.cache
    counted = waves.identified if waves is not None and label in waves.by_tile else None
    constants.update(continuous_constants(fit, hardware, counted, profiled.costs.get(label)))
    if label in profiled.granules:
        granules = profiled.granules[label]
        constants["k_granularity"] = granules.k_granularity
        constants["row_pitch_a_bytes"] = granules.row_pitch_a
        constants["row_pitch_b_bytes"] = granules.row_pitch_b
    constants["channels"] = profiled.channels.channels
    constants["interleave_bytes"] = profiled.channels.interleave
    return replace(fit, constants=constants)


def _of_waves(label: str, waves: WaveConstants, hardware: Hardware) -> dict[str, Constant]:
    remedy = "work-group counts around multiples of the candidate core counts, and launches of many waves"
    status = IDENTIFIED
    if not waves.identified:
        status = not_identifiable("no core count explains the timings better than many others")
    aliases = ", ".join(f"{count}" for count in waves.aliases)
    note = f"as few residents as will do: {aliases} cores with more residents explain it alike" if aliases else ""
    if waves.identified and waves.cores != waves.alone:
        note = f"{STATED}, which the timings do not refute; alone they say {waves.alone}"
    own_cores, own_residency, own_set = waves.by_tile[label]
    return {
        "cores": Constant(
            float(waves.cores),
            tuple(map(float, waves.cores_set)),
            status,
            "cores",
            profile=_core_profile(waves),
            note=note,
            remedy=remedy,
        ),
        "residency": Constant(
            float(waves.residency[label]),
            tuple(map(float, waves.residency_set[label])),
            status,
            "work-groups a core",
            profile=_residency_profile(waves, label),
            remedy=remedy,
        ),
        "slots": Constant(float(hardware.slots_of(label)), (), status, "work-groups a wave", remedy=remedy),
        "cores_of_this_tile_alone": Constant(
            float(own_cores),
            tuple(map(float, own_set)),
            status,
            "cores",
            note=f"with residency {own_residency}",
            remedy=remedy,
        ),
    }


def _core_profile(waves: WaveConstants) -> Profile:
    """Criterion of every core count, all tiles together, each at its best residency."""
    profiles: list[WaveProfile] = list(waves.profiles.values())
    cores = profiles[0].cores
    total = sum(profile.criterion.min(axis=1) for profile in profiles)
    return Profile(
        ("cores",),
        tuple((float(count),) for count in cores),
        tuple(float(value) for value in total),
        tuple(int(count) in waves.cores_set for count in cores),
    )


def _residency_profile(waves: WaveConstants, label: str) -> Profile:
    profile = waves.profiles[label]
    row = profile.criterion[int(profile.cores.searchsorted(waves.cores))]
    return Profile(
        ("work-groups a core",),
        tuple((float(r + 1),) for r in range(row.size)),
        tuple(map(float, row)),
        tuple(r + 1 in waves.residency_set[label] for r in range(row.size)),
    )
