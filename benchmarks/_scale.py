"""How much of everything a run of the suite does: a full one, a quick one, or a test's.

Quick is for whoever changes something and wants to know within minutes; its figures are of few
rounds, and the document says so. A smoke proves that everything runs, and measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WebSockets:
    """How much of WebSockets: ``seconds`` of each echo, of ``sizes`` (bytes), in ``batches``, by
    ``crowds`` of connections; messages of the ``talk``; how many are held open and are opened."""

    seconds: float
    rounds: int
    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    crowds: tuple[int, ...]
    talk: int
    idle: int
    opened: int


@dataclass(frozen=True)
class Scale:
    """Seconds and counts; ``pace`` are options of pyperf."""

    quick: bool
    seconds: float  # of each measurement under load
    rounds: int
    repeats: int  # of what starts a process each
    connections: tuple[int, ...]
    bodies: tuple[int, ...]  # bytes
    loads: tuple[int, ...]  # % of capacity
    asked: int  # requests of which latencies are taken
    hosts: int  # for new certificates
    exchanges: int  # recorded, for memory and what one costs
    replays: int  # for memory
    large: int  # bytes of a large body, for memory
    soak: float  # seconds
    lookups: tuple[int, ...]  # recordings among which one is looked up
    sizes: tuple[str, ...]  # of cassettes; names of cassette_sizes
    peers: float  # seconds of each peer, which have to come to speed
    turns: int  # of the load of two workers
    tests: int  # of a suite of tests, beside pytest-recording
    in_process: int  # requests, beside VCR.py
    talks: WebSockets
    pace: tuple[str, ...]
    parts: tuple[str, ...] = ()  # of e2e, those that are measured; () is all
    rows: tuple[str, ...] = ()  # of the HTTP throughput, those whose name contains one; () is all


QUICK = Scale(
    quick=True,
    seconds=0.5,
    rounds=1,
    repeats=3,
    connections=(1, 32, 256),
    bodies=(102_400,),
    loads=(10, 50, 90),
    asked=5_000,
    hosts=10,
    exchanges=5_000,
    replays=20_000,
    large=16 * 1024 * 1024,
    soak=4,
    lookups=(10, 1_000, 10_000),
    sizes=("1 KB", "1 MB", "10 MB"),
    peers=2,
    turns=30,
    tests=100,
    in_process=300,
    talks=WebSockets(0.1, 1, (64, 16_384), (10, 1_000), (100,), 20_000, 500, 50),
    pace=("--processes", "1", "--values", "5", "--warmups", "1", "--min-time", "0.005"),
)
FULL = Scale(
    quick=False,
    seconds=1,
    rounds=2,
    repeats=10,
    connections=(1, 8, 32, 128, 1_000),
    bodies=(0, 1_024, 102_400, 10_485_760),
    loads=(10, 25, 50, 75, 90),
    asked=20_000,
    hosts=50,
    exchanges=200_000,
    replays=1_000_000,
    large=256 * 1024 * 1024,
    soak=15,
    lookups=(10, 10_000, 1_000_000),
    sizes=("1 KB", "1 MB", "10 MB", "100 MB"),
    peers=2,
    turns=100,
    tests=200,
    in_process=300,
    talks=WebSockets(
        0.3,
        1,
        (64, 256, 1_024, 4_096, 16_384),
        (10, 100, 1_000, 10_000),
        (100,),
        100_000,
        2_000,
        200,
    ),
    pace=("--processes", "1", "--values", "6", "--warmups", "1", "--min-time", "0.01"),
)
SMOKE = Scale(
    quick=True,
    seconds=0.1,
    rounds=1,
    repeats=1,
    connections=(2,),
    bodies=(1_024,),
    loads=(50,),
    asked=20,
    hosts=1,
    exchanges=50,
    replays=50,
    large=65_536,
    soak=0.1,
    lookups=(1, 2),
    sizes=("1 KB",),
    peers=0.5,
    turns=2,
    tests=1,
    in_process=3,
    talks=WebSockets(0.02, 1, (64,), (10,), (2,), 200, 5, 2),
    pace=("--processes", "1", "--loops", "1", "--values", "1", "--warmups", "1"),
)
