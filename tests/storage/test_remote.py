"""Cassette folders somewhere else: the same store, on a copy that is brought and sent."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from magneto_serge.app import MagnetoProxy
from magneto_serge.config import Settings
from magneto_serge.config_values import RemoteFolder
from magneto_serge.errors import ConfigError
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.remote import RemoteStore
from magneto_serge.storage.store import CassetteStore, store_of

from .interactions import exchange
from .machines import URL, Machine, record, targets

# --- the folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_travels(format: str, here: Machine, elsewhere: Machine) -> None:
    """What one machine has recorded, in whatever format and with side files, another one reads."""
    record(here.store(format=format), "a/tape", "/1", body=b"large")
    assert here.store().names() == ["a/tape"]
    other = elsewhere.store()
    assert other.exists("a/tape")
    assert other.load("a/tape", verify=True)[0].request.target == "/1"
    assert other.path("a/tape").name == f"tape.{format}"
    bodies = other.path("a/tape").with_name("tape.bodies")
    assert len(list(bodies.iterdir())) == 1


def test_adding_to_a_cassette(here: Machine, elsewhere: Machine) -> None:
    """What is added is added to what is there, not to what this machine has had."""
    record(here.store(), "tape", "/1")
    recorder = elsewhere.store().recorder("tape")
    recorder.record(exchange("/2"))
    recorder.finish(replace=False)
    assert targets(here.store(), "tape") == ["/1", "/2"]


def test_nothing_recorded_sends_nothing(here: Machine, there: MemoryFileSystem) -> None:
    """A recording without an interaction leaves the folder as it is."""
    assert here.store().recorder("tape").finish(replace=True) is None
    assert there.find("/") == []


def test_other_files_there_are_none_of_ours(here: Machine, there: MemoryFileSystem) -> None:
    """Keys that are no cassettes, or could leave the folder, are not listed."""
    for key in ("x.txt", ".hidden.json", "a:b.json", "a/../../b.json", "t.bodies/c.json"):
        there.store[f"/bucket/tapes/{key}"] = there.open("/tmp", "wb")
    assert here.store().names() == []


def test_saving_and_recovering(here: Machine, elsewhere: Machine) -> None:
    """Cassettes that commands write, or that are made of a crashed recording, are sent too."""
    store = here.store()
    store.save("tape", [exchange("/1")])
    assert targets(elsewhere.store(), "tape") == ["/1"]
    for name in ("tape", "new"):
        local = CassetteStore(store.folder).recorder(name)
        local.record(exchange("/2"))
        local._stop()
        local._close(remove=False)
    assert store.recover("tape").path.name == "tape-recovered.json"
    assert targets(elsewhere.store(), "tape-recovered") == ["/2"]
    assert targets(store, "new") == ["/2"]
    assert targets(elsewhere.store(), "new") == ["/2"]


def test_a_folder_of_this_disk_may_be_a_url(here: Machine, tmp_path: Path) -> None:
    """A store with folders gets the file in one step, and nothing else."""
    folder = tmp_path / "shared"
    record(here.store(folder.as_uri()), "a/tape", "/1")
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")] == ["a/tape.json"]
    assert targets(CassetteStore(folder), "a/tape") == ["/1"]


# --- settings -----------------------------------------------------------------------------------


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsspec, the error says how to install it."""
    importing = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("fsspec"):
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install magneto-serge\[remote\]"):
        store_of(Settings(cassette_dir=RemoteFolder("s3://bucket")))


def test_what_a_protocol_lacks_is_named() -> None:
    """An unknown protocol, and one whose package is not installed, are errors that say so."""
    with pytest.raises(ConfigError, match=r"cassette_dir nope://x .*Protocol not known: nope"):
        RemoteStore(RemoteFolder("nope://x"))
    with pytest.raises(ConfigError, match=r"cassette_dir gs://x.*gcsfs"):
        RemoteStore(RemoteFolder("gs://x"))


def test_nothing_is_imported_for_a_folder_here() -> None:
    """Whoever names a folder of this disk does not wait for fsspec."""
    code = "import sys; from magneto_serge import MagnetoProxy; MagnetoProxy('cassettes', port=0);"
    code += "sys.exit('fsspec' in sys.modules or 'magneto_serge.storage.remote' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_proxy_takes_a_url(here: Machine) -> None:
    """A proxy given a URL has its cassettes there, the slashes as they were."""
    record(here.store(), "tape", "/1")
    proxy = MagnetoProxy(URL, port=0)
    assert proxy.settings.cassette_dir == RemoteFolder(URL)
    proxy.replay("tape")
    assert proxy.cassette_name == "tape"
    proxy.stop()
