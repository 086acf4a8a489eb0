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

from benchmarks import _programs, _result, throughput
from benchmarks._result import Row, row
from benchmarks._rows import ROWS, TLS_ROWS, VERIFY
from benchmarks._scale import Scale
from benchmarks._traffic import Shape
from benchmarks._watch import Patience
from benchmarks.throughput import Measurement

SUITE = "e2e"

# The least part of the reference's rate.
TARGETS = {
    "magneto passthrough": 0.7,
    "magneto record": 0.5,
    "magneto replay": 0.5,
    "magneto record --reverse-tls": 0.4,
    "magneto replay --reverse-tls": 0.5,
}
HANDSHAKES = 0.6  # of nginx's, with a certificate that is there already
BODIES = 0.7  # of HAProxy's, in bytes and so in answers of one size
DIFFERENT = 0.7  # of our own rate of equal requests


@dataclass(frozen=True)
class Case:
    """A measurement, and where it is shown: its group, its parameter, the least ratio."""

    group: str
    measurement: Measurement
    parameter: str
    target: float | None


def _case(
    group: str, name: str, shape: Shape, parameter: object, target: float | None = None
) -> Case:
    found = next(each for each in (*ROWS, *TLS_ROWS, VERIFY) if each.name == name)
    if shape.size is not None and found.beside:
        found = replace(found, beside="HAProxy")
    shape = replace(shape, absolute=found.absolute, cycle=found.cycle)
    return Case(group, Measurement(found, shape), str(parameter), target if found.beside else None)


def cases(scale: Scale) -> list[Case]:
    """Return everything that is measured, references first."""
    plain = [
        *("HAProxy", "nginx answering"),
        *(f"{mode}{form}" for mode in TARGETS if "tls" not in mode for form in _FORMS),
        "magneto verify --reverse",
    ]
    found = [
        _case(
            "http_throughput",
            name,
            Shape(different=different),
            "different" if different else "same",
            TARGETS.get(name.removesuffix(" --reverse")),
        )
        for name in plain
        for different in (False, True)
    ]
    for each in TLS_ROWS:
        target = TARGETS.get(each.name)
        found.append(_case("tls_throughput", each.name, Shape(tls=True), "kept", target))
    for name, target in _HANDSHAKING:
        shape = Shape(tls=True, closing=True)
        found.append(_case("tls_handshakes", name, shape, "cached host", target))
    found += [
        _case("connection_per_request", name, Shape(closing=True), "closing")
        for name in ("HAProxy", "nginx answering", *_REVERSE)
    ]
    for size in scale.bodies:
        for name in (
            "HAProxy",
            "magneto passthrough --reverse",
            "magneto record msgpack --reverse",
        ):
            target = BODIES if size >= 100_000 else None
            found.append(_case("body_sizes", name, Shape(size=size), size, target))
    for connections in scale.connections:
        for name in ("HAProxy", "nginx answering", *_REVERSE):
            shape = Shape(connections=connections)
            found.append(_case("connections", name, shape, connections))
    return [
        case
        for case in found
        if not scale.rows or any(part in case.measurement.row.name for part in scale.rows)
    ]


_FORMS = (" --reverse", "")
_REVERSE = tuple(f"magneto {mode} --reverse" for mode in ("passthrough", "record", "replay"))
_HANDSHAKING = (
    ("nginx TLS answering", None),
    ("magneto replay --reverse-tls", HANDSHAKES),
)


def rows(scale: Scale, patience: Patience) -> Iterator[Row]:
    """Measure, and yield what was found; raises BenchmarkError without wrk, nginx or openssl."""
    _programs.require("wrk", "nginx", "openssl")
    chosen = cases(scale)
    if _programs.find("haproxy") is None:
        yield _result.missing(SUITE, "http_throughput", "HAProxy", "HAProxy not found")
        chosen = [case for case in chosen if case.measurement.row.name != "HAProxy"]
    measurements = [case.measurement for case in chosen]
    throughput.measure_all(
        measurements, seconds=scale.seconds, rounds=scale.rounds, patience=patience
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
    ratio = None
    if beside is not None:
        pairs = zip(ours.loads, beside.loads, strict=True)
        ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in pairs)
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
        note="other work disturbed this" if disturbed else "",
    )
    if case.group == "http_throughput":
        yield from _costs(case)


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
