"""The flags of the commands that run a proxy: one for each setting, in sections.

A flag writes to one field of :class:`~magneto_serge.config.Settings` and accepts what
``config_values`` accepts for it, so that a value is right or wrong for the same reason wherever it
is given. Only flags that stand on the command line are handed on: the others must not hide the
environment and the file.

What follows ``--`` is the user's own command, and none of it is ever read as ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from magneto_serge.config_values import RULES, convert
from magneto_serge.errors import ConfigError

_COMMAND = "magneto_serge.command"

F = TypeVar("F", bound=Callable[..., Any])


class Flag(NamedTuple):
    """How one setting is spelt on the command line."""

    setting: str
    names: tuple[str, ...]
    section: str
    help: str
    metavar: str | None = None
    repeatable: bool = False


LISTENING, ORIGINS, CASSETTES, MATCHING, LIMITS, OUTPUT = (
    "Listening",
    "Reaching origins",
    "Cassettes",
    "Matching",
    "Limits",
    "Output",
)
TIMING = "Time and faults"

SHAPING = "Shaping"
DRIFT = "Age and drift"

FLAGS = (
    Flag("port", ("-p", "--port"), LISTENING, "Port to listen on [8888]; 0 picks one.", "PORT"),
    Flag("workers", ("--workers",), LISTENING, "Processes that share the port; Linux [1].", "N"),
    Flag("host", ("--host",), LISTENING, "Address to listen on [127.0.0.1].", "ADDRESS"),
    Flag(
        "port_file",
        ("--port-file",),
        LISTENING,
        "Write the port number to this file when ready; removed at the end.",
        "FILE",
    ),
    Flag(
        "reverse",
        ("--reverse",),
        LISTENING,
        "Be a reverse proxy for this one upstream, http://HOST[:PORT] or https://…; clients need "
        "no configuration.",
        "URL",
    ),
    Flag(
        "reverse_tls",
        ("--reverse-tls/--no-reverse-tls",),
        LISTENING,
        "With --reverse: speak TLS to clients, with our certificate.",
    ),
    Flag(
        "proxy_auth",
        ("--proxy-auth",),
        LISTENING,
        "Credentials that clients must send; needed to listen on more than loopback.",
        "USER:PASSWORD",
    ),
    Flag("ca_cert", ("--ca-cert",), LISTENING, "Your own CA certificate (PEM).", "FILE"),
    Flag("ca_key", ("--ca-key",), LISTENING, "The key of --ca-cert (PEM).", "FILE"),
    Flag("data_dir", ("--data-dir",), LISTENING, "Where our own CA is kept.", "FOLDER"),
    Flag(
        "cassette_dir",
        ("-d", "--cassette-dir"),
        CASSETTES,
        "Folder of the cassettes [cassettes].",
        "FOLDER",
    ),
    Flag(
        "format",
        ("--format",),
        CASSETTES,
        "What to write: json or msgpack, plain or with .gz or .zst [json]. A cassette's name may "
        "say it too: NAME.msgpack.zst.",
        "FORMAT",
    ),
    Flag(
        "fsync",
        ("--fsync",),
        CASSETTES,
        "When to wait for the disk itself: always, at the finish, or never [finish].",
        "WHEN",
    ),
    Flag(
        "ignore_hosts",
        ("--ignore-host",),
        CASSETTES,
        "Forward this host and never record it; may be repeated; * is a wildcard.",
        "HOST",
        repeatable=True,
    ),
    Flag(
        "redact",
        ("--redact/--no-redact",),
        CASSETTES,
        "Replace secrets before anything is written [on].",
    ),
    Flag(
        "redact_headers",
        ("--redact-header",),
        CASSETTES,
        "The values of this field are secret too; may be repeated; * is a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "redact_query",
        ("--redact-query",),
        CASSETTES,
        "The values of this query item are secret too; may be repeated; * is a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "redact_fields",
        ("--redact-field",),
        CASSETTES,
        "The values of this member of JSON or item of a form are secret too; may be repeated; * is "
        "a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "redact_patterns",
        ("--redact-pattern",),
        CASSETTES,
        "What this regular expression (or its first group) matches is secret; may be repeated.",
        "REGEX",
        repeatable=True,
    ),
    Flag(
        "redact_allow",
        ("--redact-allow",),
        CASSETTES,
        "Never replace this: a name, a value, or a /REGEX/ of values; may be repeated.",
        "WHAT",
        repeatable=True,
    ),
    Flag(
        "exact_bodies",
        ("--exact-bodies/--no-exact-bodies",),
        CASSETTES,
        "Store bodies as the bytes received, compressed ones too [off].",
    ),
    Flag(
        "stable",
        ("--stable/--no-stable",),
        CASSETTES,
        "Leave out of JSON what changes with every recording: times, addresses, Date [off].",
    ),
    Flag(
        "memory_limit",
        ("--max-body-in-memory",),
        CASSETTES,
        "A larger body goes to a file of its own beside the cassette [4M].",
        "SIZE",
    ),
    Flag(
        "match_on",
        ("--match-on",),
        MATCHING,
        "What must be equal: method, scheme, host, port, path, query, headers, headers:NAME, body, "
        "json, form, multipart, graphql, raw_body, or a preset: strict, default, lenient, "
        "path-only. May be repeated, or have commas.",
        "MATCHERS",
        repeatable=True,
    ),
    Flag(
        "ignore_query",
        ("--ignore-query",),
        MATCHING,
        "Leave this item out of queries; may be repeated; * is a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "ignore_headers",
        ("--ignore-header",),
        MATCHING,
        "Leave this field out where headers are compared; may be repeated; * is a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "ignore_json_paths",
        ("--ignore-json-path",),
        MATCHING,
        "Leave what this JSONPath selects out of JSON bodies; may be repeated.",
        "PATH",
        repeatable=True,
    ),
    Flag(
        "url_patterns",
        ("--url-pattern",),
        MATCHING,
        "URLs of this form are equal, such as /users/{id}; may be repeated.",
        "PATTERN",
        repeatable=True,
    ),
    Flag(
        "ignore_url",
        ("--ignore-url",),
        MATCHING,
        "Leave what this regular expression matches out of URLs; may be repeated.",
        "REGEX",
        repeatable=True,
    ),
    Flag(
        "ignore_body",
        ("--ignore-body",),
        MATCHING,
        "Leave what this regular expression matches out of bodies; may be repeated.",
        "REGEX",
        repeatable=True,
    ),
    Flag(
        "match_credentials",
        ("--match-credentials",),
        MATCHING,
        "presence: what was recorded with credentials needs some to replay; or ignore [presence].",
        "WHEN",
    ),
    Flag(
        "routes",
        ("--route",),
        MATCHING,
        "Match some requests otherwise: 'host=HOST path=PATTERN ignore_query=NAME'; may be "
        "repeated.",
        "ROUTE",
        repeatable=True,
    ),
    Flag(
        "ignore_localhost",
        ("--ignore-localhost/--no-ignore-localhost",),
        CASSETTES,
        "Forward what goes to this machine itself, and never record it [off].",
    ),
    Flag(
        "repeats",
        ("--repeats",),
        MATCHING,
        "After the last recording of a request: last again, cycle through all, or refuse [last].",
        "HOW",
    ),
    Flag(
        "unplayed",
        ("--unplayed",),
        MATCHING,
        "Recordings that were not played at the end: ignore, warn or fail [ignore].",
        "WHAT",
    ),
    Flag(
        "latency",
        ("--latency",),
        TIMING,
        "When recordings are replayed: none, recorded, fixed:MS, scale:PERCENT or a distribution, "
        "for all or after a route, 'GET /slow* fixed:200'; may be repeated.",
        "RULE",
        repeatable=True,
    ),
    Flag(
        "websocket_policy",
        ("--websocket-policy",),
        MATCHING,
        "What WebSocket clients must say: ordered, any-order, lenient or timed [ordered].",
        "HOW",
    ),
    Flag("latency_seed", ("--latency-seed",), TIMING, "Of what --latency draws [0].", "N"),
    Flag(
        "faults",
        ("--fault",),
        TIMING,
        "Let requests go wrong: 'GET /pay* 503 20%', a route, effects and a probability; may be "
        "repeated.",
        "RULE",
        repeatable=True,
    ),
    Flag("fault_seed", ("--fault-seed",), TIMING, "Of what --fault draws [0].", "N"),
    Flag(
        "record_only",
        ("--record-only",),
        SHAPING,
        "Record what this is about: 'host=api.* method=GET', no-media, no-analytics, api-only, "
        "success-only; may be repeated.",
        "CONDITION",
        repeatable=True,
    ),
    Flag(
        "record_except",
        ("--record-except",),
        SHAPING,
        "Do not record what this is about; may be repeated.",
        "CONDITION",
        repeatable=True,
    ),
    Flag(
        "record_combine",
        ("--record-combine",),
        SHAPING,
        "Whether all conditions of --record-only must hold, or any [all].",
        "HOW",
    ),
    Flag(
        "scripts",
        ("--script",),
        SHAPING,
        "Python file with hooks (before_record, before_replay, on_miss, on_message); may be "
        "repeated.",
        "FILE",
        repeatable=True,
    ),
    Flag(
        "hooks",
        ("--hook",),
        SHAPING,
        "Hooks that an installed package offers, by name, or * for all; may be repeated.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "templates",
        ("--templates/--no-templates",),
        SHAPING,
        "Render the interactions that their cassette marks as templates [off].",
    ),
    Flag(
        "template_env",
        ("--template-env",),
        SHAPING,
        "Let templates see this variable of the environment; may be repeated.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "template_seed",
        ("--template-seed",),
        SHAPING,
        "Make templates deterministic.",
        "N",
    ),
    Flag(
        "map_hosts",
        ("--map-host",),
        SHAPING,
        "Send what is for a host to another one, FROM=[http://]HOST[:PORT]; may be repeated.",
        "FROM=TO",
        repeatable=True,
    ),
    Flag(
        "set_headers",
        ("--set-header",),
        SHAPING,
        "Set a header field, or remove it where VALUE is empty; on the way to-server (the "
        "default), to-client or to-cassette; may be repeated.",
        "[WAY:] NAME: VALUE",
        repeatable=True,
    ),
    Flag(
        "rewrite",
        ("--rewrite",),
        SHAPING,
        "Rewrite messages: 'to-client type=json body s/REGEX/TEXT/'; may be repeated.",
        "RULE",
        repeatable=True,
    ),
    Flag(
        "max_age",
        ("--max-age",),
        DRIFT,
        "A cassette older than this is stale: 12h, 30d, 6w or 1y.",
        "AGE",
    ),
    Flag(
        "stale",
        ("--stale",),
        DRIFT,
        "What to do about a stale cassette: warn, fail or re-record [warn].",
        "WHAT",
    ),
    Flag(
        "verify_headers",
        ("--verify-header",),
        DRIFT,
        "Compare this header field in verify, not those that a client acts upon; may be repeated; "
        "* is a wildcard.",
        "NAME",
        repeatable=True,
    ),
    Flag(
        "verify_shape_only",
        ("--shape-only/--no-shape-only",),
        DRIFT,
        "Of bodies, compare types and members alone in verify [off].",
    ),
    Flag("upstream_ca", ("--upstream-ca",), ORIGINS, "Trust this CA (PEM) as well.", "FILE"),
    Flag(
        "insecure",
        ("--insecure/--no-insecure",),
        ORIGINS,
        "Do not verify the certificates of origins. Dangerous.",
    ),
    Flag(
        "upstream_proxy",
        ("--upstream-proxy",),
        ORIGINS,
        'Reach origins through this proxy; "" for none [HTTPS_PROXY, HTTP_PROXY, ALL_PROXY].',
        "URL",
    ),
    Flag(
        "no_proxy",
        ("--no-proxy",),
        ORIGINS,
        "Reach this host without --upstream-proxy; may be repeated [NO_PROXY].",
        "HOST",
        repeatable=True,
    ),
    Flag("connect_timeout", ("--connect-timeout",), LIMITS, "To connect to an origin [10].", "S"),
    Flag(
        "websocket_idle_timeout",
        ("--websocket-idle-timeout",),
        LIMITS,
        "A WebSocket in which nobody speaks [3600].",
        "S",
    ),
    Flag("idle_timeout", ("--idle-timeout",), LIMITS, "Without a byte from an origin [60].", "S"),
    Flag(
        "keepalive_timeout",
        ("--keepalive-timeout",),
        LIMITS,
        "Between two requests of a client [75].",
        "S",
    ),
    Flag("header_timeout", ("--header-timeout",), LIMITS, "For a whole request head [30].", "S"),
    Flag(
        "shutdown_timeout",
        ("--shutdown-timeout",),
        LIMITS,
        "For exchanges in flight when stopping [5].",
        "S",
    ),
    Flag("max_connections", ("--max-connections",), LIMITS, "Clients at once [10000].", "N"),
    Flag("max_message_size", ("--max-message-size",), LIMITS, "In a WebSocket [2G].", "SIZE"),
    Flag("max_message_fragments", ("--max-message-fragments",), LIMITS, "Of one [65536].", "N"),
    Flag("max_header_size", ("--max-header-size",), LIMITS, "Of one message head [64k].", "SIZE"),
    Flag(
        "quiet",
        ("-q", "--quiet/--no-quiet"),
        OUTPUT,
        "Say nothing but warnings, misses and errors.",
    ),
    Flag(
        "play_report",
        ("--play-report",),
        OUTPUT,
        "Add what was played to this file, for `magneto prune --unused`.",
        "FILE",
    ),
    Flag(
        "log_level",
        ("--log-level",),
        OUTPUT,
        "debug, info, warning or error [warning].",
        "LEVEL",
    ),
    Flag("log_format", ("--log-format",), OUTPUT, "text, or json: one object a line.", "FORMAT"),
)


def _as_setting(ctx: click.Context, parameter: click.Parameter, value: str | None) -> object:
    """Convert what stands on the command line into the setting's type (a click callback)."""
    assert parameter.name is not None  # noqa: S101 - options have names
    if value is None:
        return None
    try:
        return convert(parameter.name, value, "", textual=True)
    except ConfigError:
        rule = RULES[parameter.name]
        shown = "expected" if rule.secret else f"{value!r} is not"
        raise click.BadParameter(f"{shown} {rule.accepted}.", ctx, parameter) from None


def _words(arguments: list[str]) -> int:
    """Count what is no option: with more than a name, a command was probably meant."""
    return sum(not argument.startswith("-") for argument in arguments)


class SettingOption(click.Option):
    """A flag that belongs to a setting and is printed in its section of the help."""

    section = ""


class ProxyCommand(click.Command):
    """A command with our flags before ``--`` and the user's command after it."""

    allow_extra_args = True  # so that we can say better than click what to do with them

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the line at the first ``--``, then parse what is ours."""
        ours, theirs = args, None
        if "--" in args:
            at = args.index("--")
            ours, theirs = args[:at], args[at + 1 :]
        if theirs == []:
            ctx.fail("There is no command after --.")
        ctx.meta[_COMMAND] = tuple(theirs or ())
        try:
            rest = super().parse_args(ctx, list(ours))  # it empties its list
        except click.NoSuchOption as error:
            if theirs is None and not error.possibilities and _words(ours) > 1:
                hint = f"{error.message} {self._where_commands_go(ctx)}"
                raise click.UsageError(hint, ctx) from error
            raise
        if rest:
            ctx.fail(f"Unexpected argument {rest[0]!r}. {self._where_commands_go(ctx)}")
        return rest

    def _where_commands_go(self, ctx: click.Context) -> str:
        name = " NAME" if any(isinstance(each, click.Argument) for each in self.params) else ""
        return f"A command to run goes after --: {ctx.command_path}{name} -- COMMAND ..."

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Add the command to the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND ...]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags in sections; thirty in one list help nobody."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", "Options")
                sections.setdefault(section, []).append(record)
        for title, records in sections.items():
            with formatter.section(title if title != LIMITS else f"{title} (S: seconds)"):
                formatter.write_dl(records)


def _option(flag: Flag) -> Callable[[F], F]:
    arguments: dict[str, Any] = {"cls": SettingOption, "help": flag.help, "default": None}
    if any("/" in name for name in flag.names):
        arguments["is_flag"] = True
    elif flag.repeatable:
        arguments |= {"multiple": True, "metavar": flag.metavar}
    else:
        arguments |= {"callback": _as_setting, "metavar": flag.metavar}
    return click.option(*flag.names, flag.setting, **arguments)


def proxy_options(function: F) -> F:
    """Add every flag of :data:`FLAGS` to a command."""
    for flag in reversed(FLAGS):
        function = _option(flag)(function)
        parameter = function.__click_params__[-1]  # type: ignore[attr-defined]  # click's own place
        parameter.section = flag.section
    return function


def given_settings(ctx: click.Context) -> dict[str, object]:
    """Return the settings that stand on the command line itself."""
    return {
        flag.setting: ctx.params[flag.setting]
        for flag in FLAGS
        if ctx.get_parameter_source(flag.setting) is ParameterSource.COMMANDLINE
    }


def given_command(ctx: click.Context) -> tuple[str, ...]:
    """Return the user's command: what stood after ``--``."""
    command: tuple[str, ...] = ctx.meta[_COMMAND]
    return command
