"""What could not be carried over as it was, counted by kind.

Importers and exporters never fail over one interaction and never lose anything in silence: what a
format cannot tell, what a file tells wrongly and was mended, what had to be left out, each is a
remark. They are counted, and the first of each kind is kept with its place; files of a hundred
thousand interactions make no more of them than files of ten.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Remark(StrEnum):
    """The kinds; the value is what a person reads."""

    # What came in
    LEFT_OUT = "interaction left out: it cannot be understood"
    TUNNEL = "CONNECT left out: it is between client and proxy"
    NOT_HTTP = "left out: not an http or https URL"
    URL_MENDED = "URL mended: it had characters that no request line can have"
    HOST_UNUSABLE = "no client can ask for this host: it is a placeholder"
    PORT = "port left out: it is none that there can be"
    FIELD_LEFT_OUT = "header left out: its name is not one"
    FIELD_MENDED = "header mended: its value had control characters"
    CODED_AGAIN = "body was stored decoded: encoded again as Content-Encoding says"
    CODING_BROKEN = "body is not what Content-Encoding says, kept as it is"
    CHARSET = "text does not fit its charset: written as UTF-8"
    NOT_UTF8 = "file is not UTF-8: read as Latin-1"
    BODY_MISSING = "body was not recorded"
    BODY_REMOVED = "body left out: this status or method has none"
    BODY_GUESSED = "body was stored as data: written as JSON"
    NO_ANSWER = "no response was recorded: replays as a failure"
    HTTP_VERSION = "recorded over HTTP/2 or HTTP/3: replays over HTTP/1.1"
    TAG = "YAML object of an unknown type: read as the data in it"
    DOCUMENTS = "only the first YAML document was read"
    ERB = "file is an ERB template: its tags were left as text"
    PATTERN = "matcher is a pattern: a request that it accepts stands for it"
    UNASKED = "nothing was said of method, host or path: a stand-in was used"
    TEMPLATE = "response is a template: kept as text"
    STATE = "responses depend on state: replayed in the order of the file"
    DELAYS = "delays by URL pattern left out"
    FRAGMENT = "file is a fragment and holds no response"
    TORN = "file is torn: what comes before is imported"
    EMPTY = "file holds no interaction"
    # What goes out
    FAILURE = "failed exchanges are left out"
    BROKEN_OFF = "that a response broke off is lost"
    CONVERSATION = "WebSocket conversations are left out"
    FRAMES = "frames and compression of WebSocket messages are lost"
    TIMES = "times are lost"
    PIECES = "the pieces in which streams arrived are lost"
    INTERIM = "informational responses (1xx) are lost"
    TRAILERS = "trailers are lost"
    VERSION = "that it was HTTP/1.0 is lost"
    PEER = "the origin's address is lost"
    REASON = "reason phrases are lost"
    FIELDS = "request headers are lost"
    FIELD_ORDER = "the order of repeated headers among the others is lost"
    FIELD_REPEATS = "repeated request headers are joined by commas"
    CODED_BYTES = "the exact bytes of compressed bodies are lost, their content is not"
    CODED = "content codings are undone, as the clients it serves do not agree on them"
    TARGET = "the target * is lost"
    ORIGINS = "requests to several ports or schemes cannot be told apart"
    BODIES_BINARY = "request bodies that are not text do not match"


class Remarks:
    """Counts, and for each kind the first place and detail.

    ``place`` is where we are: a file's name, or a file's name and an interaction's number.
    """

    def __init__(self) -> None:
        self.counts: Counter[Remark] = Counter()
        self.first: dict[Remark, str] = {}
        self.place = ""

    def add(self, kind: Remark, detail: str = "") -> None:
        """Count one remark; ``detail`` is kept if it is the first of its kind."""
        self.counts[kind] += 1
        if kind not in self.first:
            self.first[kind] = ": ".join(filter(None, (self.place, detail)))

    def merge(self, other: Remarks) -> None:
        """Add what another has counted."""
        self.counts += other.counts
        self.first = {**other.first, **self.first}

    def __bool__(self) -> bool:
        return bool(self.counts)
