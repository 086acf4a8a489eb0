"""What ``http_proxy`` and ``serialization`` measure and pyperf does not: latency, memory, sizes.

Allocations are counted, not timed: the same code gives the same count, on any machine, so that a
test can hold it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _kept, _micro_storage, _programs, _result
from benchmarks._micro import cassette
from benchmarks._programs import BenchmarkError, Program
from benchmarks._result import Row, row
from benchmarks._scale import Scale
from benchmarks._traffic import NGINX_ANSWER
from benchmarks._watch import TOLERATED, Patience, Watch
from magneto_serge import Cassette

ADDED = {"p50": 60.0, "p99": 300.0}  # µs that forwarding may add
_LOADED = 1_000  # interactions


def latency(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure what forwarding and recording add to the latency of one connection, in µs.

    Two hops more between processes are part of it, so what HAProxy adds stands beside it.
    """
    try:
        _programs.require("nginx")
    except BenchmarkError as error:
        yield _result.missing("http_proxy", "latency", "latency", error)
        return
    seen: dict[str, list[dict[str, float]]] = {}
    foreign = []
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name, _on_the_loads_core():
        folder = Path(name)
        with _programs.nginx("origin", NGINX_ANSWER, folder, load=True) as origin:
            asked = _kept.request(f"127.0.0.1:{origin.port}")
            for number in range(scale.rounds):
                patience.wait_for_quiet()
                with Watch(origin) as watch:
                    took = _kept.latencies(origin.port, asked, scale.asked)
                foreign.append(watch.foreign)
                seen.setdefault("direct", []).append(_percentiles(took))
                for title, start in _OVERHEADS.items():
                    if title == "haproxy_overhead" and _programs.find("haproxy") is None:
                        continue
                    program = start(f"{title}-{number}", origin.port, folder)
                    with program, Watch(program, origin) as watch:
                        took = _kept.latencies(program.port, asked, scale.asked)
                    foreign.append(watch.foreign)
                    seen.setdefault(title, []).append(_percentiles(took))
    quiet = max(foreign) <= TOLERATED
    for title, rounds in seen.items():
        for at in ("p50", "p90", "p99", "p99.9"):
            values = [each[at] for each in rounds]
            target = None
            if title != "direct":
                values = [v - d[at] for v, d in zip(values, seen["direct"], strict=True)]
                target = ADDED.get(at) if title == "proxy_overhead" else None
            yield row(
                "http_proxy",
                "latency",
                title,
                "µs",
                values,
                parameter=at,
                target=target,
                judged=quiet,
                note="" if quiet else "other work disturbed this",
            )


def _ours(mode: str) -> Callable[[str, int, Path], Program]:
    def start(name: str, origin: int, folder: Path) -> Program:
        cassette = [name] if mode == "record" else []
        arguments = [mode, *cassette, "--reverse", f"http://127.0.0.1:{origin}"]
        return _programs.magneto(name, arguments, folder)

    return start


_OVERHEADS = {
    "proxy_overhead": _ours("passthrough"),
    "recording_overhead": _ours("record"),
    "haproxy_overhead": _programs.haproxy,
}


@contextmanager
def _on_the_loads_core() -> Iterator[None]:
    pair = _programs.cores()
    if pair is None:
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {pair[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _percentiles(values: list[float]) -> dict[str, float]:
    at = statistics.quantiles(values, n=1000, method="inclusive")
    return {"p50": at[499], "p90": at[899], "p99": at[989], "p99.9": at[998]}


def memory_operations() -> Iterator[Row]:
    """Count the memory of loaded interactions, and what look-ups leave behind."""
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        for format in ("json", "msgpack"):
            path = cassette(Path(name), format, _LOADED)
            size = loaded(path) / _LOADED
            title = f"an interaction of {format}, loaded"
            yield row("http_proxy", "memory_operations", title, "bytes", [size])
    yield row(
        "http_proxy", "memory_operations", "left by a look-up", "blocks", [left_by_look_ups()]
    )


def loaded(path: Path) -> int:
    """Return the bytes that all interactions of a cassette take in memory."""
    Cassette.open(path)[:]  # what is imported and kept on first use does not count
    tracemalloc.start()
    try:
        kept = Cassette.open(path)[:]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del kept
    return size


def left_by_look_ups(count: int = 2_000) -> float:
    """Return how many memory blocks a look-up leaves allocated, on average."""
    from benchmarks.lookup import asked, session, taped

    playing = session(taped(10))
    requests = [asked(number % 10) for number in range(count)]
    for _ in range(2):  # the first pass makes what is kept
        before = sys.getallocatedblocks()
        for request in requests:
            playing.decide(request)
        after = sys.getallocatedblocks()
    return (after - before) / count


def sizes(scale: Scale) -> Iterator[Row]:
    """Compare the sizes of the same interactions in each format."""
    counts = _micro_storage.QUICKLY if scale.quick else _micro_storage.COUNTS
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        for count in counts:
            plain = cassette(Path(name), "json", count).stat().st_size
            for format in _micro_storage.FORMATS:
                size = cassette(Path(name), format, count).stat().st_size
                yield row(
                    "serialization",
                    "size",
                    format,
                    "bytes",
                    [size],
                    parameter=count,
                    reference="json",
                    ratio=size / plain,
                )
