"""Backends by name, and what they say where their libraries or devices are missing."""

import importlib

import pytest

from harness.backends import Backend, backend_names, load_backend
from harness.backends.cuda.host import import_cuda_torch
from harness.errors import BackendError, MissingExtraError


def test_the_registered_backends():
    assert {"triton", "torch-blas"} <= set(backend_names())


@pytest.mark.parametrize("name", ["triton", "torch-blas"])
def test_a_backend_is_imported_without_its_libraries(name):
    assert issubclass(load_backend(name), Backend)


def test_an_unknown_backend_names_the_known():
    with pytest.raises(BackendError, match="torch-blas, triton"):
        load_backend("cutlass")


def test_missing_torch_names_the_extra(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"gemm-attrib\[triton\]"):
        import_cuda_torch()


def test_no_cuda_device_is_one_line(monkeypatch):
    class Torch:
        class cuda:
            @staticmethod
            def is_available():
                return False

    monkeypatch.setattr(importlib, "import_module", lambda _: Torch)
    with pytest.raises(BackendError, match="no CUDA device"):
        import_cuda_torch()
