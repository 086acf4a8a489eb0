"""The rows of the throughput table: which program, started how, compared with which.

A row is one program under one way of addressing it. References come first and have neither a
reference nor a target of their own. A target is the least part of the reference's rate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import _programs, _report
from benchmarks._programs import Program
from benchmarks._traffic import NGINX_ANSWER, NGINX_FORWARD, NGINX_FORWARD_TLS, RECORDINGS, Shape


@dataclass
class Stage:
    """Where a measurement takes place: a ``folder``, and the origin that is forwarded to.

    Through tunnels that is ``secure``, an origin with TLS.
    """

    folder: Path
    origin: Program
    secure: Program | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def authority(self) -> str:
        """The origin's authority, which every request names."""
        return f"127.0.0.1:{self.origin.port}"

    def authority_for(self, shape: Shape) -> str:
        """Return the authority that requests of this shape name."""
        if not shape.tunnel or self.secure is None:
            return self.authority
        return f"127.0.0.1:{self.secure.port}"

    def fresh(self, name: str) -> str:
        """Return ``name`` with a number that no other has."""
        return f"{name}-{next(self._numbers)}"


FORMATS = ("json", "msgpack", "msgpack.zst")

Start = Callable[[Stage, str], Program]  # from the stage and a fresh name


def _ours(mode: str, *options: str, reverse: bool) -> Start:
    def start(stage: Stage, name: str) -> Program:
        cassette = {
            "passthrough": [],
            "record": [name],
            "replay": ["answers"],
            "verify": ["answers"],
        }[mode]
        form = ["--reverse", f"http://{stage.authority}"] if reverse else []
        return _programs.magneto(name, [mode, *cassette, *form, *options], stage.folder)

    return start


@dataclass(frozen=True)
class Row:
    """One program under test; ``beside`` names its reference and ``target`` the least ratio.

    ``warm_up``: seconds of load before the measurement.
    """

    name: str
    start: Start
    absolute: bool = False
    cycle: int = 0
    records: bool = False
    beside: str = ""
    target: float | None = None
    warm_up: float = 0.4


ROWS = [
    Row("HAProxy", lambda stage, name: _programs.haproxy(name, stage.origin.port, stage.folder)),
    Row(
        "nginx forwarding",
        lambda stage, name: _programs.nginx(
            name, NGINX_FORWARD, stage.folder, upstream=stage.origin.port
        ),
    ),
    Row(
        "nginx answering",
        lambda stage, name: _programs.nginx(name, NGINX_ANSWER, stage.folder),
        cycle=RECORDINGS,
    ),
    *(
        Row(
            f"magneto {mode}{' --reverse' if reverse else ''}",
            _ours(mode, reverse=reverse),
            absolute=not reverse,
            cycle=RECORDINGS if mode == "replay" else 0,
            records=mode == "record",
            beside=beside,
            target=target,
        )
        for mode, beside, target in (
            ("passthrough", "HAProxy", 0.7),
            ("record", "HAProxy", 0.5),
            ("replay", "nginx answering", 0.5),
        )
        for reverse in (True, False)
    ),
    # What it costs to keep what is forwarded, in each format.
    *(
        Row(
            f"magneto record {format} --reverse",
            _ours("record", "--format", format, reverse=True),
            records=True,
            beside="magneto passthrough --reverse",
            target=0.85,
        )
        for format in FORMATS
    ),
]


def _nginx_tls(server: str) -> Start:
    def start(stage: Stage, name: str) -> Program:
        return _programs.nginx(name, server, stage.folder, upstream=stage.origin.port, tls=True)

    return start


# Through TLS: what a reverse proxy with a certificate of its own costs.
TLS_ROWS = [
    Row("nginx TLS answering", _nginx_tls(NGINX_ANSWER), cycle=RECORDINGS),
    Row("nginx TLS forwarding", _nginx_tls(NGINX_FORWARD)),
    Row(
        "magneto record --reverse-tls",
        _ours("record", "--reverse-tls", reverse=True),
        records=True,
        beside="nginx TLS forwarding",
        target=0.4,
    ),
    Row(
        "magneto replay --reverse-tls",
        _ours("replay", "--reverse-tls", reverse=True),
        cycle=RECORDINGS,
        beside="nginx TLS answering",
        target=0.5,
    ),
]


def _nginx_between(stage: Stage, name: str) -> Program:
    assert stage.secure is not None
    port = stage.secure.port
    return _programs.nginx(name, NGINX_FORWARD_TLS, stage.folder, upstream=port, tls=True)


def _tunnels(mode: str, cassette: str = "") -> Start:
    def start(stage: Stage, name: str) -> Program:
        arguments = [mode, *([cassette or name] if mode != "passthrough" else [])]
        return _programs.magneto(name, [*arguments, "--insecure"], stage.folder)

    return start


# In tunnels that CONNECT opens: TLS on both sides, with a leaf certificate of ours to the client.
TUNNEL_ROWS = [
    Row("nginx TLS answering", _nginx_tls(NGINX_ANSWER), cycle=RECORDINGS),
    Row("nginx TLS to TLS", _nginx_between),
    Row("magneto passthrough CONNECT", _tunnels("passthrough"), beside="nginx TLS to TLS"),
    Row(
        "magneto record CONNECT",
        _tunnels("record"),
        records=True,
        beside="nginx TLS to TLS",
        target=0.4,
    ),
    Row(
        "magneto replay CONNECT",
        _tunnels("replay", "secure-answers"),
        cycle=RECORDINGS,
        beside="nginx TLS answering",
        target=0.5,
    ),
]

VERIFY = Row(
    "magneto verify --reverse",
    _ours("verify", "--proxy", reverse=True),
    cycle=RECORDINGS,
    beside="HAProxy",
)


def chosen(only: Sequence[str]) -> list[Row]:
    """Return the rows whose name contains one of ``only``, and their references; all for none."""
    rows = [row for row in ROWS if not only or any(part in row.name for part in only)]
    wanted = {row.name for row in rows} | {row.beside for row in rows}
    present = _programs.find("haproxy") is not None
    if not present:
        _report.say("HAProxy not found: no ratios for forwarding and recording")
    return [row for row in ROWS if row.name in wanted and (present or row.name != "HAProxy")]
