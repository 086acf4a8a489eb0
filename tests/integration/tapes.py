"""What the library's tests say to a proxy, and what they read in its cassettes."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path


def fetch(url: str, proxy: str | None = None) -> bytes:
    """Get ``url`` with urllib, through ``proxy`` or the one that the environment names."""
    handlers = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
    with urllib.request.build_opener(*handlers).open(url, timeout=10) as response:
        body = response.read()
        assert isinstance(body, bytes)
        return body


def urls_in(path: Path) -> list[str]:
    """Return the URLs recorded in a cassette, by reading it as the JSON that it is."""
    found = []
    for interaction in json.loads(path.read_text())["interactions"]:
        request = interaction["request"]
        found.append(request["url"])
    return found
