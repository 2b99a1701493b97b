"""A backend of a third party: its own distribution, one entry point, nothing else."""

import importlib
import sys

import numpy as np
import pytest

from harness.backends import Backend, backend_names, load_backend
from harness.backends.backend import Cell
from harness.errors import BackendError
from harness.tile import Tile

MODULE = '''
import numpy as np

from harness.backends import Backend, Timings
from harness.device import load_device
from harness.tile import Tile


class AbacusBackend(Backend):
    """Takes a microsecond a multiplication."""

    dtypes = ("f32",)

    @property
    def device(self):
        return load_device("cpu")

    @property
    def tiles(self):
        return (Tile.labelled("abacus"),)

    def configuration(self):
        return {"beads": 10}

    def unsupported(self, cell):
        return None

    def time(self, cells, launches, cache):
        return Timings(np.array([1e-6 * cell.M * cell.N * cell.K for cell in cells]))

    def relative_error(self, cell):
        return 0.0
'''


@pytest.fixture
def abacus(tmp_path, monkeypatch):
    """Put a distribution on the path as an installer would leave it."""
    (tmp_path / "abacus_backend.py").write_text(MODULE)
    info = tmp_path / "abacus_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gemm_attrib.backends]\nabacus = abacus_backend:AbacusBackend\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("abacus_backend", None)


def test_a_foreign_backend_is_found_and_measures(abacus):
    assert "abacus" in backend_names()
    backend = load_backend("abacus")()
    assert isinstance(backend, Backend)
    found = backend.time([Cell(Tile.labelled("abacus"), 2, 3, 4)], np.array([1]), "warm")
    assert found.seconds.tolist() == [24e-6]


def test_without_its_distribution_it_is_unknown():
    with pytest.raises(BackendError, match="backend 'abacus' is unknown"):
        load_backend("abacus")
