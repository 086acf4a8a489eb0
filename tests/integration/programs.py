"""The clients that people really use, by name.

Each is told to make the same :data:`~.routes.CALLS` and to say what it saw: redirects are not
followed, bodies are not decoded where the client can be told so.
"""

from __future__ import annotations

import pytest

from .python_programs import run_aiohttp, run_httpx, run_requests, run_urllib, run_urllib3
from .routes import CALLS, Call
from .seen import Program
from .system_programs import run_curl, run_fetch, run_node

FORWARD_PROGRAMS: dict[str, Program] = {
    "curl": run_curl,
    "requests": run_requests,
    "httpx": run_httpx,
    "aiohttp": run_aiohttp,
    "urllib3": run_urllib3,
    "urllib.request": run_urllib,
    "node": run_node,
}

REVERSE_PROGRAMS: dict[str, Program] = {"fetch": run_fetch, "curl": run_curl, "httpx": run_httpx}

SYSTEM_PROGRAMS = {"curl": "curl", "node": "node", "fetch": "node"}


def calls_of(program: Program) -> dict[str, Call]:
    """Return the calls that a program can make.

    Node 20's fetch waits for the content of a 304 that has a Content-Length, until it times out.
    """
    return {name: call for name, call in CALLS.items() if program is not run_fetch or name != "304"}


def parameters(programs: dict[str, Program]) -> list[object]:
    """Return the programs as parameters, skipped where they are not installed."""
    return [
        pytest.param(
            program,
            id=name,
            marks=[pytest.mark.needs(SYSTEM_PROGRAMS[name])] if name in SYSTEM_PROGRAMS else [],
        )
        for name, program in programs.items()
    ]
