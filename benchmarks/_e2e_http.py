"""The HTTP throughput of ``e2e``: what is measured beside what, by the machinery of ``throughput``.

Forwarding, recording, replaying and verifying, plain and over TLS, over kept connections and with
one for each request, with equal and with different requests, with bodies of all sizes, over few and
many connections. All of it in the same interleaved rounds, so that every rate has its reference
beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks import _programs, _result, _rows, throughput
from benchmarks._result import Row, row
from benchmarks._rows import FORMATS, ROWS, TLS_ROWS, TUNNEL_ROWS, VERIFY
from benchmarks._scale import Scale
from benchmarks._traffic import H2LOAD, OWN, WRK, Shape
from benchmarks._watch import Patience
from benchmarks.throughput import Measurement

SUITE = "e2e"

HANDSHAKES = 0.6  # of nginx's, with a certificate that is there already
BODIES = 0.7  # of HAProxy's, in bytes and so in answers of one size
HELD_UP = 0.9  # of its core: who uses less waited for its load
DIFFERENT = 0.7  # of our own rate of equal requests


@dataclass(frozen=True)
class Case:
    """A measurement, and where it is shown: its group, its parameter, the least ratio."""

    group: str
    measurement: Measurement
    parameter: str
    target: float | None

    @property
    def once(self) -> bool:
        """Whether one round is enough for it."""
        size = self.measurement.shape.size
        return self.group in _ONCE or (size is not None and size < _LARGE)


def _case(
    group: str, found: _rows.Row, shape: Shape, parameter: object, target: float | None = None
) -> Case:
    shape = replace(shape, absolute=found.absolute, cycle=found.cycle)
    return Case(group, Measurement(found, shape), str(parameter), target if found.beside else None)


def cases(scale: Scale) -> list[Case]:
    """Return everything that is measured, references first."""
    plain = {each.name: each for each in (*ROWS, VERIFY)}
    found = [
        _case("http_throughput", each, Shape(different=different), word, each.target)
        for each in plain.values()
        if each.name not in _LEFT_OUT
        for different, word in ((False, "same"), (True, "different"))
    ]
    found += [
        _case("tls_throughput", each, Shape(tls=True), "kept", each.target) for each in TLS_ROWS
    ]
    for each in TUNNEL_ROWS:
        ours = each.name.startswith("magneto")
        shape = Shape(tls=True, by=OWN, tunnel=ours)
        found.append(_case("tls_tunnels", each, shape, "kept", each.target))
    secure = {each.name: each for each in TLS_ROWS}
    for name, target in _HANDSHAKING:
        shape = Shape(tls=True, closing=True)
        found.append(_case("tls_handshakes", secure[name], shape, "cached host", target))
    found += [
        _case("connection_per_request", plain[name], Shape(closing=True), "closing")
        for name in ("HAProxy", "nginx answering", *_REVERSE)
    ]
    for size in scale.bodies:
        for name in _CARRYING:
            each = replace(plain[name], beside="HAProxy" if name != "HAProxy" else "")
            target = BODIES if size >= _LARGE else None
            found.append(_case("body_sizes", each, Shape(size=size), size, target))
    for connections in scale.connections:
        for name in ("HAProxy", "nginx answering", *_REVERSE):
            shape = Shape(connections=connections)
            found.append(_case("connections", plain[name], shape, connections))
    for name in ("HAProxy", "nginx answering", *_REVERSE):
        target = plain[name].target
        found.append(_case("second_opinion", plain[name], Shape(by=H2LOAD), "same", target))
    return [
        case
        for case in found
        if not scale.rows or any(part in case.measurement.row.name for part in scale.rows)
    ]


# Shown elsewhere, or second opinions: each row here takes seconds, in every round.
_LEFT_OUT = {"nginx forwarding", *(f"magneto record {each} --reverse" for each in FORMATS)}
_FORMS = (" --reverse", "")
_CARRYING = ("HAProxy", "magneto passthrough --reverse", "magneto record msgpack --reverse")
_REVERSE = tuple(f"magneto {mode} --reverse" for mode in ("passthrough", "record", "replay"))
_LARGE = 100_000  # bytes of a body whose rate has a target
# What is there for a curve, or to confirm, is measured once.
_ONCE = ("connection_per_request", "connections", "second_opinion")
_HANDSHAKING = (
    ("nginx TLS answering", None),
    ("magneto replay --reverse-tls", HANDSHAKES),
)


def rows(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure, and yield what was found; raises BenchmarkError without nginx or openssl."""
    _programs.require("nginx", "openssl")
    chosen = cases(scale)
    if _programs.find("haproxy") is None:
        yield _result.missing(SUITE, "http_throughput", "HAProxy", "HAProxy not found")
        chosen = [case for case in chosen if case.measurement.row.name != "HAProxy"]
    if _programs.find(H2LOAD) is None:
        yield _result.missing(SUITE, "second_opinion", H2LOAD, "h2load not found (nghttp2-client)")
        chosen = [case for case in chosen if case.group != "second_opinion"]
    for once, rounds in ((False, scale.rounds), (True, 1)):
        measurements = [case.measurement for case in chosen if case.once == once]
        throughput.measure_all(
            measurements, seconds=scale.seconds, rounds=rounds, patience=patience
        )
    for case in chosen:
        yield from _of(case, chosen)
    yield from _different_beside_same(chosen)


def _of(case: Case, every: Sequence[Case]) -> Iterator[Row]:
    """Yield the rate of a case, its latencies under full load, and the processor's time."""
    ours = case.measurement
    name = ours.row.name
    if ours.faults:
        yield _result.missing(SUITE, case.group, f"{name} {case.parameter}", ours.faults[0])
        return
    same_group = [each.measurement for each in every if each.group == case.group]
    beside = throughput.reference(ours, same_group)
    held_up = beside is not None and (_is_held_up(ours) or _is_held_up(beside))
    ratio = None if beside is None else _ratio(ours, beside, by_processor_time=held_up)
    disturbed = [each for each in (ours, beside) if each and throughput.disturbed(each)]
    yield row(
        SUITE,
        case.group,
        name,
        "requests/s",
        [load.rate for load in ours.loads],
        parameter=case.parameter,
        better="more",
        reference=beside.row.name if beside else None,
        ratio=ratio,
        target=case.target if ratio is not None else None,
        judged=not disturbed,
        note=_note(ours, held_up, bool(disturbed)),
    )
    if case.group == "http_throughput":
        yield from _costs(case)


def _is_held_up(measurement: Measurement) -> bool:
    """Whether our own generator, which is slower than wrk, was what limited the rate."""
    by_ours = any(load.generator == OWN for load in measurement.loads)
    return by_ours and statistics.median(measurement.cpu) < HELD_UP


def _ratio(ours: Measurement, beside: Measurement, *, by_processor_time: bool) -> float:
    """Return the median over the rounds of the ratio of rates.

    Where the load held one of them up, of the rates that a whole core would give: the requests of
    a second of processor time.
    """
    cores = [(1.0, 1.0)] * len(ours.loads)
    if by_processor_time:
        cores = [(max(a, 1e-3), max(b, 1e-3)) for a, b in zip(ours.cpu, beside.cpu, strict=True)]
    rounds = zip(ours.loads, beside.loads, cores, strict=True)
    return statistics.median(
        (mine.rate / my_cores) / (theirs.rate / their_cores)
        for mine, theirs, (my_cores, their_cores) in rounds
    )


def _note(ours: Measurement, held_up: bool, disturbed: bool) -> str:
    """Say what a reader has to know: who asked, and whether the rate was the load's."""
    said = []
    if any(load.generator != WRK for load in ours.loads):
        used = statistics.median(ours.cpu)
        said.append(f"{ours.loads[0].generator}; {used:.0%} of a core used")
    if held_up:
        said.append("ratio of rates for a whole core, because the load held one of them up")
    if disturbed:
        said.append("other work disturbed this")
    return "; ".join(said)


def _costs(case: Case) -> Iterator[Row]:
    ours = case.measurement
    title = f"{ours.row.name}, {case.parameter}"
    for at in ("p50", "p90", "p99", "p999"):
        values = [getattr(load, at) for load in ours.loads]
        name = at.replace("p999", "p99.9")
        yield row(SUITE, "latency_full_load", title, "µs", values, parameter=name)
    spent = [
        cores * load.duration / load.requests
        for cores, load in zip(ours.cpu, ours.loads, strict=True)
    ]
    yield row(SUITE, "cpu_per_request", title, "µs", spent)


def _different_beside_same(every: Sequence[Case]) -> Iterator[Row]:
    """Yield by how much different requests are slower than equal ones, for each of ours."""
    rates = {
        (case.measurement.row.name, case.parameter): case.measurement
        for case in every
        if case.group == "http_throughput" and case.measurement.row.name in _BOTH
    }
    for name in _BOTH:
        pair = rates.get((name, "same")), rates.get((name, "different"))
        if pair[0] is None or pair[1] is None or pair[0].faults or pair[1].faults:
            continue
        ratios = [b.rate / a.rate for a, b in zip(pair[0].loads, pair[1].loads, strict=True)]
        yield row(
            SUITE,
            "different_beside_same",
            name,
            "x",
            ratios,
            better="more",
            target=DIFFERENT,
            judged=not any(throughput.disturbed(each) for each in pair if each),
        )


_BOTH = tuple(
    f"magneto {mode}{form}" for mode in ("passthrough", "record", "replay") for form in _FORMS
)
