"""The rows of ``websocket_proxy``, and the throughput of WebSockets of ``e2e``.

The measuring is that of ``websocket``; here its works get the names of the groups, and stand beside
what it does not measure: how long an opening takes, what starting and stopping a recording costs
while a WebSocket is open, and switching modes under a client that goes on talking. The last two are
of a proxy in this process, as they are in a test suite.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _programs, _result, websocket
from benchmarks._programs import BenchmarkError, Program
from benchmarks._result import row
from benchmarks._scale import Scale
from benchmarks._watch import Patience
from benchmarks._websocket_traffic import CHUNK, MASKED_CLOSE, Stream, connect
from benchmarks.websocket import (
    ALONE,
    BATCHED,
    CROWDED,
    DIRECT,
    MANY,
    NGINX,
    ONE,
    PASSTHROUGH,
    RECORD,
    SIZED,
    TALK,
    Row,
    Stage,
)
from magneto_serge import MagnetoProxy, Mode
from magneto_serge.errors import MagnetoError

SUITE = "websocket_proxy"
_SWITCHED = ("auto", "record", "replay", "passthrough")
_SIZE = 256  # bytes of a message where nothing else is said


def rows(scale: Scale, patience: Patience) -> Iterator[_result.Row]:
    """Measure everything; what cannot be measured is a row that says why."""
    with websocket.stage() as stage:
        for group, part in (("setup", setup), ("mode_switching", switching), ("recording", living)):
            try:
                yield from part(scale, stage)
            except (BenchmarkError, MagnetoError, OSError) as error:
                yield _result.missing(SUITE, group, group, repr(error))
        amount = scale.talks
        plans = websocket.works(amount.sizes, amount.batches, amount.crowds)
        names = [NGINX, PASSTHROUGH, RECORD] if _programs.find("nginx") else [PASSTHROUGH, RECORD]
        every = [
            *websocket.rows(names, amount.talk, plans),
            Row(ALONE, plans[ALONE], DIRECT),
        ]
        websocket.run(every, stage, seconds=amount.seconds, rounds=amount.rounds, patience=patience)
        idle = websocket.held_open(every, stage, amount.idle)
    grouped = _groups(scale)
    for each in every:
        yield from _found(each, every, *grouped[each.work])
    yield from _claimed(every, idle, grouped)


def throughput(scale: Scale, patience: Patience) -> Iterator[_result.Row]:
    """Yield the throughput of WebSockets, for ``e2e``: echoes of two kinds, and a talk."""
    amount = scale.talks
    with websocket.stage() as stage:
        plans = {work: plan for work, plan in websocket.works().items() if work in (ONE, MANY)}
        names = [NGINX, PASSTHROUGH, RECORD] if _programs.find("nginx") else [PASSTHROUGH, RECORD]
        every = websocket.rows(names, amount.talk, plans)
        websocket.run(every, stage, seconds=amount.seconds, rounds=amount.rounds, patience=patience)
    for each in every:
        yield from _found(each, every, "websocket_throughput", each.work, suite="e2e")


def _groups(scale: Scale) -> dict[str, tuple[str, str]]:
    """Return the group and the parameter of each work."""
    amount = scale.talks
    return {
        ONE: ("recording", ONE),
        MANY: ("recording", MANY),
        TALK: ("replay", TALK),
        ALONE: ("latency", ""),
        **{SIZED.format(size): ("message_sizes", str(size)) for size in amount.sizes},
        **{BATCHED.format(n): ("message_throughput", str(n)) for n in amount.batches},
        **{CROWDED.format(n): ("concurrent", str(n)) for n in amount.crowds},
    }


def _found(
    each: Row, every: Sequence[Row], group: str, parameter: str, *, suite: str = SUITE
) -> Iterator[_result.Row]:
    """Yield a rate, or the latency, and the processor time of a message."""
    if each.faults or not each.found:
        why = each.faults[0] if each.faults else "not measured"
        yield _result.missing(suite, group, f"{each.program} {parameter}".strip(), why)
        return
    if group == "latency":
        for at in ("p50", "p99"):
            took = [getattr(found, at) for found in each.found]
            yield row(suite, group, each.program, "µs", took, parameter=at)
        return
    ratio = websocket.ratio(each, every, NGINX)
    yield row(
        suite,
        group,
        each.program,
        "messages/s",
        [found.rate for found in each.found],
        parameter=parameter,
        better="more",
        reference=NGINX if ratio is not None else None,
        ratio=ratio,
        note="other work disturbed this" if each.disturbed else "",
    )
    spent = [found.cpu for found in each.found]
    yield row(suite, group, f"{each.program}: processor time", "µs", spent, parameter=parameter)


def _claimed(
    every: Sequence[Row], idle: dict[str, float], grouped: dict[str, tuple[str, str]]
) -> Iterator[_result.Row]:
    """Yield what has to hold, each in the group of its work."""
    for claim in websocket.claims(every, idle):
        work = claim.what.partition(": ")[0]
        if work == "idle":
            group = "concurrent"
        else:
            group = grouped[work][0] if work in grouped else "latency"
        unit = "x" if ", of " in claim.what else "messages/s"
        unit = {"concurrent": "KB", "latency": "µs"}.get(group, unit)
        yield row(
            SUITE,
            group,
            claim.what,
            "x" if ", of " in claim.what else unit,
            [claim.value],
            better="less" if claim.below else "more",
            target=claim.limit,
            judged=claim.judged,
        )


# --- openings ----------------------------------------------------------------------------


def setup(scale: Scale, stage: Stage) -> Iterator[_result.Row]:
    """Measure an opening, until its 101 has come: the proxy's own to the origin is part of it."""
    count = scale.talks.opened
    names = [NGINX, PASSTHROUGH, RECORD] if _programs.find("nginx") else [PASSTHROUGH, RECORD]
    took = {DIRECT: openings(stage.origin, count)}
    for name in names:
        program, _ = stage.start(name)
        with program:
            took[name] = openings(program, count)
    for name, values in took.items():
        quartiles = statistics.quantiles(values, n=4, method="inclusive")
        yield row(SUITE, "setup", name, "µs", quartiles, note=f"quartiles of {count} openings")


def openings(program: Program, count: int) -> list[float]:
    """Return how long each opening took, in µs; the first one is dropped."""
    took = []
    for _ in range(count + 1):
        began = time.perf_counter()
        client, _rest = connect(program.port, f"/echo/{_SIZE}")
        took.append((time.perf_counter() - began) * 1e6)
        with client:
            client.sendall(MASKED_CLOSE)
            client.recv(CHUNK)
    return took[1:]


# --- a live proxy in this process --------------------------------------------------------


@contextmanager
def _talking(proxy: MagnetoProxy, size: int = _SIZE) -> Iterator[None]:
    """Keep a WebSocket open and messages going to and fro; raises BenchmarkError if it breaks."""
    sent, answered = Stream(size, masked=True), Stream(size, masked=False)
    stop, broken = threading.Event(), threading.Event()
    client, _ = connect(proxy.address[1], f"/echo/{size}")

    def talk() -> None:
        at = back = 0
        while not stop.wait(0.001):  # a client with something to do between two messages
            client.sendall(sent.view[at : at + sent.frame])
            due, heard = answered.frame, b""
            while len(heard) < due:
                data = client.recv(CHUNK)
                if not data:
                    broken.set()
                    return
                heard += data
            if heard != answered.data[back : back + due]:
                broken.set()
                return
            at, back = (at + sent.frame) % sent.round, (back + due) % answered.round

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        client.close()
    if broken.is_set():
        raise BenchmarkError("the WebSocket broke while modes were switched")


@contextmanager
def _live(stage: Stage) -> Iterator[MagnetoProxy]:
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        reverse = f"http://127.0.0.1:{stage.origin.port}"
        with MagnetoProxy(folder, port=0, data_dir=folder / "data", reverse=reverse) as proxy:
            yield proxy


def switching(scale: Scale, stage: Stage) -> Iterator[_result.Row]:
    """Measure a switch of modes while a WebSocket is open and messages go to and fro."""
    with _live(stage) as proxy:
        proxy.start_recording("switched")  # for mode replay there has to be a cassette, of others
        with _talking(proxy, 64):
            time.sleep(0.02)
        proxy.use("switched", Mode.HYBRID)
        with _talking(proxy):
            for mode in _SWITCHED:
                took = []
                for _ in range(scale.talks.opened):
                    proxy.mode = Mode.HYBRID
                    began = time.perf_counter()
                    proxy.mode = Mode(mode)
                    took.append((time.perf_counter() - began) * 1e6)
                yield row(SUITE, "mode_switching", mode, "µs", took)


def living(scale: Scale, stage: Stage) -> Iterator[_result.Row]:
    """Measure what it takes to start a recording, and to stop one that holds a conversation."""
    began, ended = [], []
    for _ in range(max(2, scale.talks.opened // 5)):
        with _live(stage) as proxy:
            start = time.perf_counter()
            proxy.start_recording("conversation")
            began.append((time.perf_counter() - start) * 1e6)
            with _talking(proxy):
                time.sleep(0.02)
            start = time.perf_counter()
            proxy.stop_recording()
            ended.append((time.perf_counter() - start) * 1e6)
    yield row(SUITE, "recording", "start_recording", "µs", began)
    yield row(SUITE, "recording", "stop_recording", "µs", ended)
