"""Every published quantity, computed from a campaign of timings as the paper defines it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrib.published.campaign import FINE_N, GROUPS, LINE_N, PAPER_TILES, Campaign, K
from attrib.roughness import axis_roughness
from attrib.stages import BestTile, FixedTile, Pad, Split, Stage, StageResult

_CUBE_DEPTHS = 32


def quantities(campaign: Campaign) -> dict[str, float]:
    """Compute all quantities of :data:`attrib.published.figures.FIGURES`, by key.

    Quantities of the whole cube are left out when the campaign holds only some of its values of K.
    """
    results = _stages(campaign)
    found = {**_slice(campaign, results), **_line(campaign), **_fine(campaign), **_shapes(campaign)}
    if campaign.cube.K.size == _CUBE_DEPTHS:
        found |= _tiles(campaign) | _cube(campaign, results) | _savings(results)
    return found


def _stages(campaign: Campaign) -> dict[str, StageResult]:
    """Apply the paper's ladder: T0, T1 and T2 on the default tile and on the best of six."""
    found: dict[str, StageResult] = {}
    bases: dict[str, Stage] = {"fixed": FixedTile(PAPER_TILES[0]), "best": BestTile()}
    for name, base in bases.items():
        found[name] = base.apply(campaign.cube)
        found[f"{name}+pad"] = Pad(base).apply(campaign.cube)
        found[f"{name}+pad+split"] = Split(Pad(base)).apply(campaign.cube)
    return found


def _slice(campaign: Campaign, results: dict[str, StageResult]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, result in results.items():
        surface = campaign.cube.throughput(result.time)[..., -1:]
        found[f"slice {name} mean"] = float(surface.mean())
        found[f"slice {name} roughness"] = float(axis_roughness(surface, "N"))
    fixed = campaign.cube.throughput(results["fixed"].time)
    for M, N in ((4096, 4096), (3840, 2048)):
        found[f"shape {M}x{N}x{K}"] = float(fixed[M // 128 - 1, N // 128 - 1, -1])
    return found


def _tiles(campaign: Campaign) -> dict[str, float]:
    """Table 6; wins are among the four tiles that it lists."""
    landscape = campaign.cube
    four = landscape.time[:4]
    winner = np.argmin(np.where(np.isnan(four), np.inf, four), axis=0)
    found: dict[str, float] = {}
    for index, tile in enumerate(PAPER_TILES[:4]):
        surface = landscape.throughput(four[index])
        found[f"cube {tile} mean"] = float(surface.mean())
        found[f"cube {tile} peak"] = float(surface.max())
        found[f"cube {tile} wins"] = 100.0 * float(np.mean(winner == index))
    return found


def _cube(campaign: Campaign, results: dict[str, StageResult]) -> dict[str, float]:
    landscape = campaign.cube
    fixed, best, plan = (landscape.throughput(results[name].time) for name in ("fixed", "best", "best+pad+split"))
    found = {"cube best mean": float(best.mean()), "cube above 100": 100.0 * float(np.mean(fixed > 100.0))}
    for name, surface in (("fixed", fixed), ("best", best), ("best+pad+split", plan)):
        axes = [float(axis_roughness(surface, axis)) for axis in "MNK"]
        found[f"cube {name} roughness"] = axes[1]
        found[f"cube {name} roughness of three axes"] = float(np.mean(axes))
    found["alignment M"] = _alignment(fixed)
    found["alignment N"] = _alignment(fixed.swapaxes(0, 1))
    found["step to N=1024"] = float((fixed[:, 7] - fixed[:, 6]).mean())
    by_depth = fixed.mean(axis=(0, 1))
    found["trend K 128 to 1024"] = 100.0 * float(by_depth[7] / by_depth[0] - 1.0)
    found["trend K 2048 to 4096"] = 100.0 * float(by_depth[31] / by_depth[15] - 1.0)
    action = results["fixed+pad+split"].decisions.action[..., -1]
    for code, name in enumerate(("run or pad", "split M", "split N", "split K")):
        found[f"action {name}"] = 100.0 * float(np.mean(action == code))
    return found


def _alignment(surface: NDArray[np.float64]) -> float:
    """Mean over multiples of 256 along the first axis against the mean of their two neighbours, in percent."""
    aligned = np.arange(1, surface.shape[0] - 1, 2)
    around = (surface[aligned - 1] + surface[aligned + 1]) / 2.0
    return 100.0 * float(surface[aligned].mean() / around.mean() - 1.0)


def _savings(results: dict[str, StageResult]) -> dict[str, float]:
    found: dict[str, float] = {}
    for base in ("fixed", "best"):
        for plan in ("pad", "pad+split"):
            saved = 100.0 * (1.0 - results[f"{base}+{plan}"].time / results[base].time)
            name = f"cube {base}+{plan}"
            found[f"{name} mean saving"] = float(saved.mean())
            found[f"{name} largest saving"] = float(saved.max())
            for least in (10, 20):
                found[f"{name} above {least} %"] = 100.0 * float(np.mean(saved > least))
    return found


def _line(campaign: Campaign) -> dict[str, float]:
    surface = _throughput(LINE_N, campaign.line)
    found: dict[str, float] = {}
    for name, values in (("fixed", surface[0]), ("best of 4", surface[:4].max(0)), ("best of 6", surface.max(0))):
        found[f"line {name} mean"] = float(values.mean())
        found[f"line {name} roughness"] = _roughness(values)
        found[f"line {name} variation"] = 100.0 * float(values.std() / values.mean())
    return found


def _fine(campaign: Campaign) -> dict[str, float]:
    """Tables 13 and 14."""
    times = {tile.name: campaign.fine[index] for index, tile in enumerate(PAPER_TILES)}
    times["best"] = campaign.fine.min(axis=0)
    found: dict[str, float] = {}
    for name, time in times.items():
        padded = np.minimum.accumulate(time[::-1])[::-1]
        for prefix, values in (("", _throughput(FINE_N, time)), ("padded ", _throughput(FINE_N, padded))):
            found[f"fine {name} {prefix}mean"] = float(values.mean())
            found[f"fine {name} {prefix}roughness"] = _roughness(values)
            found[f"fine {name} {prefix}minimum"] = float(values.min())
    for index, tile in enumerate(PAPER_TILES):
        values = _throughput(FINE_N, campaign.fine[index])
        valley = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
        if valley.size < 2:
            continue
        rests, often = np.unique(FINE_N[valley] % tile.n, return_counts=True)
        found[f"fine {tile} period"] = float(np.median(np.diff(FINE_N[valley])))
        found[f"fine {tile} valley"] = float(rests[often.argmax()])
    return found


def _shapes(campaign: Campaign) -> dict[str, float]:
    """Tables 11 and 12: kernel times of the default tile."""
    rate = {(M, N): 2e-12 * M * N * K / time for (M, N), time in campaign.kernel.items()}
    found = {f"kernel {M}x{N}x{K}": value for (M, N), value in rate.items()}
    for name, shapes in GROUPS.items():
        values = np.array([rate[shape] for shape in shapes])
        found[f"group {name} mean"] = float(values.mean())
        found[f"group {name} deviation"] = float(values.std())  # of the population, as the paper's rows imply
    found["group aligned at M=4096 mean"] = float(np.mean([rate[4096, N] for N in (1024, 2048, 4096)]))
    return found


def _throughput(N: NDArray[np.int64], time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2e-12 * float(K) * float(K) * N / time, dtype=np.float64)


def _roughness(values: NDArray[np.float64]) -> float:
    return float(np.abs(np.diff(values)).mean())
