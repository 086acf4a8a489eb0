"""A proxy that is none: what sessions of the capturing tests think they are reached through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magneto_serge.config import Settings
from magneto_serge.replay.engine import InteractionSink
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.misses import Unplayed
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shelves import Shelves
from magneto_serge.sessions import CassetteSession
from magneto_serge.storage.store import store_of


class PaperDoor:
    """Notes what it is told."""

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 9), ca: Path = Path("ca")) -> None:
        self.address = address
        self.ca_path = ca
        self.expected: list[tuple[int, str, int, str | None]] = []

    def url_for(self, key: str | None) -> str:
        """Name the session."""
        return f"http://{key}:x@{self.address[0]}:{self.address[1]}"

    def env_for(self, key: str | None, environ: Mapping[str, str] | None) -> dict[str, str]:
        """Name the session, and what was there before."""
        return {"HTTP_PROXY": self.url_for(key), "BEFORE": (environ or {}).get("HTTP_PROXY", "")}

    def port_for(self, key: str) -> int:
        """Say the next one."""
        return self.address[1] + 1

    def expect(self, source_port: int, host: str, port: int, key: str | None) -> None:
        """Note it."""
        self.expected.append((source_port, host, port, key))

    def tell_unplayed(self, found: Unplayed) -> None:
        """Nothing is played."""

    def hooks_for(self, settings: Settings) -> Hooks:
        """There are none."""
        return Hooks()

    def shelves(self, *arguments: Any, **options: Any) -> Shelves:
        """Return any others'."""
        return Shelves(*arguments, **options)

    def uncount(self, recorded: int) -> None:
        """Nothing is recorded."""

    def settle(self, sink: InteractionSink) -> None:
        """There is nothing under way."""

    def forget(self, session: CassetteSession) -> None:
        """Nobody is served anyway."""


def session(door: PaperDoor, key: str | None = "key", **settings: object) -> CassetteSession:
    """Return a session without a cassette."""
    chosen = Settings(**settings)  # type: ignore[arg-type]  # what a test says
    return CassetteSession(None, Mode.PASSTHROUGH, chosen, store_of(chosen), door, key)
