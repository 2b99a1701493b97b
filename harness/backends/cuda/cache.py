"""Displacing the last-level cache of a GPU before a cold timing."""

from __future__ import annotations

from typing import Any

from harness.errors import BackendError

_TIMES_CACHE = 2.5
"""Bytes written, in last-level caches: a cache that does not evict strictly by age is emptied as well."""

_FASTEST_BYTES_PER_S = 1e13
"""No GPU memory is faster, so that a displacement takes at least its bytes over this."""


class CacheDisplacer:
    """Writes a buffer larger than the last-level cache, one command on the current stream.

    Parameters
    ----------
    torch : module
    device : int
        CUDA index.
    cache_bytes : int
        Size of the last-level cache.
    """

    def __init__(self, torch: Any, device: int, cache_bytes: int) -> None:
        self._torch = torch
        self._device = device
        self._bytes = int(_TIMES_CACHE * cache_bytes)
        self._buffer: Any = None

    @property
    def seconds_at_least(self) -> float:
        """A lower bound of one displacement, in seconds."""
        return self._bytes / _FASTEST_BYTES_PER_S

    def __call__(self) -> None:
        """Enqueue one displacement; the buffer is allocated at the first."""
        if self._buffer is None:
            try:
                self._buffer = self._torch.empty(self._bytes, dtype=self._torch.int8, device=f"cuda:{self._device}")
            except self._torch.cuda.OutOfMemoryError:
                raise BackendError(f"{self._bytes} bytes to displace the cache do not fit the GPU") from None
        self._buffer.zero_()
