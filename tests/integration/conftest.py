"""Origins, proxies and the certificates that they need; everything is stopped after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from magneto_serge import MagnetoProxy, Mode

from . import routes
from .certificates import ThrowawayAuthority
from .doors import KINDS, Door, Take
from .origin import Origin

MakeOrigin = Callable[..., Origin]
MakeProxy = Callable[..., MagnetoProxy]


@pytest.fixture(scope="session")
def origin_authority(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayAuthority:
    """The CA that signed the origins' certificates."""
    return ThrowawayAuthority(tmp_path_factory.mktemp("origin-ca"))


@pytest.fixture
def make_origin(origin_authority: ThrowawayAuthority) -> Iterator[MakeOrigin]:
    """Start origins: ``make_origin(tls=True, name="localhost", host="127.0.0.1")``."""
    origins: list[Origin] = []

    def start(*, tls: bool = False, name: str = "", host: str = "127.0.0.1") -> Origin:
        name = name or ("localhost" if tls else host)
        context = origin_authority.server_context("localhost", "127.0.0.1", "::1") if tls else None
        origin = routes.install(Origin(host=host, name=name, context=context))
        origins.append(origin)
        return origin.start()

    yield start
    for origin in origins:
        origin.stop()
        assert not origin.troubles, origin.troubles


@pytest.fixture
def origin(make_origin: MakeOrigin) -> Origin:
    """A plain HTTP origin on 127.0.0.1."""
    return make_origin()


@pytest.fixture
def tls_origin(make_origin: MakeOrigin) -> Origin:
    """An HTTPS origin named ``localhost``."""
    return make_origin(tls=True)


@pytest.fixture(params=["http", "https"])
def any_origin(request: pytest.FixtureRequest, make_origin: MakeOrigin) -> Origin:
    """The plain origin, then the TLS one."""
    return make_origin(tls=request.param == "https")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of all proxies of the session: one CA serves them all."""
    return tmp_path_factory.mktemp("magneto-data")


@pytest.fixture
def make_proxy(
    tmp_path: Path, data_dir: Path, origin_authority: ThrowawayAuthority
) -> Iterator[MakeProxy]:
    """Start proxies with cassettes in ``tmp_path``; the arguments are settings.

    Until a test names a cassette they pass everything on and keep nothing.
    """
    proxies: list[MagnetoProxy] = []

    def start(**settings: Any) -> MagnetoProxy:
        defaults = {
            "port": 0,
            "mode": Mode.PASSTHROUGH,
            "data_dir": data_dir,
            "upstream_ca": origin_authority.pem,
        }
        proxy = MagnetoProxy(tmp_path / "cassettes", **{**defaults, **settings})
        proxies.append(proxy)
        proxy.start()
        return proxy

    yield start
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> MagnetoProxy:
    """A forward proxy with the default settings."""
    return make_proxy()


def open_door(
    kind: str, make_origin: MakeOrigin, make_proxy: MakeProxy, *, redact: bool = True
) -> Door:
    """Start an origin and a proxy before it."""
    origin = make_origin(tls=kind == "tls")
    settings = {"reverse": origin.url("")} if kind == "reverse" else {}
    return Door(kind, make_proxy(redact=redact, **settings), origin)


@pytest.fixture(params=KINDS)
def door(request: pytest.FixtureRequest, make_origin: MakeOrigin, make_proxy: MakeProxy) -> Door:
    """Each way to an origin in turn; without redaction, so that every byte is as it was."""
    return open_door(request.param, make_origin, make_proxy, redact=False)


@pytest.fixture
def plain_door(make_origin: MakeOrigin, make_proxy: MakeProxy) -> Door:
    """The plainest way to an origin: absolute-form."""
    return open_door("absolute", make_origin, make_proxy)


@pytest.fixture
def take(door: Door) -> Take:
    """A cassette to be recorded through ``door``; recording has begun."""
    take = Take(door.proxy, door.origin)
    take.record()
    return take


@pytest.fixture
def plain_take(plain_door: Door) -> Take:
    """A cassette to be recorded through ``plain_door``; recording has begun."""
    take = Take(plain_door.proxy, plain_door.origin)
    take.record()
    return take


@pytest.fixture
def at_home(
    tmp_path: Path,
    data_dir: Path,
    origin_authority: ThrowawayAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Work in an empty folder, with the settings that every user has from somewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGNETO_DATA_DIR", str(data_dir))
    monkeypatch.setenv("MAGNETO_UPSTREAM_CA", str(origin_authority.pem))
