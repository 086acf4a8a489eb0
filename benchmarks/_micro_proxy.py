"""What ``http_proxy`` times: a proxy in this process, from its making to its mode switches.

Groups and names are the original's, so that its readers find each row. Nothing is simulated: what
is loaded are cassettes of a JSON API, a mode is switched while another thread asks over a kept
connection, and concurrent operations are threads with connections of their own, all of them in one
process with one interpreter lock, as they are in a test suite.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyperf

from benchmarks._kept import Kept, request
from benchmarks._micro import Bench, Timed, between, cassette, repeated
from magneto_serge import MagnetoProxy, Mode

LOADED = (1, 10, 50, 100, 1_000, 10_000, 100_000)
SLOW = 10_000  # from here on loading JSON takes a second and more
QUICKLY = 1_000  # the largest that is loaded in a quick run
THREADS = (1, 4, 16)
EACH = 20  # operations of each thread in one repetition
_SWITCHED = ("auto", "record", "replay", "passthrough")


def benches(*, quick: bool) -> list[Bench]:
    """Return everything that is timed."""
    return [
        Bench("proxy_creation", "new_proxy", _new),
        Bench("proxy_creation", "configure_proxy", _configured),
        Bench("recording_lifecycle", "start_recording", _start_recording),
        Bench("recording_lifecycle", "stop_recording", _stop_recording),
        *(Bench("mode_switching", mode, partial(_switching, mode)) for mode in _SWITCHED),
        *(
            Bench(
                "cassette_operations",
                name,
                partial(_loading, format, count),
                parameter=count,
                slow=count >= SLOW,
            )
            for name, format in (("load_cassette", "json"), ("load_cassette msgpack", "msgpack"))
            for count in LOADED
            if count <= QUICKLY or not quick
        ),
        *(
            Bench(
                "concurrent_operations",
                name,
                partial(prepare, threads),
                parameter=threads,
                inner=threads * EACH,
            )
            for name, prepare in (("replays", _replays), ("sessions", _sessions))
            for threads in THREADS
        ),
    ]


def _proxy(folder: Path, **settings: Any) -> MagnetoProxy:
    return MagnetoProxy(folder, port=0, data_dir=folder / "data", **settings)


def _new(folder: Path) -> Timed:
    return repeated(lambda: _proxy(folder))


def _configured(folder: Path) -> Timed:
    return repeated(
        lambda: _proxy(
            folder,
            mode="hybrid",
            match_on=("method", "host", "path", "query", "json"),
            ignore_hosts=("*.internal.example",),
            ignore_query=("ts",),
            redact_headers=("X-Session",),
            format="msgpack.zst",
        )
    )


def _running(folder: Path) -> MagnetoProxy:
    return _proxy(folder).start()  # ends with the worker's process


def _start_recording(folder: Path) -> Timed:
    proxy = _running(folder)
    proxy.stop_recording()

    def timed(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            began = pyperf.perf_counter()
            proxy.start_recording("begun")
            spent += pyperf.perf_counter() - began
            proxy.stop_recording()
        return spent

    return timed


def _stop_recording(folder: Path) -> Timed:
    """Each recording has one exchange, through the proxy; its cassette is written and synced."""
    proxy = _running(folder)
    asked = _asked(folder)

    def recorded() -> None:
        proxy.start_recording("ended")
        with Kept(proxy.address[1]) as client:
            client.ask(asked)

    return between(recorded, lambda _: proxy.stop_recording())


def _asked(folder: Path) -> bytes:
    """Return a request to the origin, as a client of a forward proxy sends it."""
    port = (folder / "origin").read_text(encoding="ascii")
    return request(f"127.0.0.1:{port}", absolute=True)


def _recorded(folder: Path) -> str:
    """Return the name of a cassette that holds the answer to ``_asked``; it is made once."""
    if not (folder / "asked.json").exists():
        with _proxy(folder) as proxy:
            proxy.start_recording("asked")
            with Kept(proxy.address[1]) as client:
                client.ask(_asked(folder))
    return "asked"


def _switching(mode: str, folder: Path) -> Timed:
    proxy = _running(folder)
    proxy.use(_recorded(folder), Mode.HYBRID)
    asked = _asked(folder)

    def traffic(stop: threading.Event) -> None:
        with Kept(proxy.address[1]) as client:
            while not stop.wait(0.001):  # a client with something to do between two requests
                client.ask(asked)

    def timed(loops: int) -> float:
        stop = threading.Event()
        client = threading.Thread(target=traffic, args=(stop,))
        client.start()
        spent = 0.0
        for _ in range(loops):
            proxy.mode = Mode.HYBRID
            began = pyperf.perf_counter()
            proxy.mode = Mode(mode)
            spent += pyperf.perf_counter() - began
        proxy.mode = Mode.HYBRID
        stop.set()
        client.join()
        return spent

    return timed


def _loading(format: str, count: int, folder: Path) -> Timed:
    path = cassette(folder, format, count)
    proxy = _proxy(folder)
    return repeated(lambda: proxy.replay(path.name))


def _replays(threads: int, folder: Path) -> Timed:
    proxy = _running(folder)
    proxy.replay(_recorded(folder))
    asked = _asked(folder)
    clients = [Kept(proxy.address[1]) for _ in range(threads)]
    return _together([partial(client.ask, asked) for client in clients])


def _sessions(threads: int, folder: Path) -> Timed:
    name = _recorded(folder)
    proxy = _running(folder)
    return _together([lambda: proxy.session(name, Mode.REPLAY).finish()] * threads)


def _together(operations: Sequence[Callable[[], object]]) -> Timed:
    """Return a timing of operations, each in a thread of its own, ``EACH`` times a repetition.

    The clock runs from when all threads are there until the last has done its part.
    """

    def timed(loops: int) -> float:
        ready = threading.Barrier(len(operations) + 1)

        def work(operation: Callable[[], object]) -> None:
            ready.wait()
            for _ in range(loops * EACH):
                operation()

        workers = [threading.Thread(target=work, args=(each,)) for each in operations]
        for worker in workers:
            worker.start()
        ready.wait()
        began = pyperf.perf_counter()
        for worker in workers:
            worker.join()
        return float(pyperf.perf_counter() - began)

    return timed
