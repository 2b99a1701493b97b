"""Guard against foreign packages called ``harness`` or ``models``, which are common names."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def refuse_shadowed_packages(names: tuple[str, ...]) -> None:
    """Make sure that sibling packages are the ones that were installed with this one.

    Raises
    ------
    ImportError
        Naming the foreign path, ours, and the way out.
    """
    home = Path(__file__).resolve().parent.parent
    for name in names:
        ours = home / name / "__init__.py"
        found = _origin(name)
        if found is None or found.resolve() != ours:
            raise ImportError(
                f"package {name!r} is taken from {found or 'nowhere'}, attrib needs its own at {ours}: "
                f"rename the foreign one, or start Python outside its folder (the command 'attrib' is immune)"
            )


def _origin(name: str) -> Path | None:
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file) if file else _first(getattr(loaded, "__path__", ()))
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    return Path(spec.origin) if spec.origin else _first(spec.submodule_search_locations or ())


def _first(paths: object) -> Path | None:
    """A namespace package has folders instead of a file."""
    for path in paths if hasattr(paths, "__iter__") else ():
        return Path(path)
    return None
