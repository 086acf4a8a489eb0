"""Cassettes that were really written, for the commands that look at them and change them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from magneto_serge.cli.main import cli
from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

FOLDER = Path("cassettes")


def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, arguments, input=stdin)


def exchange(
    url: str = "https://a.example/",
    body: bytes = b"",
    *,
    method: str = "GET",
    status: int = 200,
    sent: bytes = b"",
    started: float = 1748736000.0,
    fields: tuple[tuple[str, str], ...] = (),
    asked: tuple[tuple[str, str], ...] = (),
) -> Interaction:
    """Return an interaction with ``https://HOST/PATH``; ``fields`` are of the response."""
    host, _, path = url.removeprefix("https://").partition("/")
    return Interaction(
        Request(method, "https", host, 443, f"/{path}", Headers.of(*asked), sent),
        Response(status, "", Headers.of(*fields), body),
        started=started,
        first_byte_ms=1.0,
        total_ms=2.0,
        peer="192.0.2.1:443",
    )


def record(name: str, *interactions: Interaction, memory_limit: int = 1000) -> Path:
    """Write a cassette into ``cassettes`` and return its path."""
    recorder = CassetteStore(FOLDER, memory_limit=memory_limit).recorder(name)
    for interaction in interactions:
        recorder.record(interaction)
    path = recorder.finish(replace=True)
    assert path is not None
    return path


def load(name: str) -> list[Interaction]:
    """Read a cassette of ``cassettes``."""
    return CassetteStore(FOLDER).load(name, verify=True)


def urls(name: str) -> list[str]:
    """Return what a cassette of ``cassettes`` has been asked, in order."""
    return [each.request.url for each in load(name)]
