"""A proxy and a client for the tests of what shapes exchanges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from magneto_serge import Cassette, Interaction, MagnetoProxy


@contextmanager
def client_of(proxy: MagnetoProxy, url: str | None = None) -> Iterator[httpx.Client]:
    """A client that goes through the proxy, or through the session whose ``url`` that is."""
    with httpx.Client(proxy=url or proxy.url, verify=proxy.ssl_context(), timeout=20) as client:
        yield client


def interactions(path: Path | None) -> list[Interaction]:
    """Return what was recorded."""
    if path is None:
        return []
    with Cassette.open(path) as cassette:
        return cassette[:]


def targets(path: Path | None) -> list[str]:
    """Return the targets of the requests that were recorded."""
    return [each.request.target for each in interactions(path)]


def edit(path: Path, number: int, **changes: Any) -> None:
    """Change members of an interaction of a JSON cassette, as a person with an editor does."""
    document = json.loads(path.read_text())
    for name, value in changes.items():
        part, _, member = name.rpartition("__")
        interaction = document["interactions"][number - 1]
        (interaction[part] if part else interaction)[member] = value
    path.write_text(json.dumps(document))
