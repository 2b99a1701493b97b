"""Drawn landscapes come from the script that measures error rates: one place plants, under null and with effect."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docs" / "claims_sizes.py"


@pytest.fixture(scope="session")
def drawn():
    """The module docs/claims_sizes.py."""
    spec = importlib.util.spec_from_file_location("claims_sizes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]
