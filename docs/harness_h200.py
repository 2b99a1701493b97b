"""What the harness does on a real GPU: ``python docs/harness_h200.py OUT [PART ...]``, on a host with an H200.

``full``
    The full grid, 32,768 shapes x 7 kernels at 4 repeats, through ``attrib measure``: wall time against the time
    that the kernels themselves took, and the spread of the repeats.
``kill``
    A sweep that is killed (SIGKILL) at random moments and resumed, against the same sweep left alone.
``interventions``
    ``harness.landscapes.interventions_h200``, and what the models say of its cubes: the cores that they count from
    timings when a persistent kernel is limited to fewer, and the cost of a row pitch with and without padded rows.
``devices``
    Where there are several GPUs: one sweep over all of them, and their offsets.

The results go to ``OUT/harness_h200.json``, beside those of other parts found there, and in words to
``OUT/harness_h200.md``; those of the runs quoted in the docs are kept beside this script.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness.store import open_cube
from models.additive import AdditiveModel
from models.core_count import count_cores

FULL = ["--backend", "triton,torch-blas", "--grid", "128:4096:128", "--repeats", "4", "--max-repeats", "4"]
SMALL = ["--backend", "triton,torch-blas", "--grid", "256:4096:256", "--repeats", "4", "--max-repeats", "4"]
KILLS = 5
SPACING = 64
"""Elements of BF16 in a cache line of 128 bytes."""


def attrib(*arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process group of its own."""
    code = "import sys; from attrib.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a command and return what it printed."""
    out, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"attrib ended with {process.returncode}")
    return dict(json.loads(out))


def full(out: Path) -> dict[str, Any]:
    """Measure the full grid."""
    began = time.perf_counter()
    found = finished(attrib("measure", *FULL, "-o", str(out / "full.nc"), "--json"))
    wall = time.perf_counter() - began
    cube = open_cube(out / "full.nc")
    repeats = cube["time_repeats"].values.reshape(-1, cube.sizes["repeat"])
    passes = [float(np.nanmedian(repeats[:, i] / repeats[:, 0])) for i in range(repeats.shape[1])]
    return {
        "wall_s": wall,
        "kernel_s": found["kernel_seconds"],
        "allowed_s": 1.3 * found["kernel_seconds"] + 60.0,
        "status": found["status"],
        "median_spread_of_a_repeat": found["median_spread"],
        "median_ratio_of_passes_to_the_first": passes,
        "drift": found["drift"],
        "outliers": found["outliers"],
        "largest_relative_error": found["largest_relative_error"],
    }


def kill(out: Path) -> dict[str, Any]:
    """Measure a smaller grid in one go, and again with kills."""
    began = time.perf_counter()
    whole = finished(attrib("measure", *SMALL, "-o", str(out / "whole.nc"), "--json"))
    seconds = time.perf_counter() - began
    rng = random.Random(0)
    killed, target = 0, out / "killed.nc"
    while killed < KILLS:
        process = attrib("measure", *SMALL, "-o", str(target), "--json")
        try:
            # Starting takes some seconds: most kills fall into the first passes of a start.
            process.wait(timeout=seconds * rng.uniform(0.25, 0.45))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        else:
            break
        assert not target.exists(), "a killed sweep must not leave a cube"
    resumed = finished(attrib("measure", *SMALL, "-o", str(target), "--json"))
    first, second = open_cube(out / "whole.nc"), open_cube(target)
    ratio = (second["time"] / first["time"]).values.ravel()
    expected = np.hypot(first["time_error"] / first["time"], second["time_error"] / second["time"]).values.ravel()
    score = (ratio - 1.0) / expected
    return {
        "uninterrupted_s": seconds,
        "kills": killed,
        "status": [whole["status"], resumed["status"]],
        "median_ratio": float(np.median(ratio)),
        "robust_sd_of_ratio": float(1.4826 * np.median(np.abs(ratio - np.median(ratio)))),
        "robust_sd_in_standard_errors": float(1.4826 * np.median(np.abs(score - np.median(score)))),
    }


def interventions(out: Path) -> dict[str, Any]:
    """Run the interventions and ask the models about them."""
    code = [sys.executable, "-m", "harness.landscapes.interventions_h200", str(out)]
    summary = json.loads(subprocess.run(code, check=True, capture_output=True, text=True).stdout)
    counted = {}
    for path in sorted(out.glob("h200_bf16_cores*.nc")):
        cube = open_cube(path)
        alone = count_cores(cube)
        fit = AdditiveModel(seed=0, draws=50).fit(cube)
        counted[str(cube.attrs["core_limit"])] = {
            "count_cores": {"cores": alone.cores, "set": list(alone.cores_set), "residency": dict(alone.residency)},
            "attrib_fit": {name: int(tile.constants["cores"].estimate or 0) for name, tile in fit.tiles.items()},
            "held_out_mape": {name: tile.mape for name, tile in fit.tiles.items()},
        }
    pitch = {path.stem: pitch_effect(path) for path in sorted(out.glob("h200_bf16_pitch*.nc"))}
    for key in ("uuid", "host"):
        del summary["configuration"][key]
    return {"measured": summary, "counted_cores": counted, "pitch": pitch}


def pitch_effect(path: Path) -> dict[str, Any]:
    """Fold the lines along N at the period of a cache line, each time over that of the next aligned N.

    Both have the same tiles, so that what is left within a period is the pitch's own cost.
    """
    cube = open_cube(path)
    M, N, K = (cube[axis].values for axis in "MNK")
    tile, seconds = cube["tile"].values.astype(str), cube["time"].values
    known = dict(zip(zip(tile, M, N, K, strict=True), seconds, strict=True))
    result = {}
    for name in np.unique(tile):
        rows = np.flatnonzero((tile == name) & (K % SPACING == 0))
        folded: dict[int, list[float]] = {}
        for row in rows:
            aligned = known.get((name, M[row], -(-N[row] // SPACING) * SPACING, K[row]))
            if aligned is not None:
                folded.setdefault(int(N[row] % SPACING), []).append(float(seconds[row] / aligned))
        phases = {phase: float(np.median(ratios)) for phase, ratios in sorted(folded.items())}
        result[str(name)] = {"amplitude": max(phases.values()) - min(phases.values()), "by_n_mod_64": phases}
    return result


def devices(out: Path) -> dict[str, Any]:
    """Sweep over all GPUs of this host at once."""
    import torch

    names = ",".join(str(index) for index in range(torch.cuda.device_count()))
    began = time.perf_counter()
    many = finished(attrib("measure", *SMALL, "--devices", names, "-o", str(out / "many.nc"), "--json"))
    wall = time.perf_counter() - began
    began = time.perf_counter()
    one = finished(attrib("measure", *SMALL, "-o", str(out / "one.nc"), "--json"))
    return {
        "devices": names,
        "wall_s": wall,
        "wall_of_one_s": time.perf_counter() - began,
        "offsets": [{**offset, "device": str(i)} for i, offset in enumerate(many["device_offsets"])],
        "spread": [many["median_spread"], one["median_spread"]],
        "status": many["status"],
    }


def in_words(results: dict[str, Any]) -> str:
    """Say what came out, one section for each part."""
    lines = ["# What the harness did on an H200", "", "Printed by `docs/harness_h200.py`."]
    if "interventions" in results:
        about = results["interventions"]["measured"]["configuration"]
        versions = ", ".join(f"{key} {about[key]}" for key in ("driver", "torch", "cuda", "triton", "python"))
        lines += [f"{about['device']}, {versions}.", ""]
    for name, say in (("full", _say_full), ("kill", _say_kill), ("interventions", _say_interventions)):
        if name in results:
            lines += [*say(results[name]), ""]
    if "devices" in results:
        lines += [*_say_devices(results["devices"]), ""]
    return "\n".join(lines)


def _say_full(found: dict[str, Any]) -> list[str]:
    passes = ", ".join(f"{ratio:.4f}" for ratio in found["median_ratio_of_passes_to_the_first"])
    return [
        "## The full grid",
        "",
        f"32,768 shapes x 7 kernels, one rough pass and 4 repeats: {found['wall_s']:.0f} s from command to cube, "
        f"kernels {found['kernel_s']:.0f} s of it (allowed: 1.3 x + 60 s = {found['allowed_s']:.0f} s).",
        f"Spread of one repeat {found['median_spread_of_a_repeat']:.2%} in the median cell; passes to the first: "
        f"{passes}.",
        f"Drift {found['drift']['trend']:.2%} from begin to end (p = {found['drift']['p_value']:.2g}), sentinels "
        f"{found['drift']['beyond_noise']:.2%} beyond their noise of {found['drift']['noise']:.2%}; "
        f"{found['outliers']:,} outliers; largest relative error of a result "
        f"{max(found['largest_relative_error'].values()):.2g}.",
    ]


def _say_kill(found: dict[str, Any]) -> list[str]:
    return [
        "## Killed and resumed",
        "",
        f"4,096 shapes x 7 kernels, {found['kills']} kills: times over those of an uninterrupted sweep have a "
        f"median of {found['median_ratio']:.4f} and a robust deviation of {found['robust_sd_of_ratio']:.2%}, "
        f"{found['robust_sd_in_standard_errors']:.2f} of what the standard errors of both let expect.",
    ]


def _say_interventions(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Fewer cores",
        "",
        "A persistent Triton kernel limited to some of the 132 cores; what is counted from the timings alone.",
        "",
        "| limit | `count_cores` (95 % set) | `attrib fit`, by tile | held-out error |",
        "|---|---|---|---|",
    ]
    for limit, counted in sorted(found["counted_cores"].items(), key=lambda item: -int(item[0])):
        alone = counted["count_cores"]
        tiles = ", ".join(f"{name}: {cores}" for name, cores in counted["attrib_fit"].items())
        error = ", ".join(f"{value:.2%}" for value in counted["held_out_mape"].values())
        lines.append(f"| {limit} | {alone['cores']} ({', '.join(map(str, alone['set']))}) | {tiles} | {error} |")
    lines += [
        "",
        "## Padded rows",
        "",
        "Time at N over the time at the next multiple of 64 (128 bytes), folded at that period: largest less "
        "smallest phase, for all N that are multiples of 8 and for those of 16, which vector loads still take.",
        "",
        "| tile | rows as they come | of 16 only | padded to 64 elements |",
        "|---|---|---|---|",
    ]
    plain, padded = (found["pitch"][f"h200_bf16_pitch{pitch}"] for pitch in (1, 64))
    for tile, effect in plain.items():
        vector = [value for phase, value in effect["by_n_mod_64"].items() if int(phase) % 16 == 0]
        shown = (effect["amplitude"], max(vector) - min(vector), padded[tile]["amplitude"])
        lines.append(f"| {tile} | {' | '.join(f'{value:.1%}' for value in shown)} |")
    return lines


def _say_devices(found: dict[str, Any]) -> list[str]:
    offsets = "; ".join(f"{o['fraction']:+.2%} (standard error {o['error']:.3%})" for o in found["offsets"])
    return [
        "## Two GPUs at once",
        "",
        f"4,096 shapes x 7 kernels on devices {found['devices']}: {found['wall_s']:.0f} s against "
        f"{found['wall_of_one_s']:.0f} s on one, starting included. Offsets from the median device: {offsets}. "
        f"Spread of one repeat {found['spread'][0]:.2%} against {found['spread'][1]:.2%}.",
    ]


def main() -> None:
    """Run the parts asked for and write what came out."""
    parts = {"full": full, "kill": kill, "interventions": interventions, "devices": devices}
    parser = argparse.ArgumentParser(description="The harness on a real GPU.")
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / "harness_h200.json"
    results: dict[str, Any] = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    for name in options.parts or ["full", "kill", "interventions"]:
        began = time.perf_counter()
        results[name] = parts[name](options.out)
        results[name]["seconds"] = time.perf_counter() - began
        target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        target.with_suffix(".md").write_text(in_words(results), encoding="utf-8")
        sys.stderr.write(f"{name}: {json.dumps(results[name])[:1500]}\n")


if __name__ == "__main__":
    main()
