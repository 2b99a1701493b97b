"""Ctrl-C that is not lost: where a library swallows the interruption, the next step of the work ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def kept_interrupts() -> Iterator[Callable[[], None]]:
    """Yield what raises :class:`KeyboardInterrupt` if Ctrl-C was pressed and came to nothing.

    Python raises it in whatever runs, and what runs may be a callback from compiled code, out of which no exception
    comes: a just-in-time compiler at work says "exception ignored" at most, and a long command would go on. So the
    interruption is remembered, too, and comes at the next check, or at the end at the latest. Nothing changes where
    interrupts are ignored or handled by somebody else.
    """
    pressed = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.default_int_handler(number, frame)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
