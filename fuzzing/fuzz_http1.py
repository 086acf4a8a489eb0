"""Mutates well-formed messages and looks for bytes that the parsers read in two ways.

    python -m fuzzing.fuzz_http1 --seconds 60 [--seed N]

The messages are the fixtures of `tests/wire`, mangled at random: pieces deleted, doubled, moved,
spliced with others, or replaced by what parsers stumble over. Three things must hold for each:

* no exception leaves a parser, whatever it is fed;
* the same bytes cut in other places make the same events;
* where h11 accepts the bytes as well, it reads the same messages.

The corpus (`fuzzing/corpus`, raw bytes; the name says for which parser) is tried first, then new
mutations until the time is up. What breaks a rule is shown, written to the corpus, and ends the
run with status 1; `tests/wire/test_http1_corpus.py` keeps it from coming back. A run is repeated
by its seed.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h11
from tests.wire.feeding import Told, comparable, plain, read_requests, read_response
from tests.wire.fixtures import REQUESTS, RESPONSES, ResponseFixture
from tests.wire.oracle import ours, requests_by_h11, response_by_h11, same

CORPUS = Path(__file__).parent / "corpus"

STUMBLING_BLOCKS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\x00",
        b"\x0b",
        b"\x7f",
        b"\xff",
        b":",
        b",",
    ),
    *(b"0", b"1", b"5", b"ffffffffffffffff", b"0\r\n\r\n", b"5\r\nhello\r\n", b";a=b", b"-", b"+"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"GET ", b"CONNECT ", b"HEAD ", b"PRI ", b"#", b"@"),
    *(
        b"Host: b\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b" chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n"),
    *(b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 204 \r\n\r\n",
        b"HTTP/1.1 100 \r\n\r\n",
        b" 101 ",
        b" 304 ",
    ),
]


class TwoReadingsError(Exception):
    """Bytes that were read in two ways, or not at all; says how."""


def mutate(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Return ``data`` with one to four things done to it."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.choice((0, 1, 1, 2, 4, 20)))
        piece = data[start:end]
        match rng.randrange(6):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + piece + data[end:]
            case 2:
                data = data[:start] + rng.choice(STUMBLING_BLOCKS) + data[end:]
            case 3:
                data = data[:start] + bytes([rng.randrange(256)]) + data[end:]
            case 4:
                other = rng.choice(others)
                data = data[:start] + other[rng.randint(0, len(other)) :]
            case 5:
                there = rng.randint(0, len(data) - len(piece))
                rest = data[:start] + data[end:]
                data = rest[:there] + piece + rest[there:]
    return data


def some_cuts(data: bytes, rng: random.Random) -> Iterator[list[bytes]]:
    """Yield ``data`` in a few random pieces, twice, and byte by byte."""
    for _ in range(2):
        points = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 4)))
        bounds = zip([0, *points], [*points, len(data)], strict=True)
        yield [data[start:end] for start, end in bounds if start < end]
    yield [data[index : index + 1] for index in range(len(data))]


def check_request(data: bytes, rng: random.Random) -> None:
    """Read ``data`` as what a client sends; raises TwoReadingsError."""
    whole = read_requests([data])
    for pieces in some_cuts(data, rng):
        _compare(plain(whole), plain(read_requests(pieces)), pieces)
    if plain(whole) and plain(whole)[-1][0] != "broke":
        try:
            theirs = requests_by_h11(data)
        except h11.RemoteProtocolError:
            return
        mine = ours(whole)[: len(theirs)]  # h11 ends where its own HTTP/1.0 does
        if not same(mine, theirs):
            raise TwoReadingsError(f"h11 reads {theirs}, we read {mine}")


def check_response(data: bytes, method: str, rng: random.Random) -> None:
    """Read ``data`` as what an origin sends and then closes; raises TwoReadingsError."""
    fixture = ResponseFixture(data, method, closes=True)
    whole = read_response(fixture)
    for pieces in some_cuts(data, rng):
        _compare(plain(whole), plain(read_response(fixture, pieces)), pieces)
    if plain(whole) and plain(whole)[-1][0] in ("end", "response"):
        try:
            theirs = response_by_h11(fixture)
        except h11.RemoteProtocolError:
            return
        mine = ours(whole)
        if method == "CONNECT":  # a tunnel that speaks first is read where no framing is told only
            mine, theirs = ([one._replace(after=b"") for one in all_] for all_ in (mine, theirs))
        if not same(mine, theirs):
            raise TwoReadingsError(f"h11 reads {theirs}, we read {mine}")


def _compare(whole: Told, cut: Told, pieces: list[bytes]) -> None:
    if comparable(whole) != comparable(cut):
        raise TwoReadingsError(f"whole: {whole}\ncut as {pieces}: {cut}")


def check(kind: str, data: bytes, rng: random.Random) -> None:
    """Check ``data`` as ``kind``, "request" or the method that a response answers.

    Raises TwoReadingsError, also for any exception that leaves a parser.
    """
    try:
        if kind == "request":
            check_request(data, rng)
        else:
            check_response(data, kind, rng)
    except TwoReadingsError:
        raise
    except Exception as error:
        raise TwoReadingsError(f"{type(error).__name__} left a parser: {error}") from error


def corpus() -> list[tuple[str, bytes]]:
    """Return the corpus: kinds and bytes. A file's name begins with its kind."""
    files = sorted(CORPUS.glob("*.http"))
    return [(path.name.partition("-")[0], path.read_bytes()) for path in files]


def mutations(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield mangled messages without end."""
    seeds = [("request", data) for data in REQUESTS.values()]
    seeds += [(fixture.method, fixture.data) for fixture in RESPONSES.values()]
    pools = {
        kind: [data for other, data in seeds if (other == "request") is (kind == "request")]
        for kind in {kind for kind, _ in seeds}
    }
    while True:
        kind, data = rng.choice(seeds)
        yield kind, mutate(data, pools[kind], rng)


def main() -> int:
    """Run the fuzzer; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz the HTTP/1.x parsers.")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)  # noqa: S311  # to be repeated, not to be guessed
    deadline = time.monotonic() + arguments.seconds
    count = 0
    for kind, data in itertools.chain(corpus(), mutations(rng)):
        if time.monotonic() > deadline:
            break
        count += 1
        try:
            check(kind, data, rng)
        except TwoReadingsError as found:
            path = CORPUS / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}.http"
            path.write_bytes(data)
            print(f"{kind} {data!r}\n{found}\nKept as {path}", file=sys.stderr)
            return 1
    print(f"{count} messages, nothing found (seed {arguments.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
