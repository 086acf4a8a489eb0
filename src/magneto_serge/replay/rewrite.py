"""Small declarative rules that change a message on one of three ways.

==============  ==========================  ===================================================
``to-server``   a request to its origin     not in the cassette: that has what the client said
``to-client``   a response to the client    not in the cassette: that has what the origin said;
                                            replayed responses go the same way
``to-cassette`` what is written             not on the wire
==============  ==========================  ===================================================

A rule has a way, criteria (``conditions``), and what to do; in text, ``WAY [CRITERIA] ACTION``, or
as a table of the configuration file. Rules of one way apply in their order. Matching uses the
request as the client sent it, and so do the criteria, whatever earlier rules have made of it.

Nothing here buffers or sends: head and status are edited at once; for bodies there are
substitutions, and the proxy decides whether it has the whole of one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, TypeVar

import msgspec

from magneto_serge.messages import (
    DEFAULT_PORTS,
    Body,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.replay.conditions import Known, Test
from magneto_serge.replay.edits import FieldEdit, Substitution, new_content, new_target, setting

log = logging.getLogger("magneto_serge")

WAYS = ("to-server", "to-client", "to-cassette")
BODILESS = (204, 205, 304)  # RFC 9110 §6.4.1: a response of these has no content


class Place(NamedTuple):
    """Where a host is mapped to; None: as it was."""

    scheme: str | None
    host: str
    port: int | None
    keep_host: bool = False


class Rule(NamedTuple):
    """One rule, compiled; ``part`` is the message that it is about."""

    way: str
    part: str
    test: Test
    fields: tuple[FieldEdit, ...] = ()
    place: Place | None = None
    path: tuple[Substitution, ...] = ()
    body: tuple[Substitution, ...] = ()
    status: int | None = None


class Outgoing(NamedTuple):
    """A request as it goes to its origin; ``host`` is the value of Host, None: as ever.

    ``body`` is what is to be substituted in its content.
    """

    request: Request
    host: bytes | None
    body: tuple[Substitution, ...]


class Incoming(NamedTuple):
    """A response head as it goes to the client; ``body`` as in :class:`Outgoing`."""

    status: int
    reason: str
    fields: tuple[FieldLine, ...]
    body: tuple[Substitution, ...]


class Rewriter:
    """The rules of one session, by way."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        every = tuple(rules)
        self.to_server, self.to_client, self._to_cassette = (
            tuple(rule for rule in every if rule.way == way) for way in WAYS
        )

    @property
    def for_cassette(self) -> bool:
        """Whether anything is changed in what is written."""
        return bool(self._to_cassette)

    def outgoing(self, request: Request) -> Outgoing | None:
        """Return the request as it is to be sent; None where no rule is about it."""
        rules = _about(self.to_server, Known(request))
        if not rules:
            return None
        changed = _request(request, rules)
        named = _host(changed.headers)
        host = None if named == _host(request.headers) else named
        for rule in rules:
            if host is None and rule.place is not None and not rule.place.keep_host:
                host = changed.authority.encode()
        return Outgoing(changed, host, tuple(s for rule in rules for s in rule.body))

    def request(self, request: Request) -> Request:
        """Return a whole request as it is to be sent."""
        found = self.outgoing(request)
        return request if found is None else _with_body(found.request, found.body, request)

    def incoming(
        self, request: Request, status: int, reason: str, headers: Headers
    ) -> Incoming | None:
        """Return a response's head as it is to be sent; None where no rule is about it."""
        rules = _about(self.to_client, Known(request, status, headers))
        return _head(request, status, reason, headers, rules) if rules else None

    def response(self, request: Request, response: Response) -> Response:
        """Return a whole response as it is to be sent."""
        found = self.incoming(request, response.status, response.reason, response.headers)
        return response if found is None else _whole(response, found, request)

    def interaction(self, interaction: Interaction) -> Interaction:
        """Return an interaction as it is to be written."""
        rules = _about(self._to_cassette, Known.of(interaction))
        request, response = interaction.request, interaction.response
        asked = [rule for rule in rules if rule.part == "request"]
        answered = [rule for rule in rules if rule.part == "response"]
        if asked:
            request = _request(request, asked)
            request = _with_body(request, [s for rule in asked for s in rule.body], request)
        if answered and response is not None:
            original = interaction.request
            head = _head(original, response.status, response.reason, response.headers, answered)
            response = _whole(response, head, original)
        if not rules:
            return interaction
        changed = msgspec.structs.replace(interaction, request=request, response=response)
        if _body_of(response) is not _body_of(interaction.response):
            changed.chunks = ()  # they count bytes that are no longer there
        return changed


def _body_of(response: Response | None) -> Body | None:
    return None if response is None else response.body


def _about(rules: tuple[Rule, ...], known: Known) -> list[Rule]:
    return [rule for rule in rules if rule.test(known)]


def _host(headers: Headers) -> bytes | None:
    return next((value for name, value in headers.raw if name.lower() == b"host"), None)


def _request(request: Request, rules: list[Rule]) -> Request:
    fields, target = request.headers.raw, request.target
    scheme, host, port = request.scheme, request.host, request.port
    for rule in rules:
        for edit in rule.fields:
            fields = edit(fields)
        if rule.path and target != "*":
            changed = new_target(target, rule.path)
            if changed is None:
                log.error("A rewrite rule makes no path of %s: it is left as it is", target)
            target = changed or target
        if rule.place is not None:
            place = rule.place
            default = port if place.scheme is None else DEFAULT_PORTS[place.scheme]
            scheme, host, port = place.scheme or scheme, place.host, place.port or default
    return msgspec.structs.replace(
        request, scheme=scheme, host=host, port=port, target=target, headers=Headers(fields)
    )


def _head(
    request: Request, status: int, reason: str, headers: Headers, rules: list[Rule]
) -> Incoming:
    fields, original = headers.raw, status
    for rule in rules:
        for edit in rule.fields:
            fields = edit(fields)
        if rule.status is not None and rule.status != status:
            status, reason = rule.status, _phrase(rule.status)
    if original in BODILESS and status not in BODILESS and request.method != "HEAD":
        # There is no content, and nothing but its status has said so (RFC 9112 §6.3).
        fields = setting((b"Content-Length", b"0"))(fields)
    substitutions = tuple(s for rule in rules for s in rule.body)
    return Incoming(status, reason, fields, substitutions)


def _whole(response: Response, head: Incoming, request: Request) -> Response:
    changed = msgspec.structs.replace(
        response, status=head.status, reason=head.reason, headers=Headers(head.fields)
    )
    return _with_body(changed, head.body, request)


Message = TypeVar("Message", Request, Response)


def _with_body(
    message: Message, substitutions: Iterable[Substitution], request: Request
) -> Message:
    """Return a message with another body, or as it is where that cannot be looked into."""
    if not message.body or not (substitutions := tuple(substitutions)):
        return message
    if isinstance(message.body, FileBody):
        log.warning("%s %s: the body is too large to be rewritten", request.method, request.url)
        return message
    try:
        found = new_content(message.headers, message.body, substitutions)
    except ValueError as error:
        log.warning("%s %s: the body is not rewritten: %s", request.method, request.url, error)
        return message
    if found is None:
        return message
    return msgspec.structs.replace(message, headers=found[0], body=found[1])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
