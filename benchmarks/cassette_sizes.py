"""What a cassette costs by its size, from 1 KB to 100 MB: load, first replay, full replay.

Loading ends when the first request could be answered; the first replay finds and decodes one
recording; the full replay finds every one of them, in the recorded order. Each measurement is in a
process of its own with everything imported before, and files are in the page cache. Sizes are those
of the JSON form, so that a point means the same interactions in every format. With ``--svg`` the
figures are drawn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from benchmarks import _report
from benchmarks._plots import Line, Panel, draw
from benchmarks.cassettes import api
from magneto_serge.storage.store import CassetteStore

SIZES = {"1 KB": 10**3, "1 MB": 10**6, "10 MB": 10**7, "100 MB": 10**8}
FORMATS = ("json", "json.zst", "msgpack", "msgpack.zst")
WHAT = ("load", "first replay", "full replay")

_PLAYING = """
import sys, time
from magneto_serge import Cassette
from magneto_serge.storage import container_read, json_format, packing
import zstandard

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

requests = [each.request for each in Cassette.open(sys.argv[2])]
before = resident()
began = time.perf_counter()
shelves = Cassette.open(sys.argv[1]).shelves()
loaded = time.perf_counter()
assert shelves.play(requests[0]) is not None
first = time.perf_counter()
grown = resident() - before
for request in requests[1:]:
    assert shelves.play(request) is not None
ended = time.perf_counter()
print(loaded - began, first - loaded, ended - first, grown)
"""


@dataclass(frozen=True)
class Figure:
    """A cassette of ``bytes`` in the JSON form: seconds for each of ``WHAT``, and the memory (B)
    that loading and the first replay took. ``runs`` has the same four of every run. No target: the
    figures are for the drawing."""

    size: str
    bytes: int
    interactions: int
    format: str
    seconds: tuple[float, float, float]
    grown: int
    runs: tuple[tuple[float, ...], ...]
    holds: bool | None = None


def measure(folder: Path, size: str, repeats: int) -> list[Figure]:
    """Measure one size in every format."""
    plain = CassetteStore(folder, fsync="never", format="json").save("one", api(20))
    each = plain.stat().st_size / 20
    count = max(1, round(SIZES[size] / each)) if SIZES[size] >= each else 1
    said = list(api(count) if count > 1 else api(1, things=2))
    paths = {
        format: CassetteStore(folder, fsync="never", format=format).save(
            format.replace(".", "-"), said
        )
        for format in FORMATS
    }
    figures = []
    for format, path in paths.items():
        runs = [_played(path, paths["msgpack"]) for _ in range(repeats)]
        load, first, full, grown = (statistics.median(row) for row in zip(*runs, strict=True))
        figures.append(
            Figure(
                size,
                paths["json"].stat().st_size,
                count,
                format,
                (load, first, full),
                round(grown),
                tuple(map(tuple, runs)),
            )
        )
    for path in paths.values():
        path.unlink()
    return figures


def _played(path: Path, same: Path) -> list[float]:
    command = [sys.executable, "-c", _PLAYING, str(path), str(same)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return [float(word) for word in done.stdout.split()]


def panels(figures: Sequence[Figure]) -> list[Panel]:
    """Return a diagram for each of ``WHAT``."""
    return [
        Panel(
            what,
            "cassette, MB as JSON",
            "ms",
            [
                Line(
                    format,
                    [(f.bytes / 1e6, f.seconds[at] * 1000) for f in figures if f.format == format],
                )
                for format in FORMATS
            ],
            log_x=True,
            log_y=True,
        )
        for at, what in enumerate(WHAT)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and draw; return 0."""
    parser = _report.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of each, for the median (3)")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the figures there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        figures = list(
            chain.from_iterable(
                measure(Path(name), size, options.repeats) for size in options.sizes
            )
        )
    rows = [
        [
            f"{each.size}, {each.interactions:,} interactions, {each.format}",
            *(f"{seconds * 1000:,.2f}" for seconds in each.seconds),
            f"{each.grown / 1e6:.1f}",
        ]
        for each in figures
    ]
    _report.show_machine()
    heads = ["cassette", *(f"{what}, ms" for what in WHAT), "memory of the first two, MB"]
    print(_report.table(heads, rows))
    if options.svg is not None:
        draw(options.svg, "Cassettes by size (medians; both axes logarithmic)", panels(figures))
    return _report.finish([asdict(each) for each in figures], options, [])


if __name__ == "__main__":
    sys.exit(main())
