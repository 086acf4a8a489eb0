"""Two answers of which one was redacted, made comparable: the same marker for every secret.

The live answer is redacted first, as it would be if it were recorded, so that a token that only its
request explains is found in it. Then every placeholder of either side, and whatever secret still
stands there, becomes the marker: numbers are a cassette's own affair. So a token that has changed
is no drift, and one that has become something else is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from magneto_serge.messages import (
    Conversation,
    FieldLine,
    FileBody,
    Headers,
    Interaction,
    Response,
)
from magneto_serge.replay.content import content_of
from magneto_serge.replay.secrets.finds import Find, replaced
from magneto_serge.replay.secrets.placeholders import ANY, MARKER, Look
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.rules import SecretRules

_CODING = b"content-encoding"


class Neutral:
    """Takes the secrets out of answers; one for one verification, in one thread."""

    def __init__(self, rules: SecretRules) -> None:
        self._finder = rules.finder
        self._redactor = Redactor(rules)

    def __call__(self, recorded: Interaction, live: Interaction) -> tuple[Interaction, Interaction]:
        """Return both exchanges with the markers in their answers; their requests stay."""
        return self._neutral(recorded), self._neutral(self._redactor.redact(live))

    def _neutral(self, interaction: Interaction) -> Interaction:
        response, websocket = interaction.response, interaction.websocket
        if response is None:
            return interaction
        return msgspec.structs.replace(
            interaction,
            response=self._response(response),
            websocket=None if websocket is None else self._conversation(websocket),
        )

    def _response(self, response: Response) -> Response:
        headers, body = self._section(response.headers), response.body
        if not isinstance(body, FileBody) and body:
            content = content_of(response.headers, body)
            data = content.data
            if content.kind != "binary":
                data = _marked(data, self._finder.in_body(data))
            if data != content.data:
                body = data
                if content.decoded:  # what is compared is what it says, and that is at hand
                    headers = Headers(line for line in headers.raw if line[0].lower() != _CODING)
        return msgspec.structs.replace(
            response, headers=headers, body=body, trailers=self._section(response.trailers)
        )

    def _section(self, section: Headers) -> Headers:
        return Headers(map(self._line, section.raw)) if section else section

    def _line(self, line: FieldLine) -> FieldLine:
        name, value = line
        return name, _marked(value, self._finder.in_field(name, value))

    def _conversation(self, conversation: Conversation) -> Conversation:
        messages = [
            msgspec.structs.replace(
                message, data=_marked(message.data, self._finder.in_body(message.data))
            )
            if isinstance(message.data, bytes) and message.kind == "text"
            else message
            for message in conversation.messages
        ]
        return msgspec.structs.replace(conversation, messages=messages)


def _marked(text: bytes, finds: Sequence[Find]) -> bytes:
    text = replaced(text, finds, lambda find: _QUOTED if find.look is Look.NUMBER else MARKER)
    return ANY.sub(MARKER, text)


_QUOTED = b'"' + MARKER + b'"'  # a number's, which stands in JSON
