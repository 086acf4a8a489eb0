"""The client of the demonstration: curl, or Python's urllib where there is no curl.

Either way it is a program of its own that knows nothing about us; it finds the proxy and the CA
in its environment, as any program under ``magneto record NAME -- COMMAND`` does. What it received
is compared as files: status line, header section and body.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PATIENCE = 20.0  # seconds for everything that the client does at once
DEPTH = 16  # requests that are under way together when it is about speed

# Framing is the connection's affair (RFC 9110 §7.6.1), and each connection frames anew.
_FRAMING = ("connection:", "keep-alive:", "transfer-encoding:", "content-length:")


class Call(NamedTuple):
    """One request; with ``data`` it is a POST of JSON."""

    url: str
    data: str = ""

    @property
    def method(self) -> str:
        """The method that the client will use."""
        return "POST" if self.data else "GET"


class Answer(NamedTuple):
    """What came back, as the client wrote it down; ``head`` without framing fields."""

    head: tuple[str, ...]
    body: bytes

    @property
    def status(self) -> str:
        """The status code, ``-`` where nothing came back."""
        words = self.head[0].split() if self.head else []
        return words[1] if len(words) > 1 else "-"


_URLLIB = """
import http.client, json, pathlib, sys, urllib.error, urllib.request
for number, (url, data) in enumerate(json.load(sys.stdin)):
    request = urllib.request.Request(url, data.encode() or None)
    if data:
        request.add_header("Content-Type", "application/json")
    try:
        answer = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    head = [f"HTTP/1.1 {answer.status} {answer.reason}", *map(": ".join, answer.headers.items())]
    pathlib.Path(f"{number}.head").write_text("\\n".join(head))
    pathlib.Path(f"{number}.body").write_bytes(answer.read())
"""


def program() -> str:
    """Return the name of the client: ``curl`` where there is one."""
    return "curl" if shutil.which("curl") else "Python's urllib"


def fetch(calls: Sequence[Call], environ: Mapping[str, str], folder: Path) -> list[Answer]:
    """Run the client in ``folder`` and return what it got; an empty Answer where it got none."""
    folder.mkdir(parents=True)
    command, text = _by_curl(calls) if shutil.which("curl") else _by_urllib(calls)
    try:
        subprocess.run(
            command,
            input=text.encode(),
            env=dict(environ),
            cwd=folder,
            timeout=PATIENCE,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pass  # what it did not get by now is missing from the answers
    return [_read(folder / str(number)) for number in range(len(calls))]


def _by_curl(calls: Sequence[Call]) -> tuple[list[str], str]:
    blocks = []
    for number, call in enumerate(calls):
        lines = [f"url = {call.url}", f"dump-header = {number}.head", f"output = {number}.body"]
        if call.data:
            escaped = call.data.replace("\\", "\\\\").replace('"', '\\"')
            lines += [f'data = "{escaped}"', 'header = "Content-Type: application/json"']
        # Of a tunnel, the header section wanted is the origin's, not the proxy's to CONNECT.
        blocks.append("\n".join([*lines, "silent", "show-error", "suppress-connect-headers"]))
    return ["curl", "--disable", "--config", "-"], "\nnext\n".join(blocks)


def _by_urllib(calls: Sequence[Call]) -> tuple[list[str], str]:
    import json

    return [sys.executable, "-c", _URLLIB], json.dumps(calls)


def _read(stem: Path) -> Answer:
    head, body = stem.with_suffix(".head"), stem.with_suffix(".body")
    try:
        lines = head.read_text(encoding="latin-1").splitlines()
    except FileNotFoundError:
        return Answer((), b"")
    kept = [line for line in lines if line and not line.lower().startswith(_FRAMING)]
    return Answer(tuple(kept), body.read_bytes() if body.exists() else b"")


_LOOP = """
import re, socket, sys, time
host, port, seconds, depth, request = *sys.argv[1:5], sys.stdin.buffer.read()
def receive(connection, received, size):
    while len(received) < size:
        piece = connection.recv(65536)
        if not piece:
            sys.exit("the connection was closed")
        received += piece
    return received
with socket.create_connection((host, int(port)), 5) as connection:
    connection.sendall(request)
    first = b""
    while b"\\r\\n\\r\\n" not in first:
        first = receive(connection, first, len(first) + 1)
    size = first.index(b"\\r\\n\\r\\n") + 4
    size += int(re.search(rb"(?i)\\ncontent-length: *(\\d+)", first)[1])
    receive(connection, first, size)
    done, started = 0, time.perf_counter()
    while time.perf_counter() < started + float(seconds):
        connection.sendall(request * int(depth))
        receive(connection, b"", size * int(depth))
        done += int(depth)
    print(done / (time.perf_counter() - started))
"""


def requests_per_second(host: str, port: int, url: str, seconds: float) -> float:
    """Ask the proxy at ``host:port`` for ``url`` again and again over one connection.

    ``DEPTH`` requests at a time, from another process, of a response with Content-Length; 0.0 where
    that failed.
    """
    request = f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n"
    try:
        run = subprocess.run(
            [sys.executable, "-c", _LOOP, host, str(port), str(seconds), str(DEPTH)],
            input=request.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 0.0
    return float(run.stdout) if run.returncode == 0 else 0.0


def is_down(port: int) -> bool:
    """Tell whether nothing listens at a loopback port any more."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return True
    return False
