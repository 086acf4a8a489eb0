"""Recorded responses with blanks that are filled in for each request: Jinja templates.

A template is an interaction that its cassette marks as one (``"template": true``); it is rendered
only where the setting ``templates`` says so, because a cassette is data that may come from anybody.
What it can see is the request, the variables of the environment that ``template_env`` names, and
functions that a user registered; what it can do is bounded (``sandbox``).

The body and the field values are rendered. A content-coded body is rendered decoded and sent so.
With a seed the same request of the same run gets the same answer: ``uuid()`` and the ``rng`` of
helpers follow from the seed, the interaction's number and how often it was played, and ``now()`` is
when it was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from magneto_serge.errors import CassetteError, ConfigError
from magneto_serge.messages import (
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)
from magneto_serge.replay.content import content_of

if TYPE_CHECKING:
    from magneto_serge.replay.sandbox import Sandbox, Template

_COMPILED = 1024  # templates kept ready
_MARKS = ("{{", "{%", "{#")
_FORMAT_LIMIT = 200  # characters
_BUILT_IN = frozenset(("env", "now", "uuid", "request", "range", "namespace", "loop"))
_helpers: dict[str, Callable[..., Any]] = {}


def register_template_helper(name: str, function: Callable[..., Any]) -> None:
    """Let templates call ``function`` as ``name``, in sessions that are opened from now on.

    If it has a parameter ``rng`` it gets a ``random.Random`` which follows from ``template_seed``.
    Raises ConfigError for a name that is taken or no name.
    """
    if not name.isidentifier() or name.startswith("_") or name in _BUILT_IN:
        raise ConfigError(f"A template helper cannot be called {name!r}: it is taken, or no name")
    if not callable(function):
        raise ConfigError(f"The template helper {name!r} is no function: {function!r}")
    _helpers[name] = function


class _Compiled(NamedTuple):
    """``fields`` has a template where a value is one."""

    body: Template | None
    fields: tuple[tuple[bytes, bytes | Template], ...]


class Fields:
    """Names and first values, as a template sees a header section or a query."""

    def __init__(self, pairs: Iterable[tuple[str, str]], *, cased: bool) -> None:
        self._cased = cased
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name if cased else name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._values[name if self._cased else name.lower()]

    def __contains__(self, name: str) -> bool:
        return (name if self._cased else name.lower()) in self._values

    def get(self, name: str, default: object = None) -> object:
        """Return the first value of ``name``, or ``default``."""
        return self._values.get(name if self._cased else name.lower(), default)


class RequestView:
    """The request as a template sees it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.method = request.method
        self.url = request.url
        self.host = request.host
        self.path = request.target.partition("?")[0]

    @property
    def headers(self) -> Fields:
        """The header fields."""
        return Fields(self._request.headers, cased=False)

    @property
    def query(self) -> Fields:
        """The items of the query, decoded."""
        query = self._request.target.partition("?")[2]
        return Fields(parse_qsl(query, keep_blank_values=True), cased=True)

    @property
    def body(self) -> str:
        """The body as text; empty where it is none."""
        return content_of(self._request.headers, self._request.body).text

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        content = content_of(self._request.headers, self._request.body)
        return msgspec.json.decode(content.data) if content.kind == "json" else None


class MessageView:
    """What a WebSocket client has said last, as a template sees it."""

    def __init__(self, data: bytes) -> None:
        self.text = data.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The message as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.text)
        except (msgspec.DecodeError, RecursionError):
            return None


class Templates:
    """Renders the templates of one session.

    ``environ`` is where ``env()`` looks, for the names in ``allowed``; ``clock`` gives seconds
    since the epoch, ``timer`` seconds of a clock that never jumps. Raises ConfigError where Jinja
    is not installed.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        allowed: Iterable[str],
        seed: int | None,
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        try:
            from magneto_serge.replay.sandbox import Sandbox
        except ImportError:
            raise ConfigError(
                "templates need Jinja2: pip install 'magneto-serge[templates]'"
            ) from None
        self._environ = environ
        self._allowed = frozenset(allowed)
        self._seed = seed
        self._clock = clock
        self._rng: Random = SystemRandom()  # has no state: workers that part do not draw alike
        self._now = 0.0
        self._compiled: dict[int, _Compiled] = {}
        self._messages: dict[str, Template] = {}
        names = {name: self._helper(function) for name, function in _helpers.items()}
        self._sandbox: Sandbox = Sandbox(
            timer, {"env": self._env, "now": self._moment, "uuid": self._uuid, **names}
        )

    def check(self, interactions: Iterable[Interaction], where: str) -> None:
        """Compile every template among ``interactions``.

        Raises CassetteError that begins with ``where`` and has interaction, part and line.
        """
        for number, interaction in enumerate(interactions, 1):
            if interaction.template:
                self._compile(interaction, number, where)
        self._compiled.clear()  # what is played may be numbered otherwise

    def render(
        self, interaction: Interaction, number: int, played: int, request: Request
    ) -> Response:
        """Return the response of interaction ``number`` for ``request``, its ``played``-th.

        Raises CassetteError where that fails.
        """
        response = interaction.response
        if response is None:
            raise CassetteError(f"interaction {number} is a template without a response")
        compiled = self._compiled.get(number) or self._compile(interaction, number, "the cassette")
        if self._seed is None:
            self._now = self._clock()
        else:
            self._now = interaction.started
            self._rng = Random(f"{self._seed}:{number}:{played}")  # noqa: S311 - to be repeated
        variables = {"request": RequestView(request)}
        fields = [
            (name, value if isinstance(value, bytes) else self._field(value, variables, number))
            for name, value in compiled.fields
        ]
        body = response.body
        if compiled.body is not None:
            body = self._rendered(compiled.body, variables, number, "response.body").encode()
            fields = [line for line in fields if line[0].lower() != b"content-encoding"]
        return msgspec.structs.replace(response, headers=Headers(fields), body=body)

    def message(
        self,
        said: WebSocketMessage,
        interaction: Interaction,
        place: tuple[int, int],
        request: Request,
        heard: bytes,
    ) -> WebSocketMessage:
        """Return a message of the server of a template, rendered where its text has blanks.

        ``place``: the interaction's number, and how many messages of the server came before.
        ``heard`` is the client's last, ``message`` to the template. Raises CassetteError.
        """
        if said.kind != "text" or isinstance(said.data, FileBody):
            return said
        text = said.data.decode(errors="replace")
        if not _is_template(text):
            return said
        number, position = place
        part = f"messages, the server's {position + 1}."
        template = self._messages.get(text)
        if template is None:
            if len(self._messages) >= _COMPILED:
                self._messages.clear()
            template = self._template(text, f"the cassette: interaction {number}, {part}")
            self._messages[text] = template
        if self._seed is None:
            self._now = self._clock()
        else:
            self._now = interaction.started + said.at_ms / 1000
            self._rng = Random(f"{self._seed}:{number}:{position}")  # noqa: S311 - to be repeated
        variables = {"request": RequestView(request), "message": MessageView(heard)}
        data = self._rendered(template, variables, number, part).encode()
        return msgspec.structs.replace(said, data=data, fragments=())

    # --- compiling -------------------------------------------------------------------------

    def _compile(self, interaction: Interaction, number: int, where: str) -> _Compiled:
        response = interaction.response
        if response is None:
            raise CassetteError(f"{where}: interaction {number}: a template has a response")
        place = f"{where}: interaction {number}, response"
        body = None
        if isinstance(response.body, FileBody):
            raise CassetteError(f"{place}.body: it is too large for a template")
        if response.body:
            content = content_of(response.headers, response.body)
            if content.kind not in ("json", "text"):
                raise CassetteError(f"{place}.body: it is not text, so it cannot be a template")
            if _is_template(content.text):
                body = self._template(content.text, f"{place}.body")
        fields = tuple(
            (name, self._field_template(value, f"{place}.headers, {name.decode('latin-1')}"))
            for name, value in response.headers.raw
        )
        compiled = _Compiled(body, fields)
        if len(self._compiled) >= _COMPILED:
            self._compiled.clear()
        self._compiled[number] = compiled
        return compiled

    def _field_template(self, value: bytes, place: str) -> bytes | Template:
        text = value.decode("latin-1")
        return self._template(text, place) if _is_template(text) else value

    def _template(self, source: str, place: str) -> Template:
        from magneto_serge.replay.sandbox import TemplateFailure

        try:
            return self._sandbox.template(source)
        except TemplateFailure as failure:
            raise CassetteError(f"{place}, line {failure.line}: {failure}") from None

    # --- rendering -------------------------------------------------------------------------

    def _rendered(
        self, template: Template, variables: Mapping[str, object], number: int, part: str
    ) -> str:
        from magneto_serge.replay.sandbox import TemplateFailure

        try:
            return self._sandbox.render(template, variables)
        except TemplateFailure as failure:
            line = f", line {failure.line}" if failure.line else ""
            raise CassetteError(
                f"The template of interaction {number}, {part}{line}: {failure}"
            ) from None

    def _field(self, template: Template, variables: Mapping[str, object], number: int) -> bytes:
        text = self._rendered(template, variables, number, "response.headers")
        # RFC 9110 §5.5: what comes from a request must not begin a field line of its own.
        if any(ord(character) < 0x20 and character != "\t" for character in text) or "\x7f" in text:
            raise CassetteError(
                f"The template of interaction {number}, response.headers: a field value cannot have"
                " control characters"
            )
        return text.encode()

    # --- what templates call ---------------------------------------------------------------

    def _helper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from inspect import signature

        try:
            wants_rng = "rng" in signature(function).parameters
        except (TypeError, ValueError):  # a builtin
            wants_rng = False
        if not wants_rng:
            return function
        return lambda *arguments, **named: function(*arguments, **{**named, "rng": self._rng})

    def _env(self, name: str, default: str | None = None) -> str:
        if name not in self._allowed:
            raise ValueError(f"env({name!r}): template_env does not name it")
        value = self._environ.get(name, default)
        if value is None:
            raise ValueError(f"env({name!r}): it is not set, and no default is given")
        return value

    def _uuid(self) -> str:
        from uuid import UUID

        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def _moment(self, format: str = "iso", offset: str = "") -> str:
        moment = datetime.fromtimestamp(self._now, UTC) + _distance(offset)
        if format == "iso":
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if format == "http":
            from email.utils import format_datetime

            return format_datetime(moment, usegmt=True)
        if format == "unix":
            return str(int(moment.timestamp()))
        if format == "unix_ms":
            return str(int(moment.timestamp() * 1000))
        if "%" not in format or len(format) > _FORMAT_LIMIT:
            raise ValueError(f"now({format!r}): expected iso, http, unix, unix_ms, or as %Y-%m-%d")
        return moment.strftime(format)


def _is_template(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DISTANCE = re.compile(r"([+-]?)((?:[0-9]{1,9}(?:ms|s|m|h|d|w))+)")
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")


def _distance(text: str) -> timedelta:
    if not text:
        return timedelta()
    found = _DISTANCE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError(f"now(offset={text!r}): expected a distance such as -1d, 2h30m or 500ms")
    sign, parts = found.groups()
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(parts))
    return timedelta(seconds=-total if sign == "-" else total)
