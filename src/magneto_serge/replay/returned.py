"""What a hook has returned, looked at before it is used.

A user's function can put anything into a value of the right type. What would break an exchange
later, in the middle of a write, is found here, and the exchange goes on with what there was.
"""

from __future__ import annotations

import re
from typing import Any

from magneto_serge.messages import FileBody, Headers, Interaction, Request, Response


def changed_by(before: Response, after: Response) -> Response:
    """Return ``before`` where nothing was done to its copy: what was made of it can be kept."""
    same = (
        after.body is before.body
        and after.headers is before.headers
        and after.status == before.status
        and after.reason == before.reason
        and after.trailers is before.trailers
    )
    return before if same else after


def unusable(result: Any) -> str | None:
    """Return why a value cannot be used although it is of the right type; its members may not be.

    A line end in a field would begin another one (RFC 9110 §5.5).
    """
    if isinstance(result, Interaction):
        request: Any = result.request
        if not isinstance(request, Request):
            return f"an interaction whose request is a {type(request).__name__}"
        response: Any = result.response
        if response is not None and not isinstance(response, Response):
            return f"an interaction whose response is a {type(response).__name__}"
        return None if response is None else unusable(response)
    if not isinstance(result, Response):
        return None
    status: Any = result.status
    body: Any = result.body
    reason: Any = result.reason
    sections: tuple[Any, ...] = (result.headers, result.trailers)
    if not isinstance(status, int) or not 100 <= status <= 999:
        return f"a response with the status {status!r}"
    if not isinstance(body, bytes | memoryview | FileBody):
        return f"a response whose body is a {type(body).__name__}, not bytes"
    if not all(isinstance(each, Headers) and all(map(_is_line, each.raw)) for each in sections):
        return "a response with fields that are no Headers of pairs of bytes"
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        return f"a response with the reason {reason!r}"
    return None


_REASON = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_NO_FIELD = re.compile(rb"[\r\n\x00]")


def _is_line(line: Any) -> bool:
    return (
        isinstance(line, tuple)
        and len(line) == 2
        and all(isinstance(each, bytes) and not _NO_FIELD.search(each) for each in line)
        and bool(line[0])
    )
