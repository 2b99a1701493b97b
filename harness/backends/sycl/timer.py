"""Device times of kernels on a SYCL queue, from the profiles of their events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from harness.backends.sycl.host import create_program
from harness.backends.sycl.kernels import DISPLACE, source_of
from harness.backends.sycl.operands import allocate
from harness.backends.sycl.record import last_level_caches
from harness.device import DeviceRecord
from harness.errors import BackendError

_FACTOR: Final = 2.5
_DEFAULT_BYTES: Final = 256 << 20
"""Written where nobody states the size of the caches."""

_PAGE: Final = 4096
_VECTOR_BYTES: Final = 16
"""What one work-item of the displacing kernel reads and writes."""


class ProfiledQueue:
    """A queue that runs its launches in order and profiles them.

    Parameters
    ----------
    dpctl : module
    device : dpctl.SyclDevice

    Raises
    ------
    BackendError
        If the device offers no such queue.
    """

    def __init__(self, dpctl: Any, device: Any) -> None:
        try:
            # Without the second property the profile of every event reads zero.
            self.queue: Any = dpctl.SyclQueue(device, property=["in_order", "enable_profiling"])
        except dpctl.SyclQueueCreationError:
            raise BackendError(f"{device.name} offers no queue with profiling") from None
        self._displacing: tuple[Any, Any] | None = None

    def submit(self, kernel: Any, arguments: Sequence[Any], whole: Sequence[int], group: Sequence[int]) -> Any:
        """Launch a kernel and return its event; ranges have their slowest dimension first."""
        return self.queue.submit_async(kernel, list(arguments), list(whole), list(group))

    def seconds(self, launch: Callable[[], Any], count: int, displaced_bytes: int = 0) -> float:
        """Mean device time of `count` launches; zero where the driver reports none.

        The durations of the launches are added, not first start to last end: between launches from Python the
        device waits for the host, which is no time of the kernel.

        Parameters
        ----------
        launch : callable
            Launches the kernel and returns its event.
        count : int
        displaced_bytes : int
            Bytes of other data that displace what the caches hold before every launch; if 0, one untimed
            launch comes first and leaves the caches warm.
        """
        events = []
        if displaced_bytes == 0:
            launch()
        for _ in range(count):
            if displaced_bytes:
                self._displace(displaced_bytes)
            events.append(launch())
        self.queue.wait()
        nanoseconds = sum(int(event.profiling_info_end) - int(event.profiling_info_start) for event in events)
        return 1e-9 * nanoseconds / count

    def _displace(self, size: int) -> None:
        if self._displacing is None or self._displacing[1].nbytes != size:
            program = create_program(self.queue, source_of(DISPLACE), "")
            buffer = allocate(self.queue, size)
            buffer.memset(0)
            self._displacing = (program.get_sycl_kernel("displace"), buffer)
        kernel, buffer = self._displacing
        self.queue.submit_async(kernel, [buffer], [size // _VECTOR_BYTES])


def displaced_bytes(device: Any, record: DeviceRecord) -> int:
    """Bytes to write so that nothing of a GEMM's operands is left in the caches: 2.5 times the largest.

    Parameters
    ----------
    device : dpctl.SyclDevice
    record : DeviceRecord
        Its last-level cache counts where it is known, beside what driver and host report.
    """
    # The driver of a CPU reports the cache of one core.
    reported = sum(last_level_caches()) if device.is_cpu else int(device.global_mem_cache_size)
    largest = max(reported, record.last_level_cache_bytes or 0)
    wanted = int(_FACTOR * largest) or _DEFAULT_BYTES
    return max(min(wanted, int(device.max_mem_alloc_size)) // _PAGE, 1) * _PAGE
