"""What is written of an interaction: its secrets replaced, everything else as it was."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.codings import Coding, CodingName, decode, encode
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.replay.secrets import SecretRules
from magneto_serge.replay.secrets.redactor import Redactor, without_proxy_fields

TOKEN = "tok3n-a1B2c3D4e5F6"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"


def exchange(
    target: str = "/",
    asked: tuple[tuple[str, str], ...] = (),
    sent: bytes = b"",
    told: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    **rest: object,
) -> Interaction:
    """Return an exchange."""
    request = Request("POST", "https", "h", 443, target, Headers.of(*asked), sent)
    response = Response(200, "OK", Headers.of(*told), body)
    return Interaction(request, response, **rest)  # type: ignore[arg-type]  # fields of it


@pytest.fixture
def redactor() -> Redactor:
    """The redactor of a new cassette."""
    return Redactor(SecretRules())


def response(interaction: Interaction) -> Response:
    """Return its response."""
    assert interaction.response is not None
    return interaction.response


def test_what_has_no_secret_is_the_same_object(redactor: Redactor) -> None:
    """Nothing is made anew, and asking again is cheap."""
    plain = exchange("/users?page=2", (("Accept", "*/*"),), told=(("Server", "x"),), body=b"{}")
    assert redactor.redact(plain) is plain
    assert redactor.redact(plain) is plain
    assert not redactor.counts


def test_a_flow_that_logs_in_holds_together(redactor: Redactor) -> None:
    """The token that a login gives is the token of every later request, wherever it stands."""
    login = exchange(
        "/login",
        sent=b'{"user":"bob","password":"hunter2"}',
        told=(("Set-Cookie", "sid=abcdefgh12345678; Path=/; HttpOnly"),),
        body=json.dumps({"access_token": JWT, "refresh_token": TOKEN}).encode(),
    )
    use = exchange(
        f"/me/{TOKEN}/x",
        (("Authorization", f"Bearer {JWT}"), ("Cookie", "sid=abcdefgh12345678; lang=en")),
        body=f"hello {TOKEN}".encode(),
    )
    logged = redactor.redact(login)
    used = redactor.redact(use)
    assert logged.request.body == b'{"user":"bob","password":"REDACTED-1"}'
    assert response(logged).headers["set-cookie"] == "sid=REDACTED-2; Path=/; HttpOnly"
    given_token = json.loads(response(logged).body)  # type: ignore[arg-type]  # it is bytes
    assert given_token["refresh_token"] == "REDACTED-4"
    assert used.request.target == "/me/REDACTED-4/x"
    assert used.request.headers["authorization"] == f"Bearer {given_token['access_token']}"
    assert used.request.headers["cookie"] == "sid=REDACTED-2; lang=REDACTED-5"
    assert response(used).body == b"hello REDACTED-4"


def test_what_only_the_response_explains_is_replaced_in_the_request_too(
    redactor: Redactor,
) -> None:
    """Both passes are over the whole exchange."""
    kept = redactor.redact(exchange(f"/{TOKEN}", body=f'{{"access_token":"{TOKEN}"}}'.encode()))
    assert kept.request.target == "/REDACTED-1"


def test_what_was_learned_elsewhere_is_replaced_from_then_on(redactor: Redactor) -> None:
    """Or at once, where somebody lets it learn first."""
    redactor.learn(exchange(body=f'{{"access_token":"{TOKEN}"}}'.encode()))
    assert redactor.redact(exchange(f"/{TOKEN}")).request.target == "/REDACTED-1"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_encoded_bodies_stay_decodable(redactor: Redactor, name: CodingName) -> None:
    """And their length is told as it is now."""
    body = encode(b'{"password":"hunter2"}', Coding(name))
    told = (("Content-Encoding", name), ("Content-Length", str(len(body))))
    kept = response(redactor.redact(exchange(told=told, body=body)))
    assert isinstance(kept.body, bytes)
    assert decode(name, kept.body, 1000) == b'{"password":"REDACTED-1"}'
    assert kept.headers["content-length"] == str(len(kept.body))


def test_the_pieces_of_a_stream_add_up(redactor: Redactor) -> None:
    """An event keeps its piece."""
    events = [b'data: {"id":1}\n\n', b'data: {"access_token":"abc"}\n\n', b"data: end\n\n"]
    chunks = tuple((len(event), 10.0 * number) for number, event in enumerate(events))
    kept = redactor.redact(exchange(body=b"".join(events), chunks=chunks))
    sizes = [size for size, _ in kept.chunks]
    assert sizes == [len(events[0]), len(events[1]) + 7, len(events[2])]
    assert sum(sizes) == len(response(kept).body)  # type: ignore[arg-type]  # it is bytes


def test_other_places_are_redacted_too(redactor: Redactor) -> None:
    """Trailers, interim responses, reasons, failures."""
    redactor.learn(exchange(body=f'{{"access_token":"{TOKEN}"}}'.encode()))
    request = Request("GET", "http", "h", 80, "/", trailers=Headers.of(("X-Api-Key", "k")))
    answer = Response(200, f"OK {TOKEN}", trailers=Headers.of(("X-Note", TOKEN)))
    interim = Response(103, "Early Hints", Headers.of(("Set-Cookie", "a=b")))
    failure = Failure(FailureKind.RESET, f"after {TOKEN}")
    kept = redactor.redact(Interaction(request, answer, failure, (interim,)))
    assert kept.request.trailers["x-api-key"] == "REDACTED-1"
    assert response(kept).reason == "OK REDACTED-2"
    assert response(kept).trailers["x-note"] == "REDACTED-2"
    assert kept.failure == Failure(FailureKind.RESET, "after REDACTED-2")
    assert kept.informational[0].headers["set-cookie"] == "a=REDACTED-3"
    alone = redactor.redact(Interaction(request, failure=failure))
    assert alone.response is None
    assert alone.failure == kept.failure


@pytest.mark.parametrize("place", [0, 1, 77, 128, 299])
def test_one_secret_among_many_messages(place: int, redactor: Redactor) -> None:
    """Messages are looked at together, and a secret is found wherever among them it is."""
    token = b"ghp_" + b"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    said = [WebSocketMessage("server", "text", b"tick %d" % number) for number in range(300)]
    said[place] = WebSocketMessage("server", "text", b"token " + token)
    kept = redactor.redact(exchange(websocket=Conversation(said))).websocket
    assert kept is not None
    changed = [at for at, each in enumerate(kept.messages) if each is not said[at]]
    assert changed == [place]
    assert token not in bytes(kept.messages[place].data)  # type: ignore[arg-type]  # it is small


TEXTS = st.sampled_from(
    (
        b"tick",
        b'{"price": 12.5, "text": "the key is here"}',
        b'{"password": "hunter2hunter2"}',
        b"hunter2hunter2",
        b"user=bob&token=tok3n-a1B2c3D4e5F6",
        b"ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
        b'"password":',
        b'"a value of its own"',
    )
)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=5), max_size=5))
def test_what_is_clean_together_has_nothing_to_be_replaced(groups: list[list[bytes]]) -> None:
    """What was learned from those before counts too."""
    redactor = Redactor(SecretRules())
    for group in groups:
        clean = redactor.is_clean(b"\n".join(group))
        said = [WebSocketMessage("server", "text", data) for data in group]
        kept = redactor.redact(exchange(websocket=Conversation(said))).websocket
        assert kept is not None
        if clean:
            assert list(kept.messages) == said


def test_messages_of_a_websocket_are_redacted(redactor: Redactor) -> None:
    """Text by every rule, binary at its length; fragments add up, a close reason fits."""
    token = b"ghp_" + b"a1B2c3D4e5" * 4
    said = Conversation(
        (
            WebSocketMessage("client", "text", b'{"token":"%s"}' % token, fragments=(5, 52)),
            WebSocketMessage("server", "binary", b"\0" + token),
            WebSocketMessage("server", "text", b"nothing"),
        ),
        WebSocketClose(1000, f"bye {token.decode()}"),
    )
    kept = redactor.redact(exchange(websocket=said)).websocket
    assert kept is not None
    first, second, third = kept.messages
    assert first.data == b'{"token":"ghp_REDACTED-1"}'
    assert sum(first.fragments) == len(first.data)
    assert second.data == b"\0" + b"ghp_REDACTED-1".ljust(len(token), b"-")
    assert third is said.messages[2]
    assert kept.close == WebSocketClose(1000, "bye ghp_REDACTED-1")


def test_media_are_left_alone_but_for_what_was_learned(redactor: Redactor) -> None:
    """Nothing in an image is a name; lengths stay."""
    told = (("Content-Type", "image/png"),)
    image = b'\x89PNG"password":"hunter2"' + TOKEN.encode()
    assert response(redactor.redact(exchange(told=told, body=image))).body == image
    redactor.learn(exchange(body=f'{{"access_token":"{TOKEN}"}}'.encode()))
    kept = response(redactor.redact(exchange(told=told, body=image))).body
    assert isinstance(kept, bytes)
    assert len(kept) == len(image)
    assert TOKEN.encode() not in kept


def test_what_was_said_to_the_proxy_is_no_part_of_it(redactor: Redactor) -> None:
    """RFC 9110 §11.7.2; redacted or not."""
    asked = (("Proxy-Authorization", "Basic eDp5"), ("Proxy-Connection", "close"), ("Accept", "x"))
    plain = exchange(asked=asked)
    assert redactor.redact(plain).request.headers == Headers.of(("Accept", "x"))
    assert without_proxy_fields(plain).request.headers == Headers.of(("Accept", "x"))
    assert without_proxy_fields(exchange()) == exchange()


def test_a_side_file_that_grew_is_measured(redactor: Redactor) -> None:
    """What it was on its way is told by who wrote it."""
    body = FileBody(Path("x"), 120, "0" * 64)
    redactor.streamed(body, 20)
    headers = Headers.of(("Content-Length", "100"))
    chunks = ((50, 0.0), (50, 30.0))
    answer = Interaction(
        exchange().request, Response(200, headers=headers, body=body), chunks=chunks
    )
    kept = redactor.redact(answer)
    assert response(kept).headers["content-length"] == "120"
    assert kept.chunks == ((60, 0.0), (60, 30.0))
    untouched = FileBody(Path("y"), 100, "0" * 64)
    plain = Interaction(exchange().request, Response(200, headers=headers, body=untouched))
    assert redactor.redact(plain) is plain


def test_a_function_of_the_users_that_raises_keeps_the_interaction_from_the_disk() -> None:
    """Nobody knows then what is in it."""
    from magneto_serge.replay.secrets import register_redactor, unregister_redactor

    def broken(text: str) -> list[str]:
        raise RuntimeError("oops")

    register_redactor(broken)
    try:
        redactor = Redactor(SecretRules())
    finally:
        unregister_redactor(broken)
    with pytest.raises(RuntimeError):
        redactor.redact(exchange(body=b"x"))


def test_counts_tell_what_was_replaced(redactor: Redactor) -> None:
    """Also in a field section that comes again and again."""
    for number in range(3):
        redactor.redact(exchange(f"/{number}", (("Authorization", "Bearer x"),)))
    assert redactor.counts == {"credentials": 3}


SECRETS = (
    st.text("ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789_-", min_size=20, max_size=40)
    .filter(lambda text: any(c.isdigit() for c in text) and any(c.isalpha() for c in text))
    .filter(lambda text: len(set(text)) > 8 and "REDACTED" not in text)
)
PLACES = st.lists(
    st.sampled_from(
        [
            "bearer",
            "basic",
            "cookie",
            "set-cookie",
            "key",
            "query",
            "userinfo",
            "form",
            "json",
            "escaped",
            "xml",
            "multipart",
            "gzip",
            "message",
            "trailer",
            "path",
            "reason",
            "text",
        ]
    ),
    min_size=1,
    max_size=6,
)


def placed(place: str, secret: str) -> Interaction:
    """Return an exchange with the secret in one place; some give it away, some do not."""
    data = secret.encode()
    match place:
        case "bearer":
            return exchange(asked=(("Authorization", f"Bearer {secret}"),))
        case "basic":
            pair = b64encode(b"bob:" + data).decode()
            return exchange(asked=(("Authorization", f"Basic {pair}"),))
        case "cookie":
            return exchange(asked=(("Cookie", f"a=b; sid={secret}"),))
        case "set-cookie":
            return exchange(told=(("Set-Cookie", f"sid={secret}; Path=/"),))
        case "key":
            return exchange(asked=(("X-Api-Key", secret),))
        case "query":
            return exchange(f"/?page=1&api_key={secret}")
        case "userinfo":
            return exchange(told=(("Location", f"https://bob:{secret}@h/"),))
        case "form":
            return exchange(sent=b"user=bob&password=" + data)
        case "json":
            return exchange(body=b'{"a":[{"client_secret":"%s"}]}' % data)
        case "escaped":
            return exchange(body=json.dumps({"x": json.dumps({"password": secret})}).encode())
        case "xml":
            return exchange(body=b"<a><Password>%s</Password></a>" % data)
        case "multipart":
            return exchange(sent=b'--b\r\nX: y; name="password"\r\n\r\n%s\r\n--b--' % data)
        case "gzip":
            told = (("Content-Encoding", "gzip"),)
            return exchange(told=told, body=gzip.compress(b'{"password":"%s"}' % data))
        case "message":
            said = WebSocketMessage("client", "text", b'{"password":"%s"}' % data)
            return exchange(websocket=Conversation((said,)))
        case "trailer":
            request = Request(
                "GET", "http", "h", 80, "/", trailers=Headers.of(("X-Api-Key", secret))
            )
            return Interaction(request)
        case "path":
            return exchange(f"/a/x{secret}y/b")
        case "reason":
            return Interaction(exchange().request, Response(200, f"OK {secret}"))
        case _:
            return exchange(body=b"it is %s!" % data)


def everything(interaction: Interaction) -> bytes:
    """Return all that an interaction says, decoded."""
    found: list[bytes] = [interaction.request.target.encode()]

    def section(headers: Headers) -> list[FieldLine]:
        return [*headers.raw]

    for message in (interaction.request, interaction.response):
        if message is None:
            continue
        for name, value in section(message.headers) + section(message.trailers):
            found += [name, value]
            if value.startswith(b"Basic "):
                found.append(b64decode(value[6:]))
        body = message.body
        assert isinstance(body, bytes)
        found.append(gzip.decompress(body) if "content-encoding" in message.headers else body)
        if isinstance(message, Response):
            found.append(message.reason.encode())
    if interaction.websocket is not None:
        found += [said.data for said in interaction.websocket.messages if type(said.data) is bytes]
    return b"\n".join(found)


@settings(max_examples=150, deadline=None)
@given(
    secret=SECRETS,
    first=st.sampled_from(["bearer", "json", "query", "form", "key", "gzip"]),
    places=PLACES,
)
def test_a_secret_that_was_seen_once_occurs_nowhere(
    secret: str, first: str, places: list[str]
) -> None:
    """Whatever it is, wherever it gives itself away, wherever else it stands."""
    redactor = Redactor(SecretRules())
    written = [redactor.redact(placed(place, secret)) for place in (first, *places)]
    assert not any(secret.encode() in everything(each) for each in written)
    again = Redactor(SecretRules())
    assert [again.redact(each) for each in written] == written


@settings(max_examples=60, deadline=None)
@given(one=SECRETS, other=SECRETS, place=st.sampled_from(["query", "form", "json", "escaped"]))
def test_two_secrets_stay_two(one: str, other: str, place: str) -> None:
    """Redaction never makes equal what was not, and each is found again by its own secret."""
    rules = SecretRules()
    redactor = Redactor(rules)
    mine, theirs = (redactor.redact(placed(place, secret)) for secret in (one, other))
    assert (mine.request == theirs.request and mine.response == theirs.response) == (one == other)
    asked = placed(place, one).request
    assert rules.scan(asked).neutral == rules.scan(mine.request).neutral


def unread(redactor: Redactor, *group: Interaction) -> list[Interaction]:
    """Return what becomes of a group for which one look is enough."""
    redacted = redactor.glance(group)
    assert redacted is not None
    return redacted


def test_a_group_is_redacted_with_one_look(redactor: Redactor) -> None:
    """Interactions without secrets but in known field lines become what they become one by one."""
    told = (("Server", "x"),)
    credentials = (("Authorization", f"Bearer {JWT}"),)
    first = redactor.redact(exchange("/1", credentials, told=told))
    redactor.redact(exchange("/2", told=told))
    group = [exchange("/3", credentials, told=told, body=b"{}"), exchange("/4", told=told)]
    redacted = unread(redactor, *group)
    assert redacted[0].request.headers == first.request.headers
    assert redacted[1] is group[1]
    assert redactor.counts["credentials"] == 2


@pytest.mark.parametrize(
    "odd",
    [
        exchange(f"/?token={TOKEN}"),
        exchange(sent=b'{"password":"hunter2"}'),
        exchange(body=b'{"password":"hunter2"}'),
        exchange(told=(("Set-Cookie", "sid=abcdefgh12345678"), ("X-Id", "1"))),
        exchange(told=(("Location", f"/?token={TOKEN}"), ("X-Id", "1"))),
        exchange(told=(("X-Acme-Key", "a8Kx92LmQ0pZ7tYvBn41"), ("X-Id", "1"))),
        exchange(told=(("X-Long", "x" * 5000),)),
        exchange(told=(("Content-Type", "image/png"), ("X-Id", "1")), body=b"x"),
        exchange(body=b"a\0b"),
        exchange(body=b"x" * 70_000),
        exchange(f"/me/{TOKEN}"),
        exchange(told=(("X-Id", f"of {TOKEN}"),)),
        exchange(failure=Failure(FailureKind.TRUNCATED, "x")),
    ],
    ids=repr,
)
def test_a_group_with_something_odd_is_read_one_by_one(
    redactor: Redactor, odd: Interaction
) -> None:
    """Whatever one look cannot settle is not settled for any of the group."""
    redactor.redact(exchange(sent=json.dumps({"access_token": TOKEN}).encode()))
    redactor.redact(exchange("/plain"))
    assert redactor.glance([exchange("/plain")]) is not None
    assert redactor.glance([exchange("/plain"), odd]) is None


def test_new_field_lines_of_a_group_are_looked_at_as_texts(redactor: Redactor) -> None:
    """Field sections that are new each time cost no look of their own for each of their lines."""
    redactor.redact(exchange("/"))
    group = [
        exchange("/", told=(("ETag", f'"{number:032x}"'), ("X-Request-Id", f"{number}")))
        for number in range(3)
    ]
    assert unread(redactor, *group) == group


def test_what_is_for_the_proxy_goes_from_new_sections_too(redactor: Redactor) -> None:
    """A request whose field section comes for the first time is written without them."""
    redactor.redact(exchange("/"))
    asked = (("Proxy-Connection", "keep-alive"), ("Traceparent", "00-1"))
    (redacted,) = unread(redactor, exchange("/", asked))
    assert list(redacted.request.headers) == [("Traceparent", "00-1")]


_PARTS = st.sampled_from(
    [
        exchange("/1"),
        exchange("/2", told=(("ETag", "1"),)),
        exchange(f"/3/{TOKEN}"),
        exchange("/4", (("Authorization", f"Bearer {TOKEN}"),)),
        exchange("/5", body=json.dumps({"access_token": TOKEN}).encode()),
        exchange("/6", told=(("X-Id", TOKEN), ("ETag", "2"))),
        exchange("/7", (("Proxy-Connection", "close"),), b"a=1"),
        exchange("/8", (("Cookie", "sid=abcdefgh12345678"),), b"abcdefgh12345678"),
    ]
)


@given(st.lists(st.lists(_PARTS, min_size=1, max_size=4), max_size=6))
def test_groups_are_redacted_as_their_parts_would_be(groups: list[list[Interaction]]) -> None:
    """Whether interactions are looked at together changes nothing of what is written."""
    alone, together = Redactor(SecretRules()), Redactor(SecretRules())
    for group in groups:
        one_by_one = [alone.redact(each) for each in group]
        redacted = together.glance(group)
        if redacted is None:
            redacted = [together.redact(each) for each in group]
        assert redacted == one_by_one
    assert together.counts == alone.counts
