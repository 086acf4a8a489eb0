"""`magneto redact`: replace the secrets of cassettes that exist.

As when they are recorded, and better: the whole cassette is read first, so that a token is replaced
also in what stands before the place that gives it away. What has no secret keeps its text, to the
byte; a cassette is replaced whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import count as counting
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from magneto_serge.messages import (
    FieldLine,
    FileBody,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.replay.secrets.bodies import Form
from magneto_serge.replay.secrets.known import highest_number
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.report import contents
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.storage.body_writer import BodySink
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.redacted_body import RedactedSink
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, say_written, shown_path
from .progress import tracked

_PIECE = 1024 * 1024  # bytes
_BINARY = ((b"content-type", b"application/octet-stream"),)

M = TypeVar("M", Request, Response)


@click.command(
    epilog="""\b
Examples:
  magneto redact github
  magneto redact --all --dry-run          what would be replaced""",
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every cassette of the folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be replaced, and change nothing.")
@folder_option
@click.pass_context
def redact(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    every: bool,
    dry_run: bool,
    cassette_dir: str | None,
) -> None:
    """Replace the secrets in cassettes.

    The settings of redaction count: names and patterns of your own, and what you allow. What was
    committed once stays in the history: revoke it.
    """
    if bool(names) == every:
        ctx.fail("Name the cassettes to redact, or say --all.")
    files = CassetteFiles(cassette_dir)
    rules = SecretRules.of(files.settings)
    chosen = names or files.names()
    if not chosen:
        click.echo(f"There are no cassettes in {files.folder}.", err=True)
    for name in chosen:
        _redact(files, rules, name, dry_run=dry_run)


def _redact(files: CassetteFiles, rules: SecretRules, name: str, *, dry_run: bool) -> None:
    cassette = files.take(name)
    with tempfile.TemporaryDirectory(prefix="magneto-redact-") as workshop:
        cleaning = _Cleaning(cassette, rules, Path(workshop, "found"))
        changed = sum(one is not other for one, other in cleaning.pairs(f"Reading {name}"))
        if not changed:
            click.echo(f"{shown_path(cassette.path)}: nothing to replace")
            return
        kinds = cleaning.counts
        if not dry_run:
            cleaning = _Cleaning(cassette, rules, Path(workshop, "written"))
            redacted = (other for _, other in cleaning.pairs(f"Writing {name}"))
            path = files.write(str(cassette.path), redacted, replace=True)
            say_written(path, len(cassette))
    would = "would be replaced" if dry_run else "replaced"
    total = count(sum(kinds.values()), "secret")
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    where = count(changed, "interaction")
    click.echo(f"{shown_path(cassette.path)}: {total} {would} in {where}: {listed}")


class _Cleaning:
    """One run over a cassette; ``workshop`` is a folder for side files that change."""

    def __init__(self, cassette: Cassette, rules: SecretRules, workshop: Path) -> None:
        self._cassette = cassette
        self._redactor = Redactor(rules, lambda: highest_number(cassette))
        self._workshop = workshop
        self._files = counting(1)

    @property
    def counts(self) -> Counter[str]:
        """How many secrets of each kind were replaced."""
        return self._redactor.counts

    def pairs(self, what: str) -> Iterator[tuple[Interaction, Interaction]]:
        """Yield each interaction as it was and as it is; the same object where nothing changed."""
        for interaction in self._cassette:
            self._learn(interaction)
        for interaction in tracked(self._cassette, what, len(self._cassette)):
            redacted = self._redactor.redact(self._with_files(interaction))
            yield interaction, interaction if redacted == interaction else redacted

    def _learn(self, interaction: Interaction) -> None:
        self._redactor.learn(interaction)
        for message in (interaction.request, interaction.response):
            if message is not None and isinstance(message.body, FileBody):
                stream = self._redactor.stream(message.headers.raw)
                for piece in contents(message.body, Form(message.headers)):
                    stream.feed(piece)
                stream.finish()
                stream.again()

    def _with_files(self, interaction: Interaction) -> Interaction:
        """Return the interaction with side files that were redacted."""
        request, response = self._rewritten(interaction.request), interaction.response
        if response is not None:
            response = self._rewritten(response)
        conversation = interaction.websocket
        if conversation is not None:
            said = [self._said(each) for each in conversation.messages]
            conversation = msgspec.structs.replace(conversation, messages=said)
        if (
            request is interaction.request
            and response is interaction.response
            and conversation == interaction.websocket
        ):
            return interaction
        return msgspec.structs.replace(
            interaction, request=request, response=response, websocket=conversation
        )

    def _rewritten(self, message: M) -> M:
        body = message.body
        if not isinstance(body, FileBody):
            return message
        new = self._redacted(body, message.headers.raw)
        return message if new is body else msgspec.structs.replace(message, body=new)

    def _said(self, message: WebSocketMessage) -> WebSocketMessage:
        if not isinstance(message.data, FileBody):
            return message
        fields = () if message.kind == "text" else _BINARY
        new = self._redacted(message.data, fields)
        return message if new is message.data else msgspec.structs.replace(message, data=new)

    def _redacted(self, body: FileBody, fields: tuple[FieldLine, ...]) -> FileBody:
        """Return the body, redacted in a file of its own; itself where nothing is secret."""
        unfinished: set[BodySink] = set()
        new = FileBody(self._workshop / str(next(self._files)), body.size, "")
        sink = RedactedSink(new, unfinished, self._redactor, fields)
        try:
            with body.path.open("rb") as file:
                while piece := file.read(_PIECE):
                    sink.append(piece)
            sink.finish(b"")
        finally:
            sink.close()
        if new.sha256 == body.sha256:
            new.path.unlink()
            return body
        return new
