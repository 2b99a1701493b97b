"""I have a table of timings of my own: what do they say, and what will a shape cost that I did not measure?

A CSV with the columns M, N, K, time_s and tile is all it takes; rows of the same shape and tile count as repeats.
This script writes such a table, reads it back, fits it without some of its shapes, and predicts those.

Run: python examples/bring_your_own_csv.py [FOLDER]   (about 5 seconds; writes timings.csv and predicted.png)
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from harness.cube import STATUS, throughput, tiles_of
from harness.device import load_device
from harness.landscapes import bundled_cube
from harness.timings import read_timings
from models.additive import AdditiveModel

plt.switch_backend("Agg")
out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "out"
out.mkdir(parents=True, exist_ok=True)
TILE, SHAPES = "128x128x64", 500

# %% A table, as you may have one
# Five hundred shapes of one tile and of the vendor's library, two timings each, from the bundled H200 landscape.
# Replace this cell by a table of your own; nothing below knows where it came from.
rng = np.random.default_rng(7)
bundled = bundled_cube("h200_bf16_scatter")
bundled = bundled.isel(sample=np.isin(bundled["tile"].values, [TILE, "vendor"]) & (bundled["status"].values == 0))
frame = bundled[["time_repeats"]].to_dataframe().reset_index()
frame = frame.rename(columns={"time_repeats": "time_s"})[["M", "N", "K", "tile", "repeat", "time_s"]]
mine = frame[["M", "N", "K"]].drop_duplicates().sample(SHAPES, random_state=7)
frame = frame.merge(mine, on=["M", "N", "K"])
frame.to_csv(out / "timings.csv", index=False)

# %% Import
# A bad row is refused with its line number, and times that the device cannot have taken are refused as a whole. A
# device without a packaged record needs a TOML file of a few lines: load_device("my_gpu.toml").
cube = read_timings(out / "timings.csv", load_device("h200"), dtype="bf16")
kernels = ", ".join(tile.name for tile in tiles_of(cube))
print(f"{len(frame)} rows: {cube.sizes['sample']} cells of {SHAPES} shapes; kernels {kernels}")

# %% Hold a quarter of the shapes out, and fit the rest
# Whole shapes leave, with all their repeats and both kernels, so that no relative of a held-out row is fitted.
shapes = np.stack([cube[axis].values for axis in "MNK"], axis=1)
distinct, shape = np.unique(shapes, axis=0, return_inverse=True)
away = (rng.random(len(distinct)) < 0.25)[shape.ravel()]
fit = AdditiveModel().fit(cube.isel(sample=~away))

# %% What the timings say
# A coefficient is a cost with a unit; its interval comes from resampling blocks of neighbouring shapes.
for label, item in fit.tiles.items():
    print(f"\n{label}: {item.n} cells fitted, median held-out error {100 * item.median_ape:.1f} %")
    print(f"  {'coefficient':<34} {'estimate':>10} {'95 % interval':>23}  {'unit':<20} share of time")
    for e in item.estimates:
        if e.identifiable:
            interval = f"{e.lower:.3g} to {e.upper:.3g}"
            name = f"{e.term}: {e.name}"
            print(f"  {name:<34} {e.estimate:10.3g} {interval:>23}  {e.unit:<20} {100 * e.share:5.1f} %")
cores = fit.tiles[TILE].constants["cores"]
print(f"\n{TILE} runs on {cores.estimate:.0f} cores ({cores.status}).")

# %% The shapes that the model has not seen
# The interval is conformal: it is as wide as the model's own held-out errors were.
figure, panels = plt.subplots(1, 2, figsize=(12.5, 5.6), layout="constrained")
for axes, label in zip(panels, fit.tiles, strict=True):
    test = cube.isel(sample=away & (cube["tile"].values == label) & (cube["status"].values == STATUS["ok"]))
    found = fit.predict(label, *(test[axis].values for axis in "MNK"), level=0.9)
    measured = test["time"].values
    error = np.abs(found.time / measured - 1.0)
    inside = np.mean((found.lower <= measured) & (measured <= found.upper))
    print(
        f"{label}: {measured.size} unseen shapes predicted with a median error of {100 * np.median(error):.1f} %; "
        f"{100 * inside:.0f} % lie inside their 90 % interval."
    )
    rate = throughput(test).values
    scale = found.tflops * found.time
    low, high = scale / found.upper, scale / found.lower
    axes.errorbar(
        rate,
        found.tflops,
        yerr=np.maximum([found.tflops - low, high - found.tflops], 0.0),
        fmt="o",
        ms=4,
        lw=0.8,
        color="#0072B2",
        ecolor="#56B4E9",
        label="unseen shape, 90 % interval",
    )
    # Throughput spans decades here, because the shapes range from 16 to 8192 a side.
    ends = [0.7 * rate.min(), 1.5 * rate.max()]
    axes.plot(ends, ends, color="black", lw=0.9, label="predicted = measured")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="measured (TFLOP/s)", ylabel="predicted (TFLOP/s)")
    axes.set_title(f"{label}: median error {100 * np.median(error):.1f} %, {100 * inside:.0f} % inside")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=9)
figure.suptitle("Shapes that the fit has not seen: NVIDIA H200, BF16", fontsize=14)
figure.savefig(out / "predicted.png", dpi=110)
print(f"Picture: {out / 'predicted.png'}")
