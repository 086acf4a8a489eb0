"""Cassettes of every format through the whole proxy: recorded, and replayed without the origin."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from magneto_serge import Cassette, MagnetoProxy, Mode
from magneto_serge.storage.formats import FORMATS

from .origin import Origin
from .tapes import fetch

pytestmark = pytest.mark.usefixtures("at_home")


def post(url: str, proxy: str, body: bytes) -> bytes:
    """Send ``body`` through ``proxy`` and return what comes back."""
    handler = urllib.request.ProxyHandler({"http": proxy})
    with urllib.request.build_opener(handler).open(url, body, timeout=10) as response:
        answer = response.read()
        assert isinstance(answer, bytes)
        return answer


@pytest.mark.parametrize("format", FORMATS)
def test_record_and_replay(origin: Origin, tmp_path: Path, format: str) -> None:
    """Small answers, large ones and side files come back byte for byte, from any format."""
    large = bytes(range(256)) * 1200
    with MagnetoProxy(tmp_path, port=0, format=format) as proxy:
        proxy.start_recording("tape")
        said = [fetch(origin.url(path), proxy.url) for path in ("/json", "/binary", "/chunked")]
        said.append(post(origin.url("/echo"), proxy.url, large))
        path = proxy.stop_recording()
        assert path == tmp_path / f"tape.{format}"
        assert len(Cassette.open(path)) == 4
        origin.stop()
        proxy.replay("tape")
        for _ in range(2):
            assert post(origin.url("/echo"), proxy.url, large) == said[3]
            paths = ("/json", "/binary", "/chunked")
            assert [fetch(origin.url(path), proxy.url) for path in paths] == said[:3]


@pytest.mark.parametrize("format", ["msgpack", "msgpack.zst"])
def test_adding_to_a_binary_cassette(origin: Origin, tmp_path: Path, format: str) -> None:
    """In hybrid mode what is there is replayed and what is new is added."""
    with MagnetoProxy(tmp_path, port=0, format=format, mode=Mode.HYBRID) as proxy:
        for path in ("/json", "/gzip", "/404"):
            proxy.use("tape")
            fetch(origin.url("/json"), proxy.url)
            if path == "/gzip":
                fetch(origin.url(path), proxy.url)
        proxy.stop_recording()
    assert [each.request.target for each in Cassette.open(tmp_path / f"tape.{format}")] == [
        "/json",
        "/gzip",
    ]


def test_a_damaged_recording_is_refused(origin: Origin, tmp_path: Path) -> None:
    """One damaged frame refuses its request, with the reason, and spoils no other."""
    with MagnetoProxy(tmp_path, port=0, format="msgpack") as proxy:
        proxy.start_recording("tape")
        for path in ("/json", "/cookies"):
            fetch(origin.url(path), proxy.url)
        cassette = proxy.stop_recording()
        assert cassette is not None
        data = cassette.read_bytes()
        place = data.index(b"/cookies")
        cassette.write_bytes(data[:place] + b"/C" + data[place + 2 :])
        proxy.replay("tape")
        assert fetch(origin.url("/json"), proxy.url) == b'{"ok": true}'
        with pytest.raises(OSError, match="502"):
            fetch(origin.url("/cookies"), proxy.url)
        [miss] = proxy.misses
        assert "the frame's checksum is wrong" in miss.explain()
