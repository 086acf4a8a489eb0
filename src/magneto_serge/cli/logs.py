"""The log of the proxy, on stderr: text for people, or JSON, one object a line.

Everything logs to ``magneto_serge`` or below it; only the command line gives that logger a
handler (a library must not), and takes it away again when the command ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from .screen import Screen, json_line

LOGGER = "magneto_serge"

# The command says these itself, in its own words and at its own time.
SAID_BY_THE_COMMAND = ("Refused: ", "INSECURE: ", "Drift: ")


class JSONFormatter(logging.Formatter):
    """A record as one line of JSON; a traceback becomes the field ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json_line(record.levelname.lower(), record.getMessage(), record.created, **fields)


class ScreenHandler(logging.Handler):
    """Hands records to the screen, which knows about the live line."""

    def __init__(self, screen: Screen, formatter: logging.Formatter) -> None:
        super().__init__()
        self._screen = screen
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record; what cannot be formatted is logging's own business."""
        try:
            if not record.getMessage().startswith(SAID_BY_THE_COMMAND):
                self._screen.line(self.format(record))
        except Exception:  # noqa: BLE001 - a log line must never break an exchange
            self.handleError(record)


@contextmanager
def logging_to(screen: Screen, *, level: str, log_format: str) -> Iterator[None]:
    """Send our log to ``screen`` from ``level`` (a name such as ``info``) upwards."""
    formatter = (
        JSONFormatter()
        if log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    )
    logger = logging.getLogger(LOGGER)
    handler = ScreenHandler(screen, formatter)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
