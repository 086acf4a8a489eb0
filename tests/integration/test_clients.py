"""Real clients, recorded and then replayed with the origin gone: every byte they can see.

Each client makes all of :data:`~.routes.CALLS` three times: directly, through a recording proxy,
and through a replaying one. What it sees is the same all three times, and so is what the origin saw
the first two times: the proxy leaves no trace in either direction.
"""

from __future__ import annotations

import pytest

from .bytestream import FieldLines
from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin, MakeProxy
from .doors import Take
from .origin import Origin
from .programs import FORWARD_PROGRAMS, REVERSE_PROGRAMS, calls_of, parameters
from .routes import CALLS
from .seen import Program, Seen, Way

# Their bodies end with the connection or in chunks; how a proxy frames them is its own business.
UNSIZED = ("until close", "chunked")

# urllib3 adds Accept and moves Host when it talks to a proxy; fetch accepts br over https only.
VARIED = (b"host", b"accept", b"accept-encoding")


def comparable(seen: dict[str, Seen]) -> dict[str, Seen]:
    """Leave out what may differ: the framing of bodies that came without a length."""
    return {
        name: answer.without(b"content-length") if name in UNSIZED else answer
        for name, answer in seen.items()
    }


def as_scripted(seen: dict[str, Seen]) -> dict[str, Seen]:
    """Leave out the answers that repeat the request, which clients write differently to a proxy."""
    return {name: answer for name, answer in seen.items() if "/echo" not in CALLS[name].path}


def heard(origin: Origin) -> list[tuple[str, str, FieldLines, bytes]]:
    """Return what the origin received, without what clients vary, and forget it."""
    received, origin.received = origin.received, []
    return [
        (
            request.method,
            request.target,
            [line for line in request.end_to_end if line[0].lower() not in VARIED],
            request.body,
        )
        for request in received
    ]


@pytest.mark.parametrize("program", parameters(FORWARD_PROGRAMS))
def test_client_through_the_forward_proxy(
    program: Program,
    any_origin: Origin,
    make_proxy: MakeProxy,
    origin_authority: ThrowawayAuthority,
) -> None:
    """Direct, recorded and replayed look alike to the client, and the first two to the origin."""
    proxy = make_proxy(redact=False)  # what replay shows of secrets is not what was said
    calls = calls_of(program)
    take = Take(proxy, any_origin)
    way = Way(any_origin.url(""), proxy.url, proxy.ca_path)

    direct = comparable(program(calls, way._replace(proxy=None, ca=origin_authority.pem)))
    heard_directly = heard(any_origin)
    take.record()
    recorded = comparable(program(calls, way))
    assert as_scripted(recorded) == as_scripted(direct)
    assert heard(any_origin) == heard_directly
    take.replay()
    assert comparable(program(calls, way)) == recorded
    assert not proxy.misses
    assert proxy.stats.replayed == len(calls)


@pytest.mark.parametrize("program", parameters(REVERSE_PROGRAMS))
@pytest.mark.parametrize("listening", ["http", "https"])
def test_client_of_the_reverse_proxy(
    program: Program,
    listening: str,
    make_origin: MakeOrigin,
    make_proxy: MakeProxy,
    origin_authority: ThrowawayAuthority,
) -> None:
    """A client that knows no proxy sees the upstream's answers at our address, plain or TLS."""
    origin = make_origin(tls=listening == "http")  # each side its own scheme
    proxy = make_proxy(reverse=origin.url(""), reverse_tls=listening == "https", redact=False)
    calls = calls_of(program)
    take = Take(proxy, origin)
    direct = comparable(program(calls, Way(origin.url(""), None, origin_authority.pem)))
    heard_directly = heard(origin)
    way = Way(f"{listening}://localhost:{proxy.port}", None, proxy.ca_path)
    take.record()
    recorded = comparable(program(calls, way))
    assert as_scripted(recorded) == as_scripted(direct)
    assert heard(origin) == heard_directly
    take.replay()
    assert comparable(program(calls, way)) == recorded
    assert not proxy.misses
