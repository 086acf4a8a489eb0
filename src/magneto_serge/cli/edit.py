"""`magneto extract` and `replace`: one body out into a file for an editor, and back in.

What comes out is the content: the content coding is undone, and done again on the way in, with the
parameters that the origin used where they can be told from its bytes. ``--raw`` is for the bytes
themselves. What depends on the body is kept true where that is possible (``Content-Length``, the
pieces of a stream) and named where it is not (digests); nothing else of the cassette changes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import click
import msgspec

from magneto_serge.codings import Coding, CodingName, coding_of, decode, encode, find
from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.messages import (
    Body,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
)
from magneto_serge.replay.content import LARGEST

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, force_option, out_of_range, say_written
from .progress import tracked

_PIECE = 1024 * 1024  # bytes
_DIGESTS = ("content-md5", "digest", "content-digest", "repr-digest")

M = TypeVar("M", Request, Response)


def _chosen(interactions: Sequence[Interaction], name: str, number: int) -> Interaction:
    if not 1 <= number <= len(interactions):
        out_of_range(name, number, len(interactions))
    return interactions[number - 1]


def _response(interaction: Interaction, number: int) -> Response:
    if interaction.response is None:
        kind = interaction.failure.kind if interaction.failure else "no answer"
        raise ConfigError(f"interaction {number} has no response: it failed ({kind}).")
    return interaction.response


def _coding(headers: Headers) -> CodingName | None:
    """Return the coding to undo; raises ConfigError where there is one that we do not know."""
    coding = coding_of(headers)
    declared = ", ".join(headers.get_all("content-encoding"))
    if coding is None and declared.strip().lower() not in ("", "identity"):
        raise ConfigError(f"the content coding {declared!r} cannot be undone here: say --raw.")
    return coding


# --- extract ------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  magneto extract github 1 --body | jq .
  magneto extract github 1 --body -o zen.json
  magneto extract github 2 --request-body
  magneto extract chat 1 --message 3""",
)
@click.argument("name")
@click.argument("number", metavar="N", type=int)
@click.option("--body", is_flag=True, help="The body of the response.")
@click.option("--request-body", is_flag=True, help="The body of the request.")
@click.option("--message", metavar="M", type=int, help="The M-th message of a WebSocket.")
@click.option("--raw", is_flag=True, help="The bytes as received, compressed ones too.")
@click.option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout.")
@folder_option
@click.pass_context
def extract(
    ctx: click.Context,
    /,
    name: str,
    number: int,
    body: bool,
    request_body: bool,
    message: int | None,
    raw: bool,
    output: str | None,
    cassette_dir: str | None,
) -> None:
    """Write a body to a file or to stdout, as its content is.

    Secrets in it are not masked.
    """
    if [body, request_body, message is not None].count(True) != 1:
        ctx.fail("Say which: --body, --request-body or --message M.")
    interaction = _chosen(CassetteFiles(cassette_dir).read(name), name, number)
    if message is not None:
        content = _said(interaction, number, message)
    else:
        bearer = interaction.request if request_body else _response(interaction, number)
        content = bearer.body if raw else _content(bearer)
    if output is None:
        _check_terminal(content)
        _copy(content, sys.stdout.buffer)
    else:
        _save(content, Path(output))


def _said(interaction: Interaction, number: int, wanted: int) -> Body:
    """Return the payload of a message, counted from 1; raises ConfigError where there is none."""
    said = () if interaction.websocket is None else interaction.websocket.messages
    if not 1 <= wanted <= len(said):
        count = f"{len(said)} messages" if interaction.websocket else "no messages: it is HTTP"
        raise ConfigError(f"interaction {number} has {count}; --message {wanted} is not one.")
    return next(islice(said, wanted - 1, None)).data


def _content(message: Request | Response) -> Body:
    """Return the body without its content coding; raises ConfigError and CassetteError."""
    coding = _coding(message.headers)
    if coding is None or not message.body:
        return message.body
    content = decode(coding, _bytes(message.body), LARGEST)
    if content is None:
        raise CassetteError(
            f"the body is said to be {coding}, and is not, or has more than {LARGEST >> 20} MiB of"
            " content. Say --raw for its bytes."
        )
    return content


def _bytes(body: Body) -> bytes:
    return body.path.read_bytes() if isinstance(body, FileBody) else body


def _check_terminal(content: Body) -> None:
    """Raise ConfigError rather than let what was recorded talk to the terminal."""
    if not sys.stdout.isatty():
        return
    try:
        text = "\0" if isinstance(content, FileBody) else content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        raise ConfigError("this body is not for a terminal: name a file with -o, or pipe it.")


def _copy(content: Body, out: BinaryIO) -> None:
    if isinstance(content, bytes):
        out.write(content)
    else:
        with content.path.open("rb") as file:
            while piece := file.read(_PIECE):
                out.write(piece)
    out.flush()


def _save(content: Body, path: Path) -> None:
    from magneto_serge.storage.atomic import replacing

    try:
        with replacing(path) as out:
            _copy(content, out)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}.") from error


# --- replace ------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  magneto replace github 1 --body zen.json
  jq '.page = 2' < query.json | magneto replace github 2 --request-body -""",
)
@click.argument("name")
@click.argument("number", metavar="N", type=int)
@click.option("--body", metavar="FILE", help="The new body of the response; - is stdin.")
@click.option("--request-body", metavar="FILE", help="The new body of the request; - is stdin.")
@click.option("--raw", is_flag=True, help="FILE has the bytes to store, compressed already.")
@click.option("-o", "--output", metavar="OUT", help="Write another cassette, leave NAME as it is.")
@force_option
@folder_option
@click.pass_context
def replace(
    ctx: click.Context,
    /,
    name: str,
    number: int,
    body: str | None,
    request_body: str | None,
    raw: bool,
    output: str | None,
    force: bool,
    cassette_dir: str | None,
) -> None:
    """Replace a body by the content of a file.

    It is compressed as the one before was, and Content-Length follows; all else stays.
    """
    if body is None and request_body is None:
        ctx.fail("Say what to replace: --body FILE or --request-body FILE.")
    files = CassetteFiles(cassette_dir)
    cassette = files.take(name)
    changed = interaction = _chosen(cassette, name, number)
    if request_body is not None:
        request = _with_content(interaction.request, _read(request_body), raw=raw)
        changed = msgspec.structs.replace(changed, request=request)
    if body is not None:
        response = _with_content(_response(interaction, number), _read(body), raw=raw)
        chunks = _pieces(interaction, response)
        changed = msgspec.structs.replace(changed, response=response, chunks=chunks)
    if changed == interaction:
        click.echo("magneto: that is the body already: nothing was written", err=True)
        return
    new = (changed if at == number else each for at, each in enumerate(cassette, 1))
    following = tracked(new, "Writing", len(cassette))
    path = files.write(output or str(cassette.path), following, replace=force or output is None)
    say_written(path, len(cassette))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}.") from error


def _with_content(message: M, content: bytes, *, raw: bool) -> M:
    """Return the message with another body; what follows from the body follows."""
    body = content if raw else _encoded(message, content)
    if body == _bytes(message.body):
        return message
    for name in _DIGESTS:
        if name in message.headers:
            click.echo(
                f"magneto: {name} speaks of the body before, and was left as it is", err=True
            )
    return msgspec.structs.replace(message, body=body, headers=_measured(message, len(body)))


def _encoded(message: Request | Response, content: bytes) -> bytes:
    name = _coding(message.headers)
    if name is None or not content:
        return content
    before = _bytes(message.body)
    known = decode(name, before, LARGEST)
    return encode(content, (find(name, before, known) if known else None) or Coding(name))


def _measured(message: Request | Response, length: int) -> Headers:
    """Return the header section with its Content-Length, if there is one, set to ``length``."""
    return Headers(
        (name, b"%d" % length) if name.lower() == b"content-length" else (name, value)
        for name, value in message.headers.raw
    )


def _pieces(interaction: Interaction, response: Response) -> tuple[tuple[int, float], ...]:
    from magneto_serge.storage.json_read import fitted

    return fitted(list(interaction.chunks), body_size(response.body))
