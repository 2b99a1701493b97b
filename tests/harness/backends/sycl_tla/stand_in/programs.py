"""Makes the stand-in for sycl-tla's benchmark programs: the fixture ``stand_in``.

Tests take it by ``runpy.run_path``, since a folder of tests is no package.
"""

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("gemm_benchmarks.py")


class StandIn:
    """Makes programs in one folder and sets what they find in their environment."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._times = folder / "times.txt"
        self._times.touch()
        self.switch(TIMES=self._times)

    def program(self, name, configs):
        """Make an executable that registers these benchmarks."""
        path = self.folder / name
        command = [sys.executable, str(PROGRAM), ",".join(configs)]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)
        return path

    def times(self, config, shape, seconds):
        """Set the true seconds of one benchmark on one shape."""
        with self._times.open("a") as file:
            file.write(f"{config} {shape[0]} {shape[1]} {shape[2]} {seconds!r}\n")

    def switch(self, **values):
        """Set ``STAND_IN_<NAME>``."""
        for name, value in values.items():
            self._monkeypatch.setenv(f"STAND_IN_{name}", str(value))


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    if importlib.util.find_spec("google_benchmark") is None:
        pytest.skip("the stand-in runs on Google Benchmark: pip install google-benchmark==1.9.5")
    folder = tmp_path / "stand-in programs"
    folder.mkdir()
    return StandIn(folder, monkeypatch)
