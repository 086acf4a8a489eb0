"""Read a container where it lies: mapped, and decoded one interaction at a time.

Opening checks magic, head and footer, which costs the same for one interaction and for a million.
Everything else is checked when it is first looked at. A large body that is not compressed is never
copied: :meth:`Container.lend` gives it as a view of the map. The map holds the file that was
opened, whatever takes its name afterwards: our writers never change a file in place.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from magneto_serge.messages import (
    Body,
    Conversation,
    FileBody,
    Headers,
    Interaction,
    WebSocketMessage,
)
from magneto_serge.replay.matching import KEY_SCHEME

from .container import (
    BODY,
    DICTIONARY,
    DIGEST,
    ENTRY,
    FRAME,
    HEAD,
    INTERACTION,
    MAGIC,
    PLACE,
    REMEDY,
    RUN,
    SAID,
    SUM,
    TALK,
    Footer,
    payload_of,
    read_footer,
    runs,
)
from .container_write import FRAME_REFERENCE, plain
from .faults import FieldError, damaged, field_damaged
from .framed_messages import FramedMessages, Talk, resolved
from .frames import Head
from .map_keys import doubled, first_doubled
from .side_files import resolve
from .squeeze import Unsqueezer


def mapped(path: Path) -> memoryview:
    """Return the content of a file, mapped; raises OSError."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return memoryview(b"")  # nothing cannot be mapped
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


class Frames(ABC):
    """The frames of a container's bytes, decoded; ``end`` is where the last one ends.

    ``beside`` is the folder in which side files are looked for.
    """

    def __init__(self, path: Path, buffer: memoryview, end: int) -> None:
        self.path = path
        self.buffer = buffer
        self.end = end
        self.unsqueezer = Unsqueezer()
        self._decode = msgspec.msgpack.Decoder(Interaction, dec_hook=_rich).decode
        self._decode_talk = msgspec.msgpack.Decoder(Talk, dec_hook=_rich).decode
        self._encode = msgspec.msgpack.Encoder(enc_hook=plain).encode
        self._strict = False  # also where it takes long
        self._decode_said = msgspec.msgpack.Decoder(list[WebSocketMessage], dec_hook=_rich).decode

    def _read_head(self) -> Head:
        """Return the first frame's content; raises CassetteError."""
        kind, coding, payload = payload_of(self.path, self.buffer, len(MAGIC), self.end)
        try:
            if kind == HEAD:
                content = self._content(coding, payload)
                head = msgspec.msgpack.decode(content, type=Head)
                self._refuse(doubled(content, head, self._encode), len(MAGIC))
                return head
            reason = "there is no head"
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            reason = f"the head cannot be read ({error})"
        raise damaged(self.path, f"byte {len(MAGIC)}", reason, REMEDY)

    def share(self, offset: int) -> None:
        """Use the dictionary at ``offset``."""
        self.unsqueezer.dictionary = bytes(self.content(offset, DICTIONARY))

    def content(self, offset: int, wanted: int) -> bytes | memoryview:
        """Return the content of a frame of the kind ``wanted``; raises CassetteError."""
        kind, coding, payload = payload_of(self.path, self.buffer, offset, self.end)
        if kind != wanted:
            raise damaged(self.path, f"byte {offset}", f"the frame is of kind {kind}", REMEDY)
        try:
            return self._content(coding, payload)
        except ValueError as error:
            raise damaged(self.path, f"byte {offset}", f"the frame: {error}", REMEDY) from error

    def _content(self, coding: int, payload: memoryview) -> bytes | memoryview:
        return self.unsqueezer.content(coding, payload)

    def interaction(self, offset: int) -> Interaction:
        """Return the interaction in the frame at ``offset``, its bodies as they are referred to."""
        kind = self.kind_at(offset)
        content = self.content(offset, TALK if kind == TALK else INTERACTION)
        try:
            if kind == TALK:
                self._look_through(content, offset)
                return self._conversation(self._decode_talk(content))
            found = self._decode(content)
            twice = doubled(content, found, self._encode)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            reason = f"not an interaction of this version ({error})"
            raise damaged(self.path, f"byte {offset}", reason, REMEDY) from error
        self._refuse(twice, offset)
        if found.websocket is not None:
            found.websocket.messages = resolved(found.websocket.messages, self.resolve)
        return found

    def kind_at(self, offset: int) -> int:
        """Return what kind of frame begins at ``offset``; 0 where there is no room for one."""
        if offset + FRAME.size > self.end:
            return 0
        return int(FRAME.unpack_from(self.buffer, offset)[2])

    def _conversation(self, talk: Talk) -> Interaction:
        found = talk.interaction
        close = None if found.websocket is None else found.websocket.close
        found.websocket = Conversation(FramedMessages(self, talk, self.resolve), close)
        return found

    def messages(self, offset: int) -> list[WebSocketMessage]:
        """Return the messages in a frame of a conversation, as they are; raises CassetteError."""
        content = self.content(offset, SAID)
        self._look_through(content, offset)
        try:
            return self._decode_said(content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            reason = f"these are not messages ({error})"
            raise damaged(self.path, f"byte {offset}", reason, REMEDY) from error

    def _look_through(self, content: bytes | memoryview, offset: int) -> None:
        """Raise CassetteError where a key stands twice in a frame of a long conversation: there may
        be much of it, so only if asked to be strict."""
        if self._strict:
            try:
                twice = first_doubled(bytes(content))
            except (msgspec.MsgspecError, LookupError, ValueError, struct.error):
                return  # whoever decodes it says so
            self._refuse(twice, offset)

    def _refuse(self, key: str | None, offset: int) -> None:
        if key is not None:
            reason = f"the key {key!r} stands twice in one map"
            raise damaged(self.path, f"byte {offset}", reason, REMEDY)

    @abstractmethod
    def resolve(self, body: FileBody) -> Body:
        """Return the side file of a message where it is; raises CassetteError."""

    def framed_body(self, body: FileBody) -> bytes | memoryview | None:
        """Return the body that a frame holds, a view of it where it is not compressed."""
        reference = str(body.path)
        if not reference.startswith(FRAME_REFERENCE):
            return None
        digits = reference.removeprefix(FRAME_REFERENCE)
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            raise damaged(self.path, f"body {reference!r}", "it is not an offset", REMEDY)
        content = self.content(int(digits), BODY)
        if len(content) != body.size:
            reason = f"the body has {len(content)} bytes, {body.size} were recorded"
            raise damaged(self.path, f"byte {digits}", reason, REMEDY)
        return content


class Container(Frames):
    """A whole container; the interactions are numbered from 0. For any number of threads.

    ``verify`` compares the digests of side files too, and looks for keys that stand twice in long
    conversations; elsewhere they are always looked for.
    """

    def __init__(self, path: Path, buffer: memoryview, *, verify: bool = False) -> None:
        self.footer: Footer = read_footer(path, buffer)
        super().__init__(path, buffer, self.footer.start)
        self.head = self._read_head()
        self._verify = self._strict = verify
        self._checked: set[int] = set()
        if self.footer.dictionary:
            self.share(self.footer.dictionary)

    def __len__(self) -> int:
        return self.footer.interactions

    @property
    def searchable(self) -> bool:
        """Whether the digests in the index are those that this program computes."""
        return self.footer.keys == KEY_SCHEME

    def interaction_at(self, number: int) -> Interaction:
        """Return an interaction whose bodies are bytes, or side files that are there.

        Raises CassetteError, and IndexError.
        """
        found = self.lend(number)
        if found.response is not None:
            found.response.body = _owned(found.response.body)
        return found

    def lend(self, number: int) -> Interaction:
        """Return an interaction whose response may have a view of the map for its body.

        For whoever only measures, slices and writes it. Raises as :meth:`interaction_at` does.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        found = self.interaction(self.place(number))
        found.request.body = _owned(self._body(found.request.body, number, "request"))
        if found.response is not None:
            found.response.body = self._body(found.response.body, number, "response")
        return found

    def _body(self, body: Body, number: int, where: str) -> Body:
        if not isinstance(body, FileBody):
            return body
        held = self.framed_body(body)
        if held is not None:
            return cast(Body, held)  # a view has a length and slices, and can be written
        try:
            return self._side_file(body)
        except FieldError as error:
            trouble = FieldError(f"{where}.{error.field}", error.reason)
            raise field_damaged(self.path, number, trouble) from error

    def resolve(self, body: FileBody) -> Body:
        """Return the side file of a message where it is; raises CassetteError."""
        try:
            return self._side_file(body)
        except FieldError as error:
            reason = f"a message's {error.field}: {error.reason}"
            raise damaged(self.path, "a conversation", reason, REMEDY) from error

    def _side_file(self, body: FileBody) -> Body:
        reference = body.path.as_posix()
        return resolve(reference, body.size, body.sha256, self.path.parent, verify=self._verify)

    # --- the index ----------------------------------------------------------------------------

    def place(self, number: int) -> int:
        """Return the offset of an interaction's frame."""
        at = self._entry(self.footer.start, PLACE.size, number, 0)
        offset, length = PLACE.unpack_from(self.buffer, at)
        if offset + FRAME.size > self.end or (
            FRAME.size + FRAME.unpack_from(self.buffer, offset)[0] != length
        ):
            raise damaged(self.path, f"byte {at}", "the index names no frame", REMEDY)
        return int(offset)

    def find(self, digest: bytes) -> Iterator[int]:
        """Yield the numbers, ascending, of the interactions whose digests begin so.

        ``digest`` is that of a head, or those of a head and of its whole key.
        """
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._sorted(middle)[: len(digest)] < digest:
                low = middle + 1
            else:
                high = middle
        for rank in range(low, len(self)):
            entry = self._sorted(rank)
            if entry[: len(digest)] != digest:
                return
            yield self._number(entry)

    def _sorted(self, rank: int) -> bytes:
        at = self._entry(self.footer.sorted_table, ENTRY.size, rank, runs(self.footer.interactions))
        return bytes(self.buffer[at : at + ENTRY.size])

    def _number(self, entry: bytes) -> int:
        number = int.from_bytes(entry[-4:], "big")
        if number >= len(self):
            raise damaged(self.path, "the index", f"it has no interaction {number}", REMEDY)
        return number

    def _entry(self, table: int, size: int, number: int, first_run: int) -> int:
        """Return where an entry is, once the checksum of its run has been compared."""
        run = first_run + number // RUN
        if run not in self._checked:
            start = table + number // RUN * RUN * size
            stop = table + min((number // RUN + 1) * RUN, len(self)) * size
            (checksum,) = SUM.unpack_from(self.buffer, self.footer.sums + run * SUM.size)
            if zlib.crc32(self.buffer[start:stop]) != checksum:
                raise damaged(self.path, f"byte {start}", "the index's checksum is wrong", REMEDY)
            self._checked.add(run)
        return table + number * size

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield every interaction's offset and length, in recorded order."""
        for number in range(len(self)):
            yield (
                self.place(number),
                PLACE.unpack_from(self.buffer, self.footer.start + number * PLACE.size)[1],
            )

    def entries(self) -> Iterator[bytes]:
        """Yield the entries of the sorted table."""
        return map(self._sorted, range(len(self)))

    def side_files(self) -> list[str]:
        """Return the SHA-256, in hexadecimal, of every side file that is referred to."""
        start, size = self.footer.file_list, self.footer.files * DIGEST
        listed = bytes(self.buffer[start : start + size])
        if zlib.crc32(listed) != self.footer.files_sum:
            raise damaged(self.path, f"byte {start}", "the list of side files is damaged", REMEDY)
        return [listed[at : at + DIGEST].hex() for at in range(0, size, DIGEST)]


def _rich(kind: type, value: Any) -> object:
    if kind is Headers:
        return Headers(map(tuple, value))
    return Path(value)


def _owned(body: Body) -> Body:
    """Return ``body``, copied where it is a view of the map."""
    return body if isinstance(body, FileBody) else bytes(body)
