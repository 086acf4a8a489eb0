"""Rewrite rules on all three ways, with real clients and origins, streams among them."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest

from magneto_serge import ConfigError, Headers, Request, Response
from magneto_serge.messages import FileBody
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.replay.shaping import Shaping

from . import faults
from .conftest import MakeOrigin, MakeProxy
from .exchange import leave_body, read_body
from .origin import Origin
from .routes import head, response
from .shapes import client_of, interactions
from .wire_client import WireClient

JSON = b"Content-Type: application/json"


# --- to the server ------------------------------------------------------------------------------


def test_fields_to_the_server(any_origin: Origin, make_proxy: MakeProxy) -> None:
    """The origin gets what the rules say, the cassette what the client said; replay matches."""
    proxy = make_proxy(
        set_headers=["X-Env: test", "X-Gone:"], rewrite=["to-server path=/echo* add X-More: 1"]
    )
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        for _ in range(3):  # the third head is remembered by its bytes
            seen = client.get(any_origin.url("/echo"), headers={"X-Gone": "1", "X-Env": "mine"})
            fields = dict(seen.json()["headers"])
            assert (fields["X-Env"], fields["X-More"]) == ("test", "1")
            assert "X-Gone" not in fields
    [first, *_] = interactions(proxy.stop_recording())
    assert (first.request.headers["X-Env"], first.request.headers["X-Gone"]) == ("mine", "1")
    assert "X-More" not in first.request.headers
    any_origin.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get(any_origin.url("/echo")).json() == seen.json()


def test_a_host_mapped(make_origin: MakeOrigin, make_proxy: MakeProxy) -> None:
    """Requests reach the other host, over TLS or not, and are recorded under the name asked for."""
    plain, tls = make_origin(), make_origin(tls=True)
    proxy = make_proxy(
        map_hosts=[
            f"api.example.com={plain.url('')}",
            f"secure.example.com={tls.url('')}",
            f"other.example.com={tls.url('')}",
        ]
    )
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        assert client.get("http://api.example.com/json").json() == {"ok": True}
        assert client.get("https://secure.example.com/json").json() == {"ok": True}
        assert client.get("http://other.example.com/json").json() == {"ok": True}
    assert plain.last.values("host") == [plain.authority.encode()]
    found = interactions(proxy.stop_recording())
    assert [each.request.url for each in found] == [
        "http://api.example.com/json",
        "https://secure.example.com/json",
        "http://other.example.com/json",
    ]
    plain.stop()
    tls.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get("https://secure.example.com/json").json() == {"ok": True}


def test_the_host_field_of_a_mapped_host(origin: Origin, make_proxy: MakeProxy) -> None:
    """`keep-host` leaves it as it was."""
    proxy = make_proxy(rewrite=[f"to-server host=api.example.com map {origin.authority} keep-host"])
    with client_of(proxy) as client:
        client.get("http://api.example.com/json")
    assert origin.last.values("host") == [b"api.example.com"]


def test_another_path(origin: Origin, make_proxy: MakeProxy) -> None:
    """The path that the origin sees is another one, the query is the client's."""
    proxy = make_proxy(rewrite=["to-server path /v1/ /"])
    with client_of(proxy) as client:
        assert client.get(origin.url("/v1/echo?a=1")).json()["target"] == "/echo?a=1"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_to_the_server(origin: Origin, make_proxy: MakeProxy, chunked: bool) -> None:
    """It is framed anew, and recorded as the client sent it."""
    origin.on("/in", read_body, response(b"ok"))
    proxy = make_proxy(rewrite=["to-server method=POST body secret hidden-away"])
    proxy.use("tape", "record")
    pieces = [b"a sec", b"ret and a secret"]
    with client_of(proxy) as client:
        for _ in range(2):
            content = iter(pieces) if chunked else b"".join(pieces)
            assert client.post(origin.url("/in"), content=content).text == "ok"
            assert origin.last.body == b"a hidden-away and a hidden-away"
        client.put(origin.url("/in"), content=b"secret")
        assert origin.last.body == b"secret"
    assert interactions(proxy.stop_recording())[0].request.body == b"a secret and a secret"


def test_a_body_that_vanishes(origin: Origin, make_proxy: MakeProxy) -> None:
    """Nothing is left of it: the length says so."""
    origin.on("/in", read_body, response(b"ok"))
    proxy = make_proxy(rewrite=["to-server body all ''"])
    with client_of(proxy) as client:
        assert client.post(origin.url("/in"), content=b"all").text == "ok"
    assert origin.last.values("content-length") == [b"0"]


def test_a_body_too_large_to_be_rewritten(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed on as it came, with a warning."""
    origin.on("/in", read_body, response(b"ok"))
    proxy = make_proxy(rewrite=["to-server body x y"], memory_limit=1000)
    with client_of(proxy) as client:
        client.post(origin.url("/in"), content=b"x" * 5000)
    assert origin.last.body == b"x" * 5000
    assert "the request's body is not rewritten: it is larger than memory_limit" in caplog.text


# --- to the client ------------------------------------------------------------------------------


def test_head_and_status_to_the_client(origin: Origin, make_proxy: MakeProxy) -> None:
    """Forwarded and replayed responses are changed alike; the cassette has the origin's."""
    origin.on("/bad", response(b"sorry", b"Server: x", status=b"503 Busy"))
    proxy = make_proxy(
        rewrite=["to-client status=503 status 200"], set_headers=["to-client: Server:"]
    )
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        first = client.get(origin.url("/bad"))
    [found] = interactions(proxy.stop_recording())
    assert found.response is not None
    assert (found.response.status, found.response.reason) == (503, "Busy")
    assert found.response.headers["Server"] == "x"
    origin.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        for answer in (first, client.get(origin.url("/bad")), client.get(origin.url("/bad"))):
            assert (answer.status_code, answer.reason_phrase, answer.text) == (200, "OK", "sorry")
            assert "Server" not in answer.headers


def test_heads_do_not_wait_for_bodies(origin: Origin, make_proxy: MakeProxy) -> None:
    """A rewritten head goes out as soon as it is there, and the body streams."""
    gate = origin.gate()
    origin.on(
        "/stream",
        head(b"Transfer-Encoding: chunked"),
        b"3\r\none\r\n",
        gate,
        b"3\r\ntwo\r\n0\r\n\r\n",
    )
    proxy = make_proxy(set_headers=["to-client: X-A: b"])
    with client_of(proxy) as client, client.stream("GET", origin.url("/stream")) as answer:
        assert answer.headers["X-A"] == "b"
        pieces = answer.iter_raw()
        assert next(pieces) == b"one"
        gate.open()
        assert b"".join(pieces) == b"two"


@pytest.mark.parametrize("framing", ["length", "chunked", "close", "gzip"])
def test_bodies_to_the_client(origin: Origin, make_proxy: MakeProxy, framing: str) -> None:
    """Whatever frames it, a body is substituted as a whole and framed anew, live and replayed."""
    text = b"a token, and a tok" + b"en"
    chunks = b"9\r\na token, \r\nb\r\nand a token\r\n0\r\nX-T: 1\r\n\r\n"
    scripts = {
        "length": [response(text)],
        "chunked": [head(b"Transfer-Encoding: chunked", b"Trailer: X-T"), chunks],
        "close": [head(b"Connection: close"), text, faults.close],
        "gzip": [response(gzip.compress(text), b"Content-Encoding: gzip")],
    }
    origin.on("/a", *scripts[framing])
    proxy = make_proxy(rewrite=["to-client path=/a body token secret-thing"])
    proxy.use("tape", "record")
    changed = "a secret-thing, and a secret-thing"
    with client_of(proxy) as client:
        for _ in range(2):
            assert client.get(origin.url("/a")).text == changed
        assert client.get(origin.url("/json")).json() == {"ok": True}
    [found, *_] = interactions(proxy.stop_recording())
    assert found.response is not None
    body = found.response.body
    assert isinstance(body, bytes)
    assert (gzip.decompress(body) if framing == "gzip" else body) == text
    origin.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get(origin.url("/a")).text == changed


def test_to_a_client_of_http_1_0(origin: Origin, make_proxy: MakeProxy) -> None:
    """A chunked body that was substituted ends with the connection."""
    origin.on("/a", head(b"Transfer-Encoding: chunked"), b"5\r\ntoken\r\n0\r\n\r\n")
    proxy = make_proxy(rewrite=["to-client body token x"])
    with WireClient((proxy.host, proxy.port)) as wire:
        wire.send(f"GET {origin.url('/a')} HTTP/1.0\r\n\r\n".encode())
        answer = wire.answer()
    assert answer.body == b"x"
    assert not answer.values("transfer-encoding")


def test_a_body_larger_than_memory_limit(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed on as it comes from there on, with a warning; replay does the same."""
    body = b"token" * 2000
    origin.on("/large", response(body))
    origin.on("/chunks", head(b"Transfer-Encoding: chunked"), b"2710\r\n" + body + b"\r\n0\r\n\r\n")
    proxy = make_proxy(rewrite=["to-client body token x"], memory_limit=1000)
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        assert client.get(origin.url("/large")).content == body
        assert client.get(origin.url("/chunks")).content == body
    assert caplog.text.count("the body is not rewritten: it is larger than memory_limit") == 2
    found = interactions(proxy.stop_recording())
    assert all(isinstance(each.response and each.response.body, FileBody) for each in found)
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get(origin.url("/large")).content == body
    assert "too large to be rewritten" in caplog.text


def test_bodies_that_are_left_alone(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """A range, a body in a coding that is none, and the answer to HEAD."""
    origin.on("/range", response(b"token", b"Content-Range: bytes 0-4/9", status=b"206 Partial"))
    origin.on("/lie", response(b"token", b"Content-Encoding: br"))
    proxy = make_proxy(rewrite=["to-client body token x"])
    with client_of(proxy) as client:
        assert client.get(origin.url("/range")).text == "token"
        with client.stream("GET", origin.url("/lie")) as answer:
            assert b"".join(answer.iter_raw()) == b"token"
        assert client.head(origin.url("/json")).headers["Content-Length"] == "12"
    assert "'br' cannot be undone" in caplog.text


def test_an_origin_that_breaks_off(origin: Origin, make_proxy: MakeProxy) -> None:
    """What was held back goes out as it came, and the connection breaks as the origin's did."""
    origin.on("/cut", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ntoken", faults.close)
    proxy = make_proxy(rewrite=["to-client body token x"])
    proxy.use("tape", "record")
    with client_of(proxy) as client, client.stream("GET", origin.url("/cut")) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"token"
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
    [found] = interactions(proxy.stop_recording())
    assert found.failure is not None
    assert found.response is not None
    assert found.response.body == b"token"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_content(origin: Origin, make_proxy: MakeProxy, status: bytes) -> None:
    """It becomes one whose content is empty, and says so; the connection goes on."""
    origin.on("/none", head(status=status))
    proxy = make_proxy(rewrite=["to-client path=/none status 200"])
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        answer = client.get(origin.url("/none"))
        assert (answer.status_code, answer.content) == (200, b"")
        assert client.get(origin.url("/json")).json() == {"ok": True}
    proxy.stop_recording()
    origin.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        answer = client.get(origin.url("/none"))
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "0")
        assert client.get(origin.url("/json")).json() == {"ok": True}


# --- into the cassette --------------------------------------------------------------------------


def test_into_the_cassette(origin: Origin, make_proxy: MakeProxy) -> None:
    """What is written is changed, what is on the wire is not; replay has what was written."""
    origin.on("/v1/a", response(b'{"id": 42}', JSON, b"Set-Cookie: a=b"))
    proxy = make_proxy(
        rewrite=[
            r"to-cassette body s/[0-9]+/0/",
            "to-cassette remove Set-Cookie",
            "to-cassette request map http://api.example.com",
            "to-cassette request path /v1/ /v2/",
            {"on": "to-cassette", "part": "request", "set": {"X-Env": "test"}},
        ]
    )
    proxy.use("tape", "record")
    with client_of(proxy) as client:
        answer = client.get(origin.url("/v1/a"))
        assert answer.json() == {"id": 42}
        assert answer.headers["Set-Cookie"] == "a=b"
    [found] = interactions(proxy.stop_recording())
    assert found.request.url == "http://api.example.com/v2/a"
    assert found.request.headers["X-Env"] == "test"
    assert found.response is not None
    assert found.response.body == b'{"id": 0}'
    assert found.response.headers == Headers.of(
        ("Content-Type", "application/json"), ("Content-Length", "9")
    )
    origin.stop()
    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get("http://api.example.com/v2/a").json() == {"id": 0}


# --- all ways -----------------------------------------------------------------------------------


def test_an_early_answer(origin: Origin, make_proxy: MakeProxy) -> None:
    """An origin that answers before it has read the body is relayed as ever."""
    origin.on("/early", leave_body, response(b"token", b"Connection: close"))
    proxy = make_proxy(rewrite=["to-client body token x"])
    with client_of(proxy) as client:
        assert client.post(origin.url("/early"), content=b"y" * 100).text == "x"


def test_mistakes_at_the_start(make_proxy: MakeProxy) -> None:
    """A proxy with a bad rule is not even made."""
    with pytest.raises(ConfigError, match=re.escape("rewrite 'to-nobody set A: b': ")):
        make_proxy(rewrite=["to-nobody set A: b"])


@pytest.mark.parametrize("format", ["json", "msgpack", "msgpack.zst"])
def test_large_bodies_of_every_format(origin: Origin, make_proxy: MakeProxy, format: str) -> None:
    """What replay would send from where it lies in the cassette can be changed too."""
    body = b"token" * 40_000
    origin.on("/large", response(body))
    recorder = make_proxy(format=format)
    recorder.use("tape", "record")
    with client_of(recorder) as client:
        client.get(origin.url("/large"))
    recorder.stop_recording()
    origin.stop()
    proxy = make_proxy(rewrite=["to-client body token x"])
    seen: list[object] = []

    @proxy.before_replay
    def hook(request: Request, response: Response) -> Response:
        assert isinstance(response.body, bytes)
        seen.append(response.body.count(b"token"))
        return response

    proxy.replay("tape")
    with client_of(proxy) as client:
        assert client.get(origin.url("/large")).content == b"x" * 40_000
    assert seen == [40_000]


def test_a_host_mapped_to_the_proxy_itself(
    origin: Origin, make_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """A reverse proxy that is sent to itself goes to its upstream instead, and says so."""
    proxy = make_proxy(reverse=origin.url(""))
    rules = rewriter([f"to-server map http://localhost:{proxy.port}"])
    proxy.current.replay.shaping = Shaping(Hooks(), rewriter=rules)
    assert httpx.get(f"{proxy.url}/json").json() == {"ok": True}
    assert "is this proxy" in caplog.text
