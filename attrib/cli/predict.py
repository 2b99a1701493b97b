"""``attrib predict``: what shapes will cost, with an interval."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrib.cli.inputs import read_model, read_shape
from attrib.cli.options import Json
from attrib.cli.outputs import check_outputs
from attrib.cli.quantities import number, seconds
from attrib.cli.quantities import shape as shape_text
from attrib.cli.screen import show, show_json, show_table
from harness.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "attrib predict model.json shapes.csv -o out.csv"


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that 'attrib fit' wrote.")],
    shapes: Annotated[
        Path | None, typer.Argument(metavar="[SHAPES]", help="CSV with the columns M,N,K and optionally tile.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="CSV", help="Table to write; '-' is stdout."),
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option(metavar="M,N,K", help="A shape, instead of a file; repeatable.")
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(metavar="TILE", help="Tile, or 'all'; by default the fastest of known sizes for each shape."),
    ] = None,
    level: Annotated[float, typer.Option(help="Coverage of the interval: 0.5, 0.8, 0.9, 0.95 or 0.99.")] = 0.9,
    contributions: Annotated[
        bool, typer.Option("--contributions", help="Add a column of seconds for each term of the model.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict times of unseen shapes, with calibrated intervals."""
    if (shapes is None) == (not shape):
        raise InputError("give either a file of shapes or --shape M,N,K")
    target = None if output in (None, "-") else Path(str(output))
    check_outputs([target], [model, *([shapes] if shapes is not None else [])])
    fitted = read_model(model)

    import pandas as pd

    from attrib.predict import predict_table, read_shapes
    from harness.store import atomic_path

    if shapes is not None:
        asked = read_shapes(shapes)
    else:
        asked = pd.DataFrame([read_shape(text) for text in shape or []], columns=list("MNK"))
        asked.index = pd.Index(range(1, len(asked) + 1), name="shape")
    try:
        table = predict_table(fitted, asked, tile=tile, level=level, contributions=contributions)
    except InputError as error:
        raise InputError(f"{shapes}, {error}" if shapes is not None else str(error)) from None
    if fitted.device.simulated:
        typer.echo(f"note: these are predictions of a {fitted.device.name}, which is no hardware", err=True)
    if target is not None:
        with atomic_path(target) as draft:
            table.to_csv(draft, index=False)
    if as_json:
        beyond = int(table["extrapolated"].sum())
        simulated = fitted.device.simulated
        written = {"output": str(target), "rows": len(table), "extrapolated": beyond, "simulated": simulated}
        show_json(table.to_dict("records") if target is None else written)
    elif target is not None:
        show(f"{target}: {len(table):,} rows, {table['extrapolated'].sum():,} of them extrapolated")
    elif output == "-" or not sys.stdout.isatty():
        sys.stdout.write(table.to_csv(index=False))
    else:
        _show(table, level)


def _show(table: pd.DataFrame, level: float) -> None:
    extra = [str(name) for name in table.columns[9:]]
    rows = [
        (
            shape_text((row["M"], row["N"], row["K"])),
            str(row["tile"]),
            seconds(row["time_s"]),
            f"{seconds(row['lower_s'])} to {seconds(row['upper_s'])}",
            number(row["tflops"]),
            "yes" if row["extrapolated"] else "",
            *(seconds(row[name]) for name in extra),
        )
        for row in table.to_dict("records")
    ]
    columns = ("shape", "tile", "time", f"{100 * level:g} % interval", "TFLOP/s", "extrapolated", *extra)
    show_table("Predicted times", columns, rows, left=2)
