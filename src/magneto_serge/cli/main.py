"""The command ``magneto``: which sub-commands there are, and how an error becomes an exit code.

A sub-command's module is imported when that sub-command is asked for, and only then: the time
from process start to an accepting socket is the user's, and so the summaries in ``magneto -h`` are
written here instead of being collected. Everything that a person did wrong ends as one message on
stderr and the exit code of its :class:`~magneto_serge.errors.MagnetoError`; never a traceback.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from magneto_serge._version import __version__
from magneto_serge.errors import MagnetoError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# name: (module, attribute, summary)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "record": ("run", "record", "Forward everything and record it, replacing the cassette."),
    "replay": ("run", "replay", "Answer from the cassette alone; nothing reaches the network."),
    "strict": ("run", "strict", "Replay each recording once, and expect all of them."),
    "auto": ("run", "auto", "Replay the cassette if there is one, record it otherwise."),
    "hybrid": ("run", "hybrid", "Replay what is in the cassette, forward and add the rest."),
    "passthrough": ("run", "passthrough", "Forward everything and keep nothing."),
    "verify": ("verify", "verify", "Compare what is answered now with what was recorded."),
    "list": ("cassettes", "list_cassettes", "List the cassettes."),
    "show": ("cassettes", "show", "Show what is in a cassette, or one interaction in full."),
    "validate": ("validate", "validate", "Check cassettes: every field and every body."),
    "stats": ("stats", "stats", "Show what a cassette consists of, in figures."),
    "diff": ("diff", "diff", "Compare two cassettes, interaction by interaction."),
    "merge": ("rearrange", "merge", "Put the interactions of several cassettes into one."),
    "split": ("rearrange", "split", "Make several cassettes of one, by host or by size."),
    "filter": ("rearrange", "filter_cassette", "Keep some interactions of a cassette."),
    "extract": ("edit", "extract", "Write a body to a file or to stdout, as its content is."),
    "replace": ("edit", "replace", "Replace a body by the content of a file."),
    "prune": ("prune", "prune", "Remove what was recorded long ago, or what nothing plays."),
    "audit": ("audit", "audit", "Find what looks like a secret in cassettes."),
    "redact": ("redact", "redact", "Replace the secrets in cassettes."),
    "convert": ("convert", "convert", "Write a cassette in another format."),
    "recover": ("convert", "recover", "Make a cassette of what a crash has left."),
    "import": ("importing", "import_recordings", "Make cassettes of other tools' recordings."),
    "export": ("exporting", "export", "Write a cassette for another tool."),
    "ca": ("ca", "ca", "The certificate authority: where it is, how to trust it."),
    "demo": ("demo", "demo", "See the main job done on this machine in a few seconds."),
}


class CommandTable(click.Group):
    """The sub-commands of :data:`COMMANDS`, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer should meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f".{module}", __package__), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours, not a check
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` begin with; a misspelt one gets the nearest name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. {_nearest(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command and turn what a person can mend into a message."""
        try:
            return super().invoke(ctx)
        except MagnetoError as error:
            click.echo(f"magneto: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            raise  # click ends quietly: the reader of our output has gone
        except OSError as error:
            click.echo(f"magneto: {error}", err=True)
            ctx.exit(MagnetoError.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    if near := get_close_matches(name, COMMANDS, n=1, cutoff=0.5):
        return f"Did you mean {near[0]}?"
    return f"Commands: {', '.join(COMMANDS)}."


@click.command(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  magneto record github -- pytest         record what the tests say to the world
  magneto replay github -- pytest         run them again, offline
  magneto auto github -p 8888             a proxy on port 8888 until Ctrl-C
  magneto show github 1                   the first interaction in full
  magneto demo                            see it work in a few seconds

`magneto COMMAND -h` explains a command.""",
)
@click.version_option(__version__, message="magneto %(version)s")
def cli() -> None:
    """Record what a program says to the world over HTTP and HTTPS, and replay it offline."""


def main() -> NoReturn:
    """Run the command line and exit."""
    # Imports leave no cyclic garbage worth looking for: a tenth of the start-up time. `run` turns
    # the collector on again before traffic comes; the other commands end soon.
    gc.disable()
    cli.main(prog_name="magneto")
    sys.exit(0)
