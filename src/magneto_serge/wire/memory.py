"""Heads seen before, remembered by their raw bytes, so that they need not be parsed again.

A client sends the same field section with nearly every request, and an origin the same head for a
second at a time. What llhttp has once accepted, byte for byte, and this package has read, is read
the same way when the same bytes come again: nothing is remembered that llhttp has not validated,
and whatever differs in a byte goes to llhttp. It buys a third of a forwarded exchange and half of
a replayed one (`benchmarks/throughput.py`, equal and different requests). A head is learnt when it
comes for the second time, so one that is always new costs two failed look-ups and no more.

Only whole messages in one read qualify: requests without content, responses with a length or
without content.
"""

from __future__ import annotations

import re

from magneto_serge.wire.events import (
    DataReceived,
    Event,
    Framing,
    RequestReceived,
    ResponseReceived,
    Section,
    StreamEnded,
)

_HEADS_KEPT = 512  # of each kind, for all connections of the process
_SEEN_KEPT = 4096  # hashes of what came once
_LONGEST = 4096  # bytes of a head worth keeping
_END = StreamEnded(())

# The request lines that llhttp takes, as far as they are common: what is learnt has one of these.
# A line that is recalled is checked each time, because it is not part of what is remembered.
_REQUEST_LINE = re.compile(rb"([A-Z]+) ((?:https?://[A-Za-z0-9.-]+(?::[0-9]+)?)?/[!-~]*) HTTP/1\.1")
_AUTHORITIES_KEPT = 1024


class _Seen:
    """Tells whether something comes for the second time, for a while; a mistake costs nothing."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def before(self, data: bytes) -> bool:
        """Whether ``data`` was asked about before."""
        mark = hash(data)
        if mark in self._hashes:
            return True
        if len(self._hashes) >= _SEEN_KEPT:
            self._hashes.clear()
        self._hashes.add(mark)
        return False


class RequestMemory:
    """Field sections of requests without content."""

    def __init__(self) -> None:
        self._seen = _Seen()
        self._sections: dict[bytes, Section] = {}
        self._methods: dict[str, str] = {}
        self._authorities: set[str] = set()  # of absolute-form targets: scheme to slash

    def recall(self, data: bytes) -> RequestReceived | None:
        """Return the event of a request that is ``data`` from end to end, if it is known.

        The line is one of `_REQUEST_LINE` with a method and, in absolute-form, an authority that
        came before. To check it so takes 0.6 µs, with the expression it takes 1.3.
        """
        line, _, fields = data.partition(b"\r\n")
        section = self._sections.get(fields)
        if section is None:
            return None
        try:
            text = line.decode()
            token, target, version = text.split(" ")
        except ValueError:
            return None
        method = self._methods.get(token)
        if method is None or version != "HTTP/1.1":
            return None
        if not (text.isascii() and text.isprintable()):
            return None
        if target[:1] != "/" and target[: target.find("/", 8) + 1] not in self._authorities:
            return None
        return RequestReceived(
            method,
            target,
            "HTTP/1.1",
            section.headers.raw,
            Framing.NONE,
            nominated=section.nominated,
            ended=True,
            section=section,
        )

    def learn(self, data: bytes, events: list[Event]) -> None:
        """Remember the section of a request if it was ``data`` from end to end."""
        line_end = data.find(b"\r\n")
        if data[-4:] != b"\r\n\r\n" or not self._seen.before(data[line_end + 2 :]):
            return
        head = events[0]
        if (
            len(events) != 1
            or type(head) is not RequestReceived
            or not head.ended
            or not head.keep_alive
            or head.expect_continue
            or head.upgrade
            or head.version != "HTTP/1.1"
            or head.method == "CONNECT"
            or len(data) > _LONGEST
            or data.find(b"\r\n\r\n") != len(data) - 4
        ):
            return
        if line_end <= 0 or _REQUEST_LINE.fullmatch(data, 0, line_end) is None:
            return
        if len(self._sections) >= _HEADS_KEPT:
            self._sections.clear()
        if len(self._authorities) >= _AUTHORITIES_KEPT:
            self._authorities.clear()
        self._methods[head.method] = head.method
        if head.target[0] != "/":
            self._authorities.add(head.target[: head.target.find("/", 8) + 1])
        section = Section(head.fields, head.nominated)
        head.section = section
        self._sections[data[line_end + 2 :]] = section


class ResponseMemory:
    """Heads of responses whose content has a length, or which have none (204, 304, or empty)."""

    def __init__(self) -> None:
        self._seen = _Seen()
        self._heads: dict[bytes, ResponseReceived] = {}

    def recall(self, data: bytes) -> list[Event] | None:
        """Return the events of a response that is ``data`` from end to end, if it is known."""
        start, blank, content = data.partition(b"\r\n\r\n")
        head = self._heads.get(start)
        if head is None:
            return None
        if head.ended:  # its Content-Length says nothing about content in a 304
            return [head] if blank and not content else None
        return [head, DataReceived(content), _END] if head.content_length == len(content) else None

    def learn(self, data: bytes, events: list[Event]) -> None:
        """Remember the head of a response if it was ``data`` from end to end."""
        head = events[0]
        end = data.find(b"\r\n\r\n") + 4
        if (
            not self._seen.before(data[:end])
            or type(head) is not ResponseReceived
            or not head.keep_alive
            or len(events) != (1 if head.ended else 3)
            or not (head.ended or head.framing is Framing.LENGTH)
        ):
            return
        length = 0 if head.ended else head.content_length
        if end > _LONGEST or length != len(data) - end or data[:5] != b"HTTP/":
            return
        if len(self._heads) >= _HEADS_KEPT:
            self._heads.clear()
        head.section = Section(head.fields)
        self._heads[data[: end - 4]] = head
