"""Options of a backend as text."""

from dataclasses import dataclass, field
from typing import Optional

import pytest

from harness.backends import Backend, BackendOptions, backend_names, load_backend
from harness.backends.options import build_options, describe_options, option_names, parse_pairs
from harness.device import load_device
from harness.errors import BackendError, InputError
from harness.tile import Tile


@dataclass(frozen=True)
class Options(BackendOptions):
    speed: float = field(default=1.5, metadata={"help": "how fast"})
    count: int | None = field(default=None, metadata={"help": "how many"})
    old: Optional[int] = None  # noqa: UP045 - a third party may still write it so
    quick: bool = False
    name: str = "a"
    path: str | None = None


class Some(Backend):
    options_type = Options


class Plain(Backend):
    pass


def test_pairs():
    assert parse_pairs(["speed=2", " batch-cells = 64 ", "path=a=b", "name="]) == {
        "speed": "2",
        "batch_cells": "64",
        "path": "a=b",
        "name": "",
    }
    assert parse_pairs([]) == {}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["speed"], "'speed': expected NAME=VALUE"),
        (["=2"], "expected NAME=VALUE"),
        (["speed=1", "speed=2"], "'speed' is given twice"),
        (["batch-cells=1", "batch_cells=2"], "'batch_cells' is given twice"),
    ],
)
def test_pairs_that_are_none(pairs, message):
    with pytest.raises(InputError, match=message):
        parse_pairs(pairs)


def test_what_has_an_argument_of_its_own_is_no_option():
    assert option_names(Some) == ("device", "speed", "count", "old", "quick", "name", "path")
    assert option_names(Plain) == ("device",)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("speed", "2e-3", 0.002),
        ("count", "7", 7),
        ("count", "none", None),
        ("old", "7", 7),
        ("old", "", None),
        ("quick", "Yes", True),
        ("quick", "off", False),
        ("name", "none", "none"),
        ("path", "none", None),
        ("path", "/a b", "/a b"),
        ("device", "1", "1"),
    ],
)
def test_a_text_becomes_a_value_of_its_type(name, text, value):
    options = build_options(Some, {name: text})
    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("speed", "fast", "option speed='fast': expected a number"),
        ("count", "1.5", "option count='1.5': expected a whole number"),
        ("old", "x", "expected a whole number"),
        ("quick", "maybe", "option quick='maybe': expected yes or no"),
    ],
)
def test_a_text_of_the_wrong_type(name, text, message):
    with pytest.raises(InputError, match=message):
        build_options(Some, {name: text})


def test_common_settings_pass_through():
    tiles = (Tile.parse("64x64x32"),)
    options = build_options(Some, {}, record=load_device("b580"), dtype="f16", tiles=tiles, seed=3)
    assert (options.record.id, options.dtype, options.tiles, options.seed) == ("b580", "f16", tiles, 3)
    assert options.speed == 1.5


def test_descriptions():
    described = {name: (default, text) for name, default, text in describe_options(Some)}
    assert described["speed"] == ("1.5", "how fast")
    assert described["count"] == ("", "how many")
    assert described["quick"] == ("False", "")
    assert described["device"] == ("", "which of several devices")


@pytest.mark.parametrize("name", backend_names())
def test_every_registered_backend_describes_its_options(name):
    kind = load_backend(name)
    assert all(text for _, _, text in describe_options(kind))
    assert build_options(kind, {}) == kind.options_type()


def test_a_type_that_is_not_offered_is_refused():
    class Offering(Plain):
        device = None
        tiles = ()
        configuration = unsupported = time = relative_error = None

    with pytest.raises(BackendError, match="dtype 'f64' is not offered here: expected bf16"):
        Offering(build_options(Offering, {}, dtype="f64"))
