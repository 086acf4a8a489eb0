"""A request seen through the rules of a session: what it has in common with a redacted one.

Pure: it never changes what it is asked about. Apart from ``rules`` because it needs all that finds
secrets, which takes some 30 ms to load, and a proxy starts without.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from magneto_serge.codings import coding_of, decode
from magneto_serge.errors import ConfigError
from magneto_serge.messages import FileBody, Headers, Request
from magneto_serge.replay.patterns import compile_regex

from .bindings import Seen, Value
from .fields import FieldKind, is_credential, is_session_cookie, kind_of_field
from .finder import Allowed, Expression, Finder, Names, includes
from .finds import Find, replaced
from .large import neutral_file
from .names import plain
from .placeholders import MARKER, Look, canonical
from .registry import FindSecrets
from .rules import Given

log = logging.getLogger("magneto_serge")

LARGEST = 64 * 1024 * 1024  # bytes of decoded content that are looked at; a bomb ends here


class Scanner:
    """Looks at requests by the rules of one session; raises ConfigError for a bad rule."""

    def __init__(self, given: Given, functions: tuple[FindSecrets, ...]) -> None:
        names = Names(
            _names(given.headers, "redact_headers"),
            _names(given.query, "redact_query"),
            _names(given.fields, "redact_fields"),
        )
        self._headers = names.headers
        self.finder = Finder(
            names,
            _allowed(given.allow),
            tuple(_expression(each, "redact_patterns") for each in given.patterns),
            functions,
        )

    def scan(self, request: Request) -> Seen:
        """Return what a request has in common with one that was redacted, and its secrets."""
        credentials = self.credentials(request.headers)
        target = request.target.encode(errors="surrogatepass")
        try:
            finds = self.finder.in_target(target)
            content, in_body = self._in_body(request)
        except Exception:
            log.exception("a function that finds secrets failed: this request is taken as it is")
            return Seen(request, credentials, self.credentialed(request.headers))
        neutral = request
        if isinstance(request.body, FileBody):
            body = neutral_file(request.body, request.headers, self.finder)
            if body is not request.body:
                neutral = msgspec.structs.replace(request, body=body)
        if finds:
            told = _neutral(target, finds).decode(errors="surrogatepass")
            neutral = msgspec.structs.replace(neutral, target=told)
        if in_body:
            neutral = msgspec.structs.replace(neutral, body=_neutral(content, in_body))
        values = (*credentials, *_values("target", finds), *_values("body", in_body))
        return Seen(neutral, values, self.credentialed(request.headers))

    def credentials(self, headers: Headers) -> tuple[Value, ...]:
        """Return the credentials of a header section, real ones or placeholders."""
        return tuple(self._credentials(headers))

    def credentialed(self, headers: Headers) -> bool:
        """Tell whether a request with these fields is let in by them.

        Cookies count only where their name says that they are a session.
        """
        for name, value in headers.raw:
            lower = name.lower()
            if value and self._is_credential(lower):
                return True
            if lower == b"cookie" and any(
                is_session_cookie(each.name.removeprefix("cookie ").encode())
                for each in self.finder.in_field(name, value)
            ):
                return True
        return False

    def _is_credential(self, lower: bytes) -> bool:
        if lower.startswith(b"proxy-"):  # what is said to the proxy is not recorded
            return False
        return is_credential(lower) or (
            bool(self._headers) and includes(self._headers, lower.decode("latin-1"))
        )

    def _credentials(self, headers: Headers) -> Iterator[Value]:
        for name, value in headers.raw:
            lower = name.lower()
            cookie = kind_of_field(lower) == FieldKind.COOKIE
            if cookie or self._is_credential(lower):
                yield from _values("header", self.finder.in_field(name, value))

    def _in_body(self, request: Request) -> tuple[bytes, Sequence[Find]]:
        body = request.body
        if not body or isinstance(body, FileBody):
            return b"", ()
        coding = coding_of(request.headers)
        content = body if coding is None else decode(coding, body, LARGEST)
        if content is None:
            content = body
        return content, self.finder.in_body(content)


def _neutral(text: bytes, finds: Iterable[Find]) -> bytes:
    return replaced(text, finds, lambda find: _QUOTED if find.look is Look.NUMBER else MARKER)


_QUOTED = b'"' + MARKER + b'"'


def _values(place: str, finds: Iterable[Find]) -> Iterator[Value]:
    for find in finds:
        text = canonical(find.value).decode(errors="surrogateescape")
        yield Value(f"{place} {find.name}".rstrip(), text)


def _names(given: Iterable[str], setting: str) -> frozenset[str]:
    found = set()
    for name in given:
        spelled = "*".join(plain(part) for part in name.split("*")) if "*" in name else plain(name)
        if not spelled.strip("*_"):
            raise ConfigError(f"{setting}: {name!r} cannot be used; expected a name")
        found.add(spelled)
    return frozenset(found)


def _allowed(given: Iterable[str]) -> Allowed:
    entries = list(given)
    if "" in entries:
        raise ConfigError("redact_allow: '' cannot be used; expected a name, a value or /PATTERN/")
    patterns = [each[1:-1] for each in entries if _is_pattern(each)]
    others = [each for each in entries if not _is_pattern(each)]
    return Allowed(
        frozenset(filter(None, map(plain, others))),
        frozenset(each.encode() for each in others),
        tuple(_expression(each, "redact_allow") for each in patterns),
    )


def _is_pattern(entry: str) -> bool:
    return len(entry) > 2 and entry[0] == entry[-1] == "/"


def _expression(pattern: str, setting: str) -> Expression:
    compiled = compile_regex(pattern, setting)

    def spans(text: bytes) -> Iterator[tuple[int, int]]:
        for found in compiled.finditer(text):
            start, end = found.span(1 if compiled.groups and found.span(1)[0] >= 0 else 0)
            if start < end:
                yield start, end

    return spans
