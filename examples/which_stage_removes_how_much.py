"""Which optimizer stage gains how much speed, and how much of the ruggedness does it remove?

Software can choose a tile for each shape, pad a shape to a faster one, or split it in two. Every stage is applied
to the measured landscape; the roughness that is left is then attributed to its mechanisms.

Run: python examples/which_stage_removes_how_much.py [FOLDER]   (about 30 seconds; writes two pictures)
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from attrib.analysis import landscape_of
from attrib.attribution import ModelLandscapes, attribute
from attrib.roughness import roughness
from attrib.stages import standard_stages
from harness.cube import device_of
from harness.landscapes import bundled_cube
from models.additive import AdditiveModel

plt.switch_backend("Agg")
out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "out"
out.mkdir(parents=True, exist_ok=True)

# %% The landscape and its model
# The vendor's library is left out: it is another kernel rather than a tile that our kernel could choose.
cube = bundled_cube("h200_bf16_grid")
cube = cube.isel(tile=cube["tile"].values != "vendor")
landscape = landscape_of(cube)
fit = AdditiveModel(draws=100).fit(cube)  # resampled a hundred times: enough for the bars of a picture
machine = f"{device_of(cube).name}, BF16, Triton kernel"

# %% The ladder
# Each stage works on the measured times. The gain is a table value: it says what a plan would reach.
ladder = standard_stages(landscape)
results = {stage.name: stage.apply(landscape) for stage in ladder}
speed, rough = {}, {}
print("stage                              mean TFLOP/s   roughness TFLOP/s per step of 128 (N, K = 4096)")
for name, result in results.items():
    rate = landscape.throughput(result.time)
    speed[name], rough[name] = float(np.nanmean(rate)), roughness(rate).slice_N
    print(f"{name:<34} {speed[name]:12.1f} {rough[name]:11.1f}")

fixed, best, full = ladder[0], ladder[1], ladder[-1]
gain = speed[full.name] / speed[fixed.name] - 1.0
print(
    f"The full stack is {100 * gain:.0f} % faster than the fixed tile, yet its landscape is "
    f"{'rougher' if rough[full.name] > rough[fixed.name] else 'smoother'}: "
    f"{rough[full.name]:.1f} against {rough[fixed.name]:.1f} TFLOP/s per step."
)

# %% What is left, by mechanism
# A Shapley value per mechanism: the model landscape with some mechanisms on, the others smooth, sent through
# the same stage. The shares, the smooth floor and the unexplained rest add up to the measured one.
models = ModelLandscapes(landscape, fit)
shares = {stage.name: attribute(stage, results[stage.name], models) for stage in (fixed, best, full)}
for name, part in shares.items():
    largest = max(models.mechanisms, key=lambda mechanism, part=part: part.shares[mechanism].share)
    unexplained = part.shares["unexplained"].share
    print(
        f"{name}: of {part.roughness:.1f} TFLOP/s per step, {part.shares[largest].share:.1f} is {largest} and "
        f"{unexplained:.1f} is unexplained."
    )

# %% Speed against roughness
figure, panels = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained", sharey=True)
order = sorted(results, key=lambda name: (name.startswith("best"), speed[name]))
colours = ["#0072B2" if name.startswith("best") else "#D55E00" for name in order]
for axes, values, what in zip(
    panels,
    (speed, rough),
    (
        "mean throughput of all shapes (TFLOP/s)\nmore is better",
        "roughness along N at K = 4096 (TFLOP/s per step of 128)\nless is smoother",
    ),
    strict=True,
):
    bars = axes.barh(order, [values[name] for name in order], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=4)
    axes.set(xlabel=what, xlim=(0, 1.13 * max(values.values())))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
panels[0].invert_yaxis()  # the axis is shared: the stages read downwards in both panels
figure.suptitle(f"What software gains, stage by stage: {machine}", fontsize=14)
figure.savefig(out / "stage_ladder.png", dpi=110)

# %% The mechanisms behind it
names = [*models.mechanisms, "smooth floor", "unexplained"]
names = [n for n in names if any(abs(part.shares[n].share) >= 0.1 for part in shares.values())]
figure, axes = plt.subplots(figsize=(10, 5.4), layout="constrained")
width = 0.8 / len(shares)
for place, (stage, part) in enumerate(shares.items()):
    at = np.arange(len(names)) + (place - (len(shares) - 1) / 2) * width
    value = np.array([part.shares[n].share for n in names])
    low, high = (np.array([getattr(part.shares[n], end) for n in names]) for end in ("lower", "upper"))
    error = np.maximum([value - low, high - value], 0.0)
    colour = ["#D55E00", "#0072B2", "#009E73"][place]
    label = f"{stage}: {part.roughness:.1f} in all"
    axes.bar(at, value, 0.92 * width, yerr=error, color=colour, ecolor="0.2", capsize=2.5, label=label)
axes.axhline(0, color="black", lw=0.8)
axes.set_xticks(range(len(names)), [n.replace(" ", "\n") for n in names])
axes.grid(axis="y", alpha=0.3)
axes.set(ylabel="share of the roughness\n(TFLOP/s per step, 95 % interval)")
axes.set_title(f"What makes the landscape rough: {machine}")
axes.legend()
figure.savefig(out / "stage_attribution.png", dpi=110)
print(f"Pictures: {out / 'stage_ladder.png'}, {out / 'stage_attribution.png'}")
