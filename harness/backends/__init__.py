"""Backends: each measures one family of kernels on one kind of device.

A backend is one file with one class and one entry point in the group ``gemm_attrib.backends``; a third party
adds one the same way from its own distribution.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from harness.backends.backend import Backend, BackendOptions, Cell, Problem, Timings
from harness.errors import BackendError

GROUP = "gemm_attrib.backends"

__all__ = ["GROUP", "Backend", "BackendOptions", "Cell", "Problem", "Timings", "backend_names", "load_backend"]


def backend_names() -> tuple[str, ...]:
    """Names of all registered backends, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def load_backend(name: str) -> type[Backend]:
    """Import the class of a registered backend.

    Raises
    ------
    BackendError
        If no backend of this name is registered, or its module cannot be imported.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                backend: type[Backend] = entry.load()
            except (ImportError, AttributeError) as error:
                raise BackendError(f"backend {name!r} cannot be loaded from {entry.value}: {error}") from None
            return backend
    raise BackendError(f"backend {name!r} is unknown: registered are {', '.join(backend_names()) or 'none'}")
