"""The control API behind the proxy's own port: a session whose answers are the API's.

A request in origin-form for a path under ``OWN_PATH`` is for the proxy itself. It goes the way of
any request without a recording, to a hook that answers it, in a thread of its own: opening and
saving cassettes takes time, and the traffic goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from magneto_serge.app import MagnetoProxy
from magneto_serge.control.api import Answer, ControlApi
from magneto_serge.messages import Headers, Request, Response
from magneto_serge.replay.engine import Session
from magneto_serge.replay.hooks import Hooks
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.shaping import Shaping


def enable_control(proxy: MagnetoProxy, ask: Callable[[Request], Answer] | None = None) -> None:
    """Let ``proxy`` be asked and told over HTTP, from programs on this machine.

    ``ask`` carries requests out, in a thread of its own, where that is somebody else's affair.
    """
    carry_out = ControlApi(proxy).answer if ask is None else ask

    async def answer(request: Request) -> Response:
        found = await asyncio.to_thread(carry_out, request)
        body = msgspec.json.format(msgspec.json.encode(found.document), indent=2) + b"\n"
        kind = "application/problem+json" if found.status >= 400 else "application/json"
        headers = Headers.of(
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        )
        return Response(found.status, "", headers, body)

    hooks = Hooks()
    hooks.on_miss(answer)
    session = Session(None, Mode.REPLAY)
    session.shaping = Shaping(hooks)
    proxy.answer_itself_with(session)
