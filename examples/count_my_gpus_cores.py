"""How many cores does this GPU have? Count them from the timings of a matrix product alone.

A launch of W work-groups on C cores that hold R each runs in ceil(W / (C R)) waves, so the time jumps wherever W
passes a multiple of C R. The model is refitted for every candidate (C, R); the true pair lines all jumps up.

Run: python examples/count_my_gpus_cores.py [FOLDER]      (about 10 seconds; writes core_count.png)
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from harness.cube import device_of
from harness.landscapes import bundled_cube
from models.core_count import count_cores

plt.switch_backend("Agg")
out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "out"
out.mkdir(parents=True, exist_ok=True)

# %% The timings
# The bundled landscape holds six Triton tiles and the vendor's library on one grid of shapes. The library hides
# its tile, so nobody knows how many work-groups it launches: it cannot take part in the count.
cube = bundled_cube("h200_bf16_grid")

# %% The count
# The tiles vote together on one core count and keep a residency each. The set behind the winner holds every
# count that wins in 95 % of the draws when blocks of neighbouring shapes are resampled.
# Each candidate is judged with all other costs in the model, so that a launch cost or memory traffic is not
# mistaken for a wave; nothing is taken from the device record, not even the size of the cache.
found = count_cores(cube)
candidates = next(iter(found.profiles.values())).cores
record = device_of(cube)
print(f"The timings imply {found.cores} cores; 95 % set: {', '.join(map(str, found.cores_set))} cores.")
print(f"The device record of the {record.name} states {record.cores} cores, which the count has not seen.")
for name, (cores, residency, _) in found.by_tile.items():
    print(
        f"  tile {name:<11} holds {found.residency[name]} work-groups a core at once "
        f"(alone it counts {cores} cores with {residency})"
    )

# %% The picture
# The other dips are fractions of the winner: 66 cores that hold two work-groups each, or 44 with three, have as
# many slots as 132 with one. They need more coefficients to say the same, and the criterion charges for those.
colours = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.8), layout="constrained", width_ratios=[1.7, 1])
for colour, (name, profile) in zip(colours, found.profiles.items(), strict=True):
    curve = profile.criterion.min(axis=1)
    label = f"{name}, {found.residency[name]} a core"
    for axes, width in ((left, 1.1), (right, 1.8)):
        axes.plot(candidates, curve - curve.min(), color=colour, lw=width, label=label)
    right.plot(candidates, curve - curve.min(), "o", color=colour, ms=4)
for axes in (left, right):
    axes.axvline(found.cores, color="black", lw=0.9, ls="--")
    axes.set_xlabel("candidate number of cores C")
    axes.grid(alpha=0.3)
near = slice(found.cores - 9, found.cores + 8)
highest = max(float(np.ptp(profile.criterion.min(axis=1)[near])) for profile in found.profiles.values())
right.set(xlim=(found.cores - 8.5, found.cores + 8.5), ylim=(-0.03 * highest, 1.05 * highest))
left.set(xlim=(0, candidates[-1]), ylim=(-8, None), ylabel="criterion above its minimum\n(lower explains more)")
left.set_title("Every candidate, at its best residency")
right.set_title(f"Around the winner, C = {found.cores}")
handles, labels = left.get_legend_handles_labels()
figure.legend(handles, labels, title="tile, work-groups held at once", loc="outside lower center", ncols=6)
figure.suptitle(f"Cores counted from GEMM timings: {record.name}, BF16, Triton kernel", fontsize=14)
figure.savefig(out / "core_count.png", dpi=110)
print(f"Picture: {out / 'core_count.png'}")
