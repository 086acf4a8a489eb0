"""What a session's settings make of secrets: the rules, ready to be asked.

Asked is what a request has in common with a recording that was redacted: its *neutral* form, in
which every secret and every placeholder is the same marker. What finds secrets is loaded when a
request comes that may hold one (:mod:`~.scanning`); most do not, and are told by a glance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from magneto_serge.config import Settings
from magneto_serge.messages import Headers, Request

from .bindings import Seen, Value
from .registry import registered_redactors

if TYPE_CHECKING:
    from .finder import Finder
    from .scanning import Scanner


class Given(NamedTuple):
    """What a user has said; see :class:`SecretRules`."""

    headers: tuple[str, ...]
    query: tuple[str, ...]
    fields: tuple[str, ...]
    patterns: tuple[str, ...]
    allow: tuple[str, ...]


class SecretRules:
    """The rules of a session: names, patterns and allowances of the user beside the known ones.

    ``headers``, ``query`` and ``fields`` are names of field lines, of query items, and of members
    of JSON, items of forms and the like; ``patterns`` regular expressions (RE2), of which group 1
    is the secret if there is one; ``allow`` names and values, or ``/patterns/`` of values, that are
    never replaced. Raises ConfigError for one that cannot be used.
    """

    def __init__(
        self,
        *,
        headers: Iterable[str] = (),
        query: Iterable[str] = (),
        fields: Iterable[str] = (),
        patterns: Iterable[str] = (),
        allow: Iterable[str] = (),
    ) -> None:
        self._given = Given(
            tuple(headers), tuple(query), tuple(fields), tuple(patterns), tuple(allow)
        )
        self._functions = registered_redactors()
        self._known: Scanner | None = None
        self._usual = not (any(self._given) or self._functions)
        if not self._usual:
            self._scanner()  # what is wrong with it is said now

    @classmethod
    def of(cls, settings: Settings) -> SecretRules:
        """Return the rules of these settings; raises ConfigError."""
        return cls(
            headers=settings.redact_headers,
            query=settings.redact_query,
            fields=settings.redact_fields,
            patterns=settings.redact_patterns,
            allow=settings.redact_allow,
        )

    @property
    def finder(self) -> Finder:
        """What finds the secrets of a text."""
        return self._scanner().finder

    def scan(self, request: Request) -> Seen:
        """Return what a request has in common with one that was redacted, and its secrets."""
        if not request.body and self.is_plain_target(request.target) and _has_none(request.headers):
            return Seen(request)
        return self._scanner().scan(request)

    def is_plain_target(self, target: str) -> bool:
        """Tell, for the most part of targets, that neither a secret nor a placeholder is there."""
        return (
            self._usual
            and "REDACTED" not in target
            and _plain_target().fullmatch(target) is not None
            and ("?" not in target or _telling().search(target.lower()) is None)
        )

    def credentials(self, headers: Headers) -> tuple[Value, ...]:
        """Return the credentials of a header section, real ones or placeholders."""
        if self._usual and _has_none(headers):
            return ()
        return self._scanner().credentials(headers)

    def credentialed(self, headers: Headers) -> bool:
        """Tell whether a request with these fields is let in by them.

        Cookies count only where their name says that they are a session.
        """
        if self._usual and _has_none(headers):
            return False
        return self._scanner().credentialed(headers)

    def _scanner(self) -> Scanner:
        if self._known is None:
            from .scanning import Scanner

            self._known = Scanner(self._given, self._functions)
        return self._known


_HARMLESS = frozenset(
    (
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"date",
        b"expect",
        b"host",
        b"if-modified-since",
        b"if-none-match",
        b"keep-alive",
        b"origin",
        b"pragma",
        b"proxy-authorization",
        b"proxy-connection",
        b"range",
        b"referer",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"upgrade-insecure-requests",
        b"user-agent",
    )
)
# A path of short segments and items with short values, and if there are items, none of the words in
# the names of secrets (`names.STEMS`).
_TELLING = (
    "pass|pwd|secret|token|key|auth|sess|sid|jwt|sig|hmac|code|state|nonce|ticket|assertion|csrf"
    "|xsrf|cred|cookie|verifier|remember|bearer|saml|connection|pin|otp|cvv|cvc"
)


@cache
def _plain_target() -> re.Pattern[str]:
    return re.compile(
        r"(?:/[A-Za-z0-9_.,~-]{0,14})*+(?:[?&][A-Za-z0-9_.-]{1,20}+=[A-Za-z0-9_.,~-]{0,14})*+"
    )


@cache
def _telling() -> re.Pattern[str]:
    return re.compile(_TELLING)


def _has_none(headers: Headers) -> bool:
    return all(name.lower() in _HARMLESS for name, _ in headers.raw)
