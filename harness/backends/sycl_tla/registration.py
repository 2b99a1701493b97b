"""C++ that registers further tiles with sycl-tla's GEMM benchmarks, and how to build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from harness.errors import InputError
from harness.store import atomic_path
from harness.tile import Tile

LAYOUTS: Mapping[Tile, tuple[int, int]] = {
    Tile.of(512, 256, 32): (8, 4),
    Tile.of(256, 256, 32): (8, 4),
    Tile.of(128, 128, 32): (4, 2),
    Tile.of(256, 128, 32): (8, 2),
    Tile.of(128, 256, 32): (4, 4),
    Tile.of(64, 64, 32): (4, 2),
    Tile.of(64, 128, 32): (4, 2),
}
"""Sub-groups along M and N: sycl-tla's own for 512x256, the paper's for its six (arXiv 2605.29752)."""

PAPER_TILES: tuple[Tile, ...] = tuple(LAYOUTS)[1:]
"""The six tiles of the paper."""

MOST_SUBGROUPS = 32
"""Sub-groups of a work-group, at most, with 256 registers a thread (compute-runtime)."""

_ATOM = (8, 16, 16)
_SUBGROUP_TILE = (32, 64)
_FILES = ("benchmarks_attrib.hpp", "attrib_configs.toml", "README.md")


@dataclass(frozen=True)
class Registration:
    """One tile to register.

    Attributes
    ----------
    tile : Tile
    layout : tuple of int
        Sub-groups along M and along N.
    """

    tile: Tile
    layout: tuple[int, int]

    @property
    def name(self) -> str:
        """Its name in the benchmark program, a C++ identifier."""
        sizes = f"{self.tile.m}_{self.tile.n}_{self.tile.k}"
        return f"AttribGemmBF16BF16FP32_RRR_TileShape_{sizes}_SG_{self.layout[0]}_{self.layout[1]}"


def registration(tile: Tile) -> Registration:
    """Choose the sub-groups of a tile: :data:`LAYOUTS`, else one for each 32x64 of the tile.

    Raises
    ------
    InputError
        If the tile is hidden, does not divide into sub-groups of whole matrix instructions (8x16x16 for BF16),
        or takes more of them than a work-group can have.
    """
    if tile.hidden:
        raise InputError(f"tile {tile} cannot be registered: expected MxNxK")
    sizes = (tile.m, tile.n)
    layout = LAYOUTS.get(tile)
    if layout is None:
        layout = (max(1, tile.m // _SUBGROUP_TILE[0]), max(1, tile.n // _SUBGROUP_TILE[1]))
    whole = all(size % (count * atom) == 0 for size, count, atom in zip(sizes, layout, _ATOM[:2], strict=True))
    if not whole or tile.k % _ATOM[2]:
        raise InputError(
            f"tile {tile} does not divide into {layout[0]}x{layout[1]} sub-groups of whole 8x16x16 instructions: "
            "choose M from multiples of 32 (or 8, 16, 24), N from multiples of 64 (or 16, 32, 48), K from "
            "multiples of 16"
        )
    if layout[0] * layout[1] > MOST_SUBGROUPS:
        raise InputError(
            f"tile {tile} takes {layout[0] * layout[1]} sub-groups of 32x64: "
            f"a work-group has {MOST_SUBGROUPS} at most"
        )
    return Registration(tile, layout)


def emit_registrations(directory: Path, tiles: Sequence[Tile] = PAPER_TILES) -> list[Path]:
    """Write the C++ that registers tiles, the option file that names them, and how to build it all.

    Parameters
    ----------
    directory : Path
        Made if missing; files of the same names are replaced.
    tiles : sequence of Tile
        Without duplicates; the paper's six by default.

    Returns
    -------
    list of Path
        ``benchmarks_attrib.hpp``, ``attrib_configs.toml`` and ``README.md``.

    Raises
    ------
    InputError
        If a tile cannot be registered or appears twice, or the folder cannot be written.
    """
    items = [registration(tile) for tile in tiles]
    if not items or len(set(tiles)) != len(items):
        raise InputError("tiles to register: expected at least one, and each only once")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory}: cannot be made ({error.strerror})") from None
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    templates = files("harness.backends.sycl_tla")
    written = []
    for name in _FILES:
        template = environment.from_string(templates.joinpath(f"{name}.in").read_text(encoding="utf-8"))
        text = template.render(items=items, version=_version(), tiles=",".join(str(tile) for tile in tiles))
        with atomic_path(directory / name) as draft:
            draft.write_text(text, encoding="utf-8")
        written.append(directory / name)
    return written


def _version() -> str:
    try:
        return version("gemm-attrib")
    except PackageNotFoundError:
        return "(not installed)"
