"""Where a user's rules and functions meet the answers that we give: replays and misses.

A plain function is called where it stands. A coroutine runs as a task, while the connection is busy
and what it reads waits; this is the only place where answering a request can wait for somebody
else's code, and it waits ``PATIENCE`` seconds at most. Whatever fails is reported, and the answer
is the one there would have been. (What is forwarded is ``rewriting``'s.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from magneto_serge.errors import CassetteError
from magneto_serge.messages import (
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
)
from magneto_serge.proxy.answers import problem
from magneto_serge.replay.hooks import PATIENCE, any_waits
from magneto_serge.replay.shelves import Recording

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.tee import Spool
    from magneto_serge.replay.engine import Session
    from magneto_serge.replay.shaping import Shaping

log = logging.getLogger("magneto_serge.proxy")


class Asking:
    """The wait for a user's coroutine; among pumps (``pump.py``) it is one that writes nothing.

    ``then`` is called with what it returned, or with ``fallback`` where it took too long. ``spool``
    is a request body that it may want to read.
    """

    cut: FailureKind | None = None
    close_after = False
    waiting = True
    endless = False

    def __init__(
        self,
        client: ClientConnection,
        work: Callable[[], Coroutine[Any, Any, Any]],
        fallback: object,
        then: Callable[[Any], None],
    ) -> None:
        self._client = client
        self._then = then
        self._result = fallback
        self.events: list[Any] = []
        self.spool: Spool | None = None
        self._timer = client.server.loop.call_later(PATIENCE, self._give_up)
        self._task = client.server.spawn(self._wait(work))

    async def _wait(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._result = await work()
        self._over()

    def _give_up(self) -> None:
        log.error("A hook has taken more than %g s. The original is used", PATIENCE)
        self._task.cancel()
        self._over()

    def _over(self) -> None:
        self._timer.cancel()
        self._discard()
        self._client.pause_over(self)

    def then(self) -> None:
        """Go on with what was found."""
        self._then(self._result)

    def go_on(self) -> bool:
        """Write nothing, whatever the client takes."""
        return False

    def close(self) -> None:
        """Give up."""
        self._timer.cancel()
        self._task.cancel()
        self._discard()

    def _discard(self) -> None:
        spool, self.spool = self.spool, None
        if spool is not None:
            spool.discard()


# --- replays ------------------------------------------------------------------------------------


def replay(
    client: ClientConnection, shaping: Shaping, request: Request, recording: Recording
) -> None:
    """Replay a recording as templates, hooks and rewrite rules will have it."""
    interaction, hooks = recording.interaction, shaping.hooks
    response = interaction.response
    if response is None or not (
        hooks.at_replay
        or (interaction.template and shaping.templates is not None)
        or (shaping.rewriter is not None and shaping.rewriter.to_client)
    ):
        client.play(recording)
        return
    response = whole = _in_memory(response)
    if whole is not interaction.response:
        interaction = msgspec.structs.replace(interaction, response=whole)
    if interaction.template and shaping.templates is not None:
        try:
            response = shaping.templates.render(
                interaction, recording.number, recording.played, request
            )
        except CassetteError as error:
            log.error("%s", error)
            close, head_only = client.closing, request.method == "HEAD"
            title = "A template cannot be rendered"
            answer = problem(
                502, "template-error", title, str(error), close=close, head_only=head_only
            )
            client.reply(answer, close=close)
            return

    def send(shaped: Response) -> None:
        if shaping.rewriter is not None:
            shaped = shaping.rewriter.response(request, shaped)
        if shaped is whole:
            client.play(recording)
        else:
            client.play(Recording(_answering(interaction, shaped), recording.number))

    if any_waits(hooks.at_replay):
        client.wait_for(
            Asking(client, partial(hooks.replay_async, request, response), response, send)
        )
    else:
        send(hooks.replay(request, response))


def _in_memory(response: Response) -> Response:
    """Return the response with its body as bytes: that of a cassette may be a view of its file."""
    body: Any = response.body
    if isinstance(body, bytes | FileBody):
        return response
    return msgspec.structs.replace(response, body=bytes(body))


def _answering(interaction: Interaction, response: Response) -> Interaction:
    """Return the interaction with another response; pieces of another body are not its own."""
    recorded = interaction.response
    same = recorded is not None and recorded.body is response.body
    chunks = interaction.chunks if same else ()
    return msgspec.structs.replace(interaction, response=_framed(response), chunks=chunks)


def _framed(response: Response) -> Response:
    """Return a response that says where it ends; one that a user has made may not."""
    headers = response.headers
    if "content-length" in headers or "transfer-encoding" in headers:
        return response
    length = (b"Content-Length", b"%d" % body_size(response.body))
    return msgspec.structs.replace(response, headers=Headers((*headers.raw, length)))


# --- misses -------------------------------------------------------------------------------------


def ask(client: ClientConnection, session: Session, request: Request) -> None:
    """Ask the hooks for an answer to what nothing was recorded for; refuse where there is none."""

    def answer(response: Response | None) -> None:
        if response is None:
            client.refuse_miss(session.refuse(request))
        else:
            client.play(Recording(Interaction(request, _framed(response)), 0))

    hooks = None if session.shaping is None else session.shaping.hooks
    if hooks is None:
        answer(None)
    elif any_waits(hooks.at_miss):
        client.wait_for(Asking(client, partial(hooks.miss_async, request), None, answer))
    else:
        answer(hooks.miss(request))
