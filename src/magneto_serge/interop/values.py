"""What stands in a parsed document, as the text, numbers, bytes, times and field lines it means.

Documents come from JSON, JSON5 and YAML, and tools are free with types: a status is ``200`` or
``"200"``, a header is a string, a list, a list of pairs or ``"name: value\\r\\n"``. Nothing here
knows a format; everything says what it got where that means nothing (:class:`UnusableError`).
"""

from __future__ import annotations

import binascii
import codecs
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from magneto_serge.errors import CassetteError

from .remarks import Remark, Remarks

RawFields = list[tuple[str | bytes, str | bytes]]


class UnusableError(ValueError):
    """An interaction, or a part of one, that cannot be understood; says why."""


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a mapping, an empty one for nothing; raises UnusableError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnusableError(f"{what} is {_kind(value)}, not a mapping")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """Return ``value`` if it is a list, an empty one for nothing; raises UnusableError."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnusableError(f"{what} is {_kind(value)}, not a list")
    return value


def _kind(value: Any) -> str:
    names = {str: "text", bytes: "bytes", dict: "a mapping", list: "a list", bool: "a boolean"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")


def listed(document: Any, *names: str) -> list[Any]:
    """Return the list that is the document, or stands in it under ``names``.

    Nothing is an empty one. Raises CassetteError where something else is there: the file is of
    another kind than the one that was forced.
    """
    held = document
    for name in names:
        if not isinstance(held, dict) or name not in held:
            raise CassetteError(f"it has no {'.'.join(names)}: it is of another kind.")
        held = held[name]
    if not isinstance(held, list | None):
        raise CassetteError(f"its {'.'.join(names) or 'document'} is {_kind(held)}, not a list.")
    return held or []


def text(value: Any) -> str:
    """Return a scalar as text; nothing is empty, and of a list it is the first."""
    while isinstance(value, list):
        value = value[0] if value else None
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if type(value) is str else str(value)


def integer(value: Any, default: int) -> int:
    """Return a whole number, also one that is text; ``default`` where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.match(r"\s*(-?\d{1,15})\b", text(value))
    return int(found[1]) if found else default


def number(value: Any, default: float = 0.0) -> float:
    """Return a number, also one that is text; ``default`` where it is none or not finite."""
    try:
        found = float(value if isinstance(value, int | float) else text(value))
    except (ValueError, OverflowError):
        return default
    return found if abs(found) < 1e15 else default


# --- times --------------------------------------------------------------------------------------

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ]+0*(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?"
    r"\s*(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)?",
    re.IGNORECASE,
)
LAST_MOMENT = 253_402_300_799.0  # the end of the year 9999
_LONGEST = 1e15  # ms
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def moment(value: Any) -> float:
    """Return seconds since the epoch of an ISO 8601 or RFC 5322 time; 0.0 where it is none.

    A time without a zone is UTC.
    """
    written = text(value).strip()
    found = _TIME.match(written)
    try:
        if found is None:
            when = parsedate_to_datetime(written)
        else:
            when = datetime.fromisoformat(_iso(found))
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def _iso(found: re.Match[str]) -> str:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    zone = (zone or "Z").upper()
    if zone in ("Z", "UTC", "GMT"):
        zone = "+00:00"
    micros = ((fraction or "") + "000000")[:6]
    return f"{year}-{month}-{day}T{int(hour):02}:{minute}:{second}.{micros}{zone}"


def epoch(value: Any) -> float:
    """Return seconds since the epoch that are a number; 0.0 where it is none, or no date."""
    found = number(value)
    return found if 0 <= found <= LAST_MOMENT else 0.0


def duration(value: Any) -> float:
    """Return ms, to the µs, of a duration as Go writes it: ``1m2.5s``, or a number of ns."""
    written = text(value)
    if re.fullmatch(r"\d+", written):
        return round(int(written[:18]) / 1e6, 3)
    total = sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(written))
    return round(min(total, _LONGEST), 3)


# --- bytes --------------------------------------------------------------------------------------

# Ruby's names of charsets that Python does not have: these two mean "just bytes".
_BINARY = frozenset(("ascii-8bit", "binary"))


def encoded(content: str, charset: str, remarks: Remarks) -> bytes:
    """Return text in its charset, in UTF-8 where that is none, unknown or does not fit."""
    name = charset.strip().strip("\"'").lower()
    if name and name not in _BINARY and name not in ("utf-8", "utf8"):
        try:
            codecs.lookup(name)
            return content.encode(name)
        except (LookupError, UnicodeError, ValueError):
            if not content.isascii():
                remarks.add(Remark.CHARSET, charset)
    return utf8(content)


def utf8(content: str) -> bytes:
    """Return text as UTF-8; two escaped surrogates are one character."""
    try:
        return content.encode()
    except UnicodeEncodeError:
        paired = content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return paired.encode("utf-8", "surrogatepass")


def base64_bytes(value: Any) -> bytes:
    """Return what base64 text stands for; raises UnusableError where it is none."""
    try:
        return b64decode("".join(text(value).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableError(f"a body is said to be base64, and is not ({error})") from error


# --- field lines --------------------------------------------------------------------------------


def fields(value: Any) -> RawFields:
    """Return field lines of whatever form headers have in a document; raises UnusableError."""
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return [(name, each) for name, held in value.items() for each in _values(held)]
    if isinstance(value, str):
        return [_line(line) for line in value.splitlines() if line.strip()]
    found: RawFields = []
    for item in sequence(value, "headers"):
        found += _field(item)
    return found


def _field(item: Any) -> Iterator[tuple[str | bytes, str | bytes]]:
    if isinstance(item, str | bytes):
        return iter([_line(item if isinstance(item, str) else item.decode("latin-1"))])
    if isinstance(item, list) and len(item) == 2:
        return ((_name(item[0]), each) for each in _values(item[1]))
    if isinstance(item, dict) and "name" in item:
        return ((_name(item["name"]), each) for each in _values(item.get("value")))
    if isinstance(item, dict):
        return ((name, each) for name, held in item.items() for each in _values(held))
    raise UnusableError(f"a header is {_kind(item)}")


def _name(value: Any) -> str | bytes:
    return value if isinstance(value, bytes) else text(value)


def _line(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _values(value: Any) -> list[str | bytes]:
    if isinstance(value, list):
        return [one for each in value for one in _values(each)]
    if isinstance(value, dict):  # a name with attributes: the value is among them, or they are it
        return _values(value.get("value", list(value.values())))
    return [value if isinstance(value, bytes) else text(value)]
