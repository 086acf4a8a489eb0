"""A session is opened in this process, and everything is as before when it ends."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from magneto_serge.capture import scopes
from magneto_serge.capture.activate import activate

from .doors import PaperDoor, session


def touched() -> tuple[object, ...]:
    """Return what leading the process changes."""
    return (
        socket.socket.connect,
        socket.getaddrinfo,
        ssl.SSLContext.wrap_bio,
        threading.Thread.start,
        os.environ.get("HTTP_PROXY"),
    )


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have everything as it was."""
    monkeypatch.setenv("HTTP_PROXY", "http://users.test")
    before = touched()
    yield
    assert touched() == before


def test_one_session() -> None:
    """It is installed with the session and put back with it; the user's environment is known."""
    before = touched()
    end = activate(session(PaperDoor(), "one"))
    assert all(now != then for now, then in zip(touched(), before, strict=True))
    assert os.environ["BEFORE"] == "http://users.test"
    end()


def test_sessions_that_overlap() -> None:
    """Only the last end puts everything back."""
    first, second = session(PaperDoor(), "one"), session(PaperDoor(), "two")
    end_first, end_second = activate(first), activate(second)
    assert "two" in os.environ["HTTP_PROXY"]
    assert os.environ["BEFORE"] == "http://users.test"
    end_first()
    scope = scopes.current()
    assert scope is not None
    assert scope.session is second
    assert "two" in os.environ["HTTP_PROXY"]
    end_second()


def test_reverse_proxy_is_only_named() -> None:
    """A reverse proxy is for one origin: nothing is led to it."""
    connect = socket.socket.connect
    end = activate(session(PaperDoor(), "one", reverse="http://origin.test"))
    assert socket.socket.connect is connect
    assert "one" in os.environ["HTTP_PROXY"]
    end()
