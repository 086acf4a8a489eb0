"""libcurl's trust, led to our bundle."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from magneto_serge.capture import libcurl

CAINFO, URL = 10065, 10002


class Handle:
    """A handle of libcurl's, which notes its options."""

    def __init__(self) -> None:
        self.options: dict[int, Any] = {}

    def setopt(self, option: int, value: Any) -> None:
        """Note it."""
        self.options[option] = value


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Both packages, led, with a bundle in the environment."""
    pycurl = SimpleNamespace(Curl=Handle, CAINFO=CAINFO)
    cffi = SimpleNamespace(Curl=type("Curl", (Handle,), {}), CurlOpt=SimpleNamespace(CAINFO=CAINFO))
    monkeypatch.setitem(sys.modules, "pycurl", pycurl)
    monkeypatch.setitem(sys.modules, "curl_cffi", cffi)
    monkeypatch.setenv("CURL_CA_BUNDLE", "/bundle.pem")
    libcurl.install()
    yield pycurl, cffi
    libcurl.uninstall()
    assert pycurl.Curl is Handle
    assert cffi.Curl.setopt is Handle.setopt


def test_every_handle_of_pycurl(packages: tuple[Any, Any]) -> None:
    """A handle trusts the bundle from the first, and whatever file it is told to trust."""
    handle = packages[0].Curl()
    assert handle.options == {CAINFO: "/bundle.pem"}
    handle.setopt(CAINFO, "/certifi.pem")
    handle.setopt(URL, "http://api.test")
    assert handle.options == {CAINFO: "/bundle.pem", URL: "http://api.test"}


def test_handles_of_curl_cffi_that_are_there(packages: tuple[Any, Any]) -> None:
    """A handle that was made before is told to trust the bundle when it is next used."""
    handle = packages[1].Curl()
    handle.setopt(CAINFO, "/certifi.pem")
    handle.setopt(URL, "http://api.test")
    assert handle.options == {CAINFO: "/bundle.pem", URL: "http://api.test"}


def test_packages_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported that the process does not use."""
    monkeypatch.delitem(sys.modules, "pycurl", raising=False)
    monkeypatch.delitem(sys.modules, "curl_cffi", raising=False)
    libcurl.install()
    libcurl.uninstall()
    assert "pycurl" not in sys.modules
