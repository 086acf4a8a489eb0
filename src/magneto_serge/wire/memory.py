"""Heads seen before, remembered by their raw bytes, so that they need not be parsed again.

A client sends the same field section with nearly every request, and an origin the same head for a
second at a time. What llhttp has once accepted, byte for byte, and this package has read, is read
the same way when the same bytes come again: nothing is remembered that llhttp has not validated,
and whatever differs in a byte goes to llhttp. It buys a third of a forwarded exchange and half of
a replayed one (`benchmarks/throughput.py`, equal and different requests). A head is learnt when it
comes for the second time, so one that is always new costs two failed look-ups and no more.

Only whole messages in one read qualify: requests without content, responses with a length.
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

# The request lines that llhttp takes, as far as they are common: method and target are checked
# here each time because they are not part of what is remembered.
_REQUEST_LINE = re.compile(rb"([A-Z]+) ((?:https?://[A-Za-z0-9.-]+(?::[0-9]+)?)?/[!-~]*) HTTP/1\.1")


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
        self._methods: dict[bytes, str] = {}

    def recall(self, data: bytes) -> RequestReceived | None:
        """Return the event of a request that is ``data`` from end to end, if it is known."""
        line_end = data.find(b"\r\n")
        section = self._sections.get(data[line_end + 2 :])
        if section is None:
            return None
        match = _REQUEST_LINE.fullmatch(data, 0, line_end)
        if match is None:
            return None
        raw_method, target = match.groups()
        method = self._methods.get(raw_method)
        if method is None:
            return None
        return RequestReceived(
            method,
            target.decode("ascii"),
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
        if not self._seen.before(data[line_end + 2 :]):
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
        self._methods[head.method.encode("ascii")] = head.method
        section = Section(head.fields, head.nominated)
        head.section = section
        self._sections[data[line_end + 2 :]] = section


class ResponseMemory:
    """Heads of responses whose content has a length."""

    def __init__(self) -> None:
        self._seen = _Seen()
        self._heads: dict[bytes, ResponseReceived] = {}

    def recall(self, data: bytes) -> list[Event] | None:
        """Return the events of a response that is ``data`` from end to end, if it is known."""
        end = data.find(b"\r\n\r\n") + 4
        head = self._heads.get(data[:end])
        if head is None or head.content_length != len(data) - end:
            return None
        return [head, DataReceived(data[end:]), StreamEnded(())]

    def learn(self, data: bytes, events: list[Event]) -> None:
        """Remember the head of a response if it was ``data`` from end to end."""
        head = events[0]
        end = data.find(b"\r\n\r\n") + 4
        if (
            len(events) != 3
            or not self._seen.before(data[:end])
            or type(head) is not ResponseReceived
            or head.framing is not Framing.LENGTH
            or not head.keep_alive
        ):
            return
        if end > _LONGEST or head.content_length != len(data) - end or data[:5] != b"HTTP/":
            return
        if len(self._heads) >= _HEADS_KEPT:
            self._heads.clear()
        head.section = Section(head.fields)
        self._heads[data[:end]] = head
