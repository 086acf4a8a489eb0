"""What `magneto export` writes is run: curl and Python programs, against a real origin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from magneto_serge.interop.outgoing import CLIENTS_OWN
from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.targets import TARGETS
from magneto_serge.messages import Headers, Interaction, Request, Response

from .origin import Origin

NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
TEXT = 'it\'s é\n$HOME `id` \\n "x"'.encode()


def recorded(origin: Origin) -> list[Interaction]:
    """Return exchanges with the origin that are hard to quote."""
    asked = [
        ("GET", "/a?x=1&y='%20'", (("Accept", "*/*"), ("X-Odd", "'\"$HOME`id`;")), b""),
        ("POST", "/a", (("Content-Type", "text/plain"),), TEXT),
        ("PUT", "/a", (("X-Empty", ""),), bytes(range(256))),
        ("DELETE", "/a", (("X-Byte", "caf\xe9"),), b""),
        ("HEAD", "/a", (), b""),
        ("OPTIONS", "/a", (("User-Agent", "us"), ("Cookie", "a=1; b=2")), b""),
        ("POST", "/a", (), b"a=1&b=@file"),
    ]
    return [
        Interaction(
            Request(
                method,
                "http",
                origin.name,
                origin.port,
                target,
                Headers((name.encode(), value.encode("latin-1")) for name, value in fields),
                body,
            ),
            Response(204, "No Content"),
        )
        for method, target, fields, body in asked
    ]


@pytest.mark.parametrize(
    "target", [pytest.param("curl", marks=pytest.mark.needs("curl")), "python-requests", "httpx"]
)
def test_scripts_ask_for_what_was_recorded(target: str, origin: Origin, tmp_path: Path) -> None:
    """Method, target, every field line and the exact body, in the recorded order."""
    held = recorded(origin)
    for each in held:
        origin.on(each.request.target, NOTHING)
    script = tmp_path / "script"
    with script.open("wb") as out:
        TARGETS[target].write(held, out, Remarks())
    command = ["sh"] if target == "curl" else [sys.executable]
    run = subprocess.run([*command, str(script)], capture_output=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    assert len(origin.received) == len(held)
    for each, received in zip(held, origin.received, strict=True):
        request = each.request
        assert (received.method, received.target, received.body) == (
            request.method,
            request.target,
            request.body,
        )
        sent = [(name.lower(), value) for name, value in received.headers]
        for name, value in request.headers.raw:
            assert name.lower() in CLIENTS_OWN or (name.lower(), value) in sent
