"""Options of a backend as text: ``NAME=VALUE`` on a command line, checked against the backend's own fields."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from harness.backends.backend import Backend, BackendOptions
from harness.errors import InputError

_COMMON = ("record", "dtype", "tiles", "seed")
"""Set by arguments of their own, not by ``NAME=VALUE``."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Split ``NAME=VALUE`` texts.

    Raises
    ------
    InputError
        If one has no ``=``, or a name stands twice.
    """
    result: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise InputError(f"option {pair!r}: expected NAME=VALUE")
        if name in result:
            raise InputError(f"option {name!r} is given twice")
        result[name] = value.strip()
    return result


def option_names(backend: type[Backend]) -> tuple[str, ...]:
    """Names that ``NAME=VALUE`` may set for this backend."""
    return tuple(item.name for item in fields(backend.options_type) if item.name not in _COMMON)


def build_options(backend: type[Backend], texts: Mapping[str, str], **common: Any) -> BackendOptions:
    """Make a backend's options.

    Parameters
    ----------
    backend : type of Backend
    texts : mapping of str to str
        Only names that the backend knows.
    **common
        Values of ``record``, ``dtype``, ``tiles`` and ``seed``.

    Raises
    ------
    InputError
        If a value is not of its field's type; the message says what was expected.
    """
    hints = typing.get_type_hints(backend.options_type)
    values = {name: convert(name, text, hints[name]) for name, text in texts.items()}
    return backend.options_type(**common, **values)


def describe_options(backend: type[Backend]) -> list[tuple[str, str, str]]:
    """Name, default and help of every option of a backend, as texts."""
    described = []
    for item in fields(backend.options_type):
        if item.name not in _COMMON:
            default = "" if item.default in (None, MISSING) else str(item.default)
            described.append((item.name, default, str(item.metadata.get("help", ""))))
    return described


def convert(name: str, text: str, hint: Any) -> Any:
    """Read one value.

    Parameters
    ----------
    name : str
        For the message.
    text : str
    hint : type
        ``str``, ``int``, ``float`` or ``bool``, or one of them or ``None``.

    Raises
    ------
    InputError
        If the text is no such value.
    """
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if text.casefold() in ("", "none"):
            return None
        hint = kinds[0]
    if hint is bool:
        if text.casefold() in _TRUE + _FALSE:
            return text.casefold() in _TRUE
        raise InputError(f"option {name}={text!r}: expected yes or no")
    if hint in (int, float):
        try:
            value = hint(text)
            if not math.isfinite(value):
                raise ValueError
            return value
        except ValueError:
            kind = "a whole number" if hint is int else "a number"
            raise InputError(f"option {name}={text!r}: expected {kind}") from None
    return text
