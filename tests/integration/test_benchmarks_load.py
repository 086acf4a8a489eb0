"""Our own load generator asks as wrk does, and where wrk cannot; no figure is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks import _load, _programs
from benchmarks._traffic import H2LOAD, NGINX_ANSWER, OWN, Shape

SECONDS = 0.1


@pytest.mark.needs("nginx", "openssl")
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("closing", [False, True])
def test_every_answer_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool, closing: bool
) -> None:
    """Where wrk is absent our generator asks instead, and says that it was it."""
    monkeypatch.setattr(_load, "find", lambda program: None)
    shape = Shape(tls=tls, closing=closing, different=True)
    with _programs.nginx("origin", NGINX_ANSWER, tmp_path, tls=tls) as origin:
        authority = f"127.0.0.1:{origin.port}"
        seen = _load.run(origin.port, shape, authority, tmp_path, SECONDS)
    assert seen.fault is None
    assert seen.requests >= shape.connections
    assert seen.bytes > 122 * seen.requests
    assert 0 < seen.p50 <= seen.p90 <= seen.p99 <= seen.p999
    assert seen.generator == OWN


@pytest.mark.needs("nginx", "openssl")
def test_it_asks_in_tunnels(tmp_path: Path) -> None:
    """What passed through a tunnel is as much as the generator counted."""
    shape = Shape(tls=True, by=OWN, tunnel=True, connections=2)
    with (
        _programs.nginx("origin", NGINX_ANSWER, tmp_path, tls=True) as origin,
        _programs.magneto("proxy", ["passthrough", "--insecure"], tmp_path) as proxy,
    ):
        authority = f"127.0.0.1:{origin.port}"
        seen = _load.run(proxy.port, shape, authority, tmp_path, SECONDS)
    assert seen.fault is None
    assert seen.requests >= 2


@pytest.mark.needs("nginx", "h2load")
def test_h2load_asks_too(tmp_path: Path) -> None:
    """Its counts are read from what it prints."""
    with _programs.nginx("origin", NGINX_ANSWER, tmp_path) as origin:
        authority = f"127.0.0.1:{origin.port}"
        seen = _load.run(origin.port, Shape(by=H2LOAD), authority, tmp_path, SECONDS)
    assert seen.fault is None
    assert seen.rate > 0
    assert seen.generator == H2LOAD


@pytest.mark.needs("nginx")
def test_an_error_is_counted(tmp_path: Path) -> None:
    """An answer that is none of ours makes the run invalid, and so does one that breaks off."""
    failing = "location / { return 500; }"
    with _programs.nginx("failing", failing, tmp_path) as origin:
        authority = f"127.0.0.1:{origin.port}"
        shape = Shape(by=OWN, connections=1)
        seen = _load.run(origin.port, shape, authority, tmp_path, SECONDS)
        assert seen.status_errors == seen.requests > 0
        cut = "location / { return 444; }"
    with _programs.nginx("cut", cut, tmp_path) as origin:
        seen = _load.run(origin.port, shape, authority, tmp_path, SECONDS)
        assert seen.socket_errors == 1


def test_a_generator_that_is_stopped_too_soon_saw_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a signal may come before wrk listens for it."""
    slow = tmp_path / "wrk"
    slow.write_text("#!/bin/sh\nexec sleep 30\n", encoding="ascii")
    slow.chmod(0o755)
    monkeypatch.setattr(_load, "find", lambda program: str(slow))
    assert _load.run(9, Shape(), "127.0.0.1:9", tmp_path, SECONDS).fault == _load.NOTHING
