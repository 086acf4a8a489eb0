"""The load: wrk on one thread, 32 connections or as many as asked, one request on each.

What wrk cannot do, or all of it where wrk is absent, is done by our own generator (``_asking``),
and h2load is a second opinion; ``generator`` says who it was. The script's ``done`` (``_traffic``)
hands wrk's figures over as one line of JSON, from the same histogram that ``wrk --latency`` prints.
A run with a socket error, a timeout or a status over 399 is not a measurement: its ``fault`` says
so, and the benchmark fails.
"""

from __future__ import annotations

import math
import re
import signal
import subprocess
from pathlib import Path

import msgspec

from benchmarks import _asking
from benchmarks._programs import BenchmarkError, find, pinned
from benchmarks._traffic import H2LOAD, OWN, WRK, Shape

NOTHING = "no answer at all"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one run saw; ``duration``, ``p50`` to ``p999`` are in µs, 0 where they are not known."""

    requests: int
    bytes: int
    duration: int
    p50: int
    p99: int
    p90: int = 0
    p999: int = 0
    socket_errors: int
    timeouts: int
    status_errors: int
    generator: str = WRK

    @property
    def rate(self) -> float:
        """Complete answers per second."""
        return self.requests / (self.duration / 1e6)

    @property
    def fault(self) -> str | None:
        """Why this run is not a measurement, or None."""
        counts = {
            "socket errors": self.socket_errors,
            "timeouts": self.timeouts,
            "answers with an error status": self.status_errors,
        }
        faults = [f"{count} {what}" for what, count in counts.items() if count]
        if not self.requests:
            faults.append(NOTHING)
        return ", ".join(faults) or None


_NONE = Load(
    requests=0, bytes=0, duration=1, p50=0, p99=0, socket_errors=0, timeouts=0, status_errors=0
)


def parse(output: str) -> Load:
    """Return the figures that the script's ``done`` printed; raise BenchmarkError without them."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return msgspec.json.decode(line, type=Load)
    raise BenchmarkError(f"wrk gave no figures:\n{output}")


def run(
    port: int, shape: Shape, authority: str, folder: Path, seconds: float, *, first: int = 1
) -> Load:
    """Load 127.0.0.1:``port`` with requests of a ``shape`` for ``authority``, for so many seconds.

    ``first`` is the number of the first item where none repeats, so that a second run does not ask
    again for what the first has asked for.
    """
    if shape.by == H2LOAD:
        return _h2load(port, shape, authority, seconds)
    if shape.by == OWN or find(WRK) is None:
        return msgspec.json.decode(
            _asking.run(shape.plan(port, authority, seconds, first=first)), type=Load
        )
    return _wrk(port, shape, shape.script(authority, first=first), folder, seconds)


def _h2load(port: int, shape: Shape, authority: str, seconds: float) -> Load:
    scheme = "https" if shape.tls else "http"
    command = [
        *(find(H2LOAD) or H2LOAD, "--h1", "--threads", "1"),
        *("--clients", str(shape.connections), "--duration", str(math.ceil(seconds))),
        f"{scheme}://127.0.0.1:{port}{shape.target(authority)}",
    ]
    try:
        done = subprocess.run(
            pinned(command, load=True),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 15,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError("h2load did not end") from error
    return parse_h2load(done.stdout or done.stderr)


def parse_h2load(output: str) -> Load:
    """Return the figures that h2load printed; raise BenchmarkError without them."""
    rate = re.search(r"^finished in .*, ([\d.]+) req/s", output, re.MULTILINE)
    counts = re.search(
        r"(\d+) done, \d+ succeeded, \d+ failed, (\d+) errored, (\d+) timeout", output
    )
    statuses = re.search(r"^status codes: (\d+) 2xx", output, re.MULTILINE)
    size = re.search(r"^traffic: \S+ \((\d+)\) total", output, re.MULTILINE)
    if rate is None or counts is None or statuses is None or size is None:
        raise BenchmarkError(f"h2load gave no figures:\n{output}")
    requests = int(counts[1])
    return Load(
        requests=requests,
        bytes=int(size[1]),
        duration=round(requests / float(rate[1]) * 1e6) if requests else 0,
        p50=0,
        p99=0,
        socket_errors=int(counts[2]),
        timeouts=int(counts[3]),
        status_errors=requests - int(statuses[1]),
        generator=H2LOAD,
    )


def _wrk(port: int, shape: Shape, script: str, folder: Path, seconds: float) -> Load:
    file = folder / "load.lua"
    file.write_text(script, encoding="utf-8")
    command = [
        find(WRK) or WRK,
        *("--threads", "1", "--connections", str(shape.connections)),
        *("--duration", f"{math.ceil(seconds)}s", "--script", str(file)),
        f"http{'s' if shape.tls else ''}://127.0.0.1:{port}/",
    ]
    process = subprocess.Popen(
        pinned(command, load=True),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, output = process.communicate(timeout=seconds if seconds % 1 else seconds + 30)
    except subprocess.TimeoutExpired:
        # wrk counts in whole seconds; interrupted, it ends early and reports as usual.
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=30)
    if process.returncode == -signal.SIGINT:  # before it listened for that, on a busy machine
        return _NONE
    return parse(output)
