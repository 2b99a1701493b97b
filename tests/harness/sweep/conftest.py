"""A backend of the tests' own, and stores on disk."""

import sys
from pathlib import Path

import pytest

from harness.sweep.store import SweepStore

sys.path.append(str(Path(__file__).parent / "stand_in"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.nc.sweep"


@pytest.fixture
def store(path):
    with SweepStore(path) as store:
        yield store
