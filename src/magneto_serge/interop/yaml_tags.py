"""What the objects stand for that other tools let slip into their YAML: data, looked up by name.

A tag such as ``!!python/object/new:_io.BytesIO`` names a class and carries what its instance was
made of. Nothing is made here: a table of the few types that recordings are known to hold says
which part of that is the text, the bytes, the list or the mapping that was meant. The forms of
PyYAML's dumper (``args``, ``kwds``, ``state``, ``listitems``, ``dictitems``) are the ones of
``object.__reduce_ex__``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlunsplit

_PYTHON = "tag:yaml.org,2002:python/"
_STANDARD = "tag:yaml.org,2002:"
_RUBY = ("!ruby/", "!str", "tag:ruby.yaml.org,2002:", "!map:", "!seq:")


def is_known(tag: str) -> bool:
    """Tell whether a tag is one whose data is understood."""
    if tag == "!" or tag.startswith(_RUBY):
        return True
    if tag.startswith(_PYTHON):
        form, _, path = tag.removeprefix(_PYTHON).partition(":")
        return not form.startswith("object") or _type(path) in _MEANINGS
    return tag.startswith(_STANDARD) or tag == "!binary"


def interpreted(tag: str, value: Any) -> Any:
    """Return the data that a tagged list or mapping stands for; as it is where we do not know."""
    if tag == _STANDARD + "set":
        return list(value)
    if tag in (_STANDARD + "omap", _STANDARD + "pairs"):
        return _mapping(value)
    if not tag.startswith(_PYTHON):
        return _of_ruby(value) if tag.startswith(_RUBY) else value
    meaning = _MEANINGS.get(_type(tag.removeprefix(_PYTHON).partition(":")[2]))
    return value if meaning is None else meaning(value)


def _of_ruby(value: Any) -> Any:
    """Return what Psych keeps apart from an object's own variables: hash, array or string."""
    for part in ("elements", "internal", "str"):
        if isinstance(value, dict) and part in value and set(value) <= {part, "ivars"}:
            return value[part]
    return value


def _type(path: str) -> str:
    return path.rpartition(".")[2]


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the scalars in ``value``, in order; bounded because files are."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending.extend(reversed(list(each.values())))
        elif isinstance(each, list):
            pending.extend(reversed(each))
        else:
            yield each


def _first(value: Any) -> Any:
    return next(_leaves(value), None)


def _arguments(value: Any) -> Any:
    """Return what the object was made of, without what says how."""
    if isinstance(value, dict):
        return value.get("args") or value.get("state") or value
    return value


def _joined(value: Any) -> Any:
    """Return the pieces that an iterator would have given, joined; a position is not one."""
    pieces = list(_leaves(_arguments(value)))
    if any(isinstance(each, bytes) for each in pieces):
        return b"".join(each if isinstance(each, bytes) else b"" for each in pieces)
    return "".join(str(each) for each in pieces if each is not None)


def _encoded(value: Any) -> Any:
    """``_codecs.encode`` of text and charset is how bytes used to be written."""
    parts = list(_leaves(_arguments(value)))
    if not parts or not isinstance(parts[0], str):
        return parts[0] if parts else b""
    try:
        return parts[0].encode(str(parts[1]) if len(parts) > 1 else "latin-1")
    except (LookupError, UnicodeEncodeError):
        return parts[0].encode()


def _listed(value: Any) -> Any:
    """``frozenset([...])`` is its one argument; a tuple is the list that it is."""
    value = value.get("listitems", _arguments(value)) if isinstance(value, dict) else value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        return value[0]
    return value


def _mapping(value: Any) -> Any:
    """Return the mapping in what a dictionary or a multi-dictionary was made of."""
    if isinstance(value, dict):
        for part in _HOLDERS:
            if part in value:
                found = _mapping(value[part])
                return _unkeyed(found) if part in ("_store", "_container") else found
        return value
    pairs = _listed(value)
    if isinstance(pairs, list) and len(pairs) == 1 and isinstance(pairs[0], dict):
        return pairs[0]
    if not isinstance(pairs, list):
        return value
    if len(pairs) == 2 and isinstance(pairs[0], str):
        pairs = [pairs]
    made: dict[str, Any] = {}
    for pair in pairs:
        items = next(iter(pair.items())) if isinstance(pair, dict) and pair else pair
        if isinstance(items, list) and len(items) == 3:  # httpx: as sent, in lower case, value
            items = [_first(items[0]), items[2]]
        if isinstance(items, list | tuple) and len(items) == 2:
            held = items[1] if isinstance(items[1], list) else [items[1]]
            name = _name(items[0])
            made[name] = made.get(name, []) + held
    return made


def _name(value: Any) -> str:
    found = _first(value)
    return found.decode("latin-1") if isinstance(found, bytes) else str(found)


def _unkeyed(store: Any) -> Any:
    """``{lower-case name: [name, value, ...]}`` is how case-insensitive ones keep theirs."""
    if not isinstance(store, dict) or not all(isinstance(v, list) and v for v in store.values()):
        return store
    return {str(held[0]): list(_leaves(held[1:])) for held in store.values()}


def _request(value: Any) -> Any:
    """Return VCR.py's own request: its attributes, which once were public."""
    if not isinstance(value, dict):
        return value
    return {name.removeprefix("_"): held for name, held in value.get("state", value).items()}


def _url(value: Any) -> Any:
    """Return a URL that is text, or has its parts in its state (yarl), or in itself (httpx)."""
    parts = list(_leaves(_arguments(value)))
    return parts[0] if len(parts) == 1 else _split_url(value)


def _split_url(value: Any) -> Any:
    parts = [str(each) if each is not None else "" for each in _leaves(_arguments(value))]
    if len(parts) == 7:  # httpx: scheme, userinfo, host, port, path, query, fragment
        authority = parts[2] + (f":{parts[3]}" if parts[3] else "")
        return urlunsplit((parts[0], authority, parts[4], parts[5], parts[6]))
    if len(parts) == 6:  # urllib.parse.ParseResult has parameters of the path as well
        parts[2:4] = [";".join(filter(None, parts[2:4]))]
    return urlunsplit((*parts[:5], *[""] * (5 - len(parts)))) if len(parts) <= 5 else value


_TEXTS = ("istr", "str", "unicode", "bytes", "BytesIO", "StringIO", "InputType")
_NUMBERS = ("int", "long", "float", "Decimal", "HTTPStatus", "codes")
_HOLDERS = ("dictitems", "_store", "_container", "_list", "_headers", "state", "args")
_ITERATORS = ("iter", "listiterator", "list_iterator", "bytes_iterator", "generator", "reversed")
_LISTS = ("tuple", "list", "set", "frozenset", "deque")
_MAPPINGS = (
    "dict", "OrderedDict", "defaultdict", "HeadersDict", "CaseInsensitiveDict", "CIMultiDict",
    "CIMultiDictProxy", "MultiDict", "MultiDictProxy", "HTTPHeaderDict", "HTTPHeaders",
    "HTTPMessage", "Message", "Headers",
)  # fmt: skip

_MEANINGS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_TEXTS, lambda value: _first(_arguments(value))),
    **dict.fromkeys(_NUMBERS, lambda value: _first(_arguments(value))),
    **dict.fromkeys(_ITERATORS, _joined),
    **dict.fromkeys(_LISTS, _listed),
    **dict.fromkeys(_MAPPINGS, _mapping),
    **dict.fromkeys(("SplitResult", "ParseResult", "SplitResultBytes"), _split_url),
    **dict.fromkeys(("encode", "bytearray"), _encoded),
    "URL": _url,
    "Request": _request,
}
