"""A proxy that only pretends: what the commands do with one is written down in ``calls``."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from magneto_serge.config import Settings
from magneto_serge.replay.decisions import Stats
from magneto_serge.replay.misses import Miss, Unplayed
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.verdicts import Verdicts


@dataclass
class PretendedProxy:
    """Has the part of ``MagnetoProxy`` that the command line uses; ``fail`` raises on that call."""

    settings: Settings = field(default_factory=Settings)
    stats: Stats = field(default_factory=Stats)
    misses: list[Miss] = field(default_factory=list)
    unplayed: list[Unplayed] = field(default_factory=list)
    verdicts: Verdicts = field(default_factory=Verdicts)
    calls: list[str] = field(default_factory=list)
    fail: dict[str, Exception] = field(default_factory=dict)
    mode: Mode = Mode.AUTO
    url: str = "http://127.0.0.1:4711"
    port: int = 4711
    on_start: Callable[[], None] = lambda: None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]

    def take(self, settings: Settings) -> None:
        """Pretend to take the port."""
        self._called("take")

    def listen(self, taken: socket.socket | None) -> None:
        """Pretend to go on with the port that was taken."""
        self._called("listen")

    def start(self) -> None:
        """Pretend to accept connections."""
        self._called("start")
        self.on_start()

    def use(self, name: str, mode: Mode) -> None:
        """Pretend to begin a session."""
        self._called("use")
        self.used = (name, mode)

    def stop(self) -> None:
        """Pretend to save."""
        self._called("stop")

    def env(self) -> dict[str, str]:
        """Name the proxy."""
        return {"HTTP_PROXY": self.url}

    def refuse(self, *urls: str) -> None:
        """Pretend to have refused requests for these."""
        for url in urls:
            self.stats.missed += 1
            self.misses.append(Miss("GET", url, "Nothing matches.", "Record it."))
