"""Ctrl-C pressed while a callback runs that lets no exception out still ends the work."""

import ctypes
import signal
import threading

import pytest

from attrib.cli.interruption import kept_interrupts
from attrib.cli.screen import progress


def press_where_no_exception_gets_out():
    """Press Ctrl-C in a callback from C: ctypes reports the exception, and goes on."""
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()


SWALLOWED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def reached(context, *steps):
    """Run steps, given what the context yields, and say how many of them were done before Ctrl-C ended it."""
    done = 0
    try:
        with context as given:
            for step in steps:
                step(given)
                done += 1
    except KeyboardInterrupt:
        return done
    return None


@SWALLOWED
def test_an_interruption_that_was_swallowed_comes_with_the_next_check():
    press, check = lambda _: press_where_no_exception_gets_out(), lambda given: given()
    assert reached(kept_interrupts(), check, press, check) == 2
    assert reached(kept_interrupts(), check, press) == 2  # at the end at the latest
    assert reached(kept_interrupts(), check, check) is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@SWALLOWED
def test_it_comes_with_the_next_step_that_is_shown(capsys):
    press, one, two = lambda _: press_where_no_exception_gets_out(), lambda say: say("one"), lambda say: say("two")
    assert reached(progress(), one, press, two) == 2
    shown = capsys.readouterr().err
    assert "one" in shown
    assert "two" not in shown


def test_one_that_is_not_swallowed_comes_at_once():
    assert reached(kept_interrupts(), lambda _: signal.raise_signal(signal.SIGINT), lambda given: given()) == 0


def test_interrupts_that_are_ignored_or_handled_stay_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with kept_interrupts() as check:
            signal.raise_signal(signal.SIGINT)
            check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    # Python handles signals in the main thread alone, and elsewhere nothing can be set.
    found = []
    thread = threading.Thread(target=lambda: found.append(_enters()))
    thread.start()
    thread.join()
    assert found == [True]


def _enters():
    with kept_interrupts() as check:
        check()
        return True
