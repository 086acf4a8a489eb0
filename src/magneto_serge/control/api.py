"""The control API: what a request to the proxy itself, under ``/__magneto/``, does.

=======  =========================  ===========================================================
GET      ``/__magneto/``            version, own session, counts
PATCH    ``/__magneto/``            ``{"mode": "replay"}``: switch the own session's mode, live
POST     ``/__magneto/sessions``    ``{"cassette": NAME, "mode", "key", "settings"}``: open one
GET      ``/__magneto/sessions``    the sessions that are open
GET      ``/__magneto/sessions/K``  one: what was recorded, replayed, refused
PATCH    ``/__magneto/sessions/K``  ``{"mode": ..., "rewind": true}``
DELETE   ``/__magneto/sessions/K``  finish it and save; ``?save=false`` forgets what was recorded
=======  =========================  ===========================================================

Bodies are JSON; errors are problem details (RFC 9457). No browser may be made to send these by a
page that it shows: a request with an ``Origin``, or with a ``Host`` that is not this machine's, is
refused. Sessions may be given those settings only that concern their own recordings: never a folder
outside the proxy's, or a script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

from magneto_serge._version import __version__
from magneto_serge.app import MagnetoProxy
from magneto_serge.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    ConfigError,
    MagnetoError,
    OneProcessError,
)
from magneto_serge.messages import Request
from magneto_serge.proxy.client import OWN_PATH
from magneto_serge.replay.modes import Mode
from magneto_serge.sessions import CassetteSession

_STATUS = {
    CassetteNotFoundError: 404,
    CassetteBusyError: 409,
    CassetteError: 500,
    OneProcessError: 409,
    ConfigError: 400,
}
# What somebody who reaches the port may decide for a session of his.
SETTINGS = frozenset(
    (
        "format",
        "stable",
        "match_on",
        "ignore_query",
        "ignore_headers",
        "ignore_json_paths",
        "ignore_hosts",
        "ignore_localhost",
        "match_credentials",
        "repeats",
        "unplayed",
        "latency",
        "verify_headers",
        "verify_shape_only",
    )
)


class Answer(NamedTuple):
    """A status and the document to send; None: no content."""

    status: int
    document: object


class TroubleError(Exception):
    """A request that cannot be carried out."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.answer = Answer(
            status, {"type": f"about:blank#{kind}", "status": status, "detail": detail}
        )


class ControlApi:
    """The API of one proxy. Calls may read and write cassettes: not for the proxy's own thread."""

    def __init__(self, proxy: MagnetoProxy) -> None:
        self._proxy = proxy

    def answer(self, request: Request) -> Answer:
        """Carry a request out; never raises for what it holds."""
        try:
            self._guard(request)
            return self._route(request)
        except TroubleError as trouble:
            return trouble.answer
        except MagnetoError as error:
            status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
            return TroubleError(status, type(error).__name__, str(error)).answer

    def _guard(self, request: Request) -> None:
        host = (request.headers.get("host") or "").rpartition(":")[0].strip("[]")
        if "origin" in request.headers or host not in ("127.0.0.1", "localhost", "::1", self._host):
            raise TroubleError(
                403,
                "not-for-pages",
                "The control API is for programs on this machine, not for pages",
            )

    @property
    def _host(self) -> str:
        return self._proxy.settings.host

    def _route(self, request: Request) -> Answer:
        path, _, query = request.target.partition("?")
        place = [
            unquote(part) for part in path.removeprefix(OWN_PATH.rstrip("/")).split("/") if part
        ]
        routes: Mapping[tuple[str, int], Callable[..., Answer]] = {
            ("GET", 0): lambda: Answer(200, self._state()),
            ("PATCH", 0): lambda: self._switch(self._proxy.current, _body(request)),
            ("GET", 1): lambda: Answer(200, [_session(each) for each in self._proxy.sessions]),
            ("POST", 1): lambda: self._open(_body(request)),
            ("GET", 2): lambda: Answer(200, _session(self._find(place[1]))),
            ("PATCH", 2): lambda: self._switch(self._find(place[1]), _body(request)),
            ("DELETE", 2): lambda: self._finish(self._find(place[1]), query),
        }
        if len(place) > 2 or (place and place[0] != "sessions"):
            raise TroubleError(404, "no-such-resource", f"There is no {path} in the control API")
        route = routes.get((request.method, len(place)))
        if route is None:
            raise TroubleError(405, "method-not-allowed", f"{path} has no method {request.method}")
        return route()

    def _state(self) -> dict[str, Any]:
        stats = msgspec.to_builtins(self._proxy.stats)
        own = _session(self._proxy.current)
        return {"version": __version__, "url": self._proxy.url, "session": own, "stats": stats}

    def _find(self, key: str) -> CassetteSession:
        for session in self._proxy.sessions:
            if session.key == key:
                return session
        raise TroubleError(
            404, "no-such-session", f"There is no session {key!r}: it may be finished"
        )

    def _open(self, asked: dict[str, Any]) -> Answer:
        known = {"cassette", "mode", "key", "settings"}
        _only(asked, known)
        name, settings = asked.get("cassette"), asked.get("settings") or {}
        if not isinstance(name, str):
            raise TroubleError(
                400, "cassette-missing", 'A session needs a cassette: {"cassette": "NAME"}'
            )
        if not isinstance(settings, dict):
            raise TroubleError(400, "bad-settings", "settings is not an object")
        _only(settings, SETTINGS)
        if not isinstance(asked.get("key", ""), str):
            raise TroubleError(400, "bad-key", "key is not a text")
        if PurePosixPath(name).is_absolute():
            raise TroubleError(400, "bad-name", f"{name!r} is a path; a cassette has a name")
        mode = asked.get("mode") or self._proxy.settings.mode
        if "mode" not in asked and mode == Mode.PASSTHROUGH:  # nobody opens a session for nothing
            mode = Mode.AUTO
        session = self._proxy.session(name, mode, key=asked.get("key"), **settings)
        return Answer(201, _session(session))

    def _switch(self, session: CassetteSession, asked: dict[str, Any]) -> Answer:
        _only(asked, {"mode", "rewind"})
        if "mode" in asked:
            self._proxy.switch(session, asked["mode"])
        if asked.get("rewind"):
            session.rewind()
        return Answer(200, _session(session))

    def _finish(self, session: CassetteSession, query: str) -> Answer:
        state = _session(session)
        if parse_qs(query).get("save") == ["false"]:
            session.abort()
            return Answer(200, state | {"saved": None})
        path = session.finish()
        return Answer(200, state | {"saved": None if path is None else str(path)})


def _session(session: CassetteSession) -> dict[str, Any]:
    counts = session.play_counts
    return {
        "key": session.key,
        "url": session.url,
        "cassette": session.cassette_name,
        "mode": str(session.mode),
        "recorded": session.recorded,
        "replayed": sum(counts),
        "unplayed": [number for number, count in enumerate(counts, 1) if not count],
        "misses": [miss.explain() for miss in session.misses],
        "drifts": [drift.explain() for drift in session.drifts] if session.verifies else [],
    }


def _only(given: Mapping[str, Any], known: set[str] | frozenset[str]) -> None:
    for name in given:
        if name not in known:
            accepted = ", ".join(sorted(known))
            raise TroubleError(
                400, "no-such-member", f"There is no {name!r}; accepted are {accepted}"
            )


def _body(request: Request) -> dict[str, Any]:
    body = request.body if isinstance(request.body, bytes) else b"too large"
    try:
        document = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise TroubleError(400, "not-json", f"The body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise TroubleError(400, "not-an-object", "The body is not a JSON object")
    return document
