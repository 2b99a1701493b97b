"""What a sweep will take, and what came of it, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrib.cli.measure_screen import duration
from attrib.cli.quantities import number, percent, seconds
from attrib.cli.screen import show, show_json

if TYPE_CHECKING:
    import xarray as xr

    from harness.protocol import Protocol
    from harness.sweep.estimate import Estimate


def show_estimate(found: Estimate, protocol: Protocol, as_json: bool) -> None:
    """Say what a sweep will take."""
    if as_json:
        show_json({**asdict(found), "protocol": protocol.to_dict()})
        return
    show(f"{found.cells:,} cells, {found.supported:,} of them supported")
    for reason, count in found.refusals:
        show(f"  unsupported: {count:,} cells: {reason}")
    if found.kernels:
        show(f"{found.kernels} kernels, {found.verified} results to be checked")
    else:
        show("every timing is checked by the kernel's own program")
    more = ""
    if protocol.max_repeats > protocol.repeats:
        more = (
            f"; {duration(found.most_seconds)} if every cell needed {protocol.max_repeats} repeats to come below a "
            f"standard error of {percent(protocol.target_error)}"
        )
    show(
        f"{found.timings:,} timings in about {duration(found.seconds)}{more} (from {found.probes} cells timed; "
        "compiling and checking come on top)"
    )
    show(
        f"memory: {_bytes(found.device_bytes)} on the device, {_bytes(found.host_bytes)} on the host; "
        f"disk: up to {_bytes(found.disk_bytes)}"
    )


def cube_facts(cube: xr.Dataset, output: Path, store: Path) -> dict[str, Any]:
    """Return what is said of a measured cube as plain data."""
    import numpy as np

    from harness.cube import STATUS, is_dense, throughput, tiles_of

    status = cube["status"].values
    ok = status == STATUS["ok"]
    spread = (cube["time_spread"] / cube["time"]).values[ok] if "time_spread" in cube else np.empty(0)
    spread = spread[np.isfinite(spread)]
    error = (cube["time_error"] / cube["time"]).values[ok]
    times = cube["time"].values[ok]
    drift = json.loads(str(cube.attrs["drift"]))
    return {
        "output": str(output),
        "store": str(store),
        "device": json.loads(str(cube.attrs["device"]))["name"],
        "simulated": bool(cube.attrs["simulated"]),
        "form": "dense" if is_dense(cube) else "sparse",
        "tiles": [tile.name for tile in tiles_of(cube)],
        "cells": int(status.size),
        "status": {name: int((status == value).sum()) for name, value in STATUS.items() if (status == value).any()},
        "problems": json.loads(str(cube.attrs["problems"])),
        "repeats": [int(cube["time_repeats"].notnull().sum("repeat").values[ok].min()), int(cube.sizes["repeat"])]
        if ok.any()
        else [0, 0],
        "median_spread": float(np.median(spread)) if spread.size else None,
        "median_error": float(np.median(error)) if ok.any() else None,
        "largest_error": float(error.max()) if ok.any() else None,
        "outliers": int(cube["outliers"].values.sum()),
        "drift": {key: drift[key] for key in ("trend", "p_value", "range", "noise", "beyond_noise")},
        "largest_relative_error": json.loads(str(cube.attrs["largest_relative_error"])),
        "device_offsets": json.loads(str(cube.attrs.get("device_offsets", "[]"))),
        "time_s": [float(times.min()), float(times.max())] if ok.any() else None,
        "best_tflops": float(throughput(cube).values[ok].max()) if ok.any() else None,
        "kernel_seconds": float(cube.attrs["kernel_seconds"]),
        "busy_seconds": float(cube.attrs["busy_seconds"]),
    }


def show_cube(cube: xr.Dataset, output: Path, store: Path, as_json: bool) -> None:
    """Say what a finished sweep found."""
    facts = cube_facts(cube, output, store)
    if as_json:
        show_json(facts)
        return
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in facts["status"].items())
    show(f"{output}: {facts['device']}, {facts['cells']:,} cells: {counts}; {facts['form']}")
    for reason, (count, *examples) in facts["problems"].items():
        show(f"  {reason} ({count}, as {', '.join(examples)})")
    if facts["time_s"] is None:
        show("no cell was measured")
        return
    low, high = facts["repeats"]
    shortest, longest = facts["time_s"]
    show(f"times: {seconds(shortest)} to {seconds(longest)}; best {number(facts['best_tflops'])} TFLOP/s")
    if facts["median_spread"] is None:
        show(f"repeats: {low} to {high} a cell: too few to tell their spread")
    else:
        show(
            f"repeats: {low} to {high} a cell; median cell: spread of one {percent(facts['median_spread'], 2)}, "
            f"standard error {percent(facts['median_error'], 2)} (largest {percent(facts['largest_error'], 2)}); "
            f"{facts['outliers']:,} outliers, kept"
        )
    drift = facts["drift"]
    if drift["trend"] is None:
        show("drift: too few sentinel timings to tell")
    else:
        show(
            f"drift: {percent(drift['trend'], 2)} from begin to end (p = {drift['p_value']:.2g}); sentinels move "
            f"{percent(drift['beyond_noise'], 2)} beyond their noise of {percent(drift['noise'], 2)}"
        )
        if drift["beyond_noise"] > json.loads(str(cube.attrs["protocol"]))["target_error"]:
            show(
                "  the device moved by more than the target error: look at clocks, temperature and other work on it"
            )
    show_offsets(facts["device_offsets"])
    if facts["largest_relative_error"]:
        worst = max(facts["largest_relative_error"].values())
        show(f"checked results: largest relative error {worst:.2g}")
    if facts["simulated"]:
        show(f"every repeat is kept in {store}")
        return
    show(
        f"kernels ran {duration(facts['kernel_seconds'])} of {duration(facts['busy_seconds'])} measuring; "
        f"every repeat is kept in {store}"
    )


def show_offsets(offsets: Sequence[Mapping[str, Any]]) -> None:
    """Say how the paces of several devices differ."""
    for offset in offsets:
        if offset["fraction"] is None:
            show(f"device {offset['device']}: no cell in common with another, so its pace cannot be told")
        else:
            show(
                f"device {offset['device']}: times {percent(offset['fraction'], 2)} from the median device "
                f"(standard error {percent(offset['error'], 2)}, {offset['timings']:,} timings)"
            )


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
