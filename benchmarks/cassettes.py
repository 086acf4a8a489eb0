"""What cassettes cost: opening, the first interaction, their size, and recording them.

Opening is measured in a process of its own, with everything imported before, so that the memory is
the cassette's and not the interpreter's. Files are in the page cache. The interactions are those of
a JSON API, made from a fixed seed: pages of a few things each, with the fields that such servers
send, some of them random as they are in life.

Reading is compared with VCR.py reading the same from YAML, both in this process, by turns. Many
interactions are recorded in a process of its own, as fast as the disk takes them; its memory is
read before the first one, and at its highest until the cassette is there.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import _report, _vcr
from benchmarks._programs import BenchmarkError
from benchmarks._report import Figure
from magneto_serge import Cassette, Headers, Interaction, Request, Response
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

_OPENING = """
import sys, time
from magneto_serge import Cassette
from magneto_serge.storage import container_read, packing
import zstandard

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

before = resident()
began = time.perf_counter()
cassette = Cassette.open(sys.argv[1])
opened = time.perf_counter()
shelves = cassette.shelves()
first = cassette[len(cassette) // 2]
asked = time.perf_counter()
assert shelves.play(first.request) is not None
found = time.perf_counter()
print(opened - began, asked - opened, found - asked, resident() - before)
"""


_RECORDING = """
import sys, threading
from pathlib import Path
from magneto_serge import Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

def memory(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024

folder, format, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = CassetteStore(Path(folder), format=format, fsync="never")
fields = Headers.of(("Content-Type", "text/plain"), ("Content-Length", "1024"))
sent = Headers.of(("Host", "api.example.com"), ("Accept", "*/*"))

def record(name, count):
    recorder = store.recorder(name)
    for number in range(count):
        request = Request("GET", "https", "api.example.com", 443, f"/{number}", sent)
        body = b"%01024d" % number
        recorder.record(Interaction(request, Response(200, "OK", fields, body), started=1.7e9))
        if recorder.congested:
            drained = threading.Event()
            recorder.when_drained(drained.set)
            drained.wait()
    return recorder

record("warm", 2000).finish(replace=True)
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
recorder = record("many", count)
recorder._stop()  # what is queued is written
recorded = memory("VmHWM") - before
path = recorder.finish(replace=True)
print(recorded, memory("VmHWM") - before, path.stat().st_size)
"""


def api(count: int, *, things: int = 12) -> Iterator[Interaction]:
    """Yield interactions of a JSON API, each with up to ``things`` things in its answer."""
    chance = random.Random(1)
    for page in range(count):
        items = [
            {
                "id": chance.randrange(10**9),
                "name": f"{chance.choice(('alpha', 'beta', 'gamma'))}{chance.randrange(10**5)}",
                "email": f"user{chance.randrange(10**6)}@example.com",
                "active": chance.random() < 0.5,
                "score": chance.random() * 100,
                "tags": chance.sample(("red", "green", "blue", "white", "black"), 2),
            }
            for _ in range(chance.randrange(1, things))
        ]
        body = json.dumps({"items": items, "page": page}).encode()
        received = Headers.of(
            ("Date", f"Mon, 05 Jan 2026 10:{page // 60 % 60:02}:{page % 60:02} GMT"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "keep-alive"),
            ("Server", "nginx"),
            ("ETag", f'W/"{chance.getrandbits(128):032x}"'),
            ("X-Request-Id", f"{chance.getrandbits(128):032x}"),
            ("X-RateLimit-Remaining", str(5000 - page % 5000)),
            ("Cache-Control", "private, max-age=60"),
        )
        sent = Headers.of(
            ("Host", "api.example.com"),
            ("User-Agent", "python-requests/2.32.3"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Accept", "*/*"),
            ("Connection", "keep-alive"),
        )
        target = f"/v1/things?page={page}"
        yield Interaction(
            Request("GET", "https", "api.example.com", 443, target, sent),
            Response(200, "OK", received, body),
            started=1.7e9 + page * 0.3,
            first_byte_ms=chance.random() * 50,
            total_ms=60 + chance.random(),
            peer="192.0.2.7:443",
        )


def opening(folder: Path, count: int, format: str, repeats: int) -> list[Figure]:
    """Measure opening a cassette of ``count`` interactions, and its first interactions."""
    store = CassetteStore(folder, format=format, fsync="never")
    path = store.save(f"open-{count}", api(count, things=3))
    runs = [
        list(map(float, _output(path).split())) for _ in range(repeats)
    ]  # opening, first by number, first by key, memory
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    what = f"{count:,} interactions, {path.stat().st_size / 1e6:.0f} MB of {format}"
    large = count >= 100_000
    return [
        Figure(f"open {what}", medians[0] * 1000, "ms", 10 if large else None),
        Figure(f"first interaction, {what}", medians[1] * 1000, "ms", 1 if large else None),
        Figure(f"first look-up by key, {what}", medians[2] * 1000, "ms", 1 if large else None),
        Figure(f"memory, {what}", medians[3] / 1e6, "MB", 5 if large else None),
    ]


def _output(path: Path) -> str:
    command = [sys.executable, "-c", _OPENING, str(path)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def sizes(folder: Path) -> list[Figure]:
    """Compare the sizes of 1,000 interactions in each format with JSON."""
    said = list(api(1000))
    size = {
        format: CassetteStore(folder, format=format).save("size", said).stat().st_size
        for format in FORMATS
    }
    return [
        Figure(
            f"1,000 interactions as {format}",
            100 * size[format] / size["json"],
            "% of JSON",
            15 if format == "msgpack.zst" else None,
        )
        for format in FORMATS
    ]


def recording(folder: Path, format: str, repeats: int) -> list[Figure]:
    """Measure how long a recording of 100 interactions takes to begin, and to end."""
    store = CassetteStore(folder, format=format, fsync="never")
    said = list(api(100))
    began, ended = [], []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        recorder = store.recorder("recording")
        began.append(time.perf_counter() - start)
        for interaction in said:
            recorder.record(interaction)
        time.sleep(0.3)  # as traffic does: what comes is written while it goes on
        start = time.perf_counter()
        recorder.finish(replace=True)
        ended.append(time.perf_counter() - start)
    what = f"recording 100 interactions as {format}, no fsync"
    return [
        Figure(f"begin {what}", statistics.median(began[1:]) * 1000, "ms", 1),
        Figure(f"end {what}", statistics.median(ended[1:]) * 1000, "ms", 5),
    ]


def recording_many(folder: Path, format: str, count: int) -> list[Figure]:
    """Measure how much memory it takes to record ``count`` interactions of 1 KB."""
    command = [sys.executable, "-c", _RECORDING, str(folder), format, str(count)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    recorded, saved, size = map(int, done.stdout.split())
    what = f"{count:,} interactions of 1 KB, {size / 1e6:.0f} MB of {format}"
    return [
        Figure(f"memory while recording {what}", recorded / 1e6, "MB", 20),
        Figure(f"memory until they are saved, {what}", saved / 1e6, "MB", 20),
    ]


def reading(folder: Path) -> list[Figure]:
    """Measure opening and reading all of 10,000 interactions in each format."""
    said = list(api(10_000, things=3))
    figures = []
    for format in FORMATS:
        path = CassetteStore(folder, format=format, fsync="never").save("read", said)
        took = _timed(lambda path: sum(1 for _ in Cassette.open(path)), path)
        figures.append(Figure(f"read {len(said):,} interactions of {format}", took * 1000, "ms"))
    return figures


def _timed(read: Callable[[Path], object], path: Path) -> float:
    gc.collect()
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def beside_vcr(folder: Path, count: int, repeats: int) -> list[Figure]:
    """Measure reading ``count`` interactions beside VCR.py; nothing where that is not installed."""
    try:
        version = _vcr.version()
    except BenchmarkError as error:
        _report.say(str(error))
        return []
    said = list(api(count, things=3))
    ours = CassetteStore(folder, format="json", fsync="never").save("beside", said)
    theirs = folder / "beside.yaml"
    _vcr.write(theirs, said)
    pairs = [
        (_timed(lambda path: Cassette.open(path)[:], ours), _timed(_vcr.read, theirs))
        for _ in range(repeats)
    ]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    return [
        Figure(f"read {count:,} interactions of JSON, all of them", mine * 1000, "ms"),
        Figure(f"VCR.py {version} reading the same from YAML, libYAML", other * 1000, "ms"),
        Figure("times as fast as VCR.py", ratio, "x", 20, least=True),
    ]


def run(largest: int, repeats: int, many: int = 200_000) -> list[Figure]:
    """Make all measurements."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        for count in sorted({1, 1000, min(largest, 100_000), largest}):
            figures += opening(folder, count, "msgpack", repeats)
        figures += opening(folder, min(largest, 100_000), "msgpack.zst", repeats)
        figures += sizes(folder)
        for format in ("json", "msgpack", "msgpack.zst"):
            figures += recording(folder, format, repeats)
        if Path("/proc/self/clear_refs").exists():
            for format in ("json", "msgpack", "msgpack.zst"):
                figures += recording_many(folder, format, many)
        figures += reading(folder)
        figures += beside_vcr(folder, 10_000, 3)
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 1 if a target was missed (with --enforce)."""
    parser = _report.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="of each, for the median (7)")
    parser.add_argument(
        "--largest", type=int, default=100_000, help="interactions of the largest (100,000)"
    )
    parser.add_argument(
        "--many", type=int, default=200_000, help="interactions recorded at once (200,000)"
    )
    options = parser.parse_args(argv)
    figures = run(options.largest, options.repeats, options.many)
    return _report.conclude("cassettes", figures, options)


if __name__ == "__main__":
    sys.exit(main())
