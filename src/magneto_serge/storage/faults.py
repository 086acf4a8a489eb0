"""How a damaged cassette is reported: the file, the place in it, what is wrong, what to do.

Readers raise :class:`FieldError` with the field alone, because they see one interaction at a time;
whoever knows the file and the interaction's number turns it into the CassetteError that a person
meets. Interactions are numbered from 1, as ``magneto show`` numbers them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from magneto_serge.errors import CassetteError

REMEDY = "Correct it there, restore the file from version control, or record the cassette again."

_INTERACTION = re.compile(r"interactions\[(\d+)\]\.?(.*)")
_WRITER = re.compile(r"magneto-serge (\d[\w.+-]{0,30})")
_CODE = re.compile(r"`([^`]*)`")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "datetime": "a date and time",
}

T = TypeVar("T")


class FieldError(Exception):
    """``field`` of the interaction being read cannot be used: ``reason``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def damaged(path: Path, place: str, reason: str, remedy: str = REMEDY) -> CassetteError:
    """Build the error for one place in a cassette file."""
    return CassetteError(f"{path}: {place}: {reason}. {remedy}")


def upgrade(by: str) -> str:
    """Return what to do with a file of a later version; ``by`` is what it says wrote it."""
    found = _WRITER.fullmatch(by)
    if not found:
        return "If a newer Magnéto-Serge wrote it, upgrade: pip install -U magneto-serge."
    return (
        f"Magnéto-Serge {found[1]} wrote it: upgrade to that release or a later one,"
        f" pip install -U 'magneto-serge>={found[1]}'."
    )


def field_damaged(path: Path, index: int, error: FieldError) -> CassetteError:
    """Build the error for a field of the interaction at ``index`` (from 0)."""
    return damaged(path, f"interaction {index + 1}, {error.field}", error.reason)


def decode_json(path: Path, data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode the file ``path``, whose content is ``data``; raises CassetteError at its place."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _shape_damaged(path, str(error)) from error
    except msgspec.DecodeError as error:
        raise _syntax_damaged(path, data, str(error)) from error
    except UnicodeDecodeError as error:
        raise _encoding_damaged(path, data) from error
    except RecursionError as error:
        raise damaged(path, "the whole file", "JSON nested too deeply to read") from error


def _syntax_damaged(path: Path, data: bytes, reason: str) -> CassetteError:
    """Explain bytes that are not JSON; ``reason`` is msgspec's, with its offset."""
    if not data.strip():
        return damaged(path, "line 1", "the file is empty")
    if "truncated" in reason:
        line = _line_and_column(data, len(data))
        return damaged(path, line, "the file is truncated: it ends inside a value")
    found = re.search(r"^JSON is malformed: (.*) \(byte (\d+)\)$", reason)
    if not found:
        return damaged(path, "the whole file", f"not JSON ({reason})")
    return damaged(path, _line_and_column(data, int(found[2])), f"not JSON ({found[1]})")


def _encoding_damaged(path: Path, data: bytes) -> CassetteError:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return damaged(path, _line_and_column(data, error.start), "the file is not UTF-8")
    return damaged(path, "the whole file", "a text in it is not valid Unicode")


def _shape_damaged(path: Path, reason: str) -> CassetteError:
    """Explain JSON of the wrong shape; ``reason`` is msgspec's, with its path."""
    what, found, where = reason.rpartition(" - at `$")
    if not found:
        return damaged(path, "the top level", _in_words(reason))
    where = where.removesuffix("`").removeprefix(".")
    inside = _INTERACTION.fullmatch(where)
    if not inside:
        return damaged(path, where, _in_words(what))
    field = f", {inside[2]}" if inside[2] else ""
    return damaged(path, f"interaction {int(inside[1]) + 1}{field}", _in_words(what))


def _in_words(reason: str) -> str:
    def words(code: re.Match[str]) -> str:
        names = code[1].split(" | ")
        return " or ".join(_WORDS.get(name, f"'{name}'") for name in names)

    return _CODE.sub(words, reason[:1].lower() + reason[1:])


def _line_and_column(data: bytes, offset: int) -> str:
    line = data.count(b"\n", 0, offset) + 1
    column = offset - data.rfind(b"\n", 0, offset)
    return f"line {line}, column {column}"
