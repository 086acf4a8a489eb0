"""Browsers that Playwright drives: their contexts get the proxy of the session they are made in.

A browser is a process that was launched before the test and reads no environment. What can be given
to it is given when a context is made: the proxy, and that certificates need not be verified (the
browser has a trust store of its own).
Who names a proxy himself is left alone. Only Playwright's public methods are replaced, and only
where it has been imported.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from magneto_serge.capture import scopes
from magneto_serge.capture.patches import Patches
from magneto_serge.sessions import CassetteSession

_MODULES = ("playwright.sync_api", "playwright.async_api")
_METHODS = (
    ("Browser", "new_context"),
    ("Browser", "new_page"),
    ("BrowserType", "launch_persistent_context"),
)
_installed: list[Patches] = []


def context_options(session: CassetteSession) -> dict[str, Any]:
    """Return what a Playwright context needs: ``browser.new_context(**context_options(session))``.

    ``proxy``, by a port of the session's own since a browser sends no credentials unasked, and
    ``ignore_https_errors``.
    """
    proxy = {"server": f"http://{session.address[0]}:{session.own_port}"}
    if session.settings.proxy_auth:
        user, _, password = session.settings.proxy_auth.partition(":")
        proxy |= {"username": user, "password": password}
    # Chromium leaves loopback out of any proxy unless it is told not to.
    return {"proxy": proxy | {"bypass": "<-loopback>"}, "ignore_https_errors": True}


def install() -> None:
    """Give new contexts the proxy from now on."""
    for name in _MODULES:
        module = sys.modules.get(name)
        if module is None:
            continue
        for owner, method in _METHODS:
            kind = getattr(module, owner)
            patches = Patches((kind, method, _led(getattr(kind, method))))
            patches.install()
            _installed.append(patches)


def uninstall() -> None:
    """Put Playwright back as it was."""
    while _installed:
        _installed.pop().uninstall()


def _led(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        scope = scopes.current()
        if scope is not None and not scope.over and "proxy" not in kwargs:
            kwargs = context_options(scope.session) | kwargs
        return real(self, *args, **kwargs)

    return call
