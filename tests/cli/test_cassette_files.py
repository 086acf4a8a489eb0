"""Names and paths, what is kept of what was read, and what a failure leaves behind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from magneto_serge.cli.cassette_files import CassetteFiles
from magneto_serge.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    ConfigError,
)
from magneto_serge.messages import FileBody
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

from .recorded import exchange, load, record, urls

pytestmark = pytest.mark.usefixtures("here")


def test_a_name_is_a_cassette_of_the_folder() -> None:
    """With or without its ending."""
    record("api/users", exchange())
    files = CassetteFiles()
    assert len(files.read("api/users")) == len(files.read("api/users.json")) == 1


@pytest.mark.parametrize("path", ["./cassettes/a.json", "cassettes/a.json"])
def test_a_path_is_the_file_that_it_names(path: str) -> None:
    """What a shell completes is found too."""
    record("a", exchange())
    assert len(CassetteFiles().read(path)) == 1


def test_an_absolute_path_needs_no_folder(tmp_path: Path) -> None:
    """Two checkouts can be compared."""
    record("a", exchange())
    assert len(CassetteFiles("elsewhere").read(str(tmp_path / "cassettes/a.json"))) == 1


def test_a_name_comes_before_a_file_of_that_path() -> None:
    """What a name means does not depend on where one stands."""
    record("cassettes/a", exchange("https://inner.example/"))
    record("a", exchange())
    (found,) = CassetteFiles().read("cassettes/a.json")
    assert found.request.host == "inner.example"


@pytest.mark.parametrize("name", ["../..", "./con", "a:b", ""])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    """For reading and for writing."""
    files = CassetteFiles()
    with pytest.raises(ConfigError):
        files.read(name)
    with pytest.raises(ConfigError):
        files.write(name, [])


def test_what_does_not_exist_is_said_with_the_nearest() -> None:
    """As by the store."""
    record("github", exchange())
    with pytest.raises(CassetteNotFoundError, match="Did you mean 'github'"):
        CassetteFiles().read("githup")


def test_what_was_taken_is_written_with_the_same_text() -> None:
    """Not one byte of an interaction changes on its way to another cassette."""
    squeezed = gzip.compress(b"Keep it simple. " * 20, 3, mtime=5)
    odd = exchange(body=squeezed, fields=(("Content-Encoding", "gzip"), ("Content-Type", "t/x")))
    text = record("a", odd, exchange("https://b.example/")).read_bytes()
    # A person's own layout, and a form that this program would not choose.
    Path("cassettes/a.json").write_bytes(text.replace(b'"peer": ', b'"peer":   '))
    files = CassetteFiles()
    files.write("b", reversed(files.take("a")))
    written = Path("cassettes/b.json").read_bytes()
    assert written.count(b'"peer":   ') == 2
    assert load("b") == load("a")[::-1]


def test_an_interaction_that_was_changed_is_written_anew() -> None:
    """The text belongs to the value that was read, not to its place."""
    record("a", exchange(body=b"one"), exchange(body=b"two"))
    files = CassetteFiles()
    first, second = files.take("a")
    changed = msgspec.structs.replace(first, total_ms=7.0)
    files.write("a", [changed, second], replace=True)
    assert [each.total_ms for each in load("a")] == [7.0, 2.0]


def test_side_files_come_along() -> None:
    """Under the new cassette's own name."""
    record("a", exchange(body=b"x" * 5000), exchange(body=b"y" * 5000))
    files = CassetteFiles()
    files.write("sub/b", files.take("a")[:1])
    (one,) = load("sub/b")
    assert isinstance(one.response.body if one.response else None, FileBody)
    assert len(list(Path("cassettes/sub/b.bodies").iterdir())) == 1
    assert len(load("a")) == 2


def test_side_files_that_nothing_refers_to_any_more_go() -> None:
    """When a cassette is replaced by less."""
    record("a", exchange(body=b"x" * 5000), exchange(body=b"y" * 5000))
    files = CassetteFiles()
    files.write("a", files.take("a")[:1], replace=True)
    assert len(list(Path("cassettes/a.bodies").iterdir())) == 1
    assert len(load("a")) == 1


def test_an_existing_cassette_is_not_replaced_unasked() -> None:
    """Nothing of it is touched."""
    before = record("a", exchange()).read_bytes()
    with pytest.raises(ConfigError, match=r"exists already.*--force"):
        CassetteFiles().write("a", [])
    assert Path("cassettes/a.json").read_bytes() == before


def test_a_failure_half_way_leaves_everything_as_it_was() -> None:
    """The older file, and nothing beside it."""
    before = record("a", exchange()).read_bytes()

    def failing() -> list[None]:
        raise OSError(28, "No space left on device")

    with pytest.raises(CassetteError, match=r"No space left on device\. Nothing was changed"):
        CassetteFiles().write("a", (each for _ in range(1) for each in failing()), replace=True)
    assert [each.name for each in Path("cassettes").iterdir()] == ["a.json"]
    assert Path("cassettes/a.json").read_bytes() == before


def test_a_cassette_that_is_being_recorded_is_left_alone() -> None:
    """Whoever records it would write over what we write."""
    record("a", exchange())
    recorder = CassetteStore(Path("cassettes")).recorder("a")
    files = CassetteFiles()
    try:
        with pytest.raises(CassetteBusyError):
            files.write("a", [], replace=True)
        with pytest.raises(CassetteBusyError):
            files.remove("a")
    finally:
        recorder.abort()
    assert urls("a") == ["https://a.example/"]


def test_removing_takes_the_side_files_too() -> None:
    """And nothing else."""
    record("a", exchange(body=b"x" * 5000))
    record("b", exchange())
    CassetteFiles().remove("a")
    assert [each.name for each in Path("cassettes").iterdir()] == ["b.json"]


def test_what_cannot_be_removed_is_said() -> None:
    """With the file's name."""
    with pytest.raises(CassetteError, match=r"cannot remove .*a\.json: No such file"):
        CassetteFiles().remove("a")


def test_the_size_is_that_of_all_files() -> None:
    """Side files are part of the cassette."""
    path = record("a", exchange(body=b"x" * 5000))
    assert CassetteFiles().size("a") == path.stat().st_size + 5000


def test_a_cassette_of_version_1_is_written_in_todays_form() -> None:
    """Its text is another program's."""
    request = {"method": "GET", "url": "http://h/p", "headers": {}, "body": None}
    response = {"status": 204, "headers": {}, "body": None}
    at = "2025-10-10T14:30:00.123456789Z"
    http = {"type": "Http", "request": request, "response": response, "recorded_at": at}
    old = {"version": "1.0", "name": "x", "recorded_at": at, "interactions": [http]}
    Path("cassettes").mkdir()
    Path("cassettes/a.json").write_text(json.dumps(old))
    files = CassetteFiles()
    files.write("b", files.take("a"))
    assert b'"version": "2"' in Path("cassettes/b.json").read_bytes()
    assert urls("b") == ["http://h/p"]


OLD_AT = "2025-10-10T14:30:00.123456789Z"


def test_websockets_of_version_1_are_read() -> None:
    """What the original recorded of a WebSocket is an interaction like any other."""
    socket = {
        "type": "WebSocket",
        "url": "ws://h/",
        "messages": [],
        "close_frame": {"code": 1000, "reason": ""},
        "recorded_at": OLD_AT,
    }
    old = {"version": "1.0", "name": "x", "recorded_at": OLD_AT, "interactions": [socket]}
    Path("cassettes").mkdir()
    Path("cassettes/a.json").write_text(json.dumps(old))
    (read,) = CassetteFiles().read("a")
    assert read.websocket is not None


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_replaced_keeps_its_format(format: str) -> None:
    """Whatever the settings say."""
    record(f"a.{format}", exchange(), exchange("https://b.example/"))
    files = CassetteFiles()
    files.write("a", files.take("a")[1:], replace=True)
    assert [each.name for each in Path("cassettes").iterdir()] == [f"a.{format}"]
    assert urls("a") == ["https://b.example/"]


def test_a_new_one_has_the_format_of_its_name_or_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name comes first."""
    monkeypatch.setenv("MAGNETO_FORMAT", "msgpack")
    files = CassetteFiles()
    assert files.write("a", [exchange()]).name == "a.msgpack"
    assert files.write("b.json.gz", [exchange()]).name == "b.json.gz"
    assert files.write("./c", [exchange()]) == Path("c.msgpack").absolute()


def test_another_format_of_an_existing_name_is_the_same_cassette() -> None:
    """It must not exist twice; the older file goes when the new one is complete."""
    record("a", exchange())
    files = CassetteFiles()
    with pytest.raises(ConfigError, match=r"a\.json exists already"):
        files.write("a.msgpack", [])
    files.write("a.msgpack", files.take("a"), replace=True)
    assert [each.name for each in Path("cassettes").iterdir()] == ["a.msgpack"]


def test_a_stable_cassette_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text has what is to be left out."""
    record("a", exchange())
    monkeypatch.setenv("MAGNETO_STABLE", "true")
    files = CassetteFiles()
    files.write("a", files.take("a"), replace=True)
    assert b"192.0.2.1" not in Path("cassettes/a.json").read_bytes()
