"""curl and Node, as the processes that they are: one process makes all the calls.

The Node programs are the files in ``node/``; they read the calls as JSON and write what they saw.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .bytestream import parse_field_lines
from .exchange import PATIENCE
from .routes import Call
from .seen import Seen, Way, latin1

NODE = Path(__file__).parent / "node"


def run_curl(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """The curl program: one process, all calls, connections reused as curl likes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        blocks = []
        for number, call in enumerate(calls.values()):
            options = {
                "url": way.base + call.path,
                "output": folder / f"{number}.body",
                "dump-header": folder / f"{number}.head",
                "cacert": way.ca,
                "max-time": int(PATIENCE),
                "proxy": way.proxy or "",
            }
            if call.body is not None:
                (folder / f"{number}.send").write_bytes(call.body)
                options["data-binary"] = f"@{folder / f'{number}.send'}"
            lines = [f'{key} = "{value}"' for key, value in options.items()]
            lines.append("head" if call.method == "HEAD" else f'request = "{call.method}"')
            lines += ["http1.1", "silent", "show-error", "suppress-connect-headers"]
            blocks.append("\n".join(lines))
        run_program(["curl", "--disable", "--config", "-"], "\nnext\n".join(blocks).encode())
        return {
            name: curl_saw(folder / f"{number}.head", folder / f"{number}.body", call)
            for number, (name, call) in enumerate(calls.items())
        }


def curl_saw(head: Path, body: Path, call: Call) -> Seen:
    """Read the files that curl wrote; a trailer section comes after the head in its file."""
    final, _, after = head.read_bytes().partition(b"\r\n\r\n")
    status_line, _, fields = final.partition(b"\r\n")
    _, status, reason = [*status_line.split(b" ", 2), b""][:3]
    lines = parse_field_lines(fields) if fields else []
    trailers = parse_field_lines(after.strip(b"\r\n")) if after.strip(b"\r\n") else []
    data = body.read_bytes() if body.exists() and call.method != "HEAD" else b""
    return Seen.of(int(status), reason, lines, data, trailers)


def run_node(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Node's http and https modules, with CONNECT by hand."""
    return node("https.mjs", calls, way)


def run_fetch(calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Node's fetch, which knows no proxy: ``way.base`` is a reverse proxy."""
    return node("fetch.mjs", calls, way)


def node(script: str, calls: dict[str, Call], way: Way) -> dict[str, Seen]:
    """Run a script that reads the calls as JSON and writes what it saw as JSON."""
    wanted = [[call.method, call.path, encode(call.body)] for call in calls.values()]
    task = {"base": way.base, "proxy": way.proxy, "ca": way.ca.read_text(), "calls": wanted}
    output = run_program(
        ["node", str(NODE / script)],
        json.dumps(task).encode(),
        {"NODE_EXTRA_CA_CERTS": str(way.ca)},
    )
    return {
        name: Seen.of(
            said["status"],
            said["reason"],
            latin1(said["headers"]),
            base64.b64decode(said["body"]),
            latin1(said["trailers"]),
        )
        for name, said in zip(calls, json.loads(output), strict=True)
    }


def encode(body: bytes | None) -> str | None:
    """Return a body in base64 for JSON, or None."""
    return None if body is None else base64.b64encode(body).decode()


def run_program(command: list[str], stdin: bytes, extra: dict[str, str] | None = None) -> bytes:
    """Run a program and return its output; its complaints fail the test."""
    done = subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        input=stdin,
        capture_output=True,
        timeout=3 * PATIENCE,
        env={**os.environ, **(extra or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
