"""What a command reads: cubes of one device, models that belong to them, shapes on the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.errors import CubeError, InputError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from harness.tile import Tile
    from models.result import FitResult

_MOST_SHAPES = 10_000_000
"""Of a grid: a day of timings, and a table that still fits the memory."""


def read_cubes(paths: Sequence[Path]) -> list[xr.Dataset]:
    """Open cubes that are analysed together.

    Raises
    ------
    InputError, CubeError
        If a file is no cube, or the cubes are of different devices or element types.
    """
    from harness.cube import device_of
    from harness.store import open_cube

    cubes = []
    for place, path in enumerate(paths):
        if path.resolve() in {other.resolve() for other in paths[:place]}:
            raise InputError(f"{path}: is given twice, and would count double")
        if path.is_dir() and path.suffix != ".zarr":
            raise InputError(f"{path}: is a folder, expected a cube (.nc or .zarr)")
        try:
            cubes.append(open_cube(path))
        except (TypeError, AttributeError):
            raise CubeError(f"{path}: not a readable cube") from None
    for path, cube in zip(paths[1:], cubes[1:], strict=True):
        first, other = device_of(cubes[0]), device_of(cube)
        if first.id != other.id:
            raise InputError(f"{path}: was measured on {other.name}, {paths[0]} on {first.name}")
        for key in ("dtype", "dtype_out", "pitch_multiple", "core_limit"):
            if cube.attrs.get(key) != cubes[0].attrs.get(key):
                raise InputError(
                    f"{path}: {key} is {cube.attrs.get(key)}, that of {paths[0]} is {cubes[0].attrs.get(key)}"
                )
    return cubes


def read_model(path: Path, cube: xr.Dataset | None = None) -> FitResult:
    """Open a model, which must be of the cube's device, element type and tiles where a cube is given.

    Raises
    ------
    InputError
        If the file is no model, or the model is not of this cube.
    """
    from harness.cube import device_of, element_bytes_of, output_bytes_of, tiles_of
    from harness.fingerprint import fingerprint
    from models.model_file import open_model

    try:
        model = open_model(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if cube is None:
        return model
    device = device_of(cube)
    if model.device.id != device.id:
        raise InputError(f"{path}: is a model of {model.device.name}, the cube was measured on {device.name}")
    if (model.element_bytes, model.output_bytes) != (element_bytes_of(cube), output_bytes_of(cube)):
        raise InputError(f"{path}: is a model of elements of {model.element_bytes} bytes, unlike the cube's")
    if not any(tile.name in model.tiles for tile in tiles_of(cube)):
        raise InputError(f"{path}: knows the tiles {', '.join(model.tiles)}, none of which the cube has")
    if model.timings != fingerprint(cube):
        typer.echo(f"note: {path} was fitted to other timings than those of this cube", err=True)
    return model


def read_tile(text: str | None, cube: xr.Dataset) -> Tile | None:
    """Find a tile of the cube by its label.

    Raises
    ------
    InputError
        If the cube has no such tile.
    """
    from harness.cube import tiles_of

    if text is None:
        return None
    for tile in tiles_of(cube):
        if tile.name == text.strip():
            return tile
    raise InputError(f"tile {text!r} is not in the cube, which has {', '.join(t.name for t in tiles_of(cube))}")


def read_shape(text: str) -> tuple[int, int, int]:
    """Read ``M,N,K``.

    Raises
    ------
    InputError
        If the text is not three positive whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"shape {text!r}: expected M,N,K as three positive whole numbers, as 1000,512,4096")
    m, n, k = (int(part) for part in parts)
    return (m, n, k)


def read_grid_or_shapes(grid: str | None, shapes: Path | None) -> NDArray[np.int64]:
    """Read the shapes to measure: of a grid, or of a table.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Columns M, N, K in elements; a grid in C order.

    Raises
    ------
    InputError
        If neither or both are given, or one is no grid or table of shapes.
    """
    import numpy as np

    if (grid is None) == (shapes is None):
        raise InputError("give either --grid first:last:step or --shapes CSV")
    if grid is not None:
        from harness.grid import Grid

        axes = Grid.parse(grid)
        if math.prod(axes.shape) > _MOST_SHAPES:
            raise InputError(
                f"grid {grid!r}: {math.prod(axes.shape):,} shapes, more than can be measured; take a larger step"
            )
        return axes.shapes()
    from attrib.predict import read_shapes

    assert shapes is not None
    table = read_shapes(shapes)
    if "tile" in table:
        raise InputError(f"{shapes}: column 'tile' is not heeded here; give --tiles, and a table of M,N,K alone")
    found = np.empty((len(table), 3), dtype=np.int64)
    for row, (line, texts) in enumerate(zip(table.index, table[list("MNK")].to_numpy(), strict=True)):
        try:
            found[row] = read_shape(",".join(texts))
        except (InputError, OverflowError):
            raise InputError(
                f"{shapes}, line {line}: expected M,N,K as three positive whole numbers, got {','.join(texts)}"
            ) from None
    return np.unique(found, axis=0)
