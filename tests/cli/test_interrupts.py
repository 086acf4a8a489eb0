"""Signals: the first asks to stop, the second does not ask; a child's are the child's."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from magneto_serge.cli.interrupts import EXIT_AT_ONCE, Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_the_wait(number: int) -> None:
    """Whichever of the three it is."""
    with Interrupts() as interrupts:
        threading.Timer(0.01, os.kill, (os.getpid(), number)).start()
        assert interrupts.wait(10)
        assert interrupts.wait(10)


def test_without_a_signal_the_wait_ends_in_time() -> None:
    """The counters are looked at in between."""
    with Interrupts() as interrupts:
        assert not interrupts.wait(0.01)


def test_a_signal_before_the_wait_is_not_lost() -> None:
    """It may come while the proxy is still starting."""
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        started = time.monotonic()
        assert interrupts.wait(10)
    assert time.monotonic() - started < 5


def test_a_signal_just_before_the_wait_reaches_a_child() -> None:
    """One that comes when we are about to sleep wakes us; the child may be waiting for it."""

    class Waiting:
        """Ends with the signal that it is handed; looked at, it is not ended yet."""

        status: int | None = None

        def poll(self) -> int | None:
            seen = self.status
            if seen is None:
                signal.raise_signal(signal.SIGTERM)
            return seen

    waiting = Waiting()
    with Interrupts() as interrupts:
        interrupts.forward_to = lambda number: setattr(waiting, "status", -number)
        assert interrupts.outlive(waiting) == -signal.SIGTERM


def test_the_second_signal_exits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving may hang on a network disk; the user need not."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        assert codes == []
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [EXIT_AT_ONCE]


def test_a_childs_signals_are_the_childs() -> None:
    """They neither stop us nor count."""
    received: list[int] = []
    with Interrupts() as interrupts:
        interrupts.forward_to = received.append
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert not interrupts.wait(0.01)
    assert received == [signal.SIGTERM, signal.SIGINT]


def test_the_handlers_are_put_back() -> None:
    """After us, Ctrl-C means what it meant before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_under_nohup_hanging_up_is_still_ignored() -> None:
    """Who started us so wants us to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupts.wait(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)
