"""Operands of a GEMM in device memory: random, allocated once at the largest size, viewed by every cell."""

from __future__ import annotations

import importlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cube import ELEMENT_BYTES
from harness.errors import BackendError

_ALIGNMENT: Final = 128
"""Bytes: the most that OpenCL grants everywhere (its widest type); 2D block operations ask for half of it."""


class SyclOperands:
    """Flat buffers of A, B and D for row-major problems without gaps between rows.

    Random data matter: on zeros a GPU draws less power and clocks higher.

    Parameters
    ----------
    queue : dpctl.SyclQueue
    dtype : {"f32", "f16", "bf16"}
        Element type of A and B; D is float32.
    seed : int
    """

    def __init__(self, queue: Any, dtype: str, seed: int) -> None:
        self._queue = queue
        self._dtype = dtype
        self._random = np.random.default_rng(seed)
        self._memory: Any = importlib.import_module("dpctl.memory")
        self._buffers: dict[str, Any] = {}

    @property
    def arguments(self) -> tuple[Any, Any, Any]:
        """The buffers of A, B and D, as kernels take them."""
        return (self._buffers["a"], self._buffers["b"], self._buffers["d"])

    def reserve(self, a: int, b: int, d: int) -> None:
        """Make room for operands of so many elements; A and B are filled with normal random numbers.

        Raises
        ------
        BackendError
            If the device has no room.
        """
        for name, elements in (("a", a), ("b", b), ("d", d)):
            size = elements * (ELEMENT_BYTES[self._dtype] if name != "d" else 4)
            if name in self._buffers and self._buffers[name].nbytes >= size:
                continue
            self._buffers.pop(name, None)  # the old one goes before the new one comes
            buffer = allocate(self._queue, size)
            if name == "d":
                buffer.memset(0)
            else:
                self._copy_in(buffer, encode(self._draw(elements), self._dtype))
            self._buffers[name] = buffer

    def refresh(self, M: int, N: int, K: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Put fresh random A and B in place, poison D with NaN, and return A and B as the kernel sees them.

        Returns
        -------
        a : ndarray of float64, shape (M, K)
        b : ndarray of float64, shape (K, N)
        """
        self.reserve(M * K, K * N, M * N)
        seen = []
        for name, elements in (("a", M * K), ("b", K * N)):
            stored = encode(self._draw(elements), self._dtype)
            self._copy_in(self._buffers[name], stored)
            seen.append(decode(stored, self._dtype))
        self._buffers["d"].memset(0xFF)  # a float32 of ones only is a NaN
        return seen[0].reshape(M, K), seen[1].reshape(K, N)

    def result(self, M: int, N: int) -> NDArray[np.float32]:
        """Return D, shape (M, N)."""
        d = np.empty(M * N, dtype=np.float32)
        self._queue.memcpy(d.view(np.uint8), self._buffers["d"], d.nbytes)
        return d.reshape(M, N)

    def _draw(self, elements: int) -> NDArray[np.float32]:
        return self._random.standard_normal(elements, dtype=np.float32)

    def _copy_in(self, buffer: Any, values: NDArray[Any]) -> None:
        self._queue.memcpy(buffer, values.view(np.uint8), values.nbytes)


def allocate(queue: Any, size: int) -> Any:
    """Allocate device memory, aligned to 128 bytes.

    Raises
    ------
    BackendError
        If the device has no room.
    """
    memory: Any = importlib.import_module("dpctl.memory")
    try:
        return memory.MemoryUSMDevice(size, alignment=_ALIGNMENT, queue=queue)
    except (memory.USMAllocationError, MemoryError, ValueError):
        raise BackendError(f"a buffer of {size} bytes does not fit {queue.sycl_device.name}") from None


def encode(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Round float32 values to an element type, to nearest even; BF16 as its bits (uint16)."""
    if dtype == "f32":
        return values
    if dtype == "f16":
        return values.astype(np.float16)
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def decode(stored: NDArray[Any], dtype: str) -> NDArray[np.float64]:
    """Widen what :func:`encode` made to float64, exactly."""
    if dtype == "bf16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(stored, dtype=np.float64)
