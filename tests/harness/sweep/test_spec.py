"""A bench from names and texts."""

import pickle
from typing import ClassVar

import pytest
from fake_backend import LARGE, Fake

import harness.sweep.spec as spec_module
from harness.device import load_device
from harness.errors import BackendError, InputError
from harness.sweep.spec import BenchSpec


class Other(Fake):
    opened: ClassVar = []

    def __init__(self, options=None):
        super().__init__(options)
        self.opened.append(self)


class Broken(Fake):
    def __init__(self, _):
        raise BackendError("no such device")


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    kinds = {"fake": Fake, "other": Other, "broken": Broken}
    monkeypatch.setattr(spec_module, "load_backend", kinds.__getitem__)
    Other.opened.clear()


def test_options_and_common_settings_reach_the_backends():
    record = load_device("h200")
    spec = BenchSpec(("fake", "other"), {"noise": "0.5", "device": "1"}, record, "f16", (LARGE,), 7)
    for backend in spec.build().backends.values():
        options = backend.options
        assert (options.noise, options.device, options.dtype, options.tiles) == (0.5, "1", "f16", (LARGE,))
        assert (options.record, options.seed) == (record, 7)


def test_an_option_that_no_backend_has():
    with pytest.raises(InputError, match="option 'speed' is unknown here: expected one of device, driver"):
        BenchSpec(("fake",), {"speed": "9"}).build()


def test_what_was_opened_is_closed_when_the_next_cannot_be():
    with pytest.raises(BackendError, match="no such device"):
        BenchSpec(("other", "broken")).build()
    assert [backend.closed for backend in Other.opened] == [1]


def test_one_of_several_devices():
    spec = BenchSpec(("fake",), {"noise": "0.5"}).on_device("3")
    assert spec.options == {"noise": "0.5", "device": "3"}


def test_a_spec_survives_another_process():
    spec = BenchSpec(("fake",), {"noise": "0.5"}, load_device("b580"), "bf16", (LARGE,), 1)
    assert pickle.loads(pickle.dumps(spec)) == spec
