"""The traffic that is measured: one small JSON answer, asked for in the ways that matter.

A *shape* says how requests differ and how they are addressed. ``same``: every request equals the
last, the best case for any cache. ``different``: every request has a path of its own, the case
that a cache must not make slow. Addressed in origin-form (RFC 9112 §3.2.1), as to a server or a
reverse proxy, or in absolute-form (§3.2.2), as to a forward proxy. References take the same load
as what they are compared with.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import _asking, _programs
from benchmarks._programs import BenchmarkError
from magneto_serge import Cassette

# 122 bytes, the size of a small API answer.
BODY = (
    b'{"id":1,"name":"Magneto-Serge","kind":"answer","tags":["record","replay"],'
    b'"note":"a small answer, as most APIs give them"}'
)

NGINX_ANSWER = f"location / {{ return 200 '{BODY.decode()}'; }}"
NGINX_FORWARD = (
    "location / { proxy_pass http://origin; proxy_http_version 1.1; "
    "proxy_set_header Connection ''; proxy_set_header Host $http_host; }"
)
NGINX_FORWARD_TLS = NGINX_FORWARD.replace("http://origin", "https://origin")  # to a TLS origin

WRK, H2LOAD, OWN = "wrk", "h2load", _asking.LABEL  # who asks
RECORDINGS = 1_000  # how many different ones the replayed cassette holds


@dataclass(frozen=True)
class Shape:
    """How requests look: ``different`` or equal, in ``absolute`` form or origin-form.

    ``cycle``: different requests start again after this many; 0 means never. ``size``: bytes of
    the answer, None for the small one. ``closing``: each request has a connection of its own.
    ``connections`` ask at the same time, over TLS if ``tls``, through a tunnel to the origin if
    ``tunnel``. ``by``: who asks, wrk, h2load (the equal requests over kept connections alone), or
    our own generator.
    """

    different: bool = False
    absolute: bool = False
    cycle: int = 0
    size: int | None = None
    closing: bool = False
    connections: int = 32
    tls: bool = False
    tunnel: bool = False
    by: str = WRK

    @property
    def name(self) -> str:
        """The word for the shape in the report."""
        return "different" if self.different else "same"

    @property
    def load(self) -> tuple[object, ...]:
        """What has to be the same for two rates to be compared."""
        return (self.different, self.size, self.closing, self.connections, self.by)

    def target(self, authority: str) -> str:
        """Return the request-target that is asked for first."""
        path = "/item/1" if self.size is None else f"/bytes/{self.size}"
        return f"http://{authority}{path}" if self.absolute else path

    def script(self, authority: str, *, first: int = 1) -> str:
        """Return the Lua script that makes wrk send this, for the origin at ``authority``.

        ``first`` is the number of the first item where none repeats, so that a second run does
        not ask again for what the first has asked for.
        """
        prefix = f"http://{authority}/item/" if self.absolute else "/item/"
        path = self.target(authority)
        lines = [f'wrk.headers["Host"] = "{authority}"', f'wrk.path = "{path}"']
        if self.closing:
            lines.append('wrk.headers["Connection"] = "close"')
        if self.different and self.cycle:
            lines.append(_CYCLE.format(prefix=prefix, count=self.cycle))
        elif self.different:
            lines.append(_COUNTER.format(prefix=prefix, authority=authority, first=first))
        return "\n".join([*lines, _DONE])

    def plan(self, port: int, authority: str, seconds: float, *, first: int = 1) -> _asking.Plan:
        """Return the same as a plan for our own generator."""
        item = f"http://{authority}/item/" if self.absolute else "/item/"
        close = "Connection: close\r\n" if self.closing else ""
        after = f" HTTP/1.1\r\nHost: {authority}\r\n{close}\r\n"
        targets = [self.target(authority)]
        if self.different:
            targets = [f"{item}{number + 1}" for number in range(self.cycle)]
        return _asking.Plan(
            port=port,
            seconds=seconds,
            connections=self.connections,
            requests=[f"GET {target}{after}".encode() for target in targets],
            before=f"GET {item}".encode(),
            after=after.encode(),
            first=first,
            closing=self.closing,
            tls=self.tls,
            tunnel=authority if self.tunnel else "",
        )


# Requests that never repeat are put together from two constants: wrk.format costs wrk more than
# the request costs the server. It runs once for each of those that start again.
_COUNTER = """
local n = {first}
local suffix = " HTTP/1.1\\r\\nHost: {authority}\\r\\n\\r\\n"
function request()
  n = n + 1
  return "GET {prefix}" .. n .. suffix
end
"""
_CYCLE = """
local requests, n = {{}}, 0
function init(args)
  for i = 1, {count} do requests[i] = wrk.format("GET", "{prefix}" .. i) end
end
function request()
  n = n % {count} + 1
  return requests[n]
end
"""
# One line of JSON on standard error, apart from what wrk prints for people. Times are in µs.
_DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"bytes":%d,"duration":%d,"p50":%d,"p99":%d,"p90":%d,"p999":%d,'
      .. '"socket_errors":%d,"timeouts":%d,"status_errors":%d}\\n',
    summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99),
    latency:percentile(90), latency:percentile(99.9),
    e.connect + e.read + e.write, e.timeout, e.status))
end
"""


def ask(
    port: int,
    target: str,
    authority: str,
    *,
    expected: bytes = BODY,
    tls: bool = False,
    tunnel: bool = False,
) -> None:
    """Ask once and raise BenchmarkError unless the answer is ours, to the byte."""
    context = ssl._create_unverified_context() if tls else None  # as wrk, which verifies nothing
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    if tunnel:
        host, _, at = authority.rpartition(":")
        connection.set_tunnel(host, int(at))
    try:
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", authority)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchmarkError(f"GET {target} at port {port}: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200 or body != expected:
        raise BenchmarkError(f"GET {target} at port {port}: {response.status} {body[:300]!r}")


def ask_for_all(port: int, authority: str, count: int = RECORDINGS) -> None:
    """Ask for each of the items 1 to ``count`` once, in origin-form, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for item in range(1, count + 1):
            connection.request("GET", f"/item/{item}", headers={"Host": authority})
            response = connection.getresponse()
            if response.read() != BODY:
                raise BenchmarkError(f"GET /item/{item} at port {port}: {response.status}")
    except (OSError, http.client.HTTPException) as error:
        raise BenchmarkError(f"GET /item/{item} at port {port}: {error!r}") from error
    finally:
        connection.close()


def record_answers(
    folder: Path, authority: str, name: str, count: int = RECORDINGS, *, tls: bool = False
) -> None:
    """Make the cassette ``name`` of ``count`` different exchanges with the origin."""
    arguments = ["record", name, "--reverse", f"http://{authority}"]
    if tls:  # its certificate is one that nobody else knows
        arguments = ["record", name, "--reverse", f"https://{authority}", "--insecure"]
    with _programs.magneto(f"record-{name}", arguments, folder) as program:
        ask_for_all(program.port, authority, count)


class _Cassette(msgspec.Struct):
    interactions: list[msgspec.Raw]


def recorded(cassette: Path) -> int:
    """Return how many interactions a cassette holds, without decoding them."""
    if cassette.suffix != ".json":
        with Cassette.open(cassette) as container:
            return len(container)
    return len(msgspec.json.decode(cassette.read_bytes(), type=_Cassette).interactions)
