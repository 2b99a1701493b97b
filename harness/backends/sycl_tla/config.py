"""Configurations of sycl-tla's GEMM benchmarks: which name is which tile, and the lines of a config file.

The names are those that sycl-tla 0.9.1 registers in ``benchmarks/gemm/benchmarks_sycl.hpp`` and in the file of the
same name in ``benchmarks/gemm/legacy``. A config file has one benchmark a line; a program that meets a name it does
not know aborts before anything runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from harness.backends.backend import Cell
from harness.errors import BackendError, InputError
from harness.tile import Tile

ProgramName: TypeAlias = Literal["executable", "legacy"]
"""The two benchmark programs, by the option that names their path."""

PROGRAMS: tuple[ProgramName, ...] = ("executable", "legacy")


@dataclass(frozen=True)
class Config:
    """One registered benchmark.

    Attributes
    ----------
    name : str
        As registered: a C++ identifier.
    tile : Tile
        Work-group tile and mainloop step.
    program : {"executable", "legacy"}
        Which program knows it.
    """

    name: str
    tile: Tile
    program: ProgramName


STOCK: tuple[Config, ...] = (
    Config("BmgGemmBF16BF16FP32_RRR_TileShape_512_256_32", Tile.of(512, 256, 32), "executable"),
    Config("PvcGemmBF16BF16FP32_RRR_1", Tile.of(256, 256, 32), "legacy"),
    Config("PvcGemmBF16BF16FP32_RRR_2", Tile.of(128, 512, 32), "legacy"),
    Config("PvcGemmBF16BF16FP32_RRR_3", Tile.of(256, 128, 32), "legacy"),
    Config("PvcGemmBF16BF16FP32_RRR_4", Tile.of(128, 256, 16), "legacy"),
    Config("PvcGemmBF16BF16FP32_RRR_5", Tile.of(8, 128, 32), "legacy"),
)
"""BF16 operands, float32 result, all row-major, as sycl-tla ships them."""

_REFUSED = (
    (
        re.compile("splitk|streamk", re.IGNORECASE),
        "its timed loop runs the default scheduler, not the one in its name: time stream-K and split-K with "
        "sycl-tla's example 03_bmg_gemm_streamk and 'attrib import'",
    ),
    (re.compile(r"_(RCR|CRR|CCR)(_|$)"), "its operands are not both row-major, as a landscape's are"),
    (re.compile("MixedPrecision|FP16FP16|FP8FP8|S8S8"), "its operands are not both BF16"),
)


def refusal(name: str) -> str | None:
    """Why a registered benchmark cannot stand for a tile of this landscape, or ``None``."""
    for pattern, reason in _REFUSED:
        if pattern.search(name):
            return reason
    return None


def parse_configs(text: str) -> tuple[Config, ...]:
    """Read the option ``configs``: a TOML file, or pairs separated by commas.

    Parameters
    ----------
    text : str
        Path of a file with a table per program (``[executable]``, ``[legacy]``) of ``NAME = "MxNxK"``; or
        ``"NAME=MxNxK,legacy:NAME=MxNxK"``, where pairs without a prefix belong to ``executable``.

    Raises
    ------
    BackendError
        If the file or a pair cannot be read, or a configuration is refused; the message says why.
    """
    found = _from_file(Path(text)) if text.endswith(".toml") else _from_pairs(text)
    for config in found:
        if re.fullmatch(r"[A-Za-z_]\w*", config.name, re.ASCII) is None:
            raise BackendError(f"config {config.name!r} is no C++ identifier: give the name that is registered")
        if (reason := refusal(config.name)) is not None:
            raise BackendError(f"config {config.name} is refused: {reason}")
    return found


def _from_pairs(text: str) -> tuple[Config, ...]:
    found = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, tile = pair.partition("=")
        program, colon, rest = name.partition(":")
        if not colon:
            program, rest = PROGRAMS[0], name
        if not equals:
            raise BackendError(f"configs: {pair!r} is neither NAME=MxNxK nor the path of a .toml file")
        found.append(_config(rest.strip(), tile, program.strip()))
    return tuple(found)


def _from_file(path: Path) -> tuple[Config, ...]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BackendError(f"configs: {path} cannot be read as TOML ({error})") from None
    found = []
    for program, table in tables.items():
        if not isinstance(table, dict):
            raise BackendError(f"configs: {path}: {program!r} stands outside [executable] and [legacy]")
        found += [_config(name, str(tile), program) for name, tile in table.items()]
    return tuple(found)


def _config(name: str, tile: str, program: str) -> Config:
    known = next((name for name in PROGRAMS if name == program), None)
    if known is None:
        raise BackendError(f"configs: program {program!r} of {name} is unknown: expected {' or '.join(PROGRAMS)}")
    try:
        parsed = Tile.parse(tile)
    except InputError as error:
        raise BackendError(f"configs: {name}: {error}") from None
    if parsed.hidden:
        raise BackendError(f"configs: {name}: a kernel of sycl-tla has a tile, MxNxK")
    return Config(name, parsed, known)


def choose(extra: Sequence[Config], programs: Sequence[ProgramName]) -> dict[Tile, Config]:
    """Give each tile its configuration: the user's own before the stock ones, of those the new program's first.

    Parameters
    ----------
    extra : sequence of Config
        The user's own.
    programs : sequence of {"executable", "legacy"}
        Programs that are there.

    Returns
    -------
    dict of Tile to Config
        Largest tiles first.
    """
    chosen: dict[Tile, Config] = {}
    for config in (*extra, *STOCK):
        if config.program in programs:
            chosen.setdefault(config.tile, config)
    return dict(sorted(chosen.items(), key=lambda item: (-item[0].m * item[0].n, -item[0].m, -item[0].k)))


def config_line(config: Config, label: str, cell: Cell) -> str:
    """Write the line of a config file that times one cell: D = A B, one batch."""
    sizes = f"--m={cell.M} --n={cell.N} --k={cell.K}"
    return f"{config.name} --bm_name={label} {sizes} --l=1 --alpha=1 --beta=0"


def reported_name(config: Config, label: str, cell: Cell) -> str:
    """Name under which the program reports that line."""
    return f"{config.name}/{label}/{cell.M}x{cell.N}x{cell.K}x1/manual_time"
