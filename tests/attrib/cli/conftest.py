"""Real files and the real entry point; the fit that most tests read is made once."""

from dataclasses import dataclass

import numpy as np
import pytest

from attrib.cli.main import main
from harness.cube import device_of, sparse_cube
from harness.landscapes import bundled_cube
from harness.samples import Samples
from harness.store import save_cube


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def refusal(self):
        """The one line on stderr of a command that ended with status 2 and printed nothing else."""
        assert self.status == 2, (self.status, self.out, self.err)
        assert self.out == ""
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        assert self.err.startswith("attrib: ")
        return self.err.strip()


@pytest.fixture
def attrib(capsys):
    def run(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def contents():
    """What a folder holds, hidden files too: names and bytes."""

    def read(folder):
        found = sorted(folder.rglob("*"))
        return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in found}

    return read


@pytest.fixture(scope="session")
def coarse():
    """Every second M and N, every fourth K of the bundled landscape."""
    cube = bundled_cube("h200_bf16_grid")
    return cube.isel(M=slice(1, None, 2), N=slice(1, None, 2), K=slice(3, None, 4))


@pytest.fixture(scope="session")
def cube_file(coarse, tmp_path_factory):
    path = tmp_path_factory.mktemp("cube") / "cube.nc"
    save_cube(coarse, path)
    return path


@pytest.fixture(scope="session")
def model_file(cube_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.json"
    assert main(["fit", str(cube_file), "-o", str(path), "--draws", "20"]) == 0
    return path


@pytest.fixture(scope="session")
def one_tile_file(coarse, tmp_path_factory):
    path = tmp_path_factory.mktemp("one") / "one.nc"
    save_cube(coarse.isel(tile=[0]), path)
    return path


@pytest.fixture(scope="session")
def sparse_file(coarse, tmp_path_factory):
    """A third of the samples of two tiles: no grid."""
    samples = Samples.from_cube(coarse.isel(tile=[0, 1]))
    samples = samples.take(np.random.default_rng(0).permutation(samples.size)[: samples.size // 3])
    shapes = np.stack([samples.M, samples.N, samples.K], axis=1)
    tiles = [samples.tiles[index] for index in samples.tile]
    path = tmp_path_factory.mktemp("sparse") / "sparse.nc"
    save_cube(sparse_cube(samples.time, shapes, tiles, device_of(coarse)), path)
    return path
