"""Random operands on the GPU, allocated once at the largest size and viewed by every cell."""

from __future__ import annotations

from typing import Any

from harness.errors import BackendError


class GemmBuffers:
    """Flat buffers for A, B and D of a row-major GEMM (NN), filled with normal random data.

    Every problem is a contiguous view that starts at the buffer's begin, so its row pitch is its own width.
    Random data matter: on zeros a GPU draws less power and clocks higher.
    """

    def __init__(self, torch: Any, dtype: Any, seed: int) -> None:
        self._torch = torch
        self._dtype = dtype
        self._generator = torch.Generator(device="cuda").manual_seed(seed)
        self._flat: dict[str, Any] = {}

    def reserve(self, a: int, b: int, d: int) -> None:
        """Make room for operands of the given numbers of elements."""
        for name, elements in (("a", a), ("b", b), ("d", d)):
            if name in self._flat and self._flat[name].numel() >= elements:
                continue
            try:
                flat = self._torch.empty(elements, dtype=self._dtype, device="cuda")
            except self._torch.cuda.OutOfMemoryError:
                raise BackendError(f"operand {name.upper()} of {elements} elements does not fit the GPU") from None
            if name == "d":
                flat.zero_()
            else:
                flat.normal_(generator=self._generator)
            self._flat[name] = flat

    def view(self, M: int, N: int, K: int) -> tuple[Any, Any, Any]:
        """Return A (M, K), B (K, N) and D (M, N) as contiguous tensors."""
        self.reserve(M * K, K * N, M * N)
        strided = self._torch.as_strided
        return (
            strided(self._flat["a"], (M, K), (K, 1)),
            strided(self._flat["b"], (K, N), (N, 1)),
            strided(self._flat["d"], (M, N), (N, 1)),
        )

    def refresh(self, M: int, N: int, K: int) -> tuple[Any, Any, Any]:
        """Return views of fresh random operands and an output poisoned with NaN."""
        a, b, d = self.view(M, N, K)
        a.normal_(generator=self._generator)
        b.normal_(generator=self._generator)
        d.fill_(float("nan"))
        return a, b, d

    def relative_error(self, a: Any, b: Any, d: Any) -> float:
        """Frobenius error of d against the float32 product of the same operands; NaN counts as infinite."""
        reference = self._torch.mm(a.float(), b.float())
        error = (d.float() - reference).norm() / reference.norm()
        value = float(error)
        return value if value == value else float("inf")
