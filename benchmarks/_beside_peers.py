"""What ``peers`` measures: other tools under the load that ours has, in the same rounds.

Two kinds. Proxies and servers, in processes of their own, loaded by wrk: they forward to one
origin, record from it, or answer, in plain HTTP and over TLS. Libraries, in a process with the
client: ``requests``, one after the other, with nothing around it, under VCR.py and
under ours; and a suite of tests, under pytest-recording and under our plugin. Each tool is used as
its documentation shows, from an environment of its own; nothing is installed here, and what is not
there is a row that says so. What the others record is not checked. A rate says nothing of what else
a tool does: WireMock matches more richly, mitmproxy shows everything.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import _peers, _programs, _result, pytest_overhead, throughput
from benchmarks._programs import BenchmarkError, Program
from benchmarks._result import row
from benchmarks._rows import ROWS, TLS_ROWS, Row, Stage
from benchmarks._scale import Scale
from benchmarks._traffic import BODY, Shape, ask
from benchmarks._watch import Patience
from benchmarks.throughput import Measurement

SUITE = "peers"
TIMES_MITMPROXY = 40.0  # as fast, in replay
HOVERFLY = 0.14  # of HAProxy's rate, while it captures
TIMES_HOVERFLY = 3.0  # as fast, in record
_WARM_UP = 2.0  # seconds: a virtual machine takes a while to come to speed
INSTALL = "not installed: scripts/install-peers"


def rows(scale: Scale, patience: Patience) -> Iterator[_result.Row]:
    """Measure everything; each part that cannot be made is a row."""
    for group, part in (("forward", _servers), ("in_process", _libraries), ("pytest", _tests)):
        try:
            yield from part(scale, patience)
        except BenchmarkError as error:
            yield _result.missing(SUITE, group, group, error)


# --- proxies and servers -----------------------------------------------------------------


def _mitmproxy(stage: Stage, name: str, *options: str) -> Program:
    port = _programs.free_port()
    command = [
        str(_peers.folder_of("mitmproxy") / "bin" / "mitmdump"),
        *("--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *("--set", f"confdir={stage.folder / 'mitmproxy'}"),
        *("--mode", f"reverse:http://{stage.authority}", *options),
    ]
    return Program(name, command, port, stage.folder)


def _mitmproxy_recording(stage: Stage, name: str) -> Program:
    return _mitmproxy(stage, name, "--save-stream-file", str(stage.folder / f"{name}.flows"))


def _mitmproxy_replaying(stage: Stage, name: str) -> Program:
    """Record one flow, and start to replay it over and over; nothing else is let through."""
    with _mitmproxy_recording(stage, f"{name}-recording") as program:
        ask(program.port, "/item/1", stage.authority)
    flows = stage.folder / f"{name}-recording.flows"
    reuse = ("--set", "server_replay_reuse=true", "--set", "server_replay_extra=kill")
    return _mitmproxy(stage, name, "--server-replay", str(flows), *reuse)


def _wiremock(stage: Stage, name: str, *options: str, tls: bool = False) -> Program:
    port = _programs.free_port()
    root = stage.folder / name
    (root / "mappings").mkdir(parents=True)
    (root / "__files").mkdir()
    if "--proxy-all" not in options:
        (root / "mappings" / "item.json").write_text(json.dumps(_MAPPING), encoding="utf-8")
    listening = ["--port", str(port)]
    if tls:
        listening = ["--port", str(_programs.free_port()), "--https-port", str(port)]
    command = [
        *("java", "-jar", str(_peers.wiremock_jar(install=False)), *listening),
        *("--bind-address", "127.0.0.1", "--root-dir", str(root)),
        *("--disable-banner", *options),
    ]
    return Program(name, command, port, stage.folder)


def _wiremock_tls(stage: Stage, name: str) -> Program:
    return _wiremock(stage, name, "--no-request-journal", tls=True)


def _wiremock_forwarding(stage: Stage, name: str) -> Program:
    forwarding = ("--proxy-all", f"http://{stage.authority}")
    return _wiremock(stage, name, "--no-request-journal", *forwarding)


def _wiremock_answering(stage: Stage, name: str) -> Program:
    return _wiremock(stage, name, "--no-request-journal")


def _wiremock_recording(stage: Stage, name: str) -> Program:
    """What it records it takes from its journal of requests."""
    proxied = f"http://{stage.authority}"
    return _wiremock(stage, name, "--proxy-all", proxied, "--record-mappings")


_MAPPING = {
    "request": {"method": "GET", "url": "/item/1"},
    "response": {
        "status": 200,
        "body": BODY.decode(),
        "headers": {"Content-Type": "application/json"},
    },
}


def _ours_and_references(group: str) -> list[Row]:
    by_name = {each.name: each for each in (*ROWS, *TLS_ROWS)}
    return {
        "forward": [
            replace(by_name["nginx answering"], name="direct"),
            *(by_name[name] for name in ("HAProxy", "nginx forwarding")),
            by_name["magneto passthrough --reverse"],
        ],
        "record": [by_name["HAProxy"], by_name["magneto record --reverse"]],
        "replay": [by_name["nginx answering"], by_name["magneto replay --reverse"]],
        "replay_tls": [by_name["nginx TLS answering"], by_name["magneto replay --reverse-tls"]],
    }[group]


_MITMPROXY = {
    "forward": _mitmproxy,
    "record": _mitmproxy_recording,
    "replay": _mitmproxy_replaying,
    "replay_tls": _mitmproxy_replaying,
}
_WIREMOCK = {
    "forward": _wiremock_forwarding,
    "record": _wiremock_recording,
    "replay": _wiremock_answering,
    "replay_tls": _wiremock_tls,
}


def _servers(scale: Scale, patience: Patience) -> Iterator[_result.Row]:
    """Measure rates under the same load, each beside ours in its round."""
    _programs.require("wrk", "nginx", "haproxy", "openssl")
    present = {
        "mitmproxy": _peers.python_of("mitmproxy", install=False),
        "WireMock": _peers.wiremock_jar(install=False),
    }
    measured: list[tuple[str, Measurement]] = []
    for group in _WIREMOCK:
        shape = Shape(tls=group == "replay_tls")
        of_group = _ours_and_references(group)
        for name, starts in (("mitmproxy", _MITMPROXY), ("WireMock", _WIREMOCK)):
            if group not in starts:
                continue
            if present[name] is None:
                yield _result.missing(SUITE, group, name, INSTALL)
            else:
                of_group.append(Row(name, starts[group], warm_up=_WARM_UP))
        measured += [(group, Measurement(each, shape)) for each in of_group]
    every = [each for _, each in measured]
    throughput.measure_all(every, seconds=scale.peers, rounds=1, patience=patience)
    for group, each in measured:
        others = [other for at, other in measured if at == group]
        yield _beside_ours(group, each, others)
        if group == "record" and each.row.name.startswith("magneto"):
            yield from _beside_hoverfly(each, others)


def _beside_hoverfly(ours: Measurement, of_group: list[Measurement]) -> Iterator[_result.Row]:
    """Yield how our recording compares with Hoverfly's, which cannot be installed from packages.

    What is known of it is a ratio, and so it is compared by that: 0.14 of HAProxy's rate.
    """
    haproxy = next((each for each in of_group if each.row.name == "HAProxy"), None)
    if haproxy is None or haproxy.faults or ours.faults:
        return
    pairs = zip(ours.loads, haproxy.loads, strict=True)
    yield row(
        SUITE,
        "record",
        "magneto record, beside Hoverfly's capture (0.14 of HAProxy)",
        "x",
        [mine.rate / theirs.rate / HOVERFLY for mine, theirs in pairs],
        better="more",
        target=TIMES_HOVERFLY,
        judged=not any(throughput.disturbed(each) for each in (ours, haproxy)),
    )


def _beside_ours(group: str, measurement: Measurement, of_group: list[Measurement]) -> _result.Row:
    """Return a rate; ours has its ratio to mitmproxy, every other its ratio to ours."""
    name = measurement.row.name
    if measurement.faults:
        return _result.missing(SUITE, group, name, measurement.faults[0])
    mine = name.startswith("magneto")
    wanted = "mitmproxy" if mine else "magneto"
    other = next((each for each in of_group if each.row.name.startswith(wanted)), None)
    ratio = None
    if other is not None and not other.faults:
        pairs = zip(measurement.loads, other.loads, strict=True)
        ratio = statistics.median(a.rate / b.rate for a, b in pairs)
    target = TIMES_MITMPROXY if mine and group == "replay" and ratio is not None else None
    return row(
        SUITE,
        group,
        name,
        "requests/s",
        [load.rate for load in measurement.loads],
        better="more",
        reference=other.row.name if other is not None and ratio is not None else None,
        ratio=ratio,
        target=target,
        judged=not any(throughput.disturbed(each) for each in (measurement, other) if each),
    )


# --- libraries ---------------------------------------------------------------------------

_CLIENT = """
import contextlib, sys, time
import requests

tool, cassette, port, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if tool == "VCR.py":
    import vcr
    around = lambda: vcr.use_cassette(cassette + ".yaml")
elif tool == "magneto":
    import os
    from magneto_serge import use_cassette
    folder, name = os.path.split(cassette)
    around = lambda: use_cassette(name, cassette_dir=folder)
else:
    around = contextlib.nullcontext
began = time.perf_counter()
with around(), requests.Session() as session:
    for number in range(count):
        answer = session.get(f"http://127.0.0.1:{port}/item/{number}", timeout=30)
        assert answer.status_code == 200, answer.text
print((time.perf_counter() - began) / count * 1e6)
"""


def _libraries(scale: Scale, patience: Patience) -> Iterator[_result.Row]:
    """Measure a request of ``requests`` in one process, opening and saving included."""
    theirs = _peers.python_of("pytest-recording", install=False)
    if theirs is None:
        yield _result.missing(SUITE, "in_process", "VCR.py", INSTALL)
    pythons = {"no tool": Path(sys.executable), "magneto": Path(sys.executable)}
    if theirs is not None:
        pythons["VCR.py"] = theirs
    took: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        folder = Path(name)
        with _programs.origin(folder) as origin:
            for number in range(scale.rounds):
                for tool, python in pythons.items():
                    for what in ("record", "replay") if tool != "no tool" else ("ask",):
                        patience.wait_for_quiet()
                        cassette = folder / f"{tool.partition('.')[0]}-{number}"
                        command = [str(python), "-c", _CLIENT, tool, str(cassette)]
                        command += [str(origin.port), str(scale.in_process)]
                        took.setdefault((tool, what), []).append(_ran(command, folder))
    for (tool, what), values in took.items():
        beside = took.get(("VCR.py", what)) if tool == "magneto" else None
        yield row(
            SUITE,
            "in_process",
            tool,
            "µs",
            values,
            parameter=what,
            reference="VCR.py" if beside else None,
            ratio=statistics.median(values) / statistics.median(beside) if beside else None,
        )


def _ran(command: list[str], folder: Path) -> float:
    done = subprocess.run(
        _programs.pinned(command, load=False),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=_programs.magneto_environment(folder),
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{command[3]} failed: {done.stderr.strip()[-1000:]}")
    return float(done.stdout)


def _tests(scale: Scale, _: Patience) -> Iterator[_result.Row]:
    """Measure what a recording costs a test, beside no plugin and beside pytest-recording."""
    if _peers.python_of("pytest-recording", install=False) is None:
        yield _result.missing(SUITE, "pytest", "pytest-recording", INSTALL)
        return
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        for each in pytest_overhead.measure(Path(name), scale.tests, scale.rounds):
            unit = each.unit or "x"
            yield row(SUITE, "pytest", each.name, unit, [each.value], target=each.target)
