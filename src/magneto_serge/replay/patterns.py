"""Patterns that users write: hosts, URLs with places in them, and regular expressions.

* A **URL pattern** is a path (``/users/{id}``), or a whole URL without its query
  (``https://{tenant}.example.com/users/{id}``). ``{name}`` stands for one segment or a part of
  one, ``{name*}`` for any rest, slashes included.
* A **regular expression** is in RE2's syntax and runs in time linear in the text, whatever the
  pattern and however hostile the text: Python's own engine can take hours for 30 characters.
  What RE2 leaves out for that (look-around, backreferences) is refused at the start. It is no
  dependency of its own, since not every platform has a wheel: the extra ``regex`` brings it.

Whatever cannot be compiled is a ConfigError that names the setting, the value and what is
accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Protocol

from magneto_serge.errors import ConfigError


class Regex(Protocol):
    """A compiled regular expression over bytes; what this program asks of one."""

    def search(self, text: bytes) -> object | None:
        """Return something where it matches anywhere in ``text``."""

    def sub(self, replacement: bytes, text: bytes) -> bytes:
        """Return ``text`` with every match replaced."""


_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\*?)\}")
_URL_PATTERNS = "a path such as /users/{id}, or a URL such as https://example.com/users/{id}"


def compile_url_pattern(pattern: str, setting: str) -> re.Pattern[str]:
    """Return an expression for the whole of a path, or of ``scheme://authority/path``.

    It is linear: places cannot be empty, and none of one segment can follow another directly.
    Raises ConfigError.
    """

    def refused(why: str) -> ConfigError:
        return ConfigError(f"{setting}: {pattern!r}: {why}; expected {_URL_PATTERNS}")

    if not pattern.startswith("/") and "://" not in pattern:
        raise refused("it is neither a path nor a URL")
    if "?" in pattern:
        raise refused("a pattern has no query: ignore_query leaves items of that out")
    if re.search(r"\}\{", pattern):
        raise refused("two places touch")
    if pattern.count("*}") > 1:
        raise refused("{name*} may stand in it once")
    expression, end = "", 0
    for place in _PLACE.finditer(pattern):
        expression += re.escape(pattern[end : place.start()])
        expression += ".+" if place[2] else "[^/]+"
        end = place.end()
    rest = pattern[end:]
    if re.search(r"[{}]", _PLACE.sub("", pattern)):
        raise refused("a brace stands alone; a place is {name} or {name*}")
    return re.compile(expression + re.escape(rest), re.DOTALL)


def is_whole_url(pattern: str) -> bool:
    """Tell whether a URL pattern speaks of scheme and authority too."""
    return not pattern.startswith("/")


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


def host_matcher(pattern: str) -> Callable[[str, int], bool]:
    """Return whether a host and a port are those that ``host``, ``host:port`` or ``*.host`` mean.

    In patterns ``*``, ``?`` and ``[...]`` are as in a shell; a literal IPv6 address stands in
    brackets only where a port follows it.
    """
    wanted = _unbracketed(pattern.lower())
    if not any(character in wanted for character in "*?["):
        return lambda host, port: wanted in (host, f"{host}:{port}")
    return lambda host, port: fnmatchcase(host, wanted) or fnmatchcase(f"{host}:{port}", wanted)


def _unbracketed(pattern: str) -> str:
    """Take the brackets off an IPv6 literal: to a shell pattern they would be a set of characters.

    ``[::1]:80`` becomes ``::1:80``, which is how authorities are written here.
    """
    literal, bracket, port = pattern.removeprefix("[").partition("]")
    return literal + port if bracket and pattern[0] == "[" and ":" in literal else pattern
