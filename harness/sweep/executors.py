"""Open the executor that was asked for: this process, several devices of this host, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.errors import InputError
from harness.sweep.executor import Executor, SerialExecutor
from harness.sweep.spec import BenchSpec


@contextmanager
def open_executor(spec: BenchSpec, *, dask: str | None = None, devices: Sequence[str] = ()) -> Iterator[Executor]:
    """Open the devices and close them again.

    Parameters
    ----------
    spec : BenchSpec
    dask : str, optional
        Address of a dask.distributed scheduler, each of whose workers owns a device.
    devices : sequence of str
        Several devices of this host, in the backend's words: each is measured by a process of its own.

    Raises
    ------
    InputError
        If both are given.
    MissingExtraError
        If dask.distributed is needed and not installed.
    BackendError
        If a backend cannot run, or the workers do not fit together.
    """
    if dask is not None and devices:
        raise InputError("several devices of this host and a cluster's workers cannot be asked for at once")
    if dask is None and not devices:
        bench = spec.build()
        try:
            yield SerialExecutor(bench)
        finally:
            bench.close()
        return
    from harness.sweep.dask_executor import cluster_executor, local_executor

    with local_executor(spec, devices) if dask is None else cluster_executor(spec, dask) as executor:
        yield executor
