"""stderr while a proxy runs: permanent lines, and on a terminal one live line below them.

One owner, because a log line written through the live line would garble both: whoever has
something to say, log handler included, comes here. Stdout is left to the user's command.

* ``say`` is for what a person may like to know; ``--quiet`` drops it. ``warn`` is never dropped.
* With ``--log-format json`` every permanent line is one JSON object, and there is no live line.
* Colour only on a terminal, and not where ``NO_COLOR`` is set or the terminal is ``dumb``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec

_CLEAR = "\r\x1b[K"
_COLOURS = {"warning": "\x1b[1;33m", "alarm": "\x1b[1;97;41m", "good": "\x1b[32m", "dim": "\x1b[2m"}
_RESET = "\x1b[0m"


def has_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether escape sequences are welcome on ``stream`` (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def json_line(level: str, message: str, when: float, **fields: object) -> str:
    """Return one line of JSON: time (RFC 3339, UTC), level, message, and the fields."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))
    record = {"time": f"{stamp}.{int(when % 1 * 1000):03d}Z", "level": level, "message": message}
    return msgspec.json.encode(record | fields, enc_hook=str).decode()


class Screen:
    """Writes to stderr from any thread; ``terminal`` tells whether there is a live line."""

    def __init__(
        self, *, quiet: bool = False, json: bool = False, stream: TextIO | None = None
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._json = json
        self._live = ""
        self._lock = threading.Lock()
        self.colour = has_colour(self._stream) and not json
        self.terminal = self._stream.isatty() and not json and os.environ.get("TERM") != "dumb"

    def say(self, message: str, **fields: object) -> None:
        """Print what a person may like to know; ``fields`` are for JSON readers."""
        if not self._quiet:
            self.line(self._formatted("info", f"magneto: {message}", message, fields))

    def warn(self, message: str, *, alarm: bool = False, **fields: object) -> None:
        """Print what must not be overlooked; ``alarm`` for what is dangerous."""
        text = self.paint("alarm" if alarm else "warning", f"magneto: {message}")
        self.line(self._formatted("warning", text, message, fields))

    def error(self, message: str) -> None:
        """Print why we are about to end."""
        self.line(self._formatted("error", f"magneto: {message}", message, {}))

    def paint(self, colour: str, text: str) -> str:
        """Return ``text`` in a colour, or as it is where there are none."""
        return f"{_COLOURS[colour]}{text}{_RESET}" if self.colour else text

    def line(self, text: str) -> None:
        """Print a permanent line above the live one."""
        with self._lock:
            live = self._live
            self._write(f"{_CLEAR if live else ''}{text}\n{live}")

    def live(self, text: str) -> None:
        """Replace the live line, cut to the terminal's width; an empty one removes it."""
        if not self.terminal or self._quiet:
            return
        shown = f"{self.paint('good', '●')} {text[: self._width() - 3]}" if text else ""
        with self._lock:
            if shown != self._live:
                self._live = shown
                self._write(_CLEAR + shown)

    def _formatted(self, level: str, text: str, message: str, fields: dict[str, Any]) -> str:
        return json_line(level, message, time.time(), **fields) if self._json else text

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # stderr is closed: nobody listens, and the recording matters more

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80
