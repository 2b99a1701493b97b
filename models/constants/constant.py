"""What is reported of one hardware constant, identified or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.reasons import NOT_IDENTIFIABLE

IDENTIFIED = "identified"

SET, INTERVAL = "set", "interval"
"""What ``values`` hold: the candidates that are not refuted, or the two ends of an interval."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Profile:
    """How well each candidate of a discrete constant explains the timings.

    Attributes
    ----------
    names : tuple of str
        What a candidate consists of, as ``("channels", "interleave_bytes")``.
    candidates : tuple of tuples of float
        One tuple a candidate, in the order of ``names``.
    criterion : tuple of float
        B log(loss / n), with B blocks as the effective sample size, of the refitted model, plus the penalty for
        its degrees of freedom where candidates differ in them: lower is better.
    tenable : tuple of bool
        Whether the candidate is in the confidence set.
    """

    names: tuple[str, ...]
    candidates: tuple[tuple[float, ...], ...]
    criterion: tuple[float, ...]
    tenable: tuple[bool, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {
            "names": list(self.names),
            "candidates": [list(candidate) for candidate in self.candidates],
            "criterion": list(self.criterion),
            "tenable": list(self.tenable),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """Rebuild from plain data."""
        return cls(
            tuple(data["names"]),
            tuple(tuple(candidate) for candidate in data["candidates"]),
            tuple(data["criterion"]),
            tuple(data["tenable"]),
        )


@dataclass(frozen=True)
class Constant:
    """One hardware constant that the timings were asked for.

    Attributes
    ----------
    estimate : float or None
        In ``unit``; ``None`` where there is none to give.
    values : tuple of float
        95 % confidence set of a discrete constant, ascending, or the ends of the 95 % interval of a continuous
        one; empty where there is neither.
    status : str
        ``"identified"``, or why not.
    unit : str
    kind : str
        :data:`SET` or :data:`INTERVAL`.
    profile : Profile or None
        Of a discrete constant.
    note : str
        What cannot be told apart from the estimate, though it is identified.
    remedy : str
        In words, the shapes that would identify it.
    shapes : tuple of (int, int, int)
        Such shapes (M, N, K), elements.
    """

    estimate: float | None
    values: tuple[float, ...]
    status: str
    unit: str = ""
    kind: str = SET
    profile: Profile | None = None
    note: str = ""
    remedy: str = ""
    shapes: tuple[Shape, ...] = ()

    @property
    def identified(self) -> bool:
        """Whether the timings tell it."""
        return self.status == IDENTIFIED

    def to_contract(self) -> dict[str, Any]:
        """Return the entry of summary.json."""
        return {
            "estimate": self.estimate,
            "set": list(self.values),
            "status": self.status,
            "unit": self.unit,
            "kind": self.kind,
            "note": self.note,
            "remedy": self.remedy,
            "shapes": [list(shape) for shape in self.shapes],
            "profile": None if self.profile is None else self.profile.to_dict(),
        }

    @classmethod
    def from_contract(cls, data: Mapping[str, Any]) -> Constant:
        """Rebuild from :meth:`to_contract`."""
        profile = data["profile"]
        return cls(
            data["estimate"],
            tuple(data["set"]),
            data["status"],
            data["unit"],
            data["kind"],
            None if profile is None else Profile.from_dict(profile),
            data["note"],
            data["remedy"],
            tuple((int(m), int(n), int(k)) for m, n, k in data["shapes"]),
        )


def not_identifiable(reason: str) -> str:
    """Word the status of a constant that the timings do not tell."""
    return f"{NOT_IDENTIFIABLE}: {reason}"
