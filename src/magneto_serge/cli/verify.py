"""`magneto verify`: what a service answers now, against what it answered when it was recorded.

Three ways to ask. By ourselves, which is the default: the recorded requests are sent once more.
Around a command, or as a proxy that stands alone: clients ask, and what they are answered is
compared. What is found is reported in the same way, and ends with the same status: 1 for drift; 8
where there is none as far as is known, but the service was not always reached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from magneto_serge.config import Settings, load_settings
from magneto_serge.errors import (
    ConfigError,
    DriftError,
    MagnetoError,
    UnplayedError,
    UnreachableError,
)
from magneto_serge.replay.drift import Outcome
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.verdicts import Verdicts

from .drift_report import STDOUT, check_reports, lines_of, write_reports
from .logs import logging_to
from .marked import print_marked
from .options import ProxyCommand, given_command, given_settings, proxy_options
from .run import INSECURE, run
from .screen import Screen

if TYPE_CHECKING:
    from magneto_serge.app import MagnetoProxy
    from magneto_serge.verification import Sending, Verification

F = TypeVar("F", bound=Callable[..., Any])

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2


class Reports(NamedTuple):
    """Where findings go besides the screen; ``-`` as ``json`` is stdout, instead of the text."""

    json: str | None = None
    junit: str | None = None


class SendingOption(click.Option):
    """An option for sending without a client."""

    section = "Without a command"


class ReportOption(click.Option):
    """An option for reports."""

    section = "Reports"


_OPTIONS = (
    click.option(
        "--base-url",
        cls=SendingOption,
        metavar="URL",
        help="Send to this address instead: http://HOST[:PORT][/PATH] or https://….",
    ),
    click.option(
        "--only",
        cls=SendingOption,
        multiple=True,
        metavar="CONDITION",
        help="Send only what this is about: 'host=api.* method=GET path=/users/{id}'; may be "
        "repeated.",
    ),
    click.option(
        "--all-methods",
        cls=SendingOption,
        is_flag=True,
        help="Send methods that may change something, too.",
    ),
    click.option(
        "-H",
        "--header",
        "headers",
        cls=SendingOption,
        multiple=True,
        metavar="'NAME: VALUE'",
        help="Send this field with every request, in the place of the recorded one; $NAME is taken "
        "from the environment; may be repeated.",
    ),
    click.option(
        "--query",
        cls=SendingOption,
        multiple=True,
        metavar="NAME=VALUE",
        help="Send this value where a query has the item, likewise.",
    ),
    click.option(
        "--send-redacted",
        cls=SendingOption,
        is_flag=True,
        help="Send requests whose secrets were replaced as they are.",
    ),
    click.option(
        "--concurrency",
        cls=SendingOption,
        type=click.IntRange(1, 1000),
        metavar="N",
        help="Requests at once [4; 1 with --all-methods].",
    ),
    click.option(
        "--timeout",
        cls=SendingOption,
        type=click.FloatRange(0, min_open=True),
        default=30.0,
        metavar="S",
        help="Seconds for one exchange [30].",
    ),
    click.option(
        "--proxy",
        cls=SendingOption,
        is_flag=True,
        help="Send nothing: be a proxy for clients, until Ctrl-C.",
    ),
    click.option("--junit", cls=ReportOption, metavar="FILE", help="Write JUnit XML."),
    click.option(
        "--json", cls=ReportOption, metavar="FILE", help="Write JSON; - is stdout, without text."
    ),
)


def _own_options(function: F) -> F:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(
    cls=ProxyCommand,
    epilog="""\b
Examples:
  magneto verify github                          send what was recorded once more
  magneto verify github --base-url http://localhost:8080 --shape-only
  magneto verify github --header 'Authorization: Bearer $TOKEN' --junit drift.xml
  magneto verify github -- pytest                compare what the tests are answered

Exit status 1 where anything has changed or is new, 8 where the service was not
reached.""",
)
@click.argument("name")
@_own_options
@proxy_options
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    name: str,
    proxy: bool,
    json: str | None,
    junit: str | None,
    **options: Any,
) -> None:
    """Compare what is answered now with what was recorded.

    Without a command, the recorded requests are sent once more: those that change nothing, unless
    --all-methods is given. With one, its requests are forwarded and their answers compared. Nothing
    is recorded.
    """
    reports = Reports(json, junit)
    check_reports([("--json", json), ("--junit", junit)])
    given, command = given_settings(ctx), given_command(ctx)
    if command or proxy:
        _refuse_sending_options(ctx)
        ctx.exit(_through_a_proxy(name, given, command, reports))
    ctx.exit(_by_ourselves(name, given, options, reports))


def _refuse_sending_options(ctx: click.Context) -> None:
    """Say what would have no effect: a client sends what it likes."""
    from click.core import ParameterSource

    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        unfit = isinstance(parameter, SendingOption) and parameter.name != "proxy"
        if unfit and source is ParameterSource.COMMANDLINE:
            ctx.fail(f"{parameter.opts[-1]} is for sending without a client: leave it out.")


# --- through a proxy ----------------------------------------------------------------------------


def _through_a_proxy(
    name: str, given: Mapping[str, object], command: tuple[str, ...], reports: Reports
) -> int:
    failing = load_settings(given).for_cassette(name).unplayed == "fail"

    def conclude(proxy: MagnetoProxy, screen: Screen) -> int:
        verdicts = proxy.verdicts
        _print(verdicts, reports)
        status = _conclude(name, verdicts, reports, screen, failing=failing)
        if proxy.unplayed and status != DriftError.exit_code:
            return UnplayedError.exit_code
        return status

    return run(Mode.VERIFY, name, given, command, conclude)


def _print(verdicts: Verdicts, reports: Reports) -> None:
    """Print the findings as text, unless stdout is for JSON."""
    if reports.json == STDOUT:
        return
    for verdict in verdicts.kept:
        print_marked(lines_of(verdict))
    if verdicts.left_out:
        click.echo(f"and {verdicts.left_out:,} more, which were counted and not kept")


def _conclude(
    name: str, verdicts: Verdicts, reports: Reports, screen: Screen, *, failing: bool
) -> int:
    """Write the reports and the summary; return the status that tells of what was found."""
    write_reports(name, verdicts, json=reports.json, junit=reports.junit, failing=failing)
    counts = {str(outcome): verdicts.counts[outcome] for outcome in Outcome}
    screen.say(verdicts.summary(), event="verified", **counts)
    if verdicts.drifted:
        return DriftError.exit_code
    return UnreachableError.exit_code if verdicts.counts[Outcome.UNREACHABLE] else 0


# --- by ourselves -------------------------------------------------------------------------------


def _by_ourselves(
    name: str, given: Mapping[str, object], options: Mapping[str, Any], reports: Reports
) -> int:
    settings = load_settings({**given, "mode": Mode.VERIFY.value}).for_cassette(name)
    screen = Screen(quiet=settings.quiet, json=settings.log_format == "json")
    if settings.insecure:
        screen.warn(INSECURE, alarm=True)
    with logging_to(screen, level=settings.log_level, log_format=settings.log_format):
        try:
            return _send(name, settings, sending_of(options), reports, screen)
        except MagnetoError as error:
            screen.error(str(error))
            return error.exit_code


def _send(name: str, settings: Settings, sending: Sending, reports: Reports, screen: Screen) -> int:
    from .progress import tracked

    verdicts = Verdicts()
    verification = _verification(name, settings, sending)
    try:
        for verdict in tracked(verification, "Verifying", verification.total):
            verdicts.add(verdict)
    finally:  # whoever gives up wants to see how far it came
        _print(verdicts, reports)
    status = _conclude(name, verdicts, reports, screen, failing=False)
    if not (verdicts.compared or verdicts.counts[Outcome.UNREACHABLE]):
        raise ConfigError(
            f"nothing was compared: of the {verification.total} interactions of {name!r} that were"
            " chosen, none could be sent"
        )
    return status


def _verification(name: str, settings: Settings, sending: Sending) -> Verification:
    """Open the cassette and compile what the settings say of it."""
    from magneto_serge.replay.drift import rules_of
    from magneto_serge.replay.engine import Session
    from magneto_serge.replay.hooks import EVERYWHERE, Hooks
    from magneto_serge.replay.rewrite_rules import rewriter
    from magneto_serge.replay.secrets.rules import SecretRules
    from magneto_serge.scripts import hooks_from
    from magneto_serge.shaping import SessionShaping
    from magneto_serge.storage.store import store_of
    from magneto_serge.verification import Verification

    hooks = Hooks(EVERYWHERE, *hooks_from(settings.scripts, settings.hooks))
    shaping = SessionShaping(settings, Session(name, Mode.VERIFY), hooks)
    return Verification(
        store_of(settings).open(name),
        settings,
        sending,
        rules_of(settings, SecretRules.of(settings)),
        rewriter=rewriter(settings.rewrite, settings.map_hosts, settings.set_headers),
        prepare=shaping.prepare,
    )


def sending_of(options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Sending:
    """Return what the options say about sending; raises ConfigError."""
    from magneto_serge.replay.conditions import conditions, words_of
    from magneto_serge.verification import CONCURRENCY, Base, Sending

    words = [word for only in options["only"] for word in words_of(only)]
    base, all_methods = options["base_url"], options["all_methods"]
    return Sending(
        base=None if base is None else Base.of(base),
        only=conditions(words) if words else None,
        all_methods=all_methods,
        headers=tuple(_header(each, environ) for each in options["headers"]),
        query=tuple(_item(each, environ) for each in options["query"]),
        send_redacted=options["send_redacted"],
        # What changes something may depend on the order in which it was recorded.
        concurrency=options["concurrency"] or (1 if all_methods else CONCURRENCY),
        timeout=options["timeout"],
    )


def _header(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name):
        raise ConfigError("--header: what was given is no field line; expected 'NAME: VALUE'")
    value = _expanded(value.strip(), environ, f"--header {name}")
    if any(character in value for character in "\r\n\0"):
        raise ConfigError(f"--header {name}: a field value is one line (RFC 9110 §5.5)")
    return name, value


def _item(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError("--query: what was given is no item; expected 'NAME=VALUE'")
    return name, _expanded(value, environ, f"--query {name}")


def _expanded(value: str, environ: Mapping[str, str], option: str) -> str:
    """Put variables of the environment in: ``$NAME`` or ``${NAME}``; ``$$`` is a dollar."""
    try:
        return Template(value).substitute(environ)
    except KeyError as error:
        raise ConfigError(f"{option}: the environment has no variable {error.args[0]}") from None
    except ValueError:
        raise ConfigError(f"{option}: a $ stands before no name; $$ is a dollar") from None
