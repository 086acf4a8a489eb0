"""`magneto record | replay | strict | auto | hybrid | passthrough`: run a proxy, with a command or
without.

The order matters: settings, the cassette's name and the user's command are checked before anything
is opened; then the port is taken, before what is heavy is imported; the port file appears when
requests are answered from the cassette, and not before; and whatever happens, what was recorded is
saved.

The exit status is the user's command's. Where that is 0, or where there is no command, it tells
of misses (6) and of a cassette that could not be saved (3).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from magneto_serge.config import Settings, load_settings
from magneto_serge.errors import (
    CassetteError,
    MagnetoError,
    ProxyError,
    ReplayMiss,
    UnplayedError,
)
from magneto_serge.proxy.listening import take
from magneto_serge.replay.modes import Mode, policy_for

from . import portfile
from .interrupts import Interrupts
from .logs import logging_to
from .options import ProxyCommand, given_command, given_settings, proxy_options
from .screen import Screen
from .serve import MissReporter, status_line, until_interrupted

if TYPE_CHECKING:
    import socket

    from magneto_serge.app import MagnetoProxy

INSECURE = (
    "DANGER: --insecure: the certificates of origins are NOT verified. Whoever is between here "
    "and there can read and change what you send, receive and record."
)

UNUSED = "no request came to the proxy: the command made none, or does not look at HTTP_PROXY"


Conclude = Callable[["MagnetoProxy", Screen], int]


def new_proxy(settings: Settings) -> MagnetoProxy:
    """Make the proxy; what it imports is most of the time that starting takes.

    Raises ConfigError for several workers where there can be only one.
    """
    if settings.workers > 1:
        from magneto_serge.workers.prefork import PreforkProxy

        return PreforkProxy(settings)
    from magneto_serge.app import MagnetoProxy
    from magneto_serge.control.serving import enable_control

    proxy = MagnetoProxy(settings.cassette_dir, settings=settings)
    enable_control(proxy)
    return proxy


def run(
    mode: Mode,
    name: str | None,
    given: Mapping[str, object],
    command: tuple[str, ...],
    conclude: Conclude | None = None,
) -> int:
    """Run a proxy until ``command`` ends, or until it is interrupted; return the exit status.

    ``conclude`` reports what else was found, and returns a status that tells of it, or 0. Raises
    ConfigError for settings that cannot be used; what goes wrong later is printed in the log's own
    format.
    """
    settings = load_settings({**given, "mode": mode.value})
    screen = Screen(quiet=settings.quiet, json=settings.log_format == "json")
    try:
        return _run(mode, name, settings, screen, command, conclude)
    except MagnetoError as error:
        screen.error(str(error))
        return error.exit_code


def _run(
    mode: Mode,
    name: str | None,
    settings: Settings,
    screen: Screen,
    command: tuple[str, ...],
    conclude: Conclude | None,
) -> int:
    if name is not None:
        from magneto_serge.storage.names import canonical_name

        canonical_name(name)
    if command:
        from .child import check

        check(command, os.environ)
    portfile.remove(settings.port_file)
    if settings.insecure:
        screen.warn(INSECURE, alarm=True)
    with (
        logging_to(screen, level=settings.log_level, log_format=settings.log_format),
        Interrupts() as interrupts,
    ):
        # Whoever comes from now on waits, and is answered from the cassette: most of the time that
        # starting takes, imports included, is behind this line.
        taken = take(settings)
        try:
            running = _Run(mode, name, settings, screen, interrupts)
        except BaseException:
            if taken is not None:
                taken.close()
            raise
        return running.to_the_end(taken, command, conclude)


class _Run:
    """One proxy from its start to its summary."""

    def __init__(
        self,
        mode: Mode,
        name: str | None,
        settings: Settings,
        screen: Screen,
        interrupts: Interrupts,
    ) -> None:
        self._mode = mode
        self._name = name
        self._settings = settings
        self._screen = screen
        self._interrupts = interrupts
        self._cassette = cassette_path(settings, name)
        self._proxy = new_proxy(settings)
        self._misses = MissReporter(self._proxy, screen)

    def to_the_end(
        self, taken: socket.socket | None, command: tuple[str, ...], conclude: Conclude | None
    ) -> int:
        """Start on the port ``taken``, run ``command`` or wait, stop and save, and report."""
        title = self._title()
        status = 0
        try:
            self._proxy.listen(taken)
            if self._name is not None:
                self._proxy.use(self._name, self._mode)
                title = self._renewing(self._name) or title
            self._proxy.start()
            gc.freeze()  # modules and recordings are here to stay: never scan them again
            gc.enable()
            with portfile.announcing(self._settings.port_file, self._proxy.port):
                status = self._around(command) if command else self._alone(title)
        finally:
            self._stop(status)
        self._misses.report()
        self._summarise()
        if command and not self._proxy.stats.requests:
            self._screen.say(UNUSED, event="unused")
        for found in self._proxy.unplayed:
            self._screen.warn(found.explain(), event="unplayed", count=found.count)
        concluded = 0 if conclude is None else conclude(self._proxy, self._screen)
        missed = ReplayMiss.exit_code if self._proxy.stats.missed else 0
        unplayed = UnplayedError.exit_code if self._proxy.unplayed else 0
        return status or missed or concluded or unplayed

    def _around(self, command: tuple[str, ...]) -> int:
        from .child import run as run_child

        return run_child(command, {**os.environ, **self._proxy.env()}, self._interrupts)

    def _alone(self, title: str) -> int:
        url = self._proxy.url
        self._screen.say(f"{title} on {url}; Ctrl-C stops", event="ready", url=url)
        until_interrupted(self._proxy, self._misses, self._screen, self._interrupts, title)
        return 0

    def _title(self) -> str:
        """Say what will be done; to be asked before the cassette comes into being."""
        if self._cassette is None:
            return "passing through"
        policy = policy_for(self._mode, cassette_exists=self._cassette.exists())
        if policy.compares:
            return f"verifying {self._name}"
        doing = "recording" if policy.replaces else "replaying"
        return f"{doing}{' and extending' if policy.replays and policy.keeps else ''} {self._name}"

    def _renewing(self, name: str) -> str:
        """Say what is done where the cassette was too old; empty where nothing has changed."""
        ages = self._settings.for_cassette(name).max_age is not None
        renewed = ages and self._mode is not Mode.RECORD and self._proxy.mode is Mode.RECORD
        return f"recording {name} anew" if renewed else ""

    def _stop(self, status: int) -> None:
        """Stop and save; an error in that must not hide that the command failed first."""
        try:
            self._proxy.stop()
        except (CassetteError, ProxyError, OSError) as error:
            if not status:
                raise (
                    error
                    if isinstance(error, MagnetoError)
                    else CassetteError(f"the cassette could not be saved: {error}")
                ) from error
            self._screen.warn(str(error))

    def _summarise(self) -> None:
        stats = self._proxy.stats
        saved = self._cassette if stats.recorded else None
        self._screen.say(
            f"{status_line(stats)}{f'; saved {_from_here(saved)}' if saved else ''}",
            event="finished",
            saved=saved,
            **msgspec.structs.asdict(stats),
        )


def _from_here(path: Path) -> Path:
    """Return the path as short as it can be typed in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def cassette_path(settings: Settings, name: str | None) -> Path | None:
    """Return the file of cassette ``name``, None without one; raises ConfigError for a bad name."""
    if name is None:
        return None
    from magneto_serge.storage.store import store_of

    return store_of(settings).path(name)


# --- The commands -------------------------------------------------------------------------------

_EXAMPLES = {
    Mode.RECORD: """\b
Examples:
  magneto record github -- pytest               record what the tests say to the world
  magneto record github -- curl -sS https://api.github.com/zen
  magneto record github -p 8888                 a proxy until Ctrl-C
  magneto record api --reverse https://api.example.com -p 8080""",
    Mode.REPLAY: """\b
Examples:
  magneto replay github -- pytest               the same tests, offline
  magneto replay github -p 8888                 a proxy until Ctrl-C
  magneto replay api --reverse https://api.example.com -p 8080

A request that is not in the cassette gets 502 with the nearest recordings, and
the exit status is 6.""",
    Mode.STRICT: """\b
Examples:
  magneto strict github -- pytest               each recording once, and all of them

Exit status 6 where a request was refused, 7 where a recording was not played.""",
    Mode.AUTO: """\b
Examples:
  magneto auto github -- pytest                 records the first time, replays afterwards
  magneto auto github -p 0 --port-file port     for scripts: wait for the file, read the port""",
    Mode.HYBRID: """\b
Examples:
  magneto hybrid github -- pytest               add what new tests ask for, keep the rest""",
    Mode.PASSTHROUGH: """\b
Examples:
  magneto passthrough -- curl -sS https://example.com/
  magneto passthrough -p 8888                   a proxy that only forwards""",
}

_HELP = {
    Mode.RECORD: """Forward everything and record it, replacing the cassette.

    The older cassette stays as it is until the new one is complete, and for good if nothing was
    recorded.""",
    Mode.REPLAY: """Answer from the cassette alone; nothing reaches the network.

    No connection, no TLS handshake and no name look-up is made, except to hosts that
    --ignore-host names.""",
    Mode.STRICT: """Replay each recording once, and expect all of them.

    Equal requests get their recordings in recorded order; one that comes once more than it was
    recorded is refused.""",
    Mode.AUTO: """Replay the cassette if there is one, record it otherwise.

    What is not in an existing cassette is refused, not added: see `magneto hybrid`.""",
    Mode.HYBRID: """Replay what is in the cassette, forward and add the rest.""",
    Mode.PASSTHROUGH: """Forward everything and keep nothing.""",
}


@cache
def command(mode: Mode) -> click.Command:
    """Return the command of a mode."""

    @click.pass_context
    def invoke(ctx: click.Context, /, name: str | None = None, **_: Any) -> None:
        ctx.exit(run(mode, name, given_settings(ctx), given_command(ctx)))

    function = proxy_options(invoke)
    if mode is not Mode.PASSTHROUGH:
        function = click.argument("name")(function)
    decorator = click.command(
        mode.value, cls=ProxyCommand, help=_HELP[mode], epilog=_EXAMPLES[mode]
    )
    return decorator(function)


def __getattr__(name: str) -> click.Command:
    """Make ``record``, ``replay`` and the others when asked for: thirty flags each take time."""
    try:
        return command(Mode(name))
    except ValueError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
