"""Where two bodies differ: by what they say, not by how they were packed.

JSON is compared member by member, and so are streams of it (NDJSON, event streams) and JSON in
another content coding; other text in blocks of lines; what is binary, or in a side file, by its
digest. Of the shape only, JSON keeps its types and members, text is text, binary is binary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from magneto_serge.messages import Body, FileBody, Request, Response, body_size
from magneto_serge.replay.content import Content, content_of, json_view, media_type
from magneto_serge.replay.json_comparison import Difference, json_differences
from magneto_serge.replay.json_paths import Without
from magneto_serge.replay.masking import mask_form, mask_json

_LINES = 2000  # of a text; finding what moved in more takes too long


class BodyRules(msgspec.Struct, frozen=True):
    """``reveal`` shows secrets; ``without`` takes out of JSON what is of no account."""

    reveal: bool = False
    without: Without | None = None
    shape_only: bool = False


def body_differences(
    field: str, recorded: Request | Response, live: Request | Response, rules: BodyRules
) -> Iterator[Difference]:
    """Yield where the bodies of two messages differ; ``field`` is what to call the body."""
    if _is_same(recorded.body, live.body):
        return
    one, other = content_of(recorded.headers, recorded.body), content_of(live.headers, live.body)
    if one.kind == other.kind and one.data and one.data == other.data:
        return  # only the content coding was another one
    views = json_view(recorded.headers, one), json_view(live.headers, other)
    if views[0] is not None and views[1] is not None:
        found = json_differences(
            field,
            views[0],
            views[1],
            reveal=rules.reveal,
            without=rules.without,
            shape_only=rules.shape_only,
        )
        if found is not None:
            yield from found
            return
    kinds = one.kind, other.kind
    if rules.shape_only:
        yield from _kinds(field, recorded.body, live.body, *kinds)
    elif set(kinds) <= {"text", "json", "empty"}:
        texts = _shown(recorded, one, rules), _shown(live, other, rules)
        yield from _lines(field, *texts)
    else:
        yield Difference(field, _summary(recorded.body), _summary(live.body))


def _kinds(field: str, recorded: Body, live: Body, was: str, now: str) -> Iterator[Difference]:
    """A body in a side file is as good as a binary one: nobody reads it."""
    was, now = ("binary" if each == "file" else each for each in (was, now))
    if was != now:
        yield Difference(field, was if recorded else None, now if live else None)


def _shown(message: Request | Response, content: Content, rules: BodyRules) -> str:
    if content.kind == "json":
        text = msgspec.json.format(content.data, indent=2).decode()
        return text if rules.reveal else mask_json(text)
    if not rules.reveal and media_type(message.headers) == "application/x-www-form-urlencoded":
        return mask_form(content.text)
    return content.text


def _is_same(a: Body, b: Body) -> bool:
    if isinstance(a, bytes) and isinstance(b, bytes):
        return a == b
    return body_size(a) == body_size(b) and _sha256(a) == _sha256(b)


def _sha256(body: Body) -> str:
    return body.sha256 if isinstance(body, FileBody) else hashlib.sha256(body).hexdigest()


def _summary(body: Body) -> str | None:
    count = body_size(body)
    return f"{count:,} bytes, sha256 {_sha256(body)[:16]}…" if count else None


def _lines(where: str, a: str, b: str) -> Iterator[Difference]:
    """Yield the blocks of lines that differ, under the number of their first line."""
    if not a or not b or a == b:  # equal: what differs is masked
        yield Difference(where, a or None, b or None)
        return
    mine, theirs = a.splitlines(), b.splitlines()
    if mine == theirs:
        yield Difference(f"{where}, line ends", repr(a[-2:]), repr(b[-2:]))
    elif max(len(mine), len(theirs)) > _LINES:
        yield Difference(where, f"{len(mine):,} lines of text", f"{len(theirs):,} other lines")
    else:
        from difflib import SequenceMatcher

        for kind, start, end, first, last in SequenceMatcher(None, mine, theirs).get_opcodes():
            if kind != "equal":
                place = f"{where}, line {start + 1}"
                yield Difference(place, _block(mine[start:end]), _block(theirs[first:last]))


def _block(lines: list[str]) -> str | None:
    return "\n".join(lines) if lines else None
