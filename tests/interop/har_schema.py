"""HAR 1.2 as a JSON Schema, from the tables of http://www.softwareishard.com/blog/har-12-spec/."""

from __future__ import annotations

from typing import Any

STRING: dict[str, Any] = {"type": "string"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": -1}
TIME: dict[str, Any] = {"type": "number", "minimum": -1}
MOMENT: dict[str, Any] = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT"}


def an_object(*needed: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object; what it has beyond its properties begins with ``_``."""
    return {
        "type": "object",
        "required": list(needed),
        "properties": properties,
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def a_list(of: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": of}


PAIR = an_object("name", "value", name=STRING, value=STRING, comment=STRING)
COOKIE = an_object(
    "name", "value", name=STRING, value=STRING, path=STRING, domain=STRING, expires=STRING,
    httpOnly={"type": "boolean"}, secure={"type": "boolean"}, comment=STRING,
)  # fmt: skip
POSTED = an_object("mimeType", mimeType=STRING, text=STRING, params=a_list(PAIR), comment=STRING)
CONTENT = an_object(
    "size", "mimeType", size=COUNT, compression={"type": "integer"}, mimeType=STRING, text=STRING,
    encoding=STRING, comment=STRING,
)  # fmt: skip
REQUEST = an_object(
    "method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize",
    method=STRING, url={"type": "string", "pattern": "^https?://"}, httpVersion=STRING,
    cookies=a_list(COOKIE), headers=a_list(PAIR), queryString=a_list(PAIR), postData=POSTED,
    headersSize=COUNT, bodySize=COUNT, comment=STRING,
)  # fmt: skip
RESPONSE = an_object(
    "status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL",
    "headersSize", "bodySize",
    status={"type": "integer"}, statusText=STRING, httpVersion=STRING, cookies=a_list(COOKIE),
    headers=a_list(PAIR), content=CONTENT, redirectURL=STRING, headersSize=COUNT, bodySize=COUNT,
    comment=STRING,
)  # fmt: skip
TIMINGS = an_object(
    "send", "wait", "receive", blocked=TIME, dns=TIME, connect=TIME, send=TIME, wait=TIME,
    receive=TIME, ssl=TIME, comment=STRING,
)  # fmt: skip
ENTRY = an_object(
    "startedDateTime", "time", "request", "response", "cache", "timings",
    pageref=STRING, startedDateTime=MOMENT, time={"type": "number", "minimum": 0}, request=REQUEST,
    response=RESPONSE, cache={"type": "object"}, timings=TIMINGS, serverIPAddress=STRING,
    connection=STRING, comment=STRING,
)  # fmt: skip
CREATOR = an_object("name", "version", name=STRING, version=STRING, comment=STRING)
LOG = an_object(
    "version", "creator", "entries", version={"const": "1.2"}, creator=CREATOR, browser=CREATOR,
    pages={"type": "array"}, entries=a_list(ENTRY), comment=STRING,
)  # fmt: skip
HAR = an_object("log", log=LOG)
