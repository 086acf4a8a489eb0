"""Verifying a cassette without a client: its requests are sent once more, the answers compared.

What goes to a real service is chosen with care. Rules:

* only methods that change nothing (RFC 9110 §9.2.1) are sent, unless all are asked for;
* a request in which a secret was replaced cannot be let in: it is skipped, unless the secret is
  supplied, or the placeholder is to be sent as it is;
* a credential that is supplied goes to one service. Where the requests lead to several, it is
  refused rather than shown to all of them;
* a WebSocket needs a client.

What is skipped is a finding, with its reason. Findings come in the cassette's order, however many
requests are under way at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote_plus, unquote_plus, urlsplit

import msgspec

from magneto_serge.config import Settings
from magneto_serge.errors import ConfigError
from magneto_serge.messages import DEFAULT_PORTS, FileBody, Headers, Interaction, Request
from magneto_serge.proxy.dial import Dialer
from magneto_serge.proxy.pool import Pool
from magneto_serge.proxy.resend import SAFE_METHODS, Resend
from magneto_serge.proxy.tee import forget
from magneto_serge.replay.conditions import Known, Test
from magneto_serge.replay.drift import DriftRules, Outcome, Verdict, judge
from magneto_serge.replay.masking import is_secret_name
from magneto_serge.replay.misses import masked_url
from magneto_serge.replay.rewrite import Rewriter
from magneto_serge.replay.secrets.placeholders import ANY, MARKER
from magneto_serge.runner import LoopThread
from magneto_serge.shaping import Prepare
from magneto_serge.trust import Trust

CONCURRENCY = 4  # requests at once, where all of them are safe
TIMEOUT = 30.0  # seconds for one exchange


class Base(NamedTuple):
    """Where to send requests instead of to where they went; ``path`` goes before theirs."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Base:
        """Read ``http://HOST[:PORT][/PATH]``, or https; raises ConfigError."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode("ascii")
            port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            host, port = "", 0
        extra = parts.query or parts.fragment or parts.username if host else ""
        if not host or parts.scheme not in ("http", "https") or extra:
            raise ConfigError(
                f"--base-url {url!r} cannot be used; expected http://HOST[:PORT][/PATH] or https://…"
            )
        return cls(parts.scheme, host, port, parts.path.rstrip("/"))


class Sending(NamedTuple):
    """How to send. ``headers`` go with every request, in the place of one of their name;
    ``query`` items replace those of their name. ``timeout`` is in seconds, for one exchange.
    """

    base: Base | None = None
    only: Test | None = None
    all_methods: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    send_redacted: bool = False
    concurrency: int = CONCURRENCY
    timeout: float = TIMEOUT


class _Step(NamedTuple):
    """An interaction of the cassette, and what to do: send ``request``, or skip it (None)."""

    number: int
    recorded: Interaction
    request: Request | None
    reason: str = ""


class Verification:
    """The verification of one cassette; iterate over it for the findings.

    ``total`` is how many there will be. ``rewriter`` changes what is sent, ``prepare`` what comes
    back, as it would be recorded; where it returns None, that would not be, and is not compared.
    Raises ConfigError where ``sending`` would tell a service what was meant for another one, and
    CassetteError where the cassette is damaged.
    """

    def __init__(
        self,
        interactions: Sequence[Interaction],
        settings: Settings,
        sending: Sending,
        rules: DriftRules,
        *,
        rewriter: Rewriter | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        self._interactions = interactions
        self._settings = settings
        self._sending = sending
        self._rules = rules
        self._rewriter = rewriter
        self._prepare = prepare
        self.total = self._checked()

    def _checked(self) -> int:
        """Count what there is to do; raises ConfigError where it must not be done."""
        total, services = 0, set()
        for step in self._steps():
            total += 1
            if step.request is not None:
                services.add(step.recorded.request.authority)
        shown = ", ".join(sorted(services)[:5])
        if len(services) > 1 and self._sending.base is not None:
            raise ConfigError(
                f"--base-url takes the place of one service, and the requests go to {shown}:"
                " say which one is meant with --only host=HOST"
            )
        secret = [name for name, _ in self._sending.headers if is_secret_name(name)]
        if len(services) > 1 and (secret or self._sending.query):
            raise ConfigError(
                f"--{'header' if secret else 'query'} would send a credential to several"
                f" services, {shown}: say which one it is for with --only host=HOST"
            )
        return total

    # --- what is sent -------------------------------------------------------------------------

    def _steps(self) -> Iterator[_Step]:
        only = self._sending.only
        for number, recorded in enumerate(self._interactions, 1):
            if only is None or only(Known.of(recorded)) is True:
                yield self._step(number, recorded)

    def _step(self, number: int, recorded: Interaction) -> _Step:
        request, sending = recorded.request, self._sending
        if recorded.websocket is not None or request.scheme not in ("http", "https"):
            reason = "A WebSocket needs a client: magneto verify NAME -- COMMAND"
            return _Step(number, recorded, None, reason)
        if request.method not in SAFE_METHODS and not sending.all_methods:
            reason = f"{request.method} may change something: --all-methods sends it"
            return _Step(number, recorded, None, reason)
        request = self._supplied(request)
        if (places := redacted_places(request)) and not sending.send_redacted:
            return _Step(number, recorded, None, _advice(places))
        return _Step(number, recorded, request)

    def _supplied(self, request: Request) -> Request:
        """Return the request as it is sent: to where, and with what was supplied for it."""
        sending = self._sending
        values: dict[str, object] = {}
        if sending.headers:
            values["headers"] = _with_headers(request.headers, sending.headers)
        target = _with_query(request.target, sending.query)
        if sending.base is not None:
            scheme, host, port, path = sending.base
            values |= {"scheme": scheme, "host": host, "port": port}
            target = path + target if target.startswith("/") else target
        sent = msgspec.structs.replace(request, target=target, **values)
        return sent if self._rewriter is None else self._rewriter.request(sent)

    # --- sending ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Verdict]:
        thread = LoopThread("magneto verify")
        pool = self._pool()
        findings = self._findings(pool)
        try:
            while (verdict := thread.call(_next(findings))) is not None:
                yield verdict
        finally:
            thread.call(_close(findings, pool))
            thread.close()

    def _pool(self) -> Pool:
        settings = self._settings
        dialer = Dialer(settings, Trust(settings).upstream_tls)
        return Pool(dialer, settings.max_header_size)

    async def _findings(self, pool: Pool) -> AsyncGenerator[Verdict, None]:
        """Yield findings in order, with as many requests under way as there may be."""
        under_way: deque[asyncio.Task[Verdict]] = deque()
        free = asyncio.Semaphore(self._sending.concurrency)
        ahead = 4 * self._sending.concurrency  # a slow one must not hold up all others
        try:
            for step in self._steps():
                under_way.append(asyncio.create_task(self._finding(step, pool, free)))
                if len(under_way) >= ahead:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            if under_way:
                await asyncio.wait(under_way)

    async def _finding(self, step: _Step, pool: Pool, free: asyncio.Semaphore) -> Verdict:
        if step.request is None:
            return _skipped(step, step.reason)
        async with free:
            resend = Resend(pool, step.request, self._settings.memory_limit)
            live = await resend.run(self._sending.timeout)
        try:
            prepared = live if self._prepare is None else self._prepare(live)
            if prepared is None:
                return _skipped(step, "A hook would not record its answer")
            return judge(step.recorded, step.number, prepared, self._rules)
        finally:
            if live.response is not None:
                forget(live.response.body)


def _skipped(step: _Step, reason: str) -> Verdict:
    request = step.recorded.request
    url = masked_url(request)
    return Verdict(Outcome.SKIPPED, request.method, url, step.number, reason=reason)


async def _next(findings: AsyncIterator[Verdict]) -> Verdict | None:
    return await anext(findings, None)


async def _close(findings: AsyncGenerator[Verdict, None], pool: Pool) -> None:
    await findings.aclose()
    pool.close()
    await asyncio.sleep(0)  # aborted transports tell their protocols in the next turns of the loop
    await asyncio.sleep(0)


# --- secrets ------------------------------------------------------------------------------------


def redacted_places(request: Request) -> list[str]:
    """Return where a request has placeholders instead of secrets: fields, query items, its body.

    The body of a side file is not looked at.
    """
    places = [
        f"header {name.decode('latin-1')}"
        for name, value in request.headers.raw
        if MARKER in value or ANY.search(value)
    ]
    path, _, query = request.target.partition("?")
    if ANY.search(path.encode(errors="replace")):
        places.append("path")
    for item in query.split("&"):
        name, _, value = item.partition("=")
        told = value.encode(errors="replace")
        if MARKER in told or ANY.search(told):
            places.append(f"query {unquote_plus(name)}")
    if not isinstance(request.body, FileBody) and ANY.search(request.body):
        places.append("body")
    return list(dict.fromkeys(places))


def _advice(places: list[str]) -> str:
    advice = []
    for place in places:
        kind, _, name = place.partition(" ")
        if kind == "header":
            advice.append(f"--header '{name}: VALUE'")
        elif kind == "query":
            advice.append(f"--query '{name}=VALUE'")
    how = f"supply it with {' '.join(advice)}, or send" if len(advice) == len(places) else "send"
    return f"A secret was replaced in its {', '.join(places)}: {how} it as it is, --send-redacted"


def _with_headers(headers: Headers, supplied: tuple[tuple[str, str], ...]) -> Headers:
    raw = list(headers.raw)
    for name, value in supplied:
        wanted, line = name.lower().encode(), (name.encode(), value.encode())
        places = [at for at, (each, _) in enumerate(raw) if each.lower() == wanted]
        if places:
            raw[places[0]] = (raw[places[0]][0], line[1])
            for at in reversed(places[1:]):
                del raw[at]
        else:
            raw.append(line)
    return Headers(raw)


def _with_query(target: str, supplied: tuple[tuple[str, str], ...]) -> str:
    path, mark, query = target.partition("?")
    if not mark or not supplied:
        return target
    values = dict(supplied)
    items = []
    for item in query.split("&"):
        name, equals, _ = item.partition("=")
        value = values.get(unquote_plus(name))
        items.append(item if value is None or not equals else f"{name}={quote_plus(value)}")
    return path + mark + "&".join(items)
