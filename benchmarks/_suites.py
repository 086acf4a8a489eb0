"""The suites by name: what each of them is about, and the rows that it yields.

A suite that cannot be made at all is a row that says why; so is a part of one. Everything is
imported by the suite that is run.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import _result
from benchmarks._programs import BenchmarkError
from benchmarks._result import Row, row
from benchmarks._scale import Scale
from benchmarks._watch import Patience


@dataclass(frozen=True)
class Suite:
    """A name, what it measures, its groups, and what yields its rows.

    ``takes``: seconds of a quick and of a full run, on a machine with nothing else to do.
    """

    name: str
    about: str
    groups: tuple[str, ...]
    measure: Callable[[Scale, Patience], Iterator[Row]]
    takes: tuple[float, float]

    def expected(self, scale: Scale) -> float:
        """Return the seconds that a run of it takes, about."""
        return self.takes[0] if scale.quick else self.takes[1] + scale.soak

    def rows(self, scale: Scale, patience: Patience) -> Iterator[Row]:
        """Yield what is found; what stops the suite is its last row."""
        try:
            yield from self.measure(scale, patience)
        except BenchmarkError as error:
            yield _result.missing(self.name, self.groups[0], self.name, error)
        except Exception as error:  # noqa: BLE001  # minutes of figures are not lost for one fault
            traceback.print_exc()
            yield _result.missing(self.name, self.groups[0], self.name, repr(error))


def _http_proxy(scale: Scale, patience: Patience) -> Iterator[Row]:
    from benchmarks import _in_process, _micro

    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "proxy_creation": partial(_micro.run, "http_proxy", scale),
        "memory_operations": _in_process.memory_operations,
        "latency": partial(_in_process.latency, scale, patience),
    }
    for group, part in parts.items():
        try:
            yield from part()
        except (BenchmarkError, OSError) as error:
            yield _result.missing("http_proxy", group, group, str(error) or repr(error))


def _websocket_proxy(scale: Scale, patience: Patience) -> Iterator[Row]:
    from benchmarks import _websocket_suite

    yield from _websocket_suite.rows(scale, patience)


def _serialization(scale: Scale, _: Patience) -> Iterator[Row]:
    from benchmarks import _in_process, _micro

    yield from _micro.run("serialization", scale)
    yield from _in_process.sizes(scale)


def _cassettes(scale: Scale, _: Patience) -> Iterator[Row]:
    """Each size in each format; what is resident afterwards, in a process of its own."""
    from benchmarks import cassette_sizes

    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        for size in scale.sizes:
            repeats = 1 if size == "100 MB" else scale.rounds  # half a minute each
            for figure in cassette_sizes.measure(Path(name), size, repeats):
                columns = list(zip(*figure.runs, strict=True))
                for what, times in zip(
                    ("open", "first replay", "full replay"), columns, strict=False
                ):
                    took = [seconds * 1000 for seconds in times]
                    yield row("cassettes", what, figure.format, "ms", took, parameter=size)
                grown = [size_of / 1e6 for size_of in columns[-1]]
                yield row("cassettes", "memory", figure.format, "MB", grown, parameter=size)


def _e2e(scale: Scale, patience: Patience) -> Iterator[Row]:
    from benchmarks import _e2e

    yield from _e2e.rows(scale, patience)


def _peers(scale: Scale, patience: Patience) -> Iterator[Row]:
    from benchmarks import _beside_peers

    yield from _beside_peers.rows(scale, patience)


# The parts of e2e that can be measured alone.
PARTS = (
    *("http_throughput", "websocket_throughput", "latency_open_loop", "tls_handshakes", "memory"),
    *("soak", "startup", "workers", "streams", "lookup"),
)

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "http_proxy",
            "a proxy in this process: making it, recording, switching modes, cassettes, latency",
            (
                *("proxy_creation", "recording_lifecycle", "mode_switching"),
                *("cassette_operations", "concurrent_operations", "memory_operations", "latency"),
            ),
            _http_proxy,
            (25, 80),
        ),
        Suite(
            "websocket_proxy",
            "WebSockets: opening, recording, rates by batch, size and crowd, replay, latency",
            (
                *("setup", "recording", "message_throughput", "message_sizes"),
                *("replay", "concurrent", "latency", "mode_switching"),
            ),
            _websocket_proxy,
            (20, 45),
        ),
        Suite(
            "serialization",
            "writing and reading whole cassettes: JSON, MessagePack, gzip, zstd; their sizes",
            ("write", "read", "size"),
            _serialization,
            (12, 50),
        ),
        Suite(
            "cassettes",
            "cassettes of 1 KB to 100 MB: open, first replay, full replay, memory",
            ("open", "first replay", "full replay", "memory"),
            _cassettes,
            (6, 50),
        ),
        Suite(
            "e2e",
            "the command under load: throughput, TLS, latency, memory, start-up, streams, look-ups",
            (
                *("http_throughput", "different_beside_same", "latency_full_load"),
                *("cpu_per_request", "tls_throughput", "tls_tunnels", "tls_handshakes"),
                *("connection_per_request", "body_sizes", "connections", "second_opinion"),
                *("websocket_throughput", "latency_open_loop", "memory", "recording_cost", "soak"),
                *("startup", "workers", "streams", "lookup"),
            ),
            _e2e,
            (70, 340),
        ),
        Suite(
            "peers",
            "the same load for HAProxy, nginx, mitmproxy, WireMock; in process VCR.py",
            ("forward", "record", "replay", "replay_tls", "in_process", "pytest"),
            _peers,
            (35, 90),
        ),
    )
}
