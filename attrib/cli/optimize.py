"""``attrib optimize``: what to pad, split and run for every shape of a grid, as a plan to compile in."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrib.cli.inputs import read_cubes, read_shape, read_tile
from attrib.cli.options import FixedTile, Json
from attrib.cli.outputs import check_outputs
from attrib.cli.quantities import number, percent, seconds, shape
from attrib.cli.screen import show, show_json, show_table
from harness.errors import InputError, NotApplicableError

if TYPE_CHECKING:
    import xarray as xr

    from attrib.landscape import Landscape
    from attrib.plan import Plan
    from attrib.stages import Stage, StageResult
    from harness.tile import Tile

EXAMPLE = "attrib optimize cube.nc -o plan.nc --header dispatch.h"

UNPROVEN = "gains are table values until the plan has been run on the device"


def optimize(
    file: Annotated[
        Path, typer.Argument(metavar="CUBE", help="Dense cube; or a plan, to look shapes up or write its header.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PLAN", help="Plan to write (.nc).")
    ] = None,
    header: Annotated[
        Path | None, typer.Option(metavar="FILE.h", help="Write the plan as a C header with a lookup, too.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Start of every name in the header.")] = "attrib",
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="Stage to plan, as 'best tile + pad'; by default the last.")
    ] = None,
    tile: FixedTile = None,
    lookup: Annotated[
        list[str] | None, typer.Option(metavar="M,N,K", help="Show what the plan does with a shape; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan the tile, padding and split of every shape."""
    asked = [read_shape(text) for text in lookup or []]
    check_outputs([output, header], [file])

    from attrib.dispatch_header import dispatch_header
    from attrib.plan import Plan
    from harness.cube import device_of
    from harness.store import atomic_path

    gains: dict[str, float] = {}
    if is_plan(file):
        if output is not None or stage is not None or tile is not None:
            raise InputError(f"{file}: is a plan already: -o, --stage and --tile are for cubes")
        plan = Plan.open(file)
    else:
        (cube,) = read_cubes([file])
        landscape, fixed = grid_of(cube, file), read_tile(tile, cube)
        result = planned_result(landscape, fixed, stage)
        plan = Plan.from_stage(landscape, result, device_of(cube).name)
        gains = gains_over(landscape, result, fixed)
    choices = [described(plan, *sizes) for sizes in asked]
    if header is not None:
        text = dispatch_header(plan, prefix)
        with atomic_path(header) as draft:
            draft.write_text(text, encoding="ascii")
    if output is not None:
        plan.save(output)

    data = described_plan(plan, gains)
    files = {"plan": output, "header": header}
    written = {name: str(path) for name, path in files.items() if path is not None}
    if as_json:
        show_json({**data, **written, "lookup": choices, "note": UNPROVEN})
        return
    show_plan(data)
    for choice in choices:
        show_choice(choice)
    for name, path in written.items():
        show(f"{name}: {path}")


def is_plan(path: Path) -> bool:
    """Whether the file is a plan rather than a cube, or anything else."""
    h5py: Any = importlib.import_module("h5py")  # comes without type information
    if not path.is_file():
        return False
    try:
        with h5py.File(path, "r") as handle:
            return "plan_version" in handle.attrs
    except (OSError, RuntimeError, KeyError):
        return False


def grid_of(cube: xr.Dataset, path: Path) -> Landscape:
    """Return the landscape of a cube whose samples form a grid.

    Raises
    ------
    NotApplicableError
        If they form none.
    """
    from attrib.analysis import landscape_of
    from harness.cube import densify

    dense = densify(cube)
    if dense is None:
        raise NotApplicableError(
            f"{path}: the samples form no grid, and a plan chooses among the shapes of one: measure every "
            "combination of some M, N, K and tiles"
        )
    return landscape_of(dense)


def planned_result(landscape: Landscape, fixed: Tile | None, name: str | None) -> StageResult:
    """Apply the stage of this name, or the last of the standard ladder that applies.

    Raises
    ------
    InputError
        If there is no stage of this name.
    NotApplicableError
        If the stage does not apply.
    """
    from attrib.stages import FixedTile, standard_stages

    ladder: list[Stage] = list(standard_stages(landscape, fixed))
    if name is not None:
        known: dict[str, Stage] = {stage.name: stage for stage in ladder}
        known |= {stage.name: stage for stage in map(FixedTile, landscape.tiles)}
        if name not in known:
            raise InputError(f"stage {name!r} is unknown: this cube has {'; '.join(known)}")
        return known[name].apply(landscape)
    for stage in reversed(ladder):
        try:
            return stage.apply(landscape)
        except NotApplicableError:
            continue
    raise NotApplicableError("no stage applies to this cube")


def gains_over(landscape: Landscape, result: StageResult, fixed: Tile | None) -> dict[str, float]:
    """Gain in mean throughput over the stages without padding and splitting, as fractions.

    Both means are over the shapes that both stages have a time for.
    """
    import numpy as np

    from attrib.stages import standard_stages

    after = landscape.throughput(result.time)
    gains: dict[str, float] = {}
    for stage in standard_stages(landscape, fixed)[:2]:
        try:
            before = landscape.throughput(stage.apply(landscape).time)
        except NotApplicableError:
            continue
        both = np.isfinite(before) & np.isfinite(after)
        if stage.name != result.name and both.any():
            gains[stage.name] = float(after[both].mean() / before[both].mean() - 1.0)
    return gains


def described_plan(plan: Plan, gains: dict[str, float]) -> dict[str, Any]:
    """What a plan does, in numbers; shares and gains are fractions."""
    import numpy as np

    from attrib.landscape import throughput
    from attrib.stages import RUN

    action, target = plan.decisions.action, plan.decisions.target
    padded = (action == RUN) & (target != np.arange(target.size).reshape(target.shape))
    return {
        "stage": plan.stage,
        "device": plan.device,
        "tiles": [tile.name for tile in plan.tiles],
        "shapes": int(action.size),
        "padded": float(np.mean(padded)),
        "split": float(np.mean(action > RUN)),
        "max_launches": int(plan.launch_counts.max()),
        "mean_tflops": float(np.nanmean(throughput(plan.time, *plan.axes))),
        "gain_over": gains,
    }


def described(plan: Plan, m: int, n: int, k: int) -> dict[str, Any]:
    """What a plan does with one shape, times in seconds."""
    choice = plan.lookup(m, n, k)
    return {
        "shape": choice.shape,
        "cell": choice.cell,
        "tile": None if choice.tile is None else choice.tile.name,
        "padded": choice.padded,
        "split": None if choice.split is None else choice.split._asdict(),
        "time_s": choice.time,
        "tflops": choice.throughput,
        "direct_tile": None if choice.direct_tile is None else choice.direct_tile.name,
        "direct_time_s": choice.direct_time,
        "launches": [
            {
                "tile": launch.tile.name,
                "offset": launch.offset,
                "size": launch.size,
                "padded": launch.padded,
                "beta": launch.beta,
                "time_s": launch.time,
            }
            for launch in plan.launches(m, n, k)
        ],
    }


def show_plan(data: dict[str, Any]) -> None:
    """Print a plan as a few lines."""
    show(f"plan: {data['stage']} on {data['device']}")
    show(
        f"{data['shapes']:,} shapes: {percent(data['padded'])} padded, {percent(data['split'])} split, at most "
        f"{data['max_launches']} launches"
    )
    gains = "".join(f", {100 * gain:+.1f} % over {name}" for name, gain in data["gain_over"].items())
    show(f"mean {number(data['mean_tflops'])} TFLOP/s{gains}")
    show(UNPROVEN)


def show_choice(choice: dict[str, Any]) -> None:
    """Print what a plan does with one shape."""
    rows = [
        (
            launch["tile"],
            shape(launch["size"]),
            ",".join(map(str, launch["offset"])),
            shape(launch["padded"]),
            "adds" if launch["beta"] else "",
            seconds(launch["time_s"]),
        )
        for launch in choice["launches"]
    ]
    direct = "not available as it is"
    if choice["direct_tile"] is not None:
        direct = f"{seconds(choice['direct_time_s'])} as it is, on {choice['direct_tile']}"
    show()
    show_table(
        f"{shape(choice['shape'])}: {seconds(choice['time_s'])} planned "
        f"({number(choice['tflops'])} TFLOP/s), {direct}",
        ("tile", "computes", "from M,N,K", "run as", "into D", "time"),
        rows,
    )
