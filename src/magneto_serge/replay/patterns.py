"""Patterns of matching that users write: URLs with places in them, and regular expressions.

* A **URL pattern** is a path (``/users/{id}``), or a whole URL without its query
  (``https://{tenant}.example.com/users/{id}``); ``{name}`` is one segment or a part of one, ``*``
  anything, as in every other pattern (``conditions``).
* A **regular expression** is in RE2's syntax and runs in time linear in the text, whatever the
  pattern and however hostile the text: Python's own engine can take hours for 30 characters.
  What RE2 leaves out for that (look-around, backreferences) is refused at the start. It is no
  dependency of its own, since not every platform has a wheel: the extra ``regex`` brings it.

Whatever cannot be compiled is a ConfigError that names the setting, the value and what is
accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from magneto_serge.errors import ConfigError
from magneto_serge.replay.globs import Pattern, pattern


class Match(Protocol):
    """Where an expression matched."""

    def span(self, group: int = 0) -> tuple[int, int]:
        """Return where a group begins and ends; (-1, -1) where it took no part."""


class Regex(Protocol):
    """A compiled regular expression over bytes; what this program asks of one."""

    def search(self, text: bytes) -> object | None:
        """Return something where it matches anywhere in ``text``."""

    def sub(self, replacement: bytes, text: bytes) -> bytes:
        """Return ``text`` with every match replaced."""

    def finditer(self, text: bytes) -> Iterator[Match]:
        """Yield every match, in order; they do not overlap."""

    @property
    def groups(self) -> int:
        """The number of groups."""


_URL_PATTERNS = "a path such as /users/{id}, or a URL such as https://example.com/users/{id}"


def compile_url_pattern(text: str, setting: str) -> Pattern:
    """Return an expression for the whole of a path, or of ``scheme://authority/path``.

    Raises ConfigError.
    """
    if not text.startswith("/") and "://" not in text:
        why = "it is neither a path nor a URL"
    elif "?" in text:
        why = "a pattern has no query: ignore_query leaves items of that out"
    else:
        return pattern(text)
    raise ConfigError(f"{setting}: {text!r}: {why}; expected {_URL_PATTERNS}")


def is_whole_url(text: str) -> bool:
    """Tell whether a URL pattern speaks of scheme and authority too."""
    return not text.startswith("/")


_RE2_MISSING = (
    "{setting} needs RE2, whose regular expressions never take long: "
    "pip install 'magneto-serge[regex]'"
)


def compile_regex(expression: str, setting: str) -> Regex:
    """Return the compiled RE2 expression, over the bytes of UTF-8; raises ConfigError."""
    try:
        import re2
    except ImportError:
        raise ConfigError(_RE2_MISSING.format(setting=setting)) from None
    if not expression:
        raise ConfigError(f"{setting}: an empty regular expression matches everywhere")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(expression.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
        detail = why.decode(errors="replace") or str(error)
        raise ConfigError(
            f"{setting}: {expression!r} is no regular expression ({detail}); expected RE2's syntax,"
            " which is Python's without look-around and backreferences"
        ) from None
    found: Regex = compiled
    return found
