"""A stand-in for CUDA: streams that keep a clock instead of running kernels."""

from contextlib import contextmanager
from time import perf_counter, sleep
from types import SimpleNamespace

import pytest

CLOCK_HZ = 1.0e9


class Stream:
    """Keeps the time at which all work so far is done, in seconds of the CPU's clock."""

    cuda_stream = 17

    def __init__(self):
        self.done = perf_counter()
        self.busy = 0.0
        self.launched = 0

    def run(self, seconds):
        self.done = max(self.done, perf_counter()) + seconds
        self.busy += seconds
        self.launched += 1


class Cuda:
    """As much of ``torch.cuda`` as the backends use; two devices, each with one stream."""

    OutOfMemoryError = MemoryError
    event_s = 1.0e-6  # what one event adds to its stream

    def __init__(self):
        cuda = self
        self.streams = [Stream(), Stream()]
        self.index = 0

        class Event:
            def __init__(self, enable_timing=False):
                self.timing = enable_timing

            def record(self, stream):
                stream.run(cuda.event_s if self.timing else 0.0)
                self.stamp = stream.done

            def query(self):
                return perf_counter() >= self.stamp

            def synchronize(self):
                sleep(max(0.0, self.stamp - perf_counter()))

            def elapsed_time(self, other):
                return 1e3 * (other.stamp - self.stamp)

        self.Event = Event

    @property
    def stream(self):
        return self.streams[self.index]

    @contextmanager
    def device(self, index):
        before, self.index = self.index, index
        yield
        self.index = before

    def current_stream(self, index):
        return self.streams[index]

    def current_device(self):
        return self.index

    def device_count(self):
        return len(self.streams)

    def get_device_name(self, index):
        return self.get_device_properties(index).name

    def get_device_properties(self, index):
        return SimpleNamespace(
            name="NVIDIA H200",
            uuid=f"uuid-{index}",
            multi_processor_count=132,
            L2_cache_size=1 << 20,
            total_memory=1 << 30,
        )

    def _sleep(self, cycles):
        self.stream.run(cycles / CLOCK_HZ)

    def synchronize(self):
        sleep(max(0.0, self.stream.done - perf_counter()))


class Torch:
    """As much of ``torch`` as the backends use, without tensors."""

    __version__ = "0.0"
    bfloat16, float16, int8 = "bfloat16", "float16", "int8"

    def __init__(self):
        self.cuda = Cuda()
        self.version = SimpleNamespace(cuda="0.0")
        self.allocated = []

    def Generator(self, device):
        return SimpleNamespace(manual_seed=lambda seed: (device, seed))

    def empty(self, elements, dtype, device):
        self.allocated.append((elements, dtype, device))
        stream = self.cuda.streams[int(device.partition(":")[2])]

        def write(**_):
            stream.run(1e-6)

        return SimpleNamespace(
            numel=lambda: elements,
            zero_=write,
            normal_=write,
            data_ptr=lambda: 4096 * len(self.allocated),
        )


@pytest.fixture
def stand_in_torch():
    return Torch()
