"""Files of other tools, written by hand, and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from magneto_serge.interop.kinds import detect, read
from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.source import Source
from magneto_serge.messages import Interaction


class Taken:
    """A file that was read: its kind, its interactions, and the names of its remarks."""

    def __init__(self, path: Path, kind: str | None = None) -> None:
        remarks = Remarks()
        self.kind = kind or detect(Source(path, Remarks())).name
        self.interactions: list[Interaction] = list(read(path, remarks, kind))
        self.remarks = {each.name: times for each, times in remarks.counts.items()}
        self.details = remarks.first

    @property
    def only(self) -> Interaction:
        """The one interaction."""
        assert len(self.interactions) == 1
        return self.interactions[0]


def take(folder: Path, content: str | bytes | Any, *, name: str = "file", kind: str = "") -> Taken:
    """Write a file and read it; what is neither text nor bytes is written as JSON."""
    path = folder / name
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Taken(path, kind or None)
