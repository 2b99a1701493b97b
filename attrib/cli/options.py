"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Cube: TypeAlias = Annotated[Path, typer.Argument(metavar="CUBE", help="Landscape cube (.nc or .zarr).")]
Also: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(metavar="CUBE", help="Another cube of the same kernels to learn from; repeatable."),
]
Model: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="MODEL", help="Model that 'attrib fit' wrote; by default one is fitted.")
]
FixedTile: TypeAlias = Annotated[
    str | None, typer.Option("--tile", metavar="TILE", help="Tile of the fixed stages; by default the largest.")
]
Seed: TypeAlias = Annotated[int, typer.Option(min=0, help="Seed of folds and draws.")]
