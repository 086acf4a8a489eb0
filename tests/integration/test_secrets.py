"""Secrets through the whole proxy: none reaches the disk, and everything still replays."""

from __future__ import annotations

import gzip
import json
import random
import string
from pathlib import Path

import httpx
import pytest

from magneto_serge import MagnetoProxy, Mode
from magneto_serge.messages import FileBody, Interaction
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

from .conftest import MakeOrigin
from .exchange import Exchange
from .origin import Origin
from .routes import response

pytestmark = pytest.mark.usefixtures("at_home")
LINES = b"".join(b'{"id":%d,"name":"somebody"}\n' % number for number in range(6_000))


def made_up(seed: int) -> str:
    """Return a token that nobody has ever had."""
    rng = random.Random(seed)
    return "tk" + "".join(rng.choices(string.ascii_letters + string.digits, k=30))


TOKEN, SESSION, PASSWORD, KEY, BURIED = map(made_up, range(5))
SECRETS = [each.encode() for each in (TOKEN, SESSION, PASSWORD, KEY, BURIED)]


def as_login(exchange: Exchange) -> None:
    """Give a token and a cookie."""
    body = json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode()
    cookie = f"Set-Cookie: sid={SESSION}; Path=/; HttpOnly".encode()
    exchange.send(response(body, b"Content-Type: application/json", cookie))


def as_service(exchange: Exchange) -> None:
    """Answer whoever has the token with something large that holds more."""
    body = LINES + b'{"client_secret":"%s","echo":"%s"}\n' % (BURIED.encode(), TOKEN.encode())
    body += LINES
    lines = [b"Content-Type: application/x-ndjson"]
    if "zipped" in exchange.request.target:
        body = gzip.compress(body)
        lines.append(b"Content-Encoding: gzip")
    exchange.send(response(body, *lines))


def service(origin: Origin) -> Origin:
    """Make an origin that wants a login."""
    origin.on("/login", as_login)
    origin.on("/items", as_service)
    origin.on("/zipped", as_service)
    origin.on(f"/by-token/{TOKEN}", response(b"found", b"Content-Type: text/plain"))
    origin.on("/by-token/REDACTED-2", response(b"never asked"))
    return origin


def use(proxy: MagnetoProxy, origin: str, password: str, key: str) -> list[str]:
    """Log in and use what is given, as any client does; return what was said but the secrets."""
    with httpx.Client(proxy=proxy.url, base_url=origin, trust_env=False) as client:
        login = client.post("/login", json={"user": "bob", "password": password})
        token = login.json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        items = client.get("/items", params={"api_key": key})
        zipped = client.get("/zipped")
        found = client.get(f"/by-token/{token}")
        answers = [login, items, zipped, found]
        assert [each.status_code for each in answers] == [200] * 4
        assert items.text.count('"name":"somebody"') == zipped.text.count('"name":"somebody"')
        return [items.text[: len(LINES)], zipped.text[-100:], found.text]


def decoded(interaction: Interaction) -> bytes:
    """Return all bytes of an interaction, its bodies without their codings."""
    found = [interaction.request.target.encode()]
    for message in (interaction.request, interaction.response):
        assert message is not None
        found += [value for _, value in message.headers.raw]
        body = message.body
        data = body.path.read_bytes() if isinstance(body, FileBody) else body
        found.append(gzip.decompress(data) if "content-encoding" in message.headers else data)
    return b"\n".join(found)


def on_the_disk() -> bytes:
    """Return all bytes of all files in the cassette folder: journal and side files too."""
    files = (each for each in Path("cassettes").rglob("*") if each.is_file())
    return b"".join(each.read_bytes() for each in files)


@pytest.mark.parametrize("memory_limit", [4_000_000, 100_000, 1_000])
@pytest.mark.parametrize("format", FORMATS)
def test_a_login_is_recorded_without_its_secrets_and_replays(
    make_origin: MakeOrigin, format: str, memory_limit: int
) -> None:
    """In every format, in memory or in side files: the client gets the placeholder and uses it."""
    origin = service(make_origin())
    url = origin.url().rstrip("/")
    with MagnetoProxy(
        "cassettes", port=0, mode=Mode.RECORD, format=format, memory_limit=memory_limit
    ) as proxy:
        proxy.start_recording("tape")
        said = use(proxy, url, PASSWORD, KEY)
        journal = on_the_disk()
        proxy.stop_recording()
    origin.stop()
    recorded = CassetteStore(Path("cassettes")).load("tape", verify=True)
    for data in (journal, on_the_disk(), *map(decoded, recorded)):
        assert not [secret for secret in SECRETS if secret in data]
    with MagnetoProxy("cassettes", port=0, mode=Mode.REPLAY, memory_limit=memory_limit) as proxy:
        proxy.replay("tape")
        assert use(proxy, url, "another password", "another key") == said
        assert not proxy.misses


@pytest.mark.parametrize("format", ["json", "msgpack.zst"])
def test_a_large_upload_with_a_secret_replays(make_origin: MakeOrigin, format: str) -> None:
    """Its digest on the disk is of the placeholder, and the client has a secret of its own."""
    origin = make_origin()
    url = origin.on("/upload", response(b"taken"))

    def upload(proxy: MagnetoProxy, password: str, lines: bytes = LINES) -> int:
        body = lines + b'{"password":"%s"}' % password.encode()
        with httpx.Client(proxy=proxy.url, trust_env=False) as client:
            return client.post(url, content=body).status_code

    with MagnetoProxy(
        "cassettes", port=0, mode=Mode.RECORD, format=format, memory_limit=100_000
    ) as proxy:
        proxy.start_recording("up")
        assert upload(proxy, PASSWORD) == 200
    origin.stop()
    assert PASSWORD.encode() not in on_the_disk()
    with MagnetoProxy("cassettes", port=0, mode=Mode.REPLAY, memory_limit=100_000) as proxy:
        proxy.replay("up")
        assert upload(proxy, "another-password") == 200
        assert upload(proxy, PASSWORD, LINES[1:]) == 502


def test_the_recordings_of_two_users_stay_apart(make_origin: MakeOrigin) -> None:
    """Who sends a key of their own gets what was recorded for one user, and always for that one."""
    origin = make_origin()

    def whoami(exchange: Exchange) -> None:
        keys = {value for name, value in exchange.request.headers if name.lower() == b"x-api-key"}
        exchange.send(response(b"alice" if b"alice-key" in keys else b"bob"))

    url = origin.on("/me", whoami)

    def ask(proxy: MagnetoProxy, key: str) -> str:
        return httpx.get(url, headers={"X-Api-Key": key}, proxy=proxy.url, trust_env=False).text

    with MagnetoProxy("cassettes", port=0, mode=Mode.RECORD) as proxy:
        proxy.start_recording("users")
        for key in ("alice-key", "bob-key", "alice-key", "bob-key"):
            ask(proxy, key)
    origin.stop()
    with MagnetoProxy("cassettes", port=0, mode=Mode.REPLAY) as proxy:
        proxy.replay("users")
        first, second = ask(proxy, "one"), ask(proxy, "two")
        assert {first, second} == {"alice", "bob"}
        for _ in range(3):
            assert (ask(proxy, "one"), ask(proxy, "two")) == (first, second)


def test_without_credentials_nothing_replays_that_was_made_with_them(
    make_origin: MakeOrigin,
) -> None:
    """A test notices that its client forgot to log in; unless it is told not to."""
    origin = make_origin()
    url = origin.on("/me", response(b"bob"))
    with MagnetoProxy("cassettes", port=0, mode=Mode.RECORD) as proxy:
        proxy.start_recording("me")
        httpx.get(url, headers={"Authorization": "Bearer x"}, proxy=proxy.url, trust_env=False)
    origin.stop()
    for credentials, status in (("presence", 502), ("ignore", 200)):
        with MagnetoProxy(
            "cassettes", port=0, mode=Mode.REPLAY, match_credentials=credentials
        ) as proxy:
            proxy.replay("me")
            assert httpx.get(url, proxy=proxy.url, trust_env=False).status_code == status


def test_hybrid_mode_goes_on_with_the_numbers(make_origin: MakeOrigin) -> None:
    """A secret that was bound when it replayed keeps its placeholder; a new one gets the next."""
    origin = make_origin()
    for path in ("/one", "/two", "/three"):
        origin.on(path, response(b"yes"))

    def ask(proxy: MagnetoProxy, path: str, key: str) -> None:
        url = f"{origin.url(path)}?api_key={key}"
        assert httpx.get(url, proxy=proxy.url, trust_env=False).text == "yes"

    with MagnetoProxy("cassettes", port=0, mode=Mode.RECORD) as proxy:
        proxy.start_recording("keys")
        ask(proxy, "/one", KEY)
    with MagnetoProxy("cassettes", port=0, mode=Mode.HYBRID) as proxy:
        proxy.use("keys", Mode.HYBRID)
        ask(proxy, "/one", KEY)
        ask(proxy, "/two", KEY)
        ask(proxy, "/three", TOKEN)
    targets = [each.request.target for each in CassetteStore(Path("cassettes")).load("keys")]
    assert [target.partition("=")[2] for target in targets] == [
        "REDACTED-1",
        "REDACTED-1",
        "REDACTED-2",
    ]
