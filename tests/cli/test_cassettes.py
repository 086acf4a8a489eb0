"""`list` and `show`, on cassettes that were really written."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli.main import cli
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.storage.store import CassetteStore

from .terminal import Terminal

TOKEN = "t0k3n-0123456789-abcdefghij-value"
TYPE = ("Content-Type", "text/plain; charset=utf-8")


def invoke(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, arguments)


def request(target: str, host: str = "a.example") -> Request:
    """Return a GET request."""
    return Request("GET", "https", host, 443, target, Headers.of(("Cookie", f"sid={TOKEN}")))


def record(name: str, *interactions: Interaction, memory_limit: int = 1000) -> None:
    """Write a cassette into ``cassettes``."""
    recorder = CassetteStore(Path("cassettes"), memory_limit=memory_limit).recorder(name)
    for interaction in interactions:
        recorder.record(interaction)
    recorder.finish(replace=True)


@pytest.fixture(autouse=True)
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one cassette of three interactions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    record(
        "github",
        Interaction(
            request(f"/zen?token={TOKEN}"),
            Response(200, "OK", Headers.of(TYPE), b"Keep it simple."),
            started=1748736000.0,
            total_ms=12.5,
        ),
        Interaction(
            request("/login", "b.example"),
            Response(200, "OK", Headers.of(("Content-Type", "application/json")), b'{"ok":true}'),
            started=1748736001.0,
            total_ms=3.14,
        ),
        Interaction(
            request("/down"),
            failure=Failure(FailureKind.REFUSED, "Connection refused"),
            started=1748736002.0,
        ),
    )


def test_list_has_a_line_for_each_cassette() -> None:
    """Name, interactions, size, when, hosts."""
    record("sub/other", Interaction(request("/"), Response(204)))
    header, github, other = invoke("list").output.splitlines()
    assert header.split() == ["NAME", "INTERACTIONS", "SIZE", "RECORDED", "HOSTS"]
    assert github.startswith("github")
    assert github.split()[1] == "3"
    assert github.endswith("2025-06-01 00:00  a.example, b.example")
    assert other.startswith("sub/other")


def test_list_in_json_is_for_programs() -> None:
    """Bytes and UTC."""
    (github,) = json.loads(invoke("list", "--json").output)
    path = Path(github.pop("path"))
    assert path.stat().st_size == github.pop("size")
    assert github == {
        "name": "github",
        "interactions": 3,
        "hosts": ["a.example", "b.example"],
        "recorded": "2025-06-01T00:00:02.000+00:00",
    }


def test_list_of_nothing_says_how_to_begin(tmp_path: Path) -> None:
    """An empty folder, or none, is no error."""
    result = invoke("list", "-d", "nowhere")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "magneto record NAME -- COMMAND" in result.stderr
    assert json.loads(invoke("list", "-d", "nowhere", "--json").stdout) == []


def test_list_shows_the_others_when_one_cannot_be_read() -> None:
    """And exits with 3."""
    Path("cassettes/broken.json").write_text("{")
    result = invoke("list")
    assert result.exit_code == 3
    assert "github" in result.stdout
    assert "broken.json" in result.stderr


def test_the_folder_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for the proxy."""
    Path("cassettes").rename("tapes")
    monkeypatch.setenv("MAGNETO_CASSETTE_DIR", "tapes")
    assert "github" in invoke("list").output


def test_side_files_count_for_the_size() -> None:
    """They are part of the cassette."""
    recorder = CassetteStore(Path("cassettes")).recorder("large")
    body = recorder.open_body()
    body.write(b"x" * 100_000)
    recorder.record(Interaction(request("/"), Response(200, body=body.close())))
    recorder.finish(replace=True)
    (_, large) = json.loads(invoke("list", "--json").output)
    assert large["size"] > 100_000


def test_show_has_a_line_for_each_interaction() -> None:
    """Number, method, URL, status or failure, type, size, time; secrets hidden."""
    assert invoke("show", "github").output.splitlines() == [
        "N  METHOD  URL                                       STATUS   TYPE              SIZE   MS",
        "1  GET     https://a.example/zen?token=t0k3****alue  200      text/plain        15 B   12",
        "2  GET     https://b.example/login                   200      application/json  11 B  3.1",
        "3  GET     https://a.example/down                    refused  -                  0 B  0.0",
    ]


def test_show_in_json_is_for_programs() -> None:
    """A row is an object."""
    rows = json.loads(invoke("show", "github", "--json").output)
    assert rows[2] == {
        "number": 3,
        "method": "GET",
        "url": "https://a.example/down",
        "status": None,
        "failure": "refused",
        "type": None,
        "size": 0,
        "total_ms": 0.0,
    }


def test_show_with_a_number_is_one_interaction_in_full() -> None:
    """With its secrets hidden."""
    result = invoke("show", "github", "1")
    assert result.exit_code == 0
    assert "< HTTP/1.1 200 OK" in result.output
    assert "Keep it simple." in result.output
    assert TOKEN not in result.output


def test_show_reveals_when_asked() -> None:
    """In the table as well."""
    for arguments in ([], ["1"], ["1", "--json"], ["--json"]):
        assert TOKEN in invoke("show", "github", *arguments, "--reveal").output


def test_show_with_a_number_in_json() -> None:
    """One object."""
    value = json.loads(invoke("show", "github", "2", "--json").output)
    assert value["response"]["body"]["json"] == {"ok": True}


@pytest.mark.parametrize("number", ["0", "4"])
def test_a_number_that_is_not_there_is_a_clear_error(number: str) -> None:
    """It says which there are."""
    result = invoke("show", "github", number)
    assert result.exit_code == 2
    assert result.stderr == (
        f"magneto: cassette 'github' has interactions 1 to 3: there is no number {number}\n"
    )


def test_a_cassette_that_is_not_there_names_the_nearest() -> None:
    """Exit status 3."""
    result = invoke("show", "githup")
    assert result.exit_code == 3
    assert "Did you mean 'github'?" in result.stderr


def test_on_a_terminal_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With colour, and JSON with its own."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit):
        cli.main(["show", "github", "2"])
    assert "\x1b[" in terminal.getvalue()
    assert "HTTP/1.1 200 OK" in terminal.getvalue()


def chat(count: int) -> Interaction:
    """Return a WebSocket in which the server says the same so often, and which has not ended."""
    said = WebSocketMessage("server", "text", b'{"price": 1, "token": "%s"}' % TOKEN.encode(), 5.0)
    request = Request("GET", "wss", "ticks.example", 443, "/feed")
    return Interaction(request, Response(101), websocket=Conversation((said,) * count))


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize(("count", "columns"), [(1, None), (1, 80), (9, None), (1000, 80)])
def test_conversation(
    count: int, columns: int | None, colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each message, no wider than the screen, or than a hundred where there is none."""
    record("ticks", chat(count))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    shown: io.StringIO = Terminal() if colour else io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((0, 0)))
    with pytest.raises(SystemExit):
        cli.main(["show", "ticks", "1"])
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue()).splitlines()
    messages = [line for line in lines if "◀──" in line]
    assert len(messages) == count
    assert max(map(len, messages)) <= (columns or 100)
    assert lines[-1].strip() == "still open when the recording ended"
    assert TOKEN not in shown.getvalue()
