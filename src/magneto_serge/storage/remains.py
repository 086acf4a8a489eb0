"""Read a container that has no end: the journal of a recording, or a cassette that was cut.

Frames are read one after the other, up to the first that is not whole. Side files of a recording
still have the names that they had while it went on, and are found by their digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Body, FileBody, Interaction

from .container import DICTIONARY, FRAME, INTERACTION, MAGIC, REMEDY, TALK, payload_of
from .container_read import Frames
from .conversation_log import LOG, unfinished
from .faults import FieldError, damaged
from .frames import Head, own_folder
from .side_files import digest_of, resolve


class Remains(Frames):
    """The frames of a journal, or of a container that was cut: read one after the other.

    A reader of ``journal_read``.
    """

    def __init__(self, path: Path, buffer: memoryview) -> None:
        super().__init__(path, buffer, len(buffer))
        self.head: Head | None = None
        self.whole = len(MAGIC)
        self.home = path.parent
        self._digests: dict[str, Path] | None = None
        try:
            self.head = self._read_head()
        except CassetteError:
            return  # cut in its head
        self.whole = self._after(len(MAGIC))
        self.home = own_folder(path, self.head)

    @property
    def torn(self) -> int:
        """Bytes after the last whole frame read so far."""
        return self.end - self.whole

    def interactions(self) -> Iterator[Interaction]:
        """Yield the interactions of whole frames in order; raises CassetteError where the content
        of a whole one cannot be had."""
        for offset in self._places():
            found = self.interaction(offset)
            for message in (found.request, found.response):
                if message is not None and isinstance(message.body, FileBody):
                    message.body = self._body(message.body, f"byte {offset}")
            yield found

    def _places(self) -> Iterator[int]:
        while True:
            offset = self.whole
            try:
                kind, _, _ = payload_of(self.path, self.buffer, offset, self.end)
            except CassetteError:
                return
            if kind == DICTIONARY:
                self.share(offset)
            self.whole = self._after(offset)
            if kind in (INTERACTION, TALK):
                yield offset

    def _after(self, offset: int) -> int:
        return offset + FRAME.size + int(FRAME.unpack_from(self.buffer, offset)[0])

    def unfinished(self, seen: Set[float]) -> Iterator[Interaction]:
        """Yield the conversations that were under way when the journal was left: those that did
        not begin at one of the times ``seen``. Raises OSError."""
        return (each for each in unfinished(self.home) if each.started not in seen)

    def resolve(self, body: FileBody) -> Body:
        """Return the side file of a message where it is; raises CassetteError."""
        return self._body(body, "a conversation")

    def _body(self, body: FileBody, where: str) -> Body:
        held = self.framed_body(body)
        if held is not None:
            return bytes(held)
        if self._digests is None:
            files = self.home.iterdir() if self.head and self.home.is_dir() else ()
            self._digests = {digest_of(file): file for file in files if file.name != LOG}
        recorded = self._digests.get(body.sha256)
        if recorded is not None:
            return FileBody(recorded, body.size, body.sha256)
        try:
            reference = body.path.as_posix()
            return resolve(reference, body.size, body.sha256, self.path.parent, verify=False)
        except FieldError as error:
            raise damaged(self.path, f"{where}, {error.field}", error.reason, REMEDY) from error
