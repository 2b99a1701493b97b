"""Leading dimensions of the operands, and how they are padded."""

from __future__ import annotations

from harness.errors import BackendError


def leading(columns: int, pitch: int) -> int:
    """Round a number of columns up to a multiple of ``pitch``, both in elements."""
    return -(-columns // pitch) * pitch


def checked_pitch(pitch: int) -> int:
    """Return the option ``pitch``, checked.

    Raises
    ------
    BackendError
        If it is not a positive whole number.
    """
    if isinstance(pitch, bool) or not isinstance(pitch, int) or pitch < 1:
        raise BackendError(f"pitch must be a positive whole number of elements, got {pitch!r}")
    return pitch
