"""Origins, proxies and the certificates that they need; everything is stopped after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from . import routes
from .certificates import ThrowawayAuthority
from .origin import Origin


@pytest.fixture(scope="session")
def origin_authority(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayAuthority:
    """The CA that signed the origins' certificates."""
    return ThrowawayAuthority(tmp_path_factory.mktemp("origin-ca"))


@pytest.fixture
def make_origin(origin_authority: ThrowawayAuthority) -> Iterator[Callable[..., Origin]]:
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
def origin(make_origin: Callable[..., Origin]) -> Origin:
    """A plain HTTP origin on 127.0.0.1."""
    return make_origin()


@pytest.fixture
def tls_origin(make_origin: Callable[..., Origin]) -> Origin:
    """An HTTPS origin named ``localhost``."""
    return make_origin(tls=True)


@pytest.fixture(params=["http", "https"])
def any_origin(request: pytest.FixtureRequest, make_origin: Callable[..., Origin]) -> Origin:
    """The plain origin, then the TLS one."""
    return make_origin(tls=request.param == "https")
