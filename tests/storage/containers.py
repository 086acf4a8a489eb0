"""Containers for tests: small ones, as bytes."""

from __future__ import annotations

import io
from pathlib import Path

from magneto_serge.messages import Headers, Interaction
from magneto_serge.storage.container_read import Container
from magneto_serge.storage.container_write import ContainerWriter
from magneto_serge.storage.side_files import SideFiles

from .interactions import exchange

FOLDER = Path("cassettes")
PLACE = FOLDER / "tape.msgpack"


def some(count: int = 5) -> list[Interaction]:
    """Return ordinary interactions, two of each request."""
    fields = Headers.of(("Content-Type", "application/json"), ("Server", "example/1.0"))
    return [
        exchange(f"/{number // 2}", b'{"number": %d, "of": "things"}' % number * 9, fields=fields)
        for number in range(count)
    ]


def contained(*interactions: Interaction, coding: str = "", folder: Path = FOLDER) -> bytes:
    """Return a container that holds ``interactions``; ``coding`` as in ``formats``."""
    out = io.BytesIO()
    files = SideFiles(folder / "tape.bodies", folder / "workshop")
    writer = ContainerWriter(out, coding=coding, name="tape", recorded_at=7.5, files=files)
    for interaction in interactions:
        writer.add(interaction)
    writer.close()
    return out.getvalue()


def opened(data: bytes, path: Path = PLACE) -> Container:
    """Open a container that is in memory."""
    return Container(path, memoryview(data))


def everything(container: Container) -> list[Interaction]:
    """Return all interactions."""
    return [container.interaction_at(number) for number in range(len(container))]
