"""What holds for every test: an environment without proxies, and skips that say what is missing.

The variables that point programs at a proxy or a CA, that ask for colour, and our own settings,
are taken out of the environment: a developer behind a proxy, and a CI whose log is coloured, run
the same tests as everybody else. Only
``tests/integration`` and ``tests/cli`` may open connections; elsewhere ``connect`` fails the test.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent
MAY_CONNECT = {"integration", "cli"}
TELLS_OF_SURROUNDINGS = {
    "ALL_PROXY",
    "AWS_CA_BUNDLE",
    "CI",
    "CLICOLOR_FORCE",
    "CURL_CA_BUNDLE",
    "DENO_CERT",
    "FORCE_COLOR",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_ENV_PROXY",
    "NO_COLOR",
    "NO_PROXY",
    "PIP_CERT",
    "PY_COLORS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}

# A slow machine is not a bug, and what fails once must fail again: no deadline, no random seed.
hypothesis.settings.register_profile("magneto", deadline=None, derandomize=True)
hypothesis.settings.load_profile("magneto")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take proxies, trust stores, colour and ``MAGNETO_*`` out of the environment."""
    for name in list(os.environ):
        if name.upper() in TELLS_OF_SURROUNDINGS or name.startswith("MAGNETO_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to anything from a folder where tests have no business to."""
    folder = request.path.relative_to(HERE).parts[0]
    if folder in MAY_CONNECT:
        return

    def refuse(_: socket.socket, address: object) -> None:
        pytest.fail(f"{request.node.nodeid} connects to {address!r}: only integration tests may")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``@pytest.mark.needs("node")`` where there is no ``node``, and say so."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                pytest.skip(f"needs {program}, which is not installed here")
