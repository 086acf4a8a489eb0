"""What a look-up costs as a cassette grows, and how long it takes to explain that there is none.

A look-up is `Session.decide` for a request that was recorded: new objects each time, as the proxy
makes them, under the default rules and others, without credentials and with. Some requests (1,000,
spread over the cassette) are asked for over and over, as tests do; *anywhere* asks for any, so that
with a million recordings nearly each look-up waits for memory that no cache of the processor holds.
Under other rules than the default ones no cassette has more than 100,000: looking through a million
recordings for credentials takes a minute of its own, and shows nothing else.
Sizes are measured in turn, and a ratio is taken within its round; times are of the thread, so that
other work on the machine counts less. A miss is `Session.decide` for a request that was not
recorded: the first one in a session, which makes what the others find there, and later ones.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _report
from benchmarks._report import Figure
from magneto_serge import Headers, Interaction, Mode, Request, Response, Settings
from magneto_serge.replay.engine import Session
from magneto_serge.replay.misses import Miss
from magneto_serge.replay.rules import compile_rules
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.replay.shelves import Recording, Shelves
from magneto_serge.storage.store import CassetteStore

_PLAIN = Headers.of(("Host", "api.example.com"), ("Accept", "*/*"))
_RECORDED = Headers.of(("Host", "api.example.com"), ("Authorization", "Bearer REDACTED-1"))
_SENT = Headers.of(("Host", "api.example.com"), ("Authorization", "Bearer 0123456789abcdef"))
_ANSWER = Response(200, "OK", body=b"{}")
_WORKING = 1_000  # requests that are asked for over and over
_ASKED = 20_000  # look-ups in one measurement
_OTHERWISE = 100_000  # recordings of the largest under other rules


def asked(number: int, headers: Headers = _PLAIN) -> Request:
    """Return a request, all of it new but its header section, as the proxy makes them."""
    target = f"/users/{number}/posts?page=1&user={number}"
    return Request("GET", "https", "api.example.com", 443, target, headers)


def taped(count: int, headers: Headers = _PLAIN) -> Iterator[Interaction]:
    """Yield interactions of different requests."""
    return (Interaction(asked(number, headers), _ANSWER) for number in range(count))


def session(interactions: Iterator[Interaction], **settings: Any) -> Session:
    """Return a session that replays these under these settings of matching."""
    rules = compile_rules(Settings(**settings))
    cassette = Shelves(interactions, rules=rules, secrets=SecretRules())
    return Session("tape", Mode.REPLAY, cassette=cassette)


def _look_up(playing: Session, numbers: Sequence[int], headers: Headers, count: int) -> float:
    """Return the time of one look-up in µs."""
    requests = [asked(random.choice(numbers), headers) for _ in range(count)]
    decide = playing.decide
    start = time.thread_time()
    for request in requests:
        decide(request)
    spent = time.thread_time() - start
    if type(decide(requests[0])) is not Recording:
        raise AssertionError("what was recorded was not found")
    return spent / count * 1e6


def growing(
    name: str,
    sizes: Sequence[int],
    rounds: int,
    target: float | None,
    *,
    recorded: Headers = _PLAIN,
    sent: Headers = _PLAIN,
    anywhere: bool = False,
    **settings: Any,
) -> Iterator[Figure]:
    """Measure look-ups at each size, and the last beside the first; ``anywhere``: once more so."""
    sessions = {size: session(taped(size, recorded), **settings) for size in sizes}
    gc.collect()
    gc.freeze()  # as the command does, once a cassette is open
    spread = {
        size: [at * size // min(size, _WORKING) for at in range(min(size, _WORKING))]
        for size in sizes
    }
    yield from _grown(name, sessions, spread, sent, rounds, target)
    if anywhere:
        every = {size: range(size) for size in sizes}
        yield from _grown(f"{name}, anywhere", sessions, every, sent, rounds, None)
    gc.unfreeze()


def _grown(
    name: str,
    sessions: Mapping[int, Session],
    numbers: Mapping[int, Sequence[int]],
    sent: Headers,
    rounds: int,
    target: float | None,
) -> Iterator[Figure]:
    sizes = list(sessions)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            times[size].append(_look_up(sessions[size], numbers[size], sent, _ASKED))
    for size in sizes:
        yield Figure(f"look-up among {size:,}, {name}", statistics.median(times[size]), "µs")
    first, last = times[sizes[0]], times[sizes[-1]]
    ratio = statistics.median(b / a for a, b in zip(first, last, strict=True))
    yield Figure(f"{sizes[-1]:,} beside {sizes[0]:,}, {name}", ratio, "x", target)


def _different(number: int) -> Request:
    return asked(number)


def _one_target(number: int) -> Request:
    body = b'{"query":"query A($n: Int) { a(n: $n) { b } }","variables":{"n":%d}}' % number
    fields = Headers.of(("Content-Type", "application/json"))
    return Request("POST", "https", "api.example.com", 443, "/graphql", fields, body)


def _explained(playing: Session, request: Request) -> float:
    start = time.thread_time()
    miss = playing.decide(request)
    spent = time.thread_time() - start
    if not isinstance(miss, Miss) or not miss.nearest:
        raise AssertionError("nothing near was found")
    return spent * 1000


def misses(count: int, folder: Path, rounds: int) -> Iterator[Figure]:
    """Measure how long a miss takes to be explained among so many recordings."""
    kinds: list[tuple[str, Callable[[int], Request], Request]] = [
        ("another query", _different, asked(count // 2)),
        ("another path", _different, asked(count // 2)),
        ("another body of one target", _one_target, _one_target(count // 2)),
    ]
    kinds[0][2].target += "&ts=1"
    kinds[1][2].target = f"/users/x{count // 2}/posts?page=1&user=0"
    kinds[2][2].body = bytes(kinds[2][2].body).replace(b"query A", b"query B")  # type: ignore[arg-type]
    store = CassetteStore(folder, format="msgpack", fsync="never")
    for name, made, request in kinds:
        said = [Interaction(made(number), _ANSWER) for number in range(count)]
        store.save("tape", said)
        for kind in ("in memory", "binary"):
            first, later = [], []
            for _ in range(rounds):
                if kind == "binary":
                    shelves = store.open("tape").shelves(secrets=SecretRules())
                    playing = Session("tape", Mode.REPLAY, cassette=shelves)
                else:
                    playing = session(iter(said))
                first.append(_explained(playing, request))
                later.append(_explained(playing, request))
            for when, times in (("first", first), ("later", later)):
                title = f"{when} miss among {count:,} ({kind}), {name}"
                yield Figure(title, statistics.median(times), "ms", 50)


def run(sizes: Sequence[int], rounds: int, many: int, explained: int = 3) -> Iterator[Figure]:
    """Make all measurements; each miss among ``many`` is explained so many times."""
    fewer = sorted({min(size, _OTHERWISE) for size in sizes})
    yield from growing("default rules", sizes, rounds, 1.5, anywhere=True)
    yield from growing("with credentials", fewer, rounds, 1.5, recorded=_RECORDED, sent=_SENT)
    yield from growing("ignore_query", fewer, rounds, 1.5, ignore_query=("page",))
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        yield from misses(many, Path(name), explained)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if a target was missed (with --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="of each, for the median (9)")
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="recordings of the largest (1,000,000)"
    )
    parser.add_argument(
        "--many", type=int, default=100_000, help="recordings among which to miss (100,000)"
    )
    options = parser.parse_args(argv)
    sizes = sorted({10, min(10_000, options.largest), options.largest})
    figures = list(run(sizes, options.rounds, options.many))
    return _report.conclude("look-up", figures, options)


if __name__ == "__main__":
    sys.exit(main())
