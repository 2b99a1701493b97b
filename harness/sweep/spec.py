"""Which backends, with which options: enough to build the same bench in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.backends import load_backend
from harness.backends.backend import Backend
from harness.backends.options import build_options, option_names
from harness.device import DeviceRecord
from harness.errors import InputError
from harness.sweep.bench import Bench
from harness.tile import Tile


@dataclass(frozen=True)
class BenchSpec:
    """What to measure with.

    Attributes
    ----------
    backends : tuple of str
        Registered names; a cell goes to the first backend that supports it.
    options : mapping of str to str
        ``NAME=VALUE`` texts; each goes to the backends that have such an option.
    record : DeviceRecord or None
        Record to use instead of the one that the backend finds.
    dtype : str or None
    tiles : tuple of Tile
        Tiles that will be asked for; empty for the backends' own.
    seed : int
    """

    backends: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    record: DeviceRecord | None = None
    dtype: str | None = None
    tiles: tuple[Tile, ...] = ()
    seed: int = 0

    def build(self) -> Bench:
        """Load the backends and open the device.

        Raises
        ------
        BackendError
            If a backend is unknown or cannot run here.
        InputError
            If no backend has one of the options, or a value is of the wrong type.
        """
        if len(set(self.backends)) != len(self.backends):
            raise InputError(f"a backend is given twice: {', '.join(self.backends)}")
        kinds = {name: load_backend(name) for name in self.backends}
        known = {name: option_names(kind) for name, kind in kinds.items()}
        for option in self.options:
            if not any(option in names for names in known.values()):
                offered = sorted({option for names in known.values() for option in names})
                raise InputError(f"option {option!r} is unknown here: expected one of {', '.join(offered)}")
        common = {"record": self.record, "dtype": self.dtype, "tiles": self.tiles, "seed": self.seed}
        opened: dict[str, Backend] = {}
        try:
            for name, kind in kinds.items():
                own = {option: text for option, text in self.options.items() if option in known[name]}
                opened[name] = kind(build_options(kind, own, **common))
            return Bench(opened)
        except BaseException:
            for backend in opened.values():
                backend.close()
            raise

    def on_device(self, device: str) -> BenchSpec:
        """Return the same for one of several devices."""
        return replace(self, options={**self.options, "device": device})
