"""Replaces secrets in what is written: one redactor for one cassette, in the thread that writes it.

Two passes over each interaction. The first finds what names and shapes give away and remembers it;
the second replaces that, and what is remembered from here and from earlier interactions wherever it
occurs. So a token that only the response explains is replaced in the request too.

It has to be quick: traffic waits for the interpreter while it runs. A field section is judged once
and remembered, a line of a new section too; a body that was clean before is known again; and what
is new is first asked one question (``likely``). Nothing that holds no secret is made anew.

A body in a side file has been redacted on its way there (``stream``); here its length is made true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import msgspec

from magneto_serge.messages import (
    Body,
    Conversation,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)

from .bodies import Edit, Form, Nature, Opened, measured, pieces
from .finds import Find
from .learned import Learned
from .rules import SecretRules
from .stream import BodyStream
from .substitution import Numbers, Substitution, put_in

_SECTIONS_KEPT = 1024
_LINES_KEPT = 8192
_LONGEST_LINE = 4096  # bytes of one worth remembering
_LARGE_GROUP = 64 * 1024  # bytes of bodies that are looked at together
_CLEAN_KEPT = 1024
_LONGEST_CLEAN = 4096  # bytes
_SNIFFED = 4096  # bytes
_GROUP = 128  # messages that are looked at together
_FEW = 4  # of them, that are looked at one by one
_OF_THE_BODY = (b"content-type", b"content-encoding")
_AS_LONG = frozenset(map(len, _OF_THE_BODY))
_LONGEST_REASON = 123  # bytes: RFC 6455 §5.5 leaves a Close frame no more

_USUAL = frozenset(("", *(status.phrase for status in HTTPStatus)))
# What a client says to its proxy is no part of what it said to the origin (RFC 9110 §11.7.2).
_PROXY_FIELDS = frozenset((b"proxy-connection", b"proxy-authorization"))

_NO_KINDS: Counter[str] = Counter()  # of all sections in which nothing is replaced

M = TypeVar("M", Request, Response)


def without_proxy_fields(interaction: Interaction) -> Interaction:
    """Return the interaction without what the client said to the proxy alone."""
    headers = _for_the_origin(interaction.request.headers)
    if headers is interaction.request.headers:
        return interaction
    request = msgspec.structs.replace(interaction.request, headers=headers)
    return msgspec.structs.replace(interaction, request=request)


def _for_the_origin(headers: Headers) -> Headers:
    kept = tuple(line for line in headers.raw if line[0].lower() not in _PROXY_FIELDS)
    return headers if len(kept) == len(headers.raw) else Headers(kept)


class _Section:
    """A header or trailer section, judged: ``lines`` is empty where none has a find.

    ``written`` is what becomes of it after the first ``known`` secrets were learned, ``kinds`` are
    of what was replaced in it, ``uses`` how often since. It ``stays`` where nothing becomes of it.
    """

    __slots__ = ("form", "headers", "kinds", "known", "lines", "stays", "text", "uses", "written")

    def __init__(self, headers: Headers, lines: list[Sequence[Find]], form: Form) -> None:
        self.headers = headers
        self.lines = lines
        self.form = form
        self.text: bytes | None = None
        self.known = -1 if lines else 0
        self.written = headers
        self.stays = True
        self.kinds = _NO_KINDS
        self.uses = 0

    def is_touched(self, learned: Learned) -> bool:
        """Tell whether what was learned since last time occurs here."""
        if self.known < 0:
            return True
        if self.text is None:
            self.text = b"\n".join([value for _, value in self.headers.raw])
        return learned.occurs(self.text, self.known)


class _Text(NamedTuple):
    """A text and what was found in it; ``opened`` is the body that it is the content of."""

    content: bytes
    finds: Sequence[Find] = ()
    nature: Nature = Nature.TEXT
    opened: Opened | None = None


class _Message(NamedTuple):
    """The first pass over a request or a response; a ``body`` that is plain text and in which
    nothing was found is None."""

    section: _Section
    body: _Text | None
    in_target: Sequence[Find] = ()


class Redactor:
    """Replaces the secrets of one cassette's interactions.

    ``known`` and ``bound``: see :class:`~.substitution.Numbers`. ``counts`` has how many secrets
    of each kind were replaced.
    """

    def __init__(
        self,
        rules: SecretRules,
        known: Callable[[], int] | None = None,
        bound: Callable[[str], str | None] | None = None,
    ) -> None:
        self._finder = rules.finder
        self._is_plain = rules.is_plain_target
        self._substitution = Substitution(Numbers(known, bound))
        self._requests: dict[tuple[FieldLine, ...], _Section] = {}
        self._responses: dict[tuple[FieldLine, ...], _Section] = {}
        self._met: dict[int, tuple[Headers, _Section, object]] = {}  # by identity, if met again
        self._lines: dict[FieldLine, Sequence[Find]] = {}
        self._forms: dict[tuple[FieldLine, ...], Form] = {}
        self._clean: set[bytes] = set()
        self._grown: dict[Path, int] = {}

    @property
    def counts(self) -> Counter[str]:
        """How many secrets of each kind were replaced."""
        counts = self._substitution.counts.copy()
        for section in (*self._requests.values(), *self._responses.values()):
            for kind, number in section.kinds.items():
                counts[kind] += number * section.uses
        return counts

    def learn(self, interaction: Interaction) -> None:
        """Remember what names and shapes give away, for what is redacted after it."""
        self._requested(interaction.request)
        if interaction.response is not None:
            self._answered(interaction.response)

    def redact(self, interaction: Interaction) -> Interaction:
        """Return the interaction as it may be written; the same object if nothing is secret.

        Raises what a user's function raises: nobody knows then what is in it.
        """
        unread = self.glance((interaction,))
        return self._closely(interaction) if unread is None else unread[0]

    def glance(self, group: Sequence[Interaction]) -> list[Interaction] | None:
        """Return what most interactions become: one look at the texts of all of them together
        tells that nothing is in them but in field lines that are known.

        None: they have to be redacted, each by itself and in their order.
        """
        texts: list[bytes] = []
        targets: list[str] = []
        new: list[FieldLine] = []
        sections: list[_Section | None] = []
        size = 0
        for each in group:
            request, response = each.request, each.response
            if response is None or response.reason not in _USUAL:
                return None
            if each.failure or each.informational or each.websocket:
                return None
            targets.append(request.target)
            for message, known in ((request, self._requests), (response, self._responses)):
                headers = message.headers
                section = self._met_again(headers, known)
                if section is None and not self._is_text(headers, texts, new):
                    return None
                sections.append(section)
                body = message.body
                if body:
                    form = self._form(headers) if section is None else section.form
                    if type(body) is not bytes or not form.is_plain:
                        return None
                    texts.append(body)
                    size += len(body)
                    if size > _LARGE_GROUP:  # not worth a copy of it
                        return None
                if message.trailers.raw:
                    return None
        texts.append("\n".join(targets).encode(errors="surrogatepass"))
        text = b"\n".join(texts)
        if b"\0" in text or not self.is_clean(text):
            return None
        for line in new:
            self._remember(line, ())
        judged = iter(sections)
        return [self._with_sections(each, next(judged), next(judged)) for each in group]

    def _met_again(
        self, headers: Headers, known: dict[tuple[FieldLine, ...], _Section]
    ) -> _Section | None:
        """Return a section that was judged before: most are the very same object then."""
        met = self._met.get(id(headers))
        if met is not None and met[2] is known:
            return met[1]
        section = known.get(headers.raw)
        if section is not None:
            if len(self._met) >= _SECTIONS_KEPT:
                self._met.clear()
            self._met[id(headers)] = headers, section, known
        return section

    def _is_text(self, headers: Headers, texts: list[bytes], new: list[FieldLine]) -> bool:
        """Tell whether a new section can be judged by its text alone, and append that, and those
        of its lines that are new. One without any is worth keeping, which this is not for."""
        kept, before = self._lines, len(new)
        for line in headers.raw:
            finds = kept.get(line)
            if finds is None:
                if len(line[1]) > _LONGEST_LINE or not self._finder.is_text(*line):
                    return False
                new.append(line)
            elif finds:
                return False
            texts.append(line[1])
        return len(new) > before

    def _with_sections(
        self, interaction: Interaction, asked: _Section | None, answered: _Section | None
    ) -> Interaction:
        """Return the interaction with what becomes of its sections; None: the section stays."""
        request, response = interaction.request, cast(Response, interaction.response)
        count = self._substitution.learned.count
        if asked is None or not (asked.stays and asked.known == count):
            sent = request.headers
            headers = _for_the_origin(sent) if asked is None else self._fields(asked, sent)
            if headers is not sent:
                request = msgspec.structs.replace(request, headers=headers)
        if answered is not None and not (answered.stays and answered.known == count):
            headers = self._fields(answered, response.headers)
            if headers is not response.headers:
                response = msgspec.structs.replace(response, headers=headers)
        if request is interaction.request and response is interaction.response:
            return interaction
        return msgspec.structs.replace(interaction, request=request, response=response)

    def _closely(self, interaction: Interaction) -> Interaction:
        response = interaction.response
        asked = self._requested(interaction.request)
        answered = None if response is None else self._answered(response)
        request = self._request(interaction.request, asked)
        chunks = interaction.chunks
        if response is not None and answered is not None:
            response, chunks = self._message(response, answered, chunks)
            response = self._reasoned(response)
        if request is not interaction.request or response is not interaction.response:
            interaction = msgspec.structs.replace(
                interaction, request=request, response=response, chunks=chunks
            )
        if interaction.failure or interaction.informational or interaction.websocket:
            return self._rest(interaction)
        return interaction

    def is_clean(self, text: bytes) -> bool:
        """Tell whether nothing would be replaced in texts, a line feed between them, of whatever
        nature: True is certain."""
        if self._finder.may_hold(text):
            return False
        learned = self._substitution.learned
        return not (learned.count and learned.occurs(text))

    def stream(self, fields: tuple[FieldLine, ...]) -> BodyStream:
        """Return what redacts a body on its way to a side file, below these fields."""
        return BodyStream(Form(Headers(fields)), self._finder, self._substitution)

    def streamed(self, body: FileBody, grown: int) -> None:
        """Note that a body was changed on its way to its file, and by how many bytes it grew."""
        self._grown[body.path] = grown

    # --- the first pass --------------------------------------------------------------------

    def _requested(self, request: Request) -> _Message:
        section = self._asked(request.headers)
        body = self._body(section, request.body) if request.body else None
        if self._is_plain(request.target):
            return _Message(section, body)
        finds = self._finder.in_target(request.target.encode(errors="surrogatepass"))
        if finds:
            self._substitution.learn(finds)
        return _Message(section, body, finds)

    def _answered(self, response: Response) -> _Message:
        section = self._section(response.headers)
        return _Message(section, self._body(section, response.body) if response.body else None)

    def _asked(self, headers: Headers) -> _Section:
        found = self._requests.get(headers.raw)
        return found or self._judged(_for_the_origin(headers), headers.raw, self._requests)

    def _section(self, headers: Headers) -> _Section:
        found = self._responses.get(headers.raw)
        return found or self._judged(headers, headers.raw, self._responses)

    def _judged(
        self,
        headers: Headers,
        raw: tuple[FieldLine, ...],
        sections: dict[tuple[FieldLine, ...], _Section],
    ) -> _Section:
        kept = self._lines
        lines = [kept[line] if line in kept else self._line(line) for line in headers.raw]
        telling = lines if any(lines) else []
        section = _Section(headers, telling, self._form(headers))
        for finds in section.lines:
            self._substitution.learn(finds)
        if len(sections) >= _SECTIONS_KEPT:
            self._substitution.counts = self.counts
            self._met.clear()
            self._requests.clear()
            self._responses.clear()
        section.stays = headers.raw is raw
        sections[raw] = section
        return section

    def _form(self, headers: Headers) -> Form:
        told = tuple(
            [
                line
                for line in headers.raw
                if len(line[0]) in _AS_LONG and line[0].lower() in _OF_THE_BODY
            ]
        )
        form = self._forms.get(told)
        if form is None:
            if len(self._forms) >= _SECTIONS_KEPT:
                self._forms.clear()
            form = self._forms[told] = Form(headers)
        return form

    def _line(self, line: FieldLine) -> Sequence[Find]:
        return self._remember(line, self._finder.in_field(*line))

    def _remember(self, line: FieldLine, finds: Sequence[Find]) -> Sequence[Find]:
        if len(line[1]) <= _LONGEST_LINE:
            if len(self._lines) >= _LINES_KEPT:
                self._lines.clear()
            self._lines[line] = finds
        return finds

    def _body(self, section: _Section, body: Body) -> _Text | None:
        if isinstance(body, FileBody):
            return None
        form = section.form
        if form.is_plain and len(body) <= _LONGEST_CLEAN and body in self._clean:
            return None
        if form.is_plain and b"\0" not in body[:_SNIFFED]:
            text = self._looked_through(body, Nature.TEXT)
            return text if text.finds else None
        opened = Opened(form, body)
        return self._looked_through(opened.content, opened.nature, opened)

    def _looked_through(
        self, content: bytes, nature: Nature, opened: Opened | None = None
    ) -> _Text:
        finds: Sequence[Find] = ()
        if nature is Nature.TEXT:
            finds = self._finder.in_body(content)
            if not finds and len(content) <= _LONGEST_CLEAN:
                if len(self._clean) >= _CLEAN_KEPT:
                    self._clean.clear()
                self._clean.add(content)
        elif nature is Nature.BINARY:
            finds = self._finder.in_binary(content)
        if finds:
            self._substitution.learn(finds)
        return _Text(content, finds, nature, opened)

    # --- the second ------------------------------------------------------------------------

    def _request(self, request: Request, looked: _Message) -> Request:
        if looked.in_target or self._substitution.learned.count:
            target = request.target.encode(errors="surrogatepass")
            told, edits = self._put_in(_Text(target, looked.in_target))
            if edits:
                text = told.decode(errors="surrogatepass")
                request = msgspec.structs.replace(request, target=text)
        return self._message(request, looked, ())[0]

    def _message(
        self, message: M, looked: _Message, chunks: tuple[tuple[int, float], ...]
    ) -> tuple[M, tuple[tuple[int, float], ...]]:
        """Return the message without its secrets, and the pieces of its body."""
        headers, body = self._fields(looked.section, message.headers), message.body
        if isinstance(body, FileBody):
            if body.path in self._grown:
                grown = self._grown.pop(body.path)
                chunks = pieces(chunks, (), body.size - grown, body.size)
                headers = measured(headers, grown, None)
        elif body and (looked.body is not None or self._substitution.learned.count):
            made, edits = self._closed(looked.body or _Text(body))
            if made is not None:
                chunks = pieces(chunks, edits, len(body), len(made)) if chunks else chunks
                headers, body = measured(headers, len(made) - len(body), made), made
        trailers = message.trailers
        if trailers.raw:
            trailers = self._fields(self._section(trailers), trailers)
        if (
            headers is not message.headers
            or body is not message.body
            or trailers is not message.trailers
        ):
            message = msgspec.structs.replace(
                message, headers=headers, body=body, trailers=trailers
            )
        return message, chunks

    def _closed(self, text: _Text) -> tuple[bytes | None, list[Edit]]:
        """Return the body without its secrets, None if it had none, and what was moved in it."""
        content, edits = self._put_in(text)
        if not edits:
            return None, []
        if text.opened is None:
            return content, edits
        return text.opened.closed(content), [] if text.opened.coded else edits

    def _put_in(self, text: _Text) -> tuple[bytes, list[Edit]]:
        finds = self._substitution.all_in(text.content, text.finds)
        if not finds:
            return text.content, []
        fill = text.nature is not Nature.TEXT
        replacements = self._substitution.replacements(finds, fill=fill)
        return put_in(text.content, replacements) if replacements else (text.content, [])

    def _fields(self, section: _Section, headers: Headers) -> Headers:
        learned = self._substitution.learned
        if section.known == learned.count:
            section.uses += 1
        else:
            if section.is_touched(learned):
                before = self.counts
                section.uses = 0
                section.written = self._rewritten(section)
                section.stays &= section.written is section.headers
                section.kinds = self.counts - before
            section.known = learned.count
        return headers if section.stays else section.written

    def _rewritten(self, section: _Section) -> Headers:
        lines = []
        for at, line in enumerate(section.headers.raw):
            finds = section.lines[at] if section.lines else ()
            value, edits = self._put_in(_Text(line[1], finds))
            lines.append((line[0], value) if edits else line)
        raw = tuple(lines)
        return section.headers if raw == section.headers.raw else Headers(raw)

    def _reasoned(self, response: Response) -> Response:
        reason = response.reason
        if reason in _USUAL:
            return response
        told = self._string(reason)
        return response if told == reason else msgspec.structs.replace(response, reason=told)

    def _string(self, text: str) -> str:
        """Return a short text, of the proxy's or the origin's, without secrets."""
        content = text.encode(errors="surrogatepass")
        finds = () if content in self._clean else self._looked_through(content, Nature.TEXT).finds
        made, edits = self._put_in(_Text(content, finds))
        return made.decode(errors="surrogatepass") if edits else text

    def _rest(self, interaction: Interaction) -> Interaction:
        """What few interactions have: a failure, interim responses, a WebSocket."""
        failure = interaction.failure
        if failure is not None and failure.detail:
            failure = msgspec.structs.replace(failure, detail=self._string(failure.detail))
        conversation = interaction.websocket
        return msgspec.structs.replace(
            interaction,
            failure=failure,
            informational=tuple(map(self._interim, interaction.informational)),
            websocket=None if conversation is None else self._conversation(conversation),
        )

    def _interim(self, response: Response) -> Response:
        return self._reasoned(self._message(response, self._answered(response), ())[0])

    def _conversation(self, conversation: Conversation) -> Conversation:
        close = conversation.close
        if close is not None and close.reason:
            reason = self._string(close.reason).encode()[:_LONGEST_REASON].decode(errors="ignore")
            close = msgspec.structs.replace(close, reason=reason)
        messages: list[WebSocketMessage] = []
        waiting = iter(conversation.messages)
        while group := list(islice(waiting, _GROUP)):
            messages += self._said_together(group)
        return Conversation(tuple(messages), close)

    def _said_together(self, group: list[WebSocketMessage]) -> list[WebSocketMessage]:
        """Return messages without secrets; a look at all of them tells where to look closely."""
        if len(group) > 1 and all(type(each.data) is bytes for each in group):
            if self.is_clean(b"\n".join([cast(bytes, each.data) for each in group])):
                return group
            if len(group) > _FEW:
                half = len(group) // 2
                return self._said_together(group[:half]) + self._said_together(group[half:])
        return [self._said(each) for each in group]

    def _said(self, message: WebSocketMessage) -> WebSocketMessage:
        data = message.data
        if isinstance(data, FileBody):
            return self._said_at_length(message, data)
        nature = Nature.TEXT if message.kind == "text" else Nature.BINARY
        made, edits = self._put_in(self._looked_through(data, nature))
        if not edits:
            return message
        return msgspec.structs.replace(
            message, data=made, fragments=_sizes(message.fragments, edits, len(data), len(made))
        )

    def _said_at_length(self, message: WebSocketMessage, data: FileBody) -> WebSocketMessage:
        grown = self._grown.pop(data.path, 0)
        sizes = _sizes(message.fragments, (), data.size - grown, data.size) if grown else None
        return message if sizes is None else msgspec.structs.replace(message, fragments=sizes)


def _sizes(
    fragments: tuple[int, ...], edits: Iterable[Edit], before: int, after: int
) -> tuple[int, ...]:
    moved = pieces([(size, 0.0) for size in fragments], edits, before, after)
    return tuple(size for size, _ in moved)
