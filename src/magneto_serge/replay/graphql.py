"""What a GraphQL request asks for: operation name, document and variables, as a key.

The document is compared token by token: white space, commas and comments between tokens mean
nothing (GraphQL specification, October 2021, §2.1), strings are left as they are. Operations come
in a JSON body, alone or in a list (a batch), in an ``application/graphql`` body, or in the query of
a GET. A persisted query has only the hash of its document, in ``extensions``.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from magneto_serge.messages import Headers

# Possessive, so that no text makes it go back: strings first, since "#" and "," may stand in them.
_TOKEN = re.compile(
    r'"""(?:\\"""|[^"]|"(?!""))*+"""'
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|[_A-Za-z][_0-9A-Za-z]*+"
    r"|-?[0-9][0-9.eE+-]*+"
    r"|\.\.\."
    r"|#[^\n\r]*+"
    r"|[\s,\ufeff]++"
    r"|.",
    re.DOTALL,
)
_IGNORED = tuple("# \t\n\r\f\v,\ufeff\xa0")


def graphql_key(headers: Headers, target: str, body: bytes) -> Hashable | None:
    """Return the operations' key; None where the request is not one of GraphQL.

    ``body`` has no content coding any more. Never raises for what it holds.
    """
    if not body:
        return _operation(dict(parse_qsl(target.partition("?")[2], keep_blank_values=True)))
    essence = (headers.get("content-type") or "").partition(";")[0].strip().lower()
    if essence == "application/graphql":
        return _operation({"query": body.decode(errors="replace")})
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if isinstance(asked, list):
        batch = tuple(_operation(each) for each in asked)
        return None if None in batch or not batch else ("batch", batch)
    return _operation(asked)


def _operation(asked: Any) -> Hashable | None:
    if not isinstance(asked, dict):
        return None
    document, persisted = asked.get("query"), asked.get("extensions")
    if not isinstance(document, str):
        if not persisted:
            return None
        document = ""
    return (
        "graphql",
        asked.get("operationName") or "",
        normalised(document),
        _canonical(asked.get("variables")),
        b"" if document else _canonical(persisted),
    )


def _canonical(value: Any) -> bytes:
    """Return JSON, of a value or of its text (in a query), in one spelling; empty for none."""
    if isinstance(value, str):
        text = value
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return text.encode(errors="surrogatepass")
    return msgspec.json.encode(value, order="deterministic") if value else b""


@lru_cache(maxsize=256)
def normalised(document: str) -> str:
    """Return a document's tokens with one space between them."""
    return " ".join(token for token in _TOKEN.findall(document) if not token.startswith(_IGNORED))
