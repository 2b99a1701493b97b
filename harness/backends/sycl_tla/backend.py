"""Backend ``sycl-tla``: the GEMM benchmarks of sycl-tla on an Intel GPU, as its users build them.

The backend compiles nothing and loads no GPU library. It writes config files, runs the benchmark programs that the
user built, and reads their reports: see ``docs/sycl_tla.md``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.backends.sycl_tla.batch import Job, iterations_for, split, time_batch
from harness.backends.sycl_tla.config import PROGRAMS, Config, ProgramName, choose, config_line, parse_configs
from harness.backends.sycl_tla.host import MISSING, gpu_frequencies, host_facts
from harness.backends.sycl_tla.run import BenchmarkProgram, Outcome
from harness.device import DeviceRecord, load_device
from harness.errors import BackendError
from harness.tile import Tile

_ALIGNMENT = 8
"""Elements: block loads take rows whose pitch is a multiple of 16 bytes."""

_LARGEST = 2**31 - 1
"""The program counts the elements of a matrix in 32 bits."""

_PROBE_SECONDS = 300.0
_PROBE = (256, 256, 64)

_BUILD = "'attrib measure --backend sycl-tla --emit-configs DIR' writes how to build it, and for which tiles"


@dataclass(frozen=True)
class SyclTlaOptions(BackendOptions):
    """What the backend ``sycl-tla`` can be asked for.

    Attributes
    ----------
    executable, legacy : str or None
        Paths of the two benchmark programs; at least one.
    configs : str or None
        Further registered benchmarks: a TOML file, or ``"NAME=MxNxK,..."``.
    timeout : float or None
        Seconds that one invocation may take; scaled by its work when absent.
    profiling : bool or None
        Whether the programs were built to time by events on the device. Their output does not tell.
    selector : str
        Value of ``ONEAPI_DEVICE_SELECTOR``.
    """

    executable: str | None = field(
        default=None, metadata={"help": "path of the built cutlass_benchmarks_gemm_sycl"}
    )
    legacy: str | None = field(
        default=None, metadata={"help": "path of the built cutlass_benchmarks_gemm_sycl_legacy"}
    )
    configs: str | None = field(
        default=None, metadata={"help": "further benchmarks: NAME=MxNxK,... or the attrib_configs.toml"}
    )
    timeout: float | None = field(
        default=None, metadata={"help": "seconds that one invocation may take; by default scaled by its work"}
    )
    profiling: bool | None = field(
        default=None, metadata={"help": "whether it was built with CUTLASS_SYCL_PROFILING_ENABLED=ON"}
    )
    selector: str = field(default="level_zero:gpu", metadata={"help": "value of ONEAPI_DEVICE_SELECTOR"})


class SyclTlaBackend(Backend):
    """Times sycl-tla's BF16 GEMM (float32 accumulation and output, all row-major) through its own benchmarks.

    Parameters
    ----------
    options : SyclTlaOptions, optional

    Raises
    ------
    BackendError
        If no program is named, one is not there, or ``configs`` cannot be read.
    """

    options_type: ClassVar[type[BackendOptions]] = SyclTlaOptions
    dtypes: ClassVar[tuple[str, ...]] = ("bf16",)
    cache_states: ClassVar[tuple[str, ...]] = ("rotating",)
    batch_cells: int = 64
    whole_batches: ClassVar[bool] = True  # every call starts a program
    checks_itself: ClassVar[bool] = True

    def __init__(self, options: BackendOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, SyclTlaOptions):
            raise BackendError(f"options of sycl-tla: expected SyclTlaOptions, got {type(self.options).__name__}")
        self._options: SyclTlaOptions = self.options
        if self._options.timeout is not None and not self._options.timeout > 0:
            raise BackendError(f"option timeout: expected positive seconds, got {self._options.timeout}")
        self._programs = self._found_programs()
        extra = parse_configs(self._options.configs) if self._options.configs else ()
        for config in extra:
            if config.program not in self._programs:
                raise BackendError(f"config {config.name} needs the option {config.program}: name that program too")
        self._configs = choose(extra, tuple(self._programs))
        self._record = self._options.record or load_device(self._options.device or "b580")
        self._probed: dict[ProgramName, Outcome] = {}

    @property
    def device(self) -> DeviceRecord:
        """The record given, or the one that the option ``device`` names; the B580's by default."""
        return self._record

    @property
    def dtype_out(self) -> str:
        """The benchmarks store float32."""
        return "f32"

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Tiles of all known benchmarks, largest first."""
        return tuple(self._configs)

    def configuration(self) -> Mapping[str, Any]:
        """Programs by content, benchmark of each tile, how time is taken, host and driver; runs no program."""
        profiling = self._options.profiling
        return {
            "backend": "sycl-tla",
            "programs": self._identities,
            "configs": {str(tile): f"{config.program}:{config.name}" for tile, config in self._configs.items()},
            "selector": self._options.selector,
            "profiling": "not stated" if profiling is None else profiling,
            "time": "avg_runtime_ms: mean over the iterations without the best and the worst",
            "iterations": "launches rounded up to a power of two, at least 4",
            "operands": "small integers, the same in every run; buffers rotate beyond the last-level cache",
            **self._host,
        }

    def environment(self) -> Mapping[str, Any]:
        """Clocks of the GPU, where the kernel shows them, and the Google Benchmark inside each program.

        The library is part of a program, whose content is in :meth:`configuration`; only a run tells its version.
        """
        library = {name: self._library(name) for name in self._needed_programs()}
        return {"gpu_frequencies": gpu_frequencies(), "google_benchmark": library}

    def cube_attributes(self) -> Mapping[str, Any]:
        """Loads of 16 bytes; operands are packed, so that no pitch is rounded up."""
        return {"vector_bytes": 2 * _ALIGNMENT, "pitch_multiple": 1}

    def unsupported(self, cell: Cell) -> str | None:
        """K and N must be multiples of 8, and every matrix countable in 32 bits."""
        if cell.tile not in self._configs:
            return f"tile {cell.tile} is no registered benchmark: known are {', '.join(map(str, self._configs))}"
        for axis, size in (("K", cell.K), ("N", cell.N)):
            if size % _ALIGNMENT:
                return f"{axis} must be a multiple of {_ALIGNMENT} (rows of 16-byte multiples for block loads)"
        largest = max(cell.M * cell.K, cell.K * cell.N, cell.M * cell.N)
        return f"a matrix of {largest} elements is beyond {_LARGEST}" if largest > _LARGEST else None

    def kernel_of(self, cell: Cell) -> Hashable:
        """The registered benchmark: one compiled kernel each."""
        return self._config(cell.tile).name

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Run every benchmark that the cells need once, on a tiny shape.

        Raises
        ------
        BackendError
            If a program ends before its first benchmark; where it does not know a name, the message says which.
        """
        for name in dict.fromkeys(self._config(cell.tile).program for cell in cells):
            self._probe(name)

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Time each cell once.

        Cells keep their order within an invocation; one invocation has cells of one program and one number of
        iterations (launches rounded up to a power of two).
        """
        if cache not in self.cache_states:
            raise BackendError(f"cache {cache!r} is not offered here: expected {' or '.join(self.cache_states)}")
        groups: dict[tuple[ProgramName, int], list[Job]] = {}
        for position, (cell, count) in enumerate(zip(cells, launches, strict=True)):
            config = self._config(cell.tile)
            key = (config.program, iterations_for(int(count)))
            groups.setdefault(key, []).append(Job(position, config, cell))
        self.prepare(cells)
        seconds = np.full(len(cells), np.nan)
        problems: dict[int, Problem] = {}
        for (name, iterations), jobs in groups.items():
            for batch in split(jobs, iterations):
                found = time_batch(self._programs[name], batch, iterations, self._options.timeout)
                for position, result in found.items():
                    if isinstance(result, Problem):
                        problems[position] = result
                    else:
                        seconds[position] = result
        return Timings(seconds, problems)

    def relative_error(self, cell: Cell) -> float:
        """Not offered: the program compares every result with a reference product, element by element."""
        raise BackendError(f"sycl-tla checks every timing of {cell.tile} itself and reports no error")

    def _found_programs(self) -> dict[ProgramName, BenchmarkProgram]:
        found: dict[ProgramName, BenchmarkProgram] = {}
        for name in PROGRAMS:
            given: str | None = getattr(self._options, name)
            if given is None:
                continue
            path = Path(given).expanduser().resolve()
            if not path.is_file() or not os.access(path, os.X_OK):
                raise BackendError(f"option {name}: {given} is no program that can be run; {_BUILD}")
            found[name] = BenchmarkProgram(path, self._options.selector)
        if not found:
            raise BackendError(
                f"sycl-tla needs the option executable or legacy: the path of a benchmark program; {_BUILD}"
            )
        return found

    def _config(self, tile: Tile) -> Config:
        config = self._configs.get(tile)
        if config is None:
            raise BackendError(
                f"tile {tile} is no registered benchmark: known are {', '.join(map(str, self.tiles))}"
            )
        return config

    def _needed_programs(self) -> tuple[ProgramName, ...]:
        return tuple(dict.fromkeys(config.program for config in self._wanted_configs()))

    def _wanted_configs(self) -> list[Config]:
        """Benchmarks of the tiles asked for, or all."""
        wanted = [tile for tile in self._options.tiles if tile in self._configs] or self.tiles
        return [self._configs[tile] for tile in wanted]

    def _probe(self, name: ProgramName) -> Outcome:
        """Run all wanted benchmarks of a program once on a tiny shape; the context of its report is kept."""
        if name in self._probed:
            return self._probed[name]
        program = self._programs[name]
        wanted = [config for config in self._wanted_configs() if config.program == name]
        configs = wanted or [config for config in self._configs.values() if config.program == name]
        limit = self._options.timeout or _PROBE_SECONDS
        lines = {config: config_line(config, "probe", Cell(config.tile, *_PROBE)) for config in configs}
        outcome = program.run(list(lines.values()), 4, limit)
        if not outcome.report.context:
            alone = {config: program.registers(line, limit) for config, line in lines.items()}
            unknown = [config.name for config, listed in alone.items() if listed.trouble is not None]
            if unknown and (len(unknown) < len(lines) or "not found" in outcome.last_line):
                raise BackendError(
                    f"{program.path.name} does not know {', '.join(unknown)}: build it with these benchmarks "
                    f"registered, or choose other tiles; {_BUILD}"
                )
            raise BackendError(f"{program.path.name} ended before its first benchmark: {outcome.reason}")
        self._probed[name] = outcome
        return outcome

    def _library(self, name: ProgramName) -> Mapping[str, str]:
        try:
            context = self._probe(name).report.context
        except BackendError:  # what a device that is not there means, the sweep will tell
            context = {}
        return {key: str(context.get(key, MISSING)) for key in ("library_version", "library_build_type")}

    @cached_property
    def _identities(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for name, program in self._programs.items():
            with program.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = {
                "path": str(program.path),
                "bytes": program.path.stat().st_size,
                "sha256": digest,
            }
        return found

    @cached_property
    def _host(self) -> Mapping[str, Any]:
        return host_facts(self._options.selector)
