"""Which mechanisms an answer depends on: observed rather than declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet


class Consulted(AbstractSet[str]):
    """A set of mechanisms that notes which ones were asked for.

    It may stand before another one, which then notes the same.

    Parameters
    ----------
    on : set of str
        Mechanisms that are on.
    everyone : set of str, optional
        What is asked for by listing the set; without it the set cannot be listed.
    """

    def __init__(self, on: AbstractSet[str], everyone: AbstractSet[str] | None = None) -> None:
        self.on, self.everyone = on, everyone
        self.asked: set[str] = set()

    @property
    def answers(self) -> dict[str, bool]:
        """What was asked, and what was found."""
        return {name: name in self.on for name in self.asked}

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return name in self.on

    def __iter__(self) -> Iterator[str]:
        self._list()
        return iter(self.on)

    def __len__(self) -> int:
        self._list()
        return len(self.on)

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        """What unions and the like are: sets of their own, of which nothing is noted."""
        return frozenset(it)

    def _list(self) -> None:
        if self.everyone is None:
            raise TypeError("ask for mechanisms by name: what depends on a list of them depends on them all")
        self.asked.update(self.everyone, self.on)
