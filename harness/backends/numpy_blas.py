"""Backend ``numpy``: the BLAS of the CPU as NumPy calls it. Its tile is hidden."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.backends.cpu_host import cpu_record
from harness.backends.pitch import checked_pitch, leading
from harness.cube import ELEMENT_BYTES
from harness.device import DeviceRecord
from harness.errors import BackendError
from harness.tile import VENDOR, Tile

_DTYPES: Mapping[str, Any] = {"f32": np.float32, "f64": np.float64}

_TIMES_CACHE = 2.5
_DISPLACED_BYTES = 256 << 20
"""Written before a cold launch where the size of the last-level cache is unknown."""

_USABLE_MEMORY = 0.8

_CHECKED_OPERATIONS = 1e8
"""Multiplications of an extended-precision reference: more of them would take seconds."""


@dataclass(frozen=True)
class NumpyOptions(BackendOptions):
    """Options of the NumPy backend.

    Attributes
    ----------
    device : str or None
        Only ``"cpu"``.
    threads : int or None
        Threads of the BLAS; its own choice when absent.
    pitch : int
        Leading dimensions of A, B and D are rounded up to a multiple of this many elements.
    """

    device: str | None = field(default=None, metadata={"help": "only cpu"})
    threads: int | None = field(default=None, metadata={"help": "threads of the BLAS; its own choice when absent"})
    pitch: int = field(
        default=1, metadata={"help": "round leading dimensions up to a multiple of this many elements"}
    )


class NumpyBlasBackend(Backend):
    """Times ``numpy.matmul`` into a given output, row-major (NN), on the CPU.

    Parameters
    ----------
    options : NumpyOptions, optional

    Raises
    ------
    BackendError
        If an option is out of range, or NumPy uses no BLAS whose threads can be set although some are asked for.
    """

    options_type = NumpyOptions
    dtypes: ClassVar[tuple[str, ...]] = ("f32", "f64")
    cache_states: ClassVar[tuple[str, ...]] = ("warm", "cold")
    batch_cells = 256

    def __init__(self, options: BackendOptions | None = None) -> None:
        super().__init__(options)
        if self.options.device not in (None, "cpu"):
            raise BackendError(f"device {self.options.device!r} is not offered here: expected cpu")
        self._pitch = checked_pitch(getattr(self.options, "pitch", 1))
        self._threads: int | None = getattr(self.options, "threads", None)
        if self._threads is not None and self._threads < 1:
            raise BackendError(f"threads must be at least 1, got {self._threads}")
        self._controller: Any = importlib.import_module("threadpoolctl").ThreadpoolController()
        self._libraries = _blas_libraries(self._controller)
        if self._threads is not None and not self._libraries:
            raise BackendError("threads: NumPy's BLAS here is not one whose threads can be set")
        self._record = self.options.record or cpu_record()
        self._type = _DTYPES[self.dtype]
        self._rng = np.random.default_rng(self.options.seed)
        self._flat: dict[str, NDArray[Any]] = {}
        self._displaced: NDArray[np.uint8] | None = None

    @property
    def device(self) -> DeviceRecord:
        """The generic CPU with what the host tells of itself."""
        return self._record

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The one hidden tile."""
        return (Tile.parse(VENDOR),)

    def configuration(self) -> Mapping[str, Any]:
        """Processor, libraries, threads, and how operands are laid out."""
        with self._limited():
            libraries = _blas_libraries(self._controller)
        return {
            "device": self._record.name,
            "cores": self._record.cores,
            "dtype": self.dtype,
            "pitch_multiple": self._pitch,
            "threads": self._threads,
            "blas": libraries,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "host": platform.platform(terse=True),
        }

    def environment(self) -> Mapping[str, Any]:
        """Load of the host and clock of its first processor at this moment, where it tells them."""
        facts: dict[str, Any] = {}
        try:
            facts["load_average"] = float(Path("/proc/loadavg").read_text(encoding="utf-8").split()[0])
            clock = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").read_text(encoding="utf-8")
            facts["clock_hz"] = 1e3 * float(clock)
        except (OSError, ValueError, IndexError):
            pass
        return facts

    def cube_attributes(self) -> Mapping[str, Any]:
        """The multiple that row pitches are rounded up to, in elements, and the limit of cores if there is one."""
        threads = self._threads or max((int(library["num_threads"]) for library in self._libraries), default=0)
        limit = {"core_limit": threads} if threads else {}
        return {"pitch_multiple": self._pitch, **limit}

    def unsupported(self, cell: Cell) -> str | None:
        """Any positive shape that fits the memory runs; a named tile cannot be asked for."""
        if not cell.tile.hidden:
            return f"the library chooses its own tile, {cell.tile} cannot be asked for"
        needed = ELEMENT_BYTES[self.dtype] * sum(self._elements(cell).values())
        memory = self._record.memory_bytes
        if memory is not None and needed > _USABLE_MEMORY * memory:
            return f"operands of {needed:.3g} bytes do not fit the memory of {memory:.3g}"
        return None

    def kernel_of(self, cell: Cell) -> Hashable:
        """Name the routine: NumPy hands products with a single row or column to that of matrix and vector."""
        return f"{cell.tile}, {'matrix-vector' if min(cell.M, cell.N) == 1 else 'matrix-matrix'}"

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Allocate the largest operands and run one cell, so that the library has its threads."""
        if not cells:
            return
        for name in ("a", "b", "d"):
            self._reserve(name, max(self._elements(cell)[name] for cell in cells))
        with self._limited():
            a, b, d = self._view(min(cells, key=lambda cell: cell.M * cell.N * cell.K))
            np.matmul(a, b, out=d)

    def time(self, cells: Sequence[Cell], launches: NDArray[np.int64], cache: str) -> Timings:
        """Seconds per call of each cell: a series of calls when warm, each call by itself when cold."""
        if cache not in self.cache_states:
            raise BackendError(f"cache {cache!r} is not offered here: expected {' or '.join(self.cache_states)}")
        timed = self._warm if cache == "warm" else self._cold
        seconds = np.full(len(cells), np.nan)
        problems: dict[int, Problem] = {}
        with self._limited():
            for row, (cell, count) in enumerate(zip(cells, np.asarray(launches).tolist(), strict=True)):
                try:
                    seconds[row] = timed(*self._view(cell), count) * 1e-9 / count
                except MemoryError:
                    problems[row] = Problem("failed", f"no memory for operands of {cell.M}, {cell.N}, {cell.K}")
        return Timings(seconds, problems)

    def relative_error(self, cell: Cell) -> float:
        """Run on fresh random data into a poisoned output and compare in a wider type.

        For f64 the reference is extended precision, for rows spread over the output as many as take a moment; the
        other rows only have to be finite.
        """
        a, b, d = self._view(cell)
        a[...] = self._rng.standard_normal(a.shape, dtype=self._type)
        b[...] = self._rng.standard_normal(b.shape, dtype=self._type)
        d[...] = np.nan
        with self._limited():
            np.matmul(a, b, out=d)
        if not np.isfinite(d).all():
            return float("inf")
        rows: Any = slice(None)
        wide: Any = np.float64
        if self.dtype == "f64":
            wide = np.longdouble
            count = int(np.clip(_CHECKED_OPERATIONS / (cell.N * cell.K), 1, cell.M))
            rows = np.unique(np.linspace(0, cell.M - 1, count).astype(np.int64))
        expected = a[rows].astype(wide) @ b.astype(wide)
        difference = d[rows].astype(wide) - expected
        return float(np.sqrt((difference**2).sum() / (expected**2).sum()))

    @staticmethod
    def _warm(a: NDArray[Any], b: NDArray[Any], d: NDArray[Any], count: int) -> int:
        """Nanoseconds of a series, after an untimed call."""
        matmul = np.matmul
        matmul(a, b, out=d)
        began = perf_counter_ns()
        for _ in range(count):
            matmul(a, b, out=d)
        return perf_counter_ns() - began

    def _cold(self, a: NDArray[Any], b: NDArray[Any], d: NDArray[Any], count: int) -> int:
        """Nanoseconds of all calls, the caches displaced before each."""
        if self._displaced is None:
            known = self._record.last_level_cache_bytes
            self._displaced = np.empty(int(_TIMES_CACHE * known) if known else _DISPLACED_BYTES, dtype=np.uint8)
        total = 0
        for number in range(count):
            self._displaced.fill(number % 251)
            began = perf_counter_ns()
            np.matmul(a, b, out=d)
            total += perf_counter_ns() - began
        return total

    def _elements(self, cell: Cell) -> dict[str, int]:
        lda, ldb = leading(cell.K, self._pitch), leading(cell.N, self._pitch)
        return {"a": cell.M * lda, "b": cell.K * ldb, "d": cell.M * ldb}

    def _view(self, cell: Cell) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return A (M, K), B (K, N) and D (M, N) with the rounded leading dimensions."""
        elements = self._elements(cell)
        return (
            self._reserve("a", elements["a"]).reshape(cell.M, -1)[:, : cell.K],
            self._reserve("b", elements["b"]).reshape(cell.K, -1)[:, : cell.N],
            self._reserve("d", elements["d"]).reshape(cell.M, -1)[:, : cell.N],
        )

    def _reserve(self, name: str, elements: int) -> NDArray[Any]:
        flat = self._flat.get(name)
        if flat is None or flat.size < elements:
            self._flat.pop(name, None)
            flat = self._rng.standard_normal(elements, dtype=self._type)
            self._flat[name] = flat
        return flat[:elements]

    def _limited(self) -> AbstractContextManager[Any]:
        limit: AbstractContextManager[Any] = self._controller.limit(limits=self._threads, user_api="blas")
        return limit


def _blas_libraries(controller: Any) -> list[dict[str, Any]]:
    """What is known of NumPy's BLAS, of all that are loaded where it cannot be told; no paths."""
    found = [entry for entry in controller.info() if entry.get("user_api") == "blas"]
    own = [entry for entry in found if any("numpy" in part for part in Path(str(entry["filepath"])).parts)]
    keys = ("internal_api", "version", "num_threads", "threading_layer", "architecture")
    return [{key: entry[key] for key in keys if key in entry} for entry in own or found]
