"""`magneto demo`: the main job, done for real in front of the user, in a few seconds.

A real origin, a real client, the proxy between them: recorded, the origin stopped, replayed, every
byte compared. It needs no network, no set-up and nothing of the user's: certificate authority and
cassette live in a folder of their own, which goes away unless ``--keep`` names one. What is
printed as checked was checked; where a check fails, it says so and the exit status is 1.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from magneto_serge.config import Settings
from magneto_serge.errors import ConfigError
from magneto_serge.replay.modes import Mode
from magneto_serge.units import count, size

from .demo_client import DEPTH, Answer, Call, fetch, is_down, program, requests_per_second
from .demo_origin import CUSTOMER, DemoOrigin
from .logs import logging_to
from .run import new_proxy
from .screen import Screen, has_colour

NAME = "demo"
SECONDS_OF_SPEED = 1.0


@click.command(
    epilog="""\b
Examples:
  magneto demo
  magneto demo --keep /tmp/demo        look at the cassette afterwards"""
)
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Work in this folder, which must not exist yet or be empty, and leave it there.",
)
@click.pass_context
def demo(ctx: click.Context, /, keep: Path | None) -> None:
    """See the main job done on this machine in a few seconds."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise ConfigError(f"--keep {keep}: the folder is not empty; name another")
        keep.mkdir(parents=True, exist_ok=True)
        ctx.exit(_run(keep.absolute()))
    with tempfile.TemporaryDirectory(prefix="magneto-demo-") as folder:
        ctx.exit(_run(Path(folder)))


def _run(folder: Path) -> int:
    with logging_to(Screen(), level="error", log_format="text"):
        return Demonstration(folder, _printer()).run()


def _printer() -> Callable[[str, str], None]:
    """Return ``(text, style)``: drawn with rich on a terminal, plain where it is piped."""
    if not sys.stdout.isatty():
        return lambda text, _: click.echo(text)
    from rich.console import Console
    from rich.text import Text

    console = Console(no_color=not has_colour(sys.stdout), highlight=False, soft_wrap=True)
    return lambda text, style: console.print(Text(text, style))


class _Round(NamedTuple):
    """What one run of the client brought, and how long it took in ms."""

    answers: list[Answer]
    elapsed: float


class Demonstration:
    """The steps, in the order in which they are told."""

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._failures = 0
        self._started = time.perf_counter()

    def run(self) -> int:
        """Do everything; return the exit status."""
        from magneto_serge.tls.authority import Authority
        from magneto_serge.tls.leaf import LeafCache

        self._tell("Magnéto-Serge: record what a program says to the world, and replay it.", "bold")
        authority = Authority.load_or_create(self._folder / "origin-ca")
        with DemoOrigin(LeafCache(authority).context_for("127.0.0.1")) as origin:
            self._step(1, f"A real origin listens on {origin.http} and {origin.https}")
            calls = _calls(origin)
            settings = self._settings(authority.cert_path)
            recorded = self._record(settings, calls)
        down = all(is_down(port) for port in origin.ports)
        self._check(4, down, "The origin has been stopped: connections to it are refused")
        self._replay(settings, calls, recorded)
        return self._conclude(len(calls))

    def _settings(self, upstream_ca: Path) -> Settings:
        # Made, not loaded: the user's own settings and proxies have no part in this.
        return Settings(
            port=0,
            cassette_dir=self._folder / "cassettes",
            data_dir=self._folder / "ca",
            upstream_ca=upstream_ca,
            log_level="error",
        )

    def _record(self, settings: Settings, calls: list[Call]) -> _Round:
        with new_proxy(settings) as proxy:
            proxy.use(NAME, Mode.RECORD)
            outcome = self._fetch(calls, proxy.env(), "recorded")
        self._check(
            2,
            all(answer.head for answer in outcome.answers),
            f"{program()} made {count(len(calls), 'request')} through the proxy in "
            f"{outcome.elapsed:.0f} ms:",
        )
        for call, answer in zip(calls, outcome.answers, strict=True):
            kind = next((f[14:] for f in answer.head if f.lower().startswith("content-type:")), "")
            self._tell(
                f"     {call.method:<4} {call.url:<42} {answer.status}  {kind:<18} "
                f"{size(len(answer.body)):>7}",
                "dim",
            )
        cassette = self._folder / "cassettes" / f"{NAME}.json"
        saved = cassette.stat().st_size if cassette.exists() else 0
        clean = saved > 0 and CUSTOMER.encode() not in cassette.read_bytes()
        self._check(
            3, clean, f"{size(saved)} saved in {cassette}; a placeholder stands for each cookie"
        )
        return outcome

    def _replay(self, settings: Settings, calls: list[Call], recorded: _Round) -> None:
        with new_proxy(settings) as proxy:
            proxy.use(NAME, Mode.REPLAY)
            outcome = self._fetch(calls, proxy.env(), "replayed")
            equal = sum(map(_equal, recorded.answers, outcome.answers))
            self._check(
                5,
                equal == len(calls),
                f"Replayed in {outcome.elapsed:.0f} ms; status, fields and body are the same in "
                f"{equal} of {len(calls)}:",
            )
            for call, before, after in zip(calls, recorded.answers, outcome.answers, strict=True):
                mark = "=" if _equal(before, after) else "≠"
                self._tell(f"     {_digest(before)} {mark} {_digest(after)}  {call.url}", "dim")
            unknown = Call(f"{calls[0].url}?never=asked")
            refusal = self._fetch([unknown], proxy.env(), "refused").answers[0]
            refused = refusal.status == "502" and proxy.stats.missed == 1
            self._check(6, refused, f"What was not recorded is refused with 502: {unknown.url}")
            speed = requests_per_second(proxy.host, proxy.port, calls[0].url, SECONDS_OF_SPEED)
            self._check(
                7,
                speed > 0,
                f"{speed:,.0f} requests replayed each second (one connection, {DEPTH} at a time, "
                "a client in Python)",
            )

    def _fetch(self, calls: list[Call], proxy_environ: dict[str, str], folder: str) -> _Round:
        started = time.perf_counter()
        answers = fetch(calls, {**os.environ, **proxy_environ}, self._folder / folder)
        return _Round(answers, (time.perf_counter() - started) * 1000)

    def _step(self, number: int, text: str) -> None:
        self._tell(f"  {number}. {text}", "")

    def _check(self, number: int, passed: bool, text: str) -> None:
        self._failures += not passed
        self._step(number, f"{'✓' if passed else '✗ FAILED:'} {text}")

    def _conclude(self, calls: int) -> int:
        elapsed = time.perf_counter() - self._started
        if self._failures:
            self._tell(
                f"{count(self._failures, 'check')} failed, after {elapsed:.1f} s.", "bold red"
            )
            return 1
        self._tell(
            f"All {calls} answers came back byte for byte, in {elapsed:.1f} s.", "bold green"
        )
        self._tell("Now yours: magneto record NAME -- COMMAND; magneto replay NAME -- COMMAND", "")
        return 0


def _calls(origin: DemoOrigin) -> list[Call]:
    return [
        Call(f"{origin.http}/catalogue.json"),
        Call(f"{origin.https}/catalogue.json"),
        Call(f"{origin.https}/cover.png"),
        Call(f"{origin.https}/live"),
        Call(f"{origin.https}/orders", '{"track": 7, "copies": 2}'),
        Call(f"{origin.http}/nowhere"),
    ]


def _equal(before: Answer, after: Answer) -> bool:
    """Whether two answers are the same; a cookie's value is a secret that replay does not have."""
    return bool(before.head) and _without_secrets(before) == _without_secrets(after)


def _without_secrets(answer: Answer) -> Answer:
    head = tuple(re.sub(r"(?i)^(set-cookie: \w+)=[^;]*", r"\1", line) for line in answer.head)
    return answer._replace(head=head)


def _digest(answer: Answer) -> str:
    return hashlib.sha256(answer.body).hexdigest()[:12] if answer.head else "nothing     "
