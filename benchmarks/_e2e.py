"""What ``e2e`` measures beside the throughput: latency, handshakes, memory, start-up, look-ups.

The measuring is that of the modules beside this one; here stands how much of it there is, and what
it has to be. What needs a program that is absent is a row that says so, and the rest goes on.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import (
    _e2e_http,
    _handshakes,
    _kept,
    _load,
    _paced,
    _programs,
    _report,
    _result,
    _websocket_suite,
    lookup,
    memory,
    startup,
    streams,
    workers,
)
from benchmarks._programs import BenchmarkError
from benchmarks._result import Better, Row, row
from benchmarks._scale import Scale
from benchmarks._traffic import NGINX_ANSWER, RECORDINGS, Shape, record_answers
from benchmarks._watch import Patience
from magneto_serge.errors import MagnetoError

SUITE = "e2e"
MIB = memory.MIB
LEAF = 1.0  # ms for the certificate of a new host
IDLE, BUSY = 40.0, 50.0  # MiB resident
_EVENTS = 50  # of each stream
MANY = 1_000  # connections that are open at once


def rows(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure everything, one part after the other; its name is that of its first group."""
    groups: list[tuple[str, Callable[[Scale, Patience], Iterator[Row]]]] = [
        ("http_throughput", _e2e_http.rows),
        ("websocket_throughput", _websocket_suite.throughput),
        ("latency_open_loop", open_loop),
        ("tls_handshakes", handshakes),
        ("memory", resident),
        ("memory", bodies),
        ("soak", soak),
        ("startup", starting),
        ("workers", sharing),
        ("streams", streaming),
        ("lookup", looking_up),
    ]
    for group, measure in groups:
        if scale.parts and group not in scale.parts:
            continue
        _report.say(f"{SUITE}: {group}")
        try:
            yield from measure(scale, patience)
        except (BenchmarkError, MagnetoError, OSError, subprocess.SubprocessError) as error:
            yield _result.missing(SUITE, group, group, str(error) or repr(error))


def _place(stack: ExitStack) -> tuple[Path, str]:
    """Return a folder with the cassette ``answers`` in it, and the authority of their origin."""
    _programs.require("nginx")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="magneto-benchmark-")))
    origin = stack.enter_context(_programs.nginx("origin", NGINX_ANSWER, folder, load=True))
    authority = f"127.0.0.1:{origin.port}"
    record_answers(folder, authority, "answers")
    return folder, authority


def open_loop(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure latency at parts of the capacity, from the moment at which each request is due.

    The capacity is what the same generator gets in a closed loop; the reference is the origin at
    the same rate, without a proxy.
    """
    with ExitStack() as stack:
        folder, authority = _place(stack)
        direct = int(authority.rpartition(":")[2])
        reverse = ["--reverse", f"http://{authority}"]
        for mode in (["record", "paced"], ["replay", "answers"]):
            with _programs.magneto(f"paced-{mode[0]}", [*mode, *reverse], folder) as program:
                patience.wait_for_quiet()
                most = _paced.run(program.port, authority, 0, scale.seconds).rate
                yield row(
                    SUITE, "latency_open_loop", f"capacity, {mode[0]}", "requests/s", [most],
                    better="more", note="closed loop of our own generator, 32 connections",
                )  # fmt: skip
                for load in scale.loads:
                    rate = most * load / 100
                    for name, port in ((f"magneto {mode[0]}", program.port), ("direct", direct)):
                        seen = _paced.run(port, authority, rate, scale.seconds)
                        title = f"{name}, at {load} %" + f" of {mode[0]}" * (name == "direct")
                        for at in ("p50", "p90", "p99", "p999"):
                            yield row(
                                SUITE, "latency_open_loop", title, "µs", [getattr(seen, at)],
                                parameter=at.replace("p999", "p99.9"), note=f"{rate:,.0f} a second",
                            )  # fmt: skip


def handshakes(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure what a certificate for a new host costs, in tunnels."""
    with ExitStack() as stack:
        folder, _ = _place(stack)
        with _programs.magneto("tunnels", ["replay", "answers"], folder) as program:
            patience.wait_for_quiet()
            new, known = _handshakes.new_and_known(program.port, scale.hosts)
    yield row(SUITE, "tls_handshakes", "first handshake with a host", "ms", new)
    yield row(SUITE, "tls_handshakes", "second handshake with a host", "ms", known)
    for title, took in (("new hosts", new), ("known hosts", known)):
        rate = 1000 / statistics.median(took)
        yield row(
            SUITE, "tls_handshakes", f"{title}, one after the other", "handshakes/s", [rate],
            better="more", note="in tunnels, asked for by Python's ssl",
        )  # fmt: skip
    added = [first - second for first, second in zip(new, known, strict=True)]
    yield row(SUITE, "tls_handshakes", "certificate of a new host", "ms", added, target=LEAF)


def resident(scale: Scale, _: Patience) -> Iterator[Row]:
    """Measure what is resident: idle, and with many connections."""
    with ExitStack() as stack:
        folder, authority = _place(stack)
        arguments = ["replay", "answers", "--reverse", f"http://{authority}"]
        program = stack.enter_context(_programs.magneto("resident", arguments, folder))
        if not program.memory():
            raise BenchmarkError("memory is read from Linux's /proc")
        yield row(SUITE, "memory", "idle", "MiB", [program.memory() / MIB], target=IDLE)
        many = MANY if scale.asked >= RECORDINGS else 10
        for _number in range(many):
            client = stack.enter_context(_kept.Kept(program.port))
            client.ask(_kept.request(authority))
        size = program.memory() / MIB
        yield row(SUITE, "memory", "connections open", "MiB", [size], parameter=many, target=BUSY)


def bodies(scale: Scale, _: Patience) -> Iterator[Row]:
    """Measure memory after many exchanges, and while large bodies go through."""
    if not Path("/proc/self/clear_refs").exists():
        raise BenchmarkError("memory is read from Linux's /proc")
    found = memory.run(scale.exchanges, scale.large, scale.replays)
    for each in found.figures:
        most = None if each.target is None else each.target / MIB
        yield row(SUITE, "memory", each.name, "MiB", [each.size / MIB], target=most)
    for first, cost in found.costs:
        yield row(SUITE, "recording_cost", "processor time", "µs", [cost], parameter=first)
    if found.costs:
        title = f"last of {scale.exchanges:,} beside the first"
        beside = memory.flatness(found.costs)
        yield row(
            SUITE,
            "recording_cost",
            title,
            "x",
            [beside],
            target=memory.FLAT,
            judged=not scale.quick,
        )
    for fault in found.faults:
        yield _result.missing(SUITE, "memory", fault.partition(":")[0], fault)


def soak(scale: Scale, _: Patience) -> Iterator[Row]:
    """Measure how memory goes on growing under load, in the second half of it."""
    with ExitStack() as stack:
        folder, authority = _place(stack)
        arguments = ["replay", "answers", "--reverse", f"http://{authority}"]
        program = stack.enter_context(_programs.magneto("soaked", arguments, folder))
        if not program.memory():
            raise BenchmarkError("memory is read from Linux's /proc")
        shape = Shape(different=True, cycle=RECORDINGS)
        load = threading.Thread(
            target=_load.run,
            args=(program.port, shape, authority, folder, scale.soak),
            daemon=True,
        )
        began = time.monotonic()
        load.start()
        samples = []
        while load.is_alive():
            samples.append((time.monotonic() - began, program.memory() / 1024))
            load.join(max(0.02, scale.soak / 60))
    later = samples[len(samples) // 2 :]
    if len(later) < 2:
        raise BenchmarkError("too short to see a slope")
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 60
    sizes = [size / 1024 for _, size in samples]
    yield row(SUITE, "soak", "resident", "MiB", sizes, parameter=f"{scale.soak:g} s")
    yield row(SUITE, "soak", "slope", "KiB/min", [slope], parameter=f"{scale.soak:g} s")


def starting(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure how long the command and the library take to be ready."""
    for each in startup.run(scale.repeats, patience):
        yield row(SUITE, "startup", each.name, "ms", each.times, target=each.target)


def sharing(scale: Scale, _: Patience) -> Iterator[Row]:
    """Measure what a second worker adds, in processor time."""
    for each in workers.run(1, scale.turns):
        better: Better = "less" if each.target is None else "more"
        yield row(
            SUITE, "workers", each.name, each.unit, [each.value], better=better, target=each.target
        )


def streaming(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure what is added to a first byte, and how punctual a replay is."""
    for each in streams.run(_EVENTS, scale.repeats + 1, patience):
        for name, value in (("first byte", each.first), ("p50", each.piece), ("p99", each.late)):
            if value:
                yield row(SUITE, "streams", each.name, "ms", [value], parameter=name)


def looking_up(scale: Scale, _: Patience) -> Iterator[Row]:
    """Measure look-ups as a cassette grows, and how long a miss takes to be explained."""
    many = min(scale.lookups[-1], 100_000)
    for each in lookup.run(scale.lookups, scale.repeats, many, explained=1):
        grows = re.fullmatch(r"look-up among ([\d,]+), (.+)", each.name)
        name = f"look-up, {grows[2]}" if grows else each.name
        size = grows[1].replace(",", "") if grows else ""
        yield row(
            SUITE, "lookup", name, each.unit, [each.value], parameter=size, target=each.target
        )
