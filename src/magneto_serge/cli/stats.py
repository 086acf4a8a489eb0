"""`magneto stats`: what a cassette consists of, in figures.

Bodies count as stored: decoded from their transfer coding, still content-encoded. Times are those
of the recording. Percentiles are nearest-rank: a figure that is shown was really measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click
import msgspec

from magneto_serge.messages import Interaction, body_size
from magneto_serge.units import count, milliseconds, moment, size

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, json_option, print_json
from .progress import tracked
from .tables import Column, print_table
from .transcript import escape_controls, iso_time


class Spread(msgspec.Struct, frozen=True):
    """How the values of one kind are distributed: bytes or ms, as its owner says."""

    count: int
    total: float
    smallest: float
    median: float
    p95: float
    largest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Measure values; None if there are none."""
        ordered = sorted(values)
        if not ordered:
            return None
        median, p95 = (ordered[math.ceil(part * len(ordered)) - 1] for part in (0.5, 0.95))
        total = round(math.fsum(ordered), 3)
        return cls(len(ordered), total, ordered[0], median, p95, ordered[-1])


class Measured(NamedTuple):
    """What counts of one interaction: sizes in bytes, times in ms; the rest need not be kept."""

    host: str
    method: str
    status: int | None
    failure: str | None
    type: str
    sent: int
    received: int
    started: float
    first_byte_ms: float | None
    total_ms: float
    messages: int | None

    @classmethod
    def of(cls, interaction: Interaction) -> Measured:
        """Measure an interaction."""
        request, response = interaction.request, interaction.response
        kind = response.headers.get("content-type") if response is not None else None
        return cls(
            request.authority,
            request.method,
            None if response is None else response.status,
            None if interaction.failure is None else interaction.failure.kind.value,
            (kind or "").partition(";")[0].strip().lower() or "none",
            body_size(request.body),
            0 if response is None else body_size(response.body),
            interaction.started,
            interaction.first_byte_ms,
            interaction.total_ms,
            None if interaction.websocket is None else len(interaction.websocket.messages),
        )


class HostFigures(msgspec.Struct, frozen=True):
    """One origin: interactions, how many failed, bytes of response bodies, median ms in all."""

    host: str
    interactions: int
    failed: int
    received: int
    median_ms: float


class Stats(msgspec.Struct, frozen=True):
    """A cassette in figures: sizes in bytes, times in ms; ``size`` is what it takes on disk."""

    name: str
    path: str
    size: int
    interactions: int
    first: str | None
    last: str | None
    hosts: list[HostFigures]
    methods: dict[str, int]
    statuses: dict[str, int]
    failures: dict[str, int]
    types: dict[str, int]
    request_bodies: Spread | None
    response_bodies: Spread | None
    first_byte_ms: Spread | None
    total_ms: Spread | None
    websocket_messages: Spread | None


@click.command(
    epilog="""\b
Examples:
  magneto stats github
  magneto stats github --json | jq .statuses""",
)
@click.argument("name")
@folder_option
@json_option
def stats(name: str, cassette_dir: str | None, as_json: bool) -> None:
    """Show what a cassette consists of, in figures."""
    files = CassetteFiles(cassette_dir)
    cassette = files.read(name)
    found = [Measured.of(each) for each in tracked(cassette, "Reading", len(cassette))]
    figures = measure(name, str(cassette.path), files.size(name), found)
    if as_json:
        print_json(figures)
    else:
        _print(figures, found)


def measure(name: str, path: str, size: int, found: Sequence[Measured]) -> Stats:
    """Return the figures of a cassette; ``size`` in bytes on the disk."""
    answered = [each for each in found if each.status is not None]
    times = [each.started for each in found if each.started]
    return Stats(
        name,
        path,
        size,
        len(found),
        iso_time(min(times, default=0.0)),
        iso_time(max(times, default=0.0)),
        _by_host(found),
        _counted(each.method for each in found),
        _counted(str(each.status) for each in answered),
        _counted(each.failure for each in found if each.failure is not None),
        _counted(each.type for each in answered),
        Spread.of(each.sent for each in found if each.sent),
        Spread.of(each.received for each in answered),
        Spread.of(each.first_byte_ms for each in found if each.first_byte_ms is not None),
        Spread.of(each.total_ms for each in found),
        Spread.of(each.messages for each in found if each.messages is not None),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    """Count equal values: the most frequent first, those as frequent by name."""
    found = Counter(values)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _by_host(found: Iterable[Measured]) -> list[HostFigures]:
    hosts: dict[str, list[Measured]] = {}
    for each in found:
        hosts.setdefault(each.host, []).append(each)
    figures = [_host_figures(host, theirs) for host, theirs in hosts.items()]
    return sorted(figures, key=lambda each: (-each.interactions, each.host))


def _host_figures(host: str, found: list[Measured]) -> HostFigures:
    received = sum(each.received for each in found)
    failed = sum(each.failure is not None for each in found)
    total = Spread.of(each.total_ms for each in found)
    return HostFigures(host, len(found), failed, received, total.median if total else 0.0)


def _print(figures: Stats, found: Sequence[Measured]) -> None:
    times = [each.started for each in found if each.started]
    span = f", recorded {moment(min(times))} to {moment(max(times))}" if times else ""
    many = count(figures.interactions, "interaction")
    click.echo(f"{figures.name}: {many}, {size(figures.size)} on disk{span}")
    if not figures.interactions:
        return
    _print_hosts(figures.hosts)
    outcomes = figures.statuses | {f"failed: {kind}": n for kind, n in figures.failures.items()}
    for title, counts in (("METHOD", figures.methods), ("OUTCOME", outcomes)):
        _print_counts(title, counts)
    _print_counts("TYPE", figures.types)
    _print_spreads(figures)


def _print_hosts(hosts: Sequence[HostFigures]) -> None:
    right = ("INTERACTIONS", "FAILED", "RECEIVED", "MEDIAN MS")
    click.echo()
    print_table(
        (Column("HOST", wraps=True), *(Column(title, right=True) for title in right)),
        [
            (
                escape_controls(each.host),
                f"{each.interactions:,}",
                f"{each.failed:,}",
                size(each.received),
                milliseconds(each.median_ms),
            )
            for each in hosts
        ],
    )


def _print_counts(title: str, counts: dict[str, int]) -> None:
    if counts:
        click.echo()
        rows = [(escape_controls(value), f"{number:,}") for value, number in counts.items()]
        print_table((Column(title, wraps=True), Column("INTERACTIONS", right=True)), rows)


def _print_spreads(figures: Stats) -> None:
    rows = [
        *_spread("request bodies", figures.request_bodies, in_bytes=True),
        *_spread("response bodies", figures.response_bodies, in_bytes=True),
        *_spread("ms to the first byte", figures.first_byte_ms, in_bytes=False),
        *_spread("ms in all", figures.total_ms, in_bytes=False),
        *_spread("messages of a WebSocket", figures.websocket_messages, in_bytes=False),
    ]
    titles = ("TOTAL", "LEAST", "MEDIAN", "95%", "MOST")
    click.echo()
    print_table((Column("FIGURE"), *(Column(title, right=True) for title in titles)), rows)


def _spread(title: str, spread: Spread | None, *, in_bytes: bool) -> list[tuple[str, ...]]:
    if spread is None:
        return []
    values = (spread.total, spread.smallest, spread.median, spread.p95, spread.largest)
    return [(title, *(size(int(each)) if in_bytes else milliseconds(each) for each in values))]
