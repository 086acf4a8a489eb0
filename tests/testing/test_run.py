"""The proxy of a test run, and the sessions in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from magneto_serge.errors import DriftError, ReplayMiss, UnplayedError
from magneto_serge.proxy.server import ProxyServer
from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.misses import Miss, Unplayed
from magneto_serge.replay.verdicts import Verdicts
from magneto_serge.sessions import CassetteSession
from magneto_serge.testing.run import OpenSession, Run, shared


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """A run whose proxy pretends to listen."""

    async def start(server: ProxyServer) -> None:
        server.port = 4001

    async def stop(server: ProxyServer) -> None:
        pass

    monkeypatch.setattr(ProxyServer, "start", start)
    monkeypatch.setattr(ProxyServer, "stop", stop)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_DATA_DIR", str(tmp_path / "data"))
    run = Run()
    yield run
    run.close()


def opened(run: Run, test: str = "test_x.py::test_y") -> OpenSession:
    """Open a session that records."""
    return run.open(test, "tape", (), {"mode": "record"})


def test_one_proxy_for_all(run: Run) -> None:
    """The proxy starts with the first session, and serves the next ones too."""
    first = opened(run)
    first.close()
    proxy = run.proxy
    second = opened(run)
    assert run.proxy is proxy
    assert second.session.key != first.session.key
    second.close()


def test_what_happened_is_noted(run: Run) -> None:
    """A session leaves one record, however often it is closed."""
    session = opened(run)
    session.close(outcome="failed", save=False)
    session.close()
    [record] = run.results.records
    assert (record.test, record.mode, record.outcome) == ("test_x.py::test_y", "record", "failed")
    assert record.cassette.endswith("cassettes/tape.json")
    run.forget()
    assert run.results.records == []


def test_misses_are_raised(run: Run) -> None:
    """A refused request is an error with its explanation; none is none."""
    session = opened(run)
    session.raise_misses()
    miss = Miss("GET", "http://api.test/", "Because.", "Do this.")
    session.session.replay.misses.append(miss)
    with pytest.raises(ReplayMiss, match=r"(?s)1 request.*GET http://api\.test/.*Because\."):
        session.raise_misses()
    session.close()


def test_what_was_not_played_is_raised(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything has to be played."""
    session = opened(run)
    unplayed = Unplayed("tape", 1, 2, ("#2 GET http://api.test/",))
    monkeypatch.setattr(CassetteSession, "unplayed", unplayed)
    session.raise_misses()
    monkeypatch.setattr(CassetteSession, "has_to_play_all", True)
    with pytest.raises(UnplayedError, match="1 of 2 recordings of 'tape' were not played"):
        session.raise_misses()
    monkeypatch.undo()
    session.close()


def test_drift_is_raised(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that has changed fails the test in which it came, with what has changed."""
    session = opened(run)
    found = Verdicts()
    monkeypatch.setattr(CassetteSession, "verifies", True)
    monkeypatch.setattr(CassetteSession, "verdicts", found)
    found.add(Verdict(Outcome.SAME, "GET", "http://api.test/"))
    session.raise_misses()
    found.add(Verdict(Outcome.NEW, "GET", "http://api.test/"))
    with pytest.raises(DriftError, match=r"(?s)1 new.*GET http://api\.test/: new"):
        session.raise_misses()
    session.close()


def test_shared_run() -> None:
    """All of a process share one."""
    assert shared() is shared()
