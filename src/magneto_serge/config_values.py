"""What each setting accepts: one rule per field of ``Settings``, wherever its value came from.

A rule turns a raw value (from Python, TOML, or the text of an environment variable) into the
field's type, or raises ValueError. Rules look at one value alone; what depends on two settings is
checked in :class:`~magneto_serge.config.Settings`. No I/O: a path may name what does not exist yet.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from .config_matching import (
    UnusableError,
    read_cassettes,
    read_lines,
    read_matchers,
    read_names,
    read_routes,
)
from .config_shaping import read_items, read_paths, read_rules, read_seed
from .errors import ConfigError

MODES = ("auto", "record", "replay", "strict", "hybrid", "passthrough", "verify")
FORMATS = ("json", "msgpack", "json.gz", "json.zst", "msgpack.gz", "msgpack.zst")
FSYNC = ("always", "finish", "never")
STALE = ("warn", "fail", "re-record")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")


_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


class RemoteFolder(NamedTuple):
    """A cassette folder somewhere else: an fsspec ``url``, without a slash at its end.

    It is no path: as one it would lose a slash. As text it shows no credentials.
    """

    url: str

    def __str__(self) -> str:
        return _CREDENTIALS.sub("***@", self.url)


class Rule(NamedTuple):
    """``accepted`` completes "expected ..."; ``convert`` raises ValueError for anything else.

    ``convert(value, textual)``: ``textual`` values come from the environment, always ``str``.
    """

    accepted: str
    convert: Callable[[Any, bool], object]
    optional: bool = False
    secret: bool = False


def _text(value: Any, textual: bool) -> str:
    if not isinstance(value, str) or not value or any(c.isspace() for c in value):
        raise ValueError
    return value


def _path(value: Any, textual: bool) -> Path:
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise ValueError
    return Path(value).expanduser()


def _folder(value: Any, textual: bool) -> Path | RemoteFolder:
    if isinstance(value, RemoteFolder):
        return value
    if not isinstance(value, str) or not _REMOTE.match(value):
        return _path(value, textual)
    if not value.isprintable():
        raise ValueError
    scheme, _, place = value.partition("://")
    return RemoteFolder(f"{scheme.lower()}://{place.rstrip('/')}")


def _flag(value: Any, textual: bool) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if textual and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise ValueError
    return value


def _names(value: Any, textual: bool) -> tuple[str, ...]:
    if textual:
        value = value.replace(",", " ").split()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError
    return tuple(_text(each, textual) for each in value)


def _rules(value: Any, textual: bool) -> tuple[str, ...]:
    """Take rules apart; what a rule may say is checked by whoever compiles it."""
    if isinstance(value, str):
        value = value.split(";") if textual else (value,)
    if not isinstance(value, Iterable):
        raise ValueError
    rules = [each.strip() if isinstance(each, str) else each for each in value]
    if not all(isinstance(each, str) and each.isprintable() for each in rules):
        raise ValueError
    return tuple(filter(None, rules))


def _choice(*words: str) -> Rule:
    def convert(value: Any, textual: bool) -> str:
        if not isinstance(value, str) or value.lower() not in words:
            raise ValueError
        return value.lower()

    return Rule(f"one of {', '.join(words)}", convert)


def _integer(low: int, high: int, note: str = "") -> Rule:
    def convert(value: Any, textual: bool) -> int:
        value = int(value) if textual else value
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return Rule(f"a whole number from {low} to {high}{note}", convert)


def _seconds(*, zero: bool = False) -> Rule:
    def convert(value: Any, textual: bool) -> float:
        value = float(value) if textual else value
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            raise ValueError
        return float(value)

    return Rule(f"a number of seconds, {'0 or more' if zero else 'more than 0'}", convert)


_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(text: str) -> int:
    """Read a size in bytes: ``4194304``, ``4M``, ``4MB`` and ``4MiB`` are the same.

    Raises ValueError for anything else.
    """
    digits = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = digits.lstrip("0123456789")
    number = digits.removesuffix(unit) if unit else digits
    if unit not in _UNITS or not number.isascii():
        raise ValueError(text)
    return int(number) * _UNITS[unit]


_AGE = re.compile(r"(\d{1,6})\s*([hdwy])", re.IGNORECASE)
_AGE_UNITS = {"h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0, "y": 365 * 86_400.0}


def parse_age(text: str) -> float:
    """Read ``12h``, ``90d``, ``6w`` or ``1y`` (of 365 days) as seconds; raises ValueError."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * _AGE_UNITS[found[2].lower()]


def _age(value: Any, textual: bool) -> float:
    value = parse_age(value) if isinstance(value, str) else value
    value = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise ValueError
    return float(value)


def _size(low: int) -> Rule:
    def convert(value: Any, textual: bool) -> int:
        value = parse_size(value) if isinstance(value, str) else value
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ValueError
        return value

    return Rule(f"a size of at least {low} bytes (units k, M and G are understood)", convert)


def _url(schemes: tuple[str, ...], *, userinfo: bool) -> Callable[[Any, bool], str]:
    def convert(value: Any, textual: bool) -> str:
        from urllib.parse import urlsplit

        url = urlsplit(_text(value, textual))
        if url.scheme not in schemes or not url.hostname or url.query or url.fragment:
            raise ValueError
        if url.path not in ("", "/") or ("@" in url.netloc and not userinfo):
            raise ValueError
        _ = url.port  # raises ValueError out of range
        return str(value).removesuffix("/")

    return convert


def _credentials(value: Any, textual: bool) -> str:
    # RFC 7617 §2: the user-id ends at the first colon and must not be empty for us to compare.
    if not isinstance(value, str) or value.find(":") < 1:
        raise ValueError
    return value


_FLAG = Rule("true or false", _flag)
HOSTS = Rule("a list of host names", _names)
_FILE = Rule("the path of a file", _path, optional=True)

RULES: dict[str, Rule] = {
    "host": Rule("a host name or an IP address", _text),
    "port": _integer(0, 65535, " (0 picks a free one)"),
    "workers": _integer(1, 256),
    "cassette_dir": Rule("the path of a folder, or a URL such as s3://BUCKET/FOLDER", _folder),
    "mode": _choice(*MODES),
    "reverse": Rule(
        "a URL of the form http://HOST[:PORT] or https://HOST[:PORT], without a path",
        _url(("http", "https"), userinfo=False),
        optional=True,
    ),
    "reverse_tls": _FLAG,
    "ignore_hosts": HOSTS,
    "upstream_ca": _FILE,
    "insecure": _FLAG,
    "upstream_proxy": Rule(
        "a URL of the form http://[USER:PASSWORD@]HOST[:PORT]",
        _url(("http",), userinfo=True),
        optional=True,
        secret=True,
    ),
    "no_proxy": HOSTS,
    "connect_timeout": _seconds(),
    "idle_timeout": _seconds(),
    "keepalive_timeout": _seconds(),
    "header_timeout": _seconds(),
    "shutdown_timeout": _seconds(zero=True),
    "proxy_auth": Rule("USER:PASSWORD", _credentials, optional=True, secret=True),
    "ca_cert": _FILE,
    "ca_key": _FILE,
    "data_dir": Rule("the path of a folder", _path, optional=True),
    "format": _choice(*FORMATS),
    "fsync": _choice(*FSYNC),
    "stable": _FLAG,
    "exact_bodies": _FLAG,
    "redact": _FLAG,
    "redact_headers": Rule("a list of names of header fields", read_names),
    "redact_query": Rule("a list of names of query items", read_names),
    "redact_fields": Rule("a list of names of members of JSON and items of forms", read_names),
    "redact_patterns": Rule("a list of regular expressions", read_lines),
    "redact_allow": Rule("a list of names, values and /patterns/ of values", read_lines),
    "record_only": Rule('a list of conditions, such as "host=api.* method=GET"', read_items),
    "record_except": Rule('a list of conditions, such as "path=/health"', read_items),
    "record_combine": _choice("all", "any"),
    "scripts": Rule("a list of paths of Python files", read_paths),
    "hooks": Rule("a list of names of installed hooks, or *", _names),
    "templates": _FLAG,
    "template_env": Rule("a list of names of environment variables", _names),
    "template_seed": Rule("a whole number", read_seed, optional=True),
    "map_hosts": Rule("a list of HOST=HOST[:PORT]", read_items),
    "set_headers": Rule("a list of [WAY:] NAME: VALUE", read_items),
    "rewrite": Rule("a list of rules: texts, or tables", read_rules),
    "match_on": Rule(
        "matchers (method, path, ..., headers:NAME) or a preset (strict, default, lenient,"
        " path-only)",
        read_matchers,
    ),
    "ignore_query": Rule("a list of names of query items", read_names),
    "ignore_headers": Rule("a list of names of header fields", read_names),
    "ignore_json_paths": Rule("a list of JSONPath queries", read_lines),
    "url_patterns": Rule("a list of URL patterns such as /users/{id}", read_lines),
    "ignore_url": Rule("a list of regular expressions", read_lines),
    "ignore_body": Rule("a list of regular expressions", read_lines),
    "match_credentials": _choice("presence", "ignore"),
    "routes": Rule("a list of routes", read_routes),
    "ignore_localhost": _FLAG,
    "repeats": _choice("last", "cycle", "refuse"),
    "unplayed": _choice("ignore", "warn", "fail"),
    "cassettes": Rule("tables of settings by the names of cassettes", read_cassettes),
    "memory_limit": _size(0),
    "latency": Rule("a rule such as 'recorded' or 'GET /slow* fixed:200', or a list", _rules),
    "latency_seed": _integer(0, 2**63 - 1),
    "faults": Rule("a rule such as 'GET /pay* 503 20%', or a list of such", _rules),
    "fault_seed": _integer(0, 2**63 - 1),
    "max_connections": _integer(1, 1_000_000),
    "websocket_policy": _choice("ordered", "any-order", "lenient", "timed"),
    "websocket_idle_timeout": _seconds(),
    "max_message_size": _size(1),
    "max_message_fragments": _integer(1, 2**31),
    "max_header_size": _size(1024),
    "log_level": _choice(*LOG_LEVELS),
    "log_format": _choice(*LOG_FORMATS),
    "quiet": _FLAG,
    "port_file": _FILE,
    "play_report": _FILE,
    "max_age": Rule("an age such as 12h, 30d, 6w or 1y", _age, optional=True),
    "stale": _choice(*STALE),
    "verify_headers": Rule("a list of names of header fields", read_names),
    "verify_shape_only": _FLAG,
}


def convert(name: str, value: object, source: str, *, textual: bool = False) -> object:
    """Return ``value`` as the type of setting ``name``; raises ConfigError naming ``source``."""
    rule = RULES[name]
    if rule.optional and (value is None or value == ""):
        return None
    try:
        return rule.convert(value, textual)
    except UnusableError as error:
        raise ConfigError(f"{source}: {error}") from None
    except (ValueError, RuntimeError):  # RuntimeError: expanduser of an unknown user
        shown = "the value given" if rule.secret else repr(value)
        raise ConfigError(f"{source}: {shown} cannot be used; expected {rule.accepted}") from None
