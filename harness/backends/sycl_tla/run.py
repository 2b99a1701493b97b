"""One invocation of a benchmark program: its config file, environment and time limit, and how it ended.

The program takes ``--config_file`` and nothing else; Google Benchmark inside it is controlled by the environment.
Whatever happens, the caller gets what was reported up to then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends.sycl_tla.google_benchmark import BenchmarkReport, parse_report
from harness.errors import BackendError

_LAST_BYTES = 8192
_KILL_SECONDS = 20.0


@dataclass(frozen=True)
class Outcome:
    """How an invocation went.

    Attributes
    ----------
    report : BenchmarkReport
        What was reported before the end.
    trouble : str or None
        How it ended, when not by itself with status 0: one line.
    last_line : str
        Last line that the program wrote to standard error; empty when there is none.
    """

    report: BenchmarkReport
    trouble: str | None
    last_line: str

    @property
    def reason(self) -> str:
        """How it ended, in one line."""
        how = self.trouble or "it ended without reporting the benchmark"
        return f"{how}: {self.last_line}" if self.last_line else how


@dataclass(frozen=True)
class BenchmarkProgram:
    """A benchmark executable of sycl-tla.

    Attributes
    ----------
    path : Path
        Absolute.
    selector : str
        Value of ``ONEAPI_DEVICE_SELECTOR``.
    """

    path: Path
    selector: str

    def run(self, lines: Sequence[str], iterations: int, timeout: float) -> Outcome:
        """Time the benchmarks of a config file, each over a fixed number of iterations.

        Parameters
        ----------
        lines : sequence of str
            Lines of the config file.
        iterations : int
            Given as ``BENCHMARK_MIN_TIME=<iterations>x``. A time instead would make the library run the whole
            body (allocation, reference product) once more for every guess at the number of iterations.
        timeout : float
            Seconds until the program and its children are killed.

        Raises
        ------
        BackendError
            If the program cannot be started, or survives being killed.
        """
        return self._run(lines, {"BENCHMARK_MIN_TIME": f"{iterations}x"}, timeout)

    def registers(self, line: str, timeout: float) -> Outcome:
        """Let the program register one benchmark and list it, without running anything."""
        return self._run([line], {"BENCHMARK_LIST_TESTS": "true"}, timeout)

    def _run(self, lines: Sequence[str], control: Mapping[str, str], timeout: float) -> Outcome:
        # A program that aborts may leave a core file where it runs: that is the temporary folder.
        with tempfile.TemporaryDirectory(prefix="attrib-sycl-tla-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            config, out, errors = folder / "benchmarks.in", folder / "report.json", folder / "stderr.txt"
            config.write_text("\n".join(lines) + "\n", encoding="ascii")
            trouble = self._finish(config, errors, {**self._environment(out), **control}, timeout)
            report = parse_report(out.read_text(encoding="utf-8", errors="replace") if out.exists() else "")
            return Outcome(report, trouble, _last_line(errors))

    def _environment(self, out: Path) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("BENCHMARK_")}
        return {
            **inherited,
            "ONEAPI_DEVICE_SELECTOR": self.selector,
            "BENCHMARK_OUT": str(out),
            "BENCHMARK_OUT_FORMAT": "json",
            # The console format would write the host's description to standard error, where the reasons stand.
            "BENCHMARK_FORMAT": "json",
            "BENCHMARK_REPETITIONS": "1",
        }

    def _finish(self, config: Path, errors: Path, environment: Mapping[str, str], timeout: float) -> str | None:
        try:
            with errors.open("wb") as stderr:
                process = subprocess.Popen(
                    [str(self.path), f"--config_file={config}"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=dict(environment),
                    cwd=config.parent,
                    start_new_session=True,
                )
        except OSError as error:
            raise BackendError(f"{self.path} cannot be started: {error.strerror or error}") from None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"stopped after {timeout:.3g} s without an end"
        finally:
            self._kill(process)
        if code < 0:
            return f"killed by {_signal_name(-code)}"
        return f"exit status {code}" if code else None

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the process and all it started, unless it ended."""
        if process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            raise BackendError(
                f"{self.path.name} (process {process.pid}) cannot be killed: its driver holds it. "
                "Reset the device or restart the machine, then resume"
            ) from None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("***WARNING***")]
    return " ".join(lines[-1].split())[:300] if lines else ""
