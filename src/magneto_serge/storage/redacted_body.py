"""A body too large for memory, redacted on its way to its side file.

Nothing reaches the disk that was not looked at. Text goes through a window
(``replay/secrets/stream.py``) and into the file. A content-encoded body cannot: whether it may stay
as it came, to the byte, is known only at its end. So it waits meanwhile in a file without a name,
encrypted with a key that exists in this process's memory alone (AES in counter mode; the key is
used once), while its content goes through the window. Then it is written as it came, or, where it
held a secret, decoded, redacted and encoded anew.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from magneto_serge.coding_streams import PIECE, Decoder, Encoder
from magneto_serge.codings import CodingName
from magneto_serge.messages import FieldLine, FileBody

from .body_writer import BodySink


class BodyStream(Protocol):
    """What redacts a body while it streams (``replay/secrets`` provides it)."""

    @property
    def coding(self) -> CodingName | None:
        """The content coding that has to be undone first."""

    @property
    def changed(self) -> bool:
        """Whether anything was replaced."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return what may be written."""

    def finish(self) -> bytes:
        """Return the rest."""

    def again(self) -> BodyStream:
        """Return a fresh one, for the same body."""


class BodyRedactor(Protocol):
    """What a recorder asks for large bodies."""

    def stream(self, fields: tuple[FieldLine, ...]) -> BodyStream:
        """Return what redacts a body below these fields."""

    def streamed(self, body: FileBody, grown: int) -> None:
        """Take note that a body was changed, and by how many bytes it grew."""


class RedactedSink(BodySink):
    """The writer thread's half of a body that is redacted on its way; all raise OSError."""

    def __init__(
        self,
        body: FileBody,
        unfinished: set[BodySink],
        redactor: BodyRedactor,
        fields: tuple[FieldLine, ...],
    ) -> None:
        super().__init__(body, unfinished)
        self._redactor = redactor
        self._stream = redactor.stream(fields)
        self._taken = 0
        self._written = 0
        self._waiting: _Waiting | None = None
        self._ended = False

    def append(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._ended:
            super().append(data)
            return
        self._taken += len(data)
        coding = self._stream.coding
        if coding is None:
            self._write(self._stream.feed(data))
            return
        if self._waiting is None:
            self.body.path.parent.mkdir(exist_ok=True)
            self._waiting = _Waiting(self.body.path.parent, coding, self._stream)
            self._unfinished.add(self)
        self._waiting.add(data)

    def finish(self, data: bytes) -> None:
        """Write the last bytes and fill in digest and size."""
        self.append(data)
        if self._waiting is None:
            self._write(self._stream.finish())
            changed = self._stream.changed
        else:
            changed = self._waiting.finish(self._write)
            self._waiting.close()
        self._ended = True
        super().finish(b"")
        if changed:
            self.body.size = self._written
            self._redactor.streamed(self.body, self._written - self._taken)

    def close(self) -> None:
        """Let go of the files."""
        if self._waiting is not None:
            self._waiting.close()
            self._unfinished.discard(self)
        super().close()

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        super().append(data)


class _Waiting:
    """A content-encoded body until its end is known."""

    def __init__(self, folder: Path, coding: CodingName, stream: BodyStream) -> None:
        self._coding = coding
        self._stream = stream
        self._decoder = Decoder(coding)
        self._is_coded = True
        self._content = 0  # bytes
        self._sealed = _Sealed(folder)

    def add(self, data: bytes) -> None:
        """Take the next bytes, and look at what they mean."""
        self._sealed.write(data)
        if not self._is_coded:
            return
        try:
            for content in self._decoder.feed(data):
                self._content += len(content)
                self._stream.feed(content)
        except ValueError:
            self._is_coded = False

    def finish(self, write: Callable[[bytes], None]) -> bool:
        """Write the body; return whether it was changed."""
        self._stream.finish()
        if not self._content and not self._is_coded:
            return self._finish_plain(write)
        if not self._stream.changed:
            for data in self._sealed.read():
                write(data)
            return False
        self._finish_coded(write)
        return True

    def _finish_plain(self, write: Callable[[bytes], None]) -> bool:
        """It said that it was encoded, and is not at all."""
        stream = self._stream.again()
        for data in self._sealed.read():
            write(stream.feed(data))
        write(stream.finish())
        return stream.changed

    def _finish_coded(self, write: Callable[[bytes], None]) -> None:
        """Encode it anew, as far as it can be decoded: nobody could read more of it either."""
        stream, decoder, encoder = (
            self._stream.again(),
            Decoder(self._coding),
            Encoder(self._coding),
        )
        try:
            for data in self._sealed.read():
                for content in decoder.feed(data):
                    write(encoder.feed(stream.feed(content)))
        except ValueError:
            pass
        write(encoder.feed(stream.finish()))
        write(encoder.finish())

    def close(self) -> None:
        """Forget it."""
        self._sealed.close()


class _Sealed:
    """Bytes in a file that has no name and that nobody else can read."""

    def __init__(self, folder: Path) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CTR

        cipher = Cipher(AES(os.urandom(32)), CTR(os.urandom(16)))
        self._seal, self._cipher = cipher.encryptor(), cipher
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` closes it

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._file.write(self._seal.update(data))

    def read(self) -> Iterator[bytes]:
        """Yield all that was written, from the beginning."""
        self._file.seek(0)
        unseal = self._cipher.decryptor()
        while data := self._file.read(PIECE):
            yield unseal.update(data)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
