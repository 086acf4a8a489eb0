"""Contexts of browsers, given the proxy of the session that they are made in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from magneto_serge.capture import browsers, scopes
from magneto_serge.capture.scopes import Scope

from .doors import PaperDoor, session


class Browser:
    """As Playwright has it; says what it was asked."""

    def new_context(self, **options: Any) -> dict[str, Any]:
        """Make a context."""
        return options

    def new_page(self, **options: Any) -> dict[str, Any]:
        """Make a context and a page in it."""
        return options


class BrowserType:
    """As Playwright has it; says what it was asked."""

    def launch_persistent_context(self, folder: str, **options: Any) -> dict[str, Any]:
        """Launch a browser with one context."""
        return {"folder": folder, **options}


@pytest.fixture
def scope(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scope]:
    """A session for the whole process, and Playwright led to it."""
    module = SimpleNamespace(Browser=Browser, BrowserType=BrowserType)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", module)
    monkeypatch.delitem(sys.modules, "playwright.async_api", raising=False)
    scope = Scope(session(PaperDoor(("127.0.0.1", 4321)), "a user"))
    scopes.enter_process(scope)
    browsers.install()
    yield scope
    browsers.uninstall()
    scopes.leave_process(scope)
    assert Browser.new_context.__module__ == __name__
    assert not hasattr(Browser.new_context, "__wrapped__")


PROXY = {"server": "http://127.0.0.1:4322", "bypass": "<-loopback>"}


def test_new_contexts_have_the_proxy(scope: Scope) -> None:
    """However a context is made, it speaks to the session, and trusts what the proxy shows."""
    door = PaperDoor(("127.0.0.1", 4321))
    scope.session = session(door)
    expected = {"proxy": PROXY, "ignore_https_errors": True}
    assert Browser().new_context() == expected
    assert Browser().new_page(locale="de") == expected | {"locale": "de"}
    assert BrowserType().launch_persistent_context("x") == expected | {"folder": "x"}


def test_guarded_proxy(scope: Scope) -> None:
    """Where the proxy asks for credentials the browser is given them, to send when it is asked."""
    scope.session = session(PaperDoor(("127.0.0.1", 4321)), proxy_auth="user:pass:word")
    proxy = Browser().new_context()["proxy"]
    assert proxy == PROXY | {"username": "user", "password": "pass:word"}


def test_who_names_a_proxy_is_left_alone(scope: Scope) -> None:
    """A context with a proxy of its own keeps it."""
    assert Browser().new_context(proxy=None) == {"proxy": None}


def test_session_that_is_over(scope: Scope) -> None:
    """Code of a session that is over gets no proxy."""
    scope.over = True
    assert Browser().new_context() == {}
    scope.over = False
