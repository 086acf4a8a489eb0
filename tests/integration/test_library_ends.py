"""Beginnings and ends of the library's proxies, and the mistakes that can be made with them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import (
    CassetteBusyError,
    CassetteNotFoundError,
    ConfigError,
    MagnetoProxy,
    Mode,
    ProxyError,
)

from .conftest import MakeProxy
from .origin import Origin
from .tapes import fetch, urls_in

pytestmark = pytest.mark.usefixtures("at_home")


def test_exception_in_the_block_still_saves(
    origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """What was recorded before the exception is saved, and the log says so."""

    def work() -> None:
        with MagnetoProxy("cassettes", port=0) as proxy:
            proxy.start_recording("broken")
            fetch(origin.url("/json"), proxy.url)
            raise ZeroDivisionError

    with caplog.at_level(logging.WARNING, "magneto_serge"), pytest.raises(ZeroDivisionError):
        work()
    assert urls_in(Path("cassettes/broken.json")) == [origin.url("/json")]
    assert "ZeroDivisionError" in caplog.text
    assert "saved" in caplog.text


def test_stop_is_idempotent(origin: Origin) -> None:
    """Stopping twice, or inside the block, or before the start, is no mistake."""
    proxy = MagnetoProxy("cassettes", port=0)
    proxy.start()
    proxy.start_recording("twice")
    fetch(origin.url("/json"), proxy.url)
    proxy.stop()
    proxy.stop()
    assert Path("cassettes/twice.json").exists()
    with MagnetoProxy("cassettes", port=0) as inner:
        inner.stop()
    MagnetoProxy("cassettes", port=0).stop()


USES: dict[str, Callable[[MagnetoProxy], Any]] = {
    "url": lambda proxy: proxy.url,
    "port": lambda proxy: proxy.port,
    "env": lambda proxy: proxy.env(),
    "use": lambda proxy: proxy.use("x"),
    "start_recording": lambda proxy: proxy.start_recording("x"),
    "stop_recording": lambda proxy: proxy.stop_recording(),
    "replay": lambda proxy: proxy.replay("x"),
    "mode": lambda proxy: setattr(proxy, "mode", Mode.RECORD),
    "start": lambda proxy: proxy.start(),
}


@pytest.mark.parametrize("use", USES)
def test_use_after_stop_is_a_clear_error(use: str) -> None:
    """Whatever is asked of a stopped proxy says that it has stopped."""
    with MagnetoProxy("cassettes", port=0) as proxy:
        pass
    with pytest.raises(ProxyError, match=r"stopped|before"):
        USES[use](proxy)


# A session may be begun before the start, so that the first request finds it.
BEFORE_START = {"start", "use", "start_recording", "replay"}


@pytest.mark.parametrize("use", sorted(USES.keys() - BEFORE_START))
def test_use_before_start_is_a_clear_error(use: str) -> None:
    """What needs a running proxy says so when it does not run yet."""
    with pytest.raises(ProxyError, match="start"):
        USES[use](MagnetoProxy("cassettes", port=0))


def test_port_in_use(make_proxy: MakeProxy) -> None:
    """A port that somebody has is an error that names it, and the way out."""
    first = make_proxy()
    with pytest.raises(ProxyError, match=rf"{first.port}.*in use"):
        MagnetoProxy("cassettes", port=first.port).start()


def test_replay_without_a_cassette(proxy: MagnetoProxy, origin: Origin) -> None:
    """A cassette that does not exist is an error at once, which names the nearest."""
    proxy.start_recording("github")
    fetch(origin.url("/json"), proxy.url)
    proxy.stop_recording()
    with pytest.raises(CassetteNotFoundError, match="github"):
        proxy.replay("githib")


def test_two_recorders_of_one_cassette(make_proxy: MakeProxy, origin: Origin) -> None:
    """Recording a cassette that somebody is recording is an error; the first one goes on."""
    first, second = make_proxy(), make_proxy()
    first.start_recording("shared")
    fetch(origin.url("/json"), first.url)
    with pytest.raises(CassetteBusyError, match=str(os.getpid())):
        second.start_recording("shared")
    path = first.stop_recording()
    assert path is not None
    assert urls_in(path) == [origin.url("/json")]


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../b", "nul\x00", "", "x" * 300])
def test_name_that_leaves_the_folder(name: str, proxy: MagnetoProxy) -> None:
    """A cassette name cannot lead out of the cassette folder."""
    with pytest.raises(ConfigError):
        proxy.start_recording(name)


@pytest.mark.parametrize("mode", ["", "vcr", "Record"])
def test_mode_that_does_not_exist(mode: str, proxy: MagnetoProxy) -> None:
    """An unknown mode names those that there are."""
    with pytest.raises(ConfigError, match="passthrough"):
        proxy.mode = mode


def test_nothing_recorded_leaves_the_older_cassette(proxy: MagnetoProxy, origin: Origin) -> None:
    """Stopping a recording in which nothing happened changes no file."""
    proxy.start_recording("kept")
    fetch(origin.url("/json"), proxy.url)
    path = proxy.stop_recording()
    assert path is not None
    before = path.read_bytes()
    proxy.start_recording("kept")
    assert proxy.stop_recording() is None
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["kept.json"]


def test_program_that_forgets_to_stop(origin: Origin, tmp_path: Path) -> None:
    """A program that ends without `stop` has its recording saved."""
    script = (
        "import sys, urllib.request\n"
        "from magneto_serge import MagnetoProxy\n"
        "proxy = MagnetoProxy('cassettes', port=0).start()\n"
        "proxy.start_recording('forgotten')\n"
        "handler = urllib.request.ProxyHandler({'http': proxy.url})\n"
        "urllib.request.build_opener(handler).open(sys.argv[1]).read()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, origin.url("/json")],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert urls_in(tmp_path / "cassettes" / "forgotten.json") == [origin.url("/json")]
