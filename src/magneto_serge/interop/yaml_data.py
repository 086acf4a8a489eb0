"""YAML as data: text, bytes, lists and mappings, whatever the tags in the file say.

Recordings hold tags that name classes of Python and Ruby (``!!python/object/new:_io.BytesIO``).
Loaders that obey them run code that a file chooses, and loaders that do not refuse the file. Here
the *events* of the parser (libYAML's where there is one) are put together on a stack of our own:

* nothing is ever constructed, imported or called by name; ``yaml_tags`` knows what data the few
  types stand for that recordings have, any other object is the data in it;
* a plain scalar stays the text that it is (:class:`Plain`): ``0123`` as a header value is not 83;
* nothing here recurses, depth is bounded, and what aliases expand to is counted: a file of a few
  kilobytes cannot stand for gigabytes, nor contain itself.

What libYAML refuses and files have all the same (control characters, escaped surrogates, bytes
that are not UTF-8) is read a second time by PyYAML's own parser, with these characters set aside.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Any

from magneto_serge.errors import CassetteError, ConfigError

from .remarks import Remark, Remarks
from .yaml_tags import interpreted, is_known

DEEPEST = 200  # levels; recordings have ten
_ROOM = 16 * 1024 * 1024  # characters that any file may expand to
_EXPANSION = 32  # times its size that a file may expand to, by aliases

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TEXT_TAGS = frozenset(("!", "!str", "!ruby/string", "!ruby/symbol", "!ruby/sym", "!ruby/regexp"))
_STANDARD = "tag:yaml.org,2002:"

# Characters that YAML does not allow raw (YAML 1.1 §4.1); they wait in a private plane.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ASIDE = 0x10F000
_SET_ASIDE = re.compile(f"[{chr(_ASIDE)}-{chr(_ASIDE + 0xFF)}\ud800-\udfff]")


class Plain(str):
    """The text of a scalar that had no quotes: a number, a boolean, or just text."""

    __slots__ = ()


def load(data: bytes, remarks: Remarks) -> Any:
    """Return the first document of ``data``: str, bytes, None, list and dict with str keys.

    Raises CassetteError where it is not YAML or goes beyond the bounds, ConfigError where PyYAML
    is not installed.
    """
    yaml = library()
    limit = max(_ROOM, _EXPANSION * len(data))
    parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    noted = Remarks()
    noted.place = remarks.place
    try:
        return _take(yaml, yaml.parse(data, Loader=parser), limit, noted, remarks)
    except yaml.YAMLError as error:
        refusal = error
    try:
        text = _printable(data, remarks)
        loaded = _take(yaml, yaml.parse(text, Loader=yaml.SafeLoader), limit, Remarks(), remarks)
    except yaml.YAMLError:
        raise CassetteError(f"it is not YAML: {' '.join(str(refusal).split())}") from refusal
    return loaded


def library() -> Any:
    """Return PyYAML; raises ConfigError where it is not installed."""
    try:
        import yaml
    except ImportError as error:
        raise ConfigError(
            "reading and writing YAML needs PyYAML: pip install 'magneto-serge[import]'"
        ) from error
    return yaml


def _take(yaml: Any, events: Iterable[Any], limit: int, noted: Remarks, remarks: Remarks) -> Any:
    """Build the document; remarks of an attempt that fails are not kept."""
    document = _Builder(yaml, limit, noted).build(events)
    remarks.merge(noted)
    return document


def _printable(data: bytes, remarks: Remarks) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        remarks.add(Remark.NOT_UTF8)
        text = data.decode("latin-1")
    return _UNPRINTABLE.sub(lambda found: chr(_ASIDE + ord(found[0])), text)


def _as_it_was(text: str) -> str:
    """Bring back what was set aside; two escaped surrogates are one character."""
    if not _SET_ASIDE.search(text):
        return text
    text = "".join(
        chr(ord(each) - _ASIDE) if _ASIDE <= ord(each) <= _ASIDE + 0xFF else each for each in text
    )
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Frame:
    """A collection that is not complete yet."""

    __slots__ = ("anchor", "before", "is_mapping", "items", "tag")

    def __init__(self, anchor: str | None, tag: str | None, before: int, *, is_mapping: bool):
        self.anchor = anchor
        self.tag = tag
        self.before = before
        self.is_mapping = is_mapping
        self.items: list[Any] = []


class _Builder:
    """Puts events together; ``limit`` is the size in characters that all may expand to."""

    def __init__(self, yaml: Any, limit: int, remarks: Remarks) -> None:
        self._events = yaml.events
        self._limit = limit
        self._remarks = remarks
        self._size = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._result: Any = None

    def build(self, events: Iterable[Any]) -> Any:
        """Return the first document; raises CassetteError beyond the bounds."""
        kinds, done = self._events, False
        for event in events:
            kind = type(event)
            if kind is kinds.ScalarEvent:
                self._scalar(event)
            elif kind is kinds.SequenceStartEvent or kind is kinds.MappingStartEvent:
                self._open(event, is_mapping=kind is kinds.MappingStartEvent)
            elif kind is kinds.SequenceEndEvent or kind is kinds.MappingEndEvent:
                self._close()
            elif kind is kinds.AliasEvent:
                self._alias(event)
            elif kind is kinds.DocumentStartEvent and done:
                self._remarks.add(Remark.DOCUMENTS)
                break
            elif kind is kinds.DocumentEndEvent:
                done = True
        return self._result

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise CassetteError("its aliases expand to far more than the file holds.")

    def _put(self, value: Any) -> None:
        if self._stack:
            self._stack[-1].items.append(value)
        else:
            self._result = value

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        self._grow(1 + len(text))
        value = self._scalar_value(event, _as_it_was(text))
        if event.anchor:
            self._anchors[event.anchor] = (value, 1 + len(text))
        self._put(value)

    def _scalar_value(self, event: Any, text: str) -> Any:
        tag = event.tag
        if tag is None:
            if not event.implicit[0]:
                return text
            return None if text in _NULLS else Plain(text)
        if tag in (_STANDARD + "binary", "!binary", _STANDARD + "python/bytes"):
            return _decoded(text)
        if tag == _STANDARD + "null":
            return None
        if tag.startswith(_STANDARD) and not tag.startswith(_STANDARD + "python/"):
            return text if tag == _STANDARD + "str" else Plain(text)
        if tag not in _TEXT_TAGS and not is_known(tag):
            self._remarks.add(Remark.TAG, tag)
        return text

    def _open(self, event: Any, *, is_mapping: bool) -> None:
        if len(self._stack) >= DEEPEST:
            raise CassetteError(f"it is nested more than {DEEPEST} levels deep.")
        self._grow(1)
        self._stack.append(_Frame(event.anchor, event.tag, self._size, is_mapping=is_mapping))

    def _close(self) -> None:
        frame = self._stack.pop()
        value: Any = _mapping(frame.items) if frame.is_mapping else frame.items
        if frame.tag is not None:
            if not is_known(frame.tag):
                self._remarks.add(Remark.TAG, frame.tag)
            value = interpreted(frame.tag, value)
        if frame.anchor:
            self._anchors[frame.anchor] = (value, 1 + self._size - frame.before)
        self._put(value)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            inside = any(frame.anchor == event.anchor for frame in self._stack)
            why = "contains itself" if inside else "does not exist"
            raise CassetteError(f"it refers to &{event.anchor}, which {why}.")
        value, size = self._anchors[event.anchor]
        self._grow(size)
        self._put(value)


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()))
    except (binascii.Error, ValueError):
        return text.encode()


def _mapping(items: list[Any]) -> dict[str, Any]:
    """Return the mapping of alternating keys and values; of equal keys the last counts."""
    merged: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, Plain) and key == "<<":
            for each in reversed(value if isinstance(value, list) else [value]):
                merged.update(each if isinstance(each, dict) else {})
        else:
            found[_key(key)] = value
    return {**merged, **found} if merged else found


def _key(value: Any) -> str:
    """Return a key as text: files have had objects that stand for text as keys."""
    while isinstance(value, list | dict) and value:
        value = next(iter(value.values() if isinstance(value, dict) else value))
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value) if isinstance(value, str) else ""


def typed(value: Any) -> Any:
    """Return ``value`` with each plain scalar as the number or boolean that YAML 1.1 says it is.

    For documents that were stored *as* YAML instead of as the text of a body.
    """
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    if not isinstance(value, Plain):
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    yaml = library()
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, str(value), (True, False))
    if tag.removeprefix(_STANDARD) not in ("bool", "int", "float"):
        return str(value)
    return loader.construct_object(yaml.ScalarNode(tag, str(value)))
