"""What does a row pitch that misses the cache line cost? Look at a fine line of N, step 16.

B has rows of N elements, two bytes each. Where 2 N is no multiple of the 128-byte cache line (N no multiple of 64),
every load of a row straddles lines. A grid of step 128 never sees this; a fine line shows little else.

Run: python examples/how_pitch_costs.py [FOLDER]          (about 10 seconds; writes row_pitch.png)
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from harness.cube import device_of, throughput
from harness.landscapes import bundled_cube
from models.additive import AdditiveModel

plt.switch_backend("Agg")
out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "out"
out.mkdir(parents=True, exist_ok=True)
TILE, M, K = "64x128x64", 4096, 4096

# %% The timings
# The grid teaches the model the launch, the waves and the cache; the lines teach it the pitch, which is zero on
# every shape of the grid. One tile is enough for the question, and fits in seconds.
grid = bundled_cube("h200_bf16_grid").sel(tile=[TILE])
lines = bundled_cube("h200_bf16_lines")
lines = lines.isel(sample=lines["tile"].values == TILE)
fit = AdditiveModel().fit(grid, also=[lines])
tile = fit.tiles[TILE]

# %% The line
line = lines.isel(sample=(lines["M"].values == M) & (lines["K"].values == K)).sortby("N")
N = line["N"].values
rate = throughput(line).values
problem = fit.problem(TILE, np.full_like(N, M), N, np.full_like(N, K))
modelled = 1e-12 * problem.flop / fit.time(TILE, problem)

# %% What it costs, without a model
# A step of 16 changes the work of a wide product by little, so a shape and its neighbours are a fair comparison:
# the mean of the two aligned neighbours against what lies between them.
aligned = N % 64 == 0
half = N % 64 == 32
wide = N >= 1024
for name, rows in (("on half a line (N mod 64 = 32)", half), ("off both (N mod 64 = 16 or 48)", ~aligned & ~half)):
    lost = []
    for values in (rate, modelled):
        between = np.interp(N[rows & wide], N[aligned], values[aligned])
        lost.append(100.0 * (1.0 - np.median(values[rows & wide] / between)))
    print(f"A pitch {name} costs {lost[0]:.0f} % of the throughput beside aligned rows (model: {lost[1]:.0f} %).")

# %% What it costs, in the model
# The model charges the pitch per wave and mainloop step, once for each alignment that a row misses. One charge
# stands for shapes of all sizes, so on a single line it may be off: compare the two percentages above.
print(f"A full wave holds {fit.hardware.residency_of(TILE)} work-groups of {TILE} on each core.")
for item in tile.estimates:
    if item.term == "row pitch" and item.identifiable and item.estimate > 0:
        low, middle, high = (f"{1e9 * value:.0f}" for value in (item.lower, item.estimate, item.upper))
        print(f"Fitted: {item.name} adds {middle} ns ({low} to {high}) to each mainloop step of a wave.")
print(f"Median error of the model, held out on the grid: {100 * tile.median_ape:.1f} %.")

# %% The picture
figure, (top, bottom) = plt.subplots(2, 1, figsize=(12, 8.8), layout="constrained")
top.plot(N, modelled, color="0.55", lw=0.9, zorder=1, label="model")
for name, rows, colour, marker in (
    ("rows start on a line: N mod 64 = 0", aligned, "#0072B2", "o"),
    ("on half a line: N mod 64 = 32", half, "#E69F00", "s"),
    ("off both: N mod 64 = 16 or 48", ~aligned & ~half, "#D55E00", "v"),
):
    top.plot(N[rows], rate[rows], marker, color=colour, ms=4.2, label=name)
top.set(xlabel="N (elements)", ylabel="throughput (TFLOP/s)", xlim=(0, N[-1] + 24), ylim=(0, 1.06 * rate.max()))
top.set_xticks(np.arange(0, N[-1] + 1, 512))
top.legend(loc="lower right", ncols=2, fontsize=9)
top.set_title(f"Measured along N at M = {M}, K = {K}, tile {TILE}")

# The parts of a time add up, those of a throughput do not: the second panel is in time, as shares. The waves take
# two thirds and more, and are left off so that the rest can be seen; so is all but a stretch of the line.
FIRST, LAST = 1536, 2560
parts = fit.contributions(TILE, problem)
whole = np.sum(list(parts.values()), axis=0)
shares = {name: 100.0 * part / whole for name, part in parts.items() if name != "waves"}
shown = [name for name in sorted(shares, key=lambda name: -shares[name].mean()) if shares[name].mean() > 0.2]
shown.sort(key=lambda name: name != "row pitch")  # the one in question stands on the axis
floor = np.zeros(N.size)
for name, colour in zip(shown, ["#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "0.5"], strict=False):
    bottom.bar(N, shares[name], width=13, bottom=floor, color=colour, label=name)
    floor += shares[name]
bottom.set(xlim=(FIRST - 10, LAST + 10), xlabel="N (elements)", ylabel="share of the modelled time (%)")
bottom.set_xticks(np.arange(FIRST, LAST + 1, 64))
bottom.tick_params(axis="x", labelsize=9)
bottom.legend(loc="upper right", fontsize=9, ncols=len(shown))
bottom.set_ylim(0, 1.18 * floor[(N >= FIRST) & (N <= LAST)].max())
bottom.set_title("Where the time goes besides the waves, by the model")
figure.suptitle(f"Row pitch: {device_of(grid).name}, BF16, Triton kernel", fontsize=14)
figure.savefig(out / "row_pitch.png", dpi=110)
print(f"Picture: {out / 'row_pitch.png'}")
