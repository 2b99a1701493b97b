"""Random operands on the GPU, allocated once at the largest size and viewed by every cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.backends.backend import Cell
from harness.backends.pitch import leading
from harness.errors import BackendError


class GemmBuffers:
    """Flat buffers for A, B and D of a row-major GEMM (NN), filled with normal random data.

    Every problem is a view that starts at the buffer's begin. Random data matter: on zeros a GPU draws less power
    and clocks higher. What lies between a row's end and the next row is random too, and finite.

    Parameters
    ----------
    torch : module
    dtype : torch.dtype
    device : str
        ``"cuda:0"``.
    seed : int
    pitch : int
        Leading dimensions are rounded up to a multiple of this many elements.
    """

    def __init__(self, torch: Any, dtype: Any, device: str, seed: int, pitch: int = 1) -> None:
        self._torch = torch
        self._dtype = dtype
        self._device = device
        self._pitch = pitch
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._flat: dict[str, Any] = {}

    def reserve(self, cells: Iterable[Cell]) -> None:
        """Make room for the operands of all these cells.

        Raises
        ------
        BackendError
            If they do not fit.
        """
        a, b, d = 0, 0, 0
        for cell in cells:
            lda, ldb = leading(cell.K, self._pitch), leading(cell.N, self._pitch)
            a, b, d = max(a, cell.M * lda), max(b, cell.K * ldb), max(d, cell.M * ldb)
        self._reserve({"a": a, "b": b, "d": d})

    def view(self, M: int, N: int, K: int) -> tuple[Any, Any, Any]:
        """Return A (M, K), B (K, N) and D (M, N) as row-major tensors with the rounded leading dimensions."""
        lda, ldb = leading(K, self._pitch), leading(N, self._pitch)
        self._reserve({"a": M * lda, "b": K * ldb, "d": M * ldb})
        strided = self._torch.as_strided
        return (
            strided(self._flat["a"], (M, K), (lda, 1)),
            strided(self._flat["b"], (K, N), (ldb, 1)),
            strided(self._flat["d"], (M, N), (ldb, 1)),
        )

    def pointers(self) -> tuple[int, int, int]:
        """Addresses of A, B and D, the same for every cell until more is reserved."""
        a, b, d = (int(self._flat[name].data_ptr()) for name in ("a", "b", "d"))
        return a, b, d

    def refresh(self, M: int, N: int, K: int) -> tuple[Any, Any, Any]:
        """Return views of fresh random operands and an output poisoned with NaN."""
        a, b, d = self.view(M, N, K)
        a.normal_(generator=self._generator)
        b.normal_(generator=self._generator)
        self._flat["d"].fill_(float("nan"))
        return a, b, d

    def relative_error(self, a: Any, b: Any, d: Any) -> float:
        """Frobenius error of d against the float32 product of the same operands; NaN counts as infinite."""
        reference = self._torch.mm(a.float(), b.float())
        error = (d.float() - reference).norm() / reference.norm()
        value = float(error)
        return value if value == value else float("inf")

    def _reserve(self, wanted: dict[str, int]) -> None:
        for name, elements in wanted.items():
            if name in self._flat and self._flat[name].numel() >= elements:
                continue
            # The old one goes first: both need not fit at once.
            self._flat.pop(name, None)
            try:
                flat = self._torch.empty(elements, dtype=self._dtype, device=self._device)
            except self._torch.cuda.OutOfMemoryError:
                raise BackendError(f"operand {name.upper()} of {elements} elements does not fit the GPU") from None
            if name == "d":
                flat.zero_()
            else:
                flat.normal_(generator=self._generator)
            self._flat[name] = flat
