"""A proxy of several processes before it forks: what it takes, and what it refuses."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from magneto_serge import MagnetoProxy
from magneto_serge.config import Settings, load_settings
from magneto_serge.errors import ConfigError, OneProcessError, ProxyError
from magneto_serge.messages import Interaction, Request, Response
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shared import SharedShelves
from magneto_serge.storage.store import CassetteStore
from magneto_serge.workers.prefork import PreforkProxy, check_platform

linux = pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a cassette of one interaction."""
    request = Request("GET", "http", "api.test", 80, "/")
    CassetteStore(tmp_path).save("tape", [Interaction(request, Response(200))])
    return tmp_path


def proxy_of(folder: Path, **settings: object) -> PreforkProxy:
    """Return a proxy of two processes."""
    return PreforkProxy(Settings(cassette_dir=folder, workers=2, port=0, **settings))  # type: ignore[arg-type]  # as a test says


def test_other_systems_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not spread connections, it is said before anything is opened."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match=r"needs Linux.*darwin"):
        check_platform()
    with pytest.raises(ConfigError, match="needs Linux"):
        PreforkProxy(Settings(workers=2))


@linux
@pytest.mark.parametrize("mode", ["record", "hybrid", "verify"])
def test_what_records_needs_one_process(folder: Path, mode: str) -> None:
    """Nothing is opened for it, and the error says what to do."""
    proxy = proxy_of(folder)
    with pytest.raises(OneProcessError, match="--workers 1"):
        proxy.use("tape", mode)
    proxy.stop()
    assert [each.name for each in folder.iterdir()] == ["tape.json"]


@linux
def test_auto_replays_and_never_records(folder: Path) -> None:
    """With a cassette it replays; without one it would record, and is refused."""
    proxy = proxy_of(folder)
    with pytest.raises(OneProcessError, match="no cassette 'new' yet"):
        proxy.use("new", Mode.AUTO)
    proxy.use("tape", Mode.AUTO)
    assert isinstance(proxy.current.replay.cassette, SharedShelves)
    assert proxy.play_counts == [0]
    proxy.stop()


@linux
def test_seeded_templates_need_one_process(folder: Path) -> None:
    """What they say depends on the order of plays, which only one process is sure of."""
    proxy = proxy_of(folder, templates=True, template_seed=1)
    with pytest.raises(OneProcessError, match="template_seed"):
        proxy.use("tape", Mode.REPLAY)


@linux
def test_sessions_need_one_process(folder: Path) -> None:
    """A client that names one could reach a process that does not know it."""
    with pytest.raises(OneProcessError, match="one worker"):
        proxy_of(folder).session("tape")


@linux
def test_it_listens_on_an_address(folder: Path) -> None:
    """A name can stand for several; and without a port there is no start."""
    with pytest.raises(ConfigError, match="need an address"):
        proxy_of(folder, host="localhost").listen()
    with pytest.raises(ProxyError, match="no port yet"):
        proxy_of(folder).start()


@linux
def test_the_port_is_given_back(folder: Path) -> None:
    """A proxy that was never started leaves nothing open."""
    taken = socket.create_server(("127.0.0.1", 0))
    proxy = proxy_of(folder)
    proxy.listen(taken)
    proxy.stop()
    assert taken.fileno() == -1
    assert proxy.stats == Stats()


@linux
def test_misses_of_workers_are_those_of_the_session(folder: Path) -> None:
    """What they report is entered into the books; what happens in one is handed over once."""
    proxy = proxy_of(folder)
    proxy.use("tape", Mode.REPLAY)
    miss = Miss("GET", "http://a.test/", "Nothing matches.", "Record it.")
    proxy._on_miss(miss)
    assert proxy.misses == []
    assert proxy._told() == [miss]
    assert proxy._told() == []
    proxy._take_in([miss])
    assert proxy.misses == proxy.current.misses == [miss]


@linux
def test_switching_is_refused_where_it_would_record(folder: Path) -> None:
    """Before any worker is told."""
    proxy = proxy_of(folder)
    proxy.use("tape", Mode.REPLAY)
    with pytest.raises(OneProcessError, match="hybrid"):
        proxy.switch(proxy.current, "hybrid")
    proxy.switch(proxy.current, "strict")
    assert proxy.mode is Mode.STRICT


def test_in_a_program_there_is_one_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument is refused; what a file says is for the command, and passed over."""
    with pytest.raises(ConfigError, match="the command's to start"):
        MagnetoProxy(folder, workers=2)
    with pytest.raises(ConfigError, match="the command's to start"):
        MagnetoProxy(settings=Settings(), workers=2)
    MagnetoProxy(folder, workers=1)
    monkeypatch.setenv("MAGNETO_WORKERS", "4")
    assert load_settings({}).workers == 4
    MagnetoProxy(folder)
