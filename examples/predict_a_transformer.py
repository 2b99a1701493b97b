"""How long do the matrix products of a transformer layer take, with which tile, for how many tokens?

A layer of TinyLlama 1.1B has five of them. Their shapes need not be measured (most of these were not): the model
predicts each with an interval, and says which of its tiles to run.

Run: python examples/predict_a_transformer.py [FOLDER]     (about a minute; writes transformer.png)
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from harness.cube import device_of
from harness.landscapes import bundled_cube
from models.additive import AdditiveModel

plt.switch_backend("Agg")
out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "out"
out.mkdir(parents=True, exist_ok=True)

# %% The layer
# Hidden size 2048, 32 heads of 64 with 4 for keys and values, feed-forward size 5632; N, K and the number of such
# products. M is the number of tokens in the batch: a handful while decoding, thousands in a prefill.
LAYER = {
    "query, key, value": (2560, 2048, 1),
    "attention output": (2048, 2048, 1),
    "gate, and up": (5632, 2048, 2),
    "down": (2048, 5632, 1),
}
tokens = np.unique(np.concatenate([2 ** np.arange(4, 13), np.arange(64, 4097, 64)])).astype(np.int64)

# %% The model
# The grid ends at 4096. The scattered shapes go to 8192 a side, because a model should have seen sizes like those
# it is asked about. The vendor's library is left out: the question is which of our own tiles to run.
cube, scatter = bundled_cube("h200_bf16_grid"), bundled_cube("h200_bf16_scatter")
cube = cube.isel(tile=cube["tile"].values != "vendor")
scatter = scatter.isel(sample=scatter["tile"].values != "vendor")
fit = AdditiveModel().fit(cube, also=[scatter])
for label, item in fit.tiles.items():
    error = 100 * item.median_ape
    print(f"tile {label:<11} fitted to {item.n} shapes, median error held out on the grid {error:.1f} %")

# %% The prediction
labels = list(fit.tiles)
best, lower, upper, choice, beyond = {}, {}, {}, {}, {}
for name, (columns, depth, _) in LAYER.items():
    N, K = np.full_like(tokens, columns), np.full_like(tokens, depth)
    found = [fit.predict(label, tokens, N, K, level=0.9) for label in labels]
    choice[name] = np.argmin([item.time for item in found], axis=0)
    each = np.arange(tokens.size)
    best[name], lower[name], upper[name], beyond[name] = (
        np.stack([getattr(item, field) for item in found])[choice[name], each]
        for field in ("time", "lower", "upper", "extrapolated")
    )
flop = sum(2.0 * tokens * columns * depth * count for columns, depth, count in LAYER.values())
total = np.sum([LAYER[name][2] * time for name, time in best.items()], axis=0)

for batch in (16, 512, 4096):
    at = int(np.searchsorted(tokens, batch))
    print(f"\n{batch} tokens: {1e6 * total[at]:.0f} us a layer, {1e-12 * flop[at] / total[at]:.0f} TFLOP/s")
    for name, (columns, depth, _) in LAYER.items():
        mark = " (extrapolated: beyond the measured sizes)" if beyond[name][at] else ""
        tile = labels[choice[name][at]]
        print(
            f"  {name:<17} {batch} x {columns} x {depth}: {1e6 * best[name][at]:6.1f} us "
            f"({1e6 * lower[name][at]:.1f} to {1e6 * upper[name][at]:.1f}) with tile {tile}{mark}"
        )

# %% A batch size that pays
# The next few tokens are nearly free until they start another wave. The best batch is the one with the highest
# throughput, and it need not be the largest.
near = tokens >= 1024
pick = np.flatnonzero(near)[np.argmax((flop / total)[near])]
worst = np.flatnonzero(near)[np.argmin((flop / total)[near])]
print(
    f"\nFrom 1024 tokens on, {tokens[pick]} run best ({1e-12 * flop[pick] / total[pick]:.0f} TFLOP/s) and "
    f"{tokens[worst]} worst ({1e-12 * flop[worst] / total[worst]:.0f} TFLOP/s)."
)

# %% The picture
colours = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]
figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(11.5, 8), layout="constrained", sharex=True, height_ratios=[2.2, 1]
)
for colour, (name, (columns, depth, _)) in zip(colours, LAYER.items(), strict=False):
    work = 2e-12 * tokens * columns * depth
    top.plot(tokens, work / best[name], color=colour, lw=1.8, label=f"{name}: N = {columns}, K = {depth}")
    top.fill_between(tokens, work / upper[name], work / lower[name], color=colour, alpha=0.15, lw=0)
top.plot(tokens, 1e-12 * flop / total, color="black", lw=2.2, ls="--", label="the layer")
top.set(ylabel="predicted throughput (TFLOP/s)", ylim=(0, None))
top.set_title("Best tile for each product, with 90 % intervals")
top.legend(loc="lower right", fontsize=10)
top.grid(alpha=0.3)

for place, name in enumerate(LAYER):
    for index, label in enumerate(labels):
        rows = choice[name] == index
        bottom.plot(tokens[rows], np.full(rows.sum(), place), "s", ms=5, color=colours[index], label=label)
handles, texts = bottom.get_legend_handles_labels()
unique = dict(zip(texts, handles, strict=True))
bottom.legend(unique.values(), unique.keys(), ncols=6, fontsize=9, loc="upper center", title="tile to run")
bottom.set_yticks(range(len(LAYER)), list(LAYER))
bottom.set(xlabel="tokens in the batch (M)", xscale="log", ylim=(-0.6, len(LAYER) + 0.9))
bottom.set_xticks(2 ** np.arange(4, 13), [str(2**power) for power in range(4, 13)])
bottom.minorticks_off()
figure.suptitle(f"A transformer layer, predicted: {device_of(cube).name}, BF16, Triton kernel", fontsize=14)
figure.savefig(out / "transformer.png", dpi=110)
print(f"Picture: {out / 'transformer.png'}")
