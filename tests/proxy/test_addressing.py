"""Which origin a request is for, and how it is addressed there (RFC 9112 §3.2)."""

from __future__ import annotations

import base64

import pytest

from magneto_serge.proxy.addressing import Addressing
from magneto_serge.proxy.dial import Origin
from magneto_serge.wire.events import Framing, RequestReceived

from .stage import Stage
from .traffic import answer, ask, read_answers

ORIGIN = Origin("http", "origin.test", 80)
SECURE = Origin("https", "origin.test", 443)


@pytest.mark.parametrize(
    ("target", "method", "line"),
    [
        ("http://origin.test", "GET", b"GET / HTTP/1.1"),
        ("http://origin.test/a?b=c", "GET", b"GET /a?b=c HTTP/1.1"),
        ("http://origin.test?b=/c", "GET", b"GET /?b=/c HTTP/1.1"),
        ("HTTP://ORIGIN.test/A", "GET", b"GET /A HTTP/1.1"),
        ("http://origin.test", "OPTIONS", b"OPTIONS * HTTP/1.1"),
        ("http://origin.test/", "OPTIONS", b"OPTIONS / HTTP/1.1"),
        ("http://origin.test?b", "OPTIONS", b"OPTIONS /?b HTTP/1.1"),
        ("http://origin.test//a", "GET", b"GET //a HTTP/1.1"),
    ],
)
def test_absolute_form_becomes_origin_form(target: str, method: str, line: bytes) -> None:
    """The origin is asked in origin-form; an empty path in OPTIONS is ``*`` (RFC 9112 §3.2.4)."""
    stage = Stage()
    client = stage.client()
    client.send(ask(target, method=method))
    assert stage.dialer.waiting[0].origin == ORIGIN
    assert stage.answer_dial().take().partition(b"\r\n")[0] == line


@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [("u:p", b"u:p"), ("u", b"u:"), ("u%40h:p%3Aq", b"u@h:p:q"), ("%FF:p", "\ufffd:p".encode())],
)
def test_userinfo_becomes_authorization(userinfo: str, credentials: bytes) -> None:
    """User and password in the target go to the origin as Basic credentials (RFC 9110 §4.2.4)."""
    stage = Stage()
    client = stage.client()
    client.send(ask(f"http://{userinfo}@origin.test/"))
    head = stage.answer_dial().take()
    assert b"Authorization: Basic " + base64.b64encode(credentials) + b"\r\n" in head
    assert b"\r\nHost: origin.test\r\n" in head


def test_userinfo_gives_way_to_authorization() -> None:
    """A client that says both means its own field."""
    stage = Stage()
    client = stage.client()
    client.send(ask("http://u:p@origin.test/", "Authorization: Bearer x"))
    head = stage.answer_dial().take()
    assert head.count(b"Authorization") == 1
    assert b"Bearer x" in head


def test_userinfo_is_forgotten_with_its_request() -> None:
    """The credentials of one request are not sent with the next."""
    stage = Stage()
    client = stage.client()
    client.send(ask("http://u:p@origin.test/"))
    origin = stage.answer_dial()
    origin.send(answer())
    origin.take()
    client.send(ask())
    assert b"Authorization" not in origin.take()


def test_target_names_the_host_to_a_proxy() -> None:
    """In absolute-form the target's authority replaces Host, in its place (RFC 9112 §3.2.2)."""
    stage = Stage()
    client = stage.client()
    client.send(ask("http://origin.test:81/", "X: y", host="liar.test"))
    assert stage.answer_dial().take() == (b"GET / HTTP/1.1\r\nHost: origin.test:81\r\nX: y\r\n\r\n")


def test_client_names_the_host_in_a_tunnel() -> None:
    """In a tunnel the client's Host stands: it may be a virtual host of the one connected to."""
    stage = Stage()
    client = stage.client(Origin("https", "192.0.2.1", 443))
    client.send(ask("/", host="virtual.test"))
    assert b"Host: virtual.test\r\n" in stage.answer_dial().take()


def test_old_client_in_a_tunnel_may_leave_host_out() -> None:
    """An HTTP/1.0 request without Host gets the tunnel's."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(ask("/", host=None, version="HTTP/1.0"))
    assert stage.answer_dial().take() == b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"


def test_asterisk_belongs_to_options() -> None:
    """``*`` names no resource: with any other method it is malformed."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(ask("*"))
    assert read_answers(client.take(), ["GET"])[0].status == 400


def test_absolute_form_in_a_tunnel() -> None:
    """Inside a tunnel absolute-form for the same origin is fine, and names the host."""
    stage = Stage()
    client = stage.client(SECURE)
    client.send(ask("https://origin.test/a", host="liar.test"))
    assert stage.answer_dial().take() == b"GET /a HTTP/1.1\r\nHost: origin.test\r\n\r\n"


def test_reverse_mode_names_its_upstream() -> None:
    """In reverse mode every request goes to the one upstream, under the upstream's name."""
    stage = Stage(reverse=Origin("https", "upstream.test", 8443))
    client = stage.client()
    client.send(ask("/a", host="127.0.0.1:8888"))
    assert stage.dialer.waiting[0].origin == Origin("https", "upstream.test", 8443)
    assert stage.answer_dial().take() == b"GET /a HTTP/1.1\r\nHost: upstream.test:8443\r\n\r\n"


def test_reverse_mode_passes_options_for_the_server() -> None:
    """``OPTIONS *`` to a reverse proxy is for its upstream."""
    stage = Stage(reverse=ORIGIN)
    client = stage.client()
    client.send(ask("*", method="OPTIONS"))
    assert stage.answer_dial().take().startswith(b"OPTIONS * HTTP/1.1\r\n")


TARGETS = [
    "http://origin.test:81/path",
    "http://origin.test:81/a?b=/c",
    "http://origin.test:81",
    "http://origin.test:81?q=/",
    "http://origin.test:811/",
    "http://origin.test/",
    "https://origin.test:81/",
    "http://u:p@origin.test:81/x",
]


@pytest.mark.parametrize("before", TARGETS)
@pytest.mark.parametrize("target", TARGETS)
def test_an_authority_that_came_before_changes_nothing(before: str, target: str) -> None:
    """A target is read the same on a fresh connection and on one that has named an origin."""
    server = Stage().server
    head = RequestReceived("GET", target, "HTTP/1.1", ((b"Host", b"x"),), Framing.NONE, ended=True)
    earlier = RequestReceived("GET", before, "HTTP/1.1", (), Framing.NONE, ended=True)
    fresh, used = (Addressing(server, None, in_tunnel=False) for _ in range(2))
    used.request_of(earlier)
    request, again = fresh.request_of(head), used.request_of(head)
    assert request is not None
    assert again == request
    assert used.destination == fresh.destination
    assert used.host_field(head) == fresh.host_field(head)
    assert used.extra_fields(request) == fresh.extra_fields(request)
