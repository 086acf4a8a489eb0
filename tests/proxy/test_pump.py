"""A large recording on its way: piece by piece, never more than the client takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.proxy.answers import Encoded
from magneto_serge.proxy.pump import Pump


class Client:
    """What the pump knows of a client; takes ``room`` bytes before it is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.data = b""
        self.aborted = False
        self.transport = self

    @property
    def writable(self) -> bool:
        """Whether there is room."""
        return self.room > 0

    def write(self, pieces: list[bytes]) -> None:
        """Take the pieces."""
        for piece in pieces:
            self.data += piece
            self.room -= len(piece)

    def abort(self) -> None:
        """Break off."""
        self.aborted = True


def pump(client: Client, encoded: Encoded) -> Pump:
    """Return a pump for ``client``."""
    return Pump(client, encoded)  # type: ignore[arg-type]


def test_pieces_go_out_until_the_client_is_full() -> None:
    """It stops after the piece that filled the client, and goes on where it was."""
    client = Client(room=15)
    moving = pump(client, Encoded(b"", pieces=(b"0123456789", b"abcdefghij", b"x"), tail=b"end"))
    assert not moving.go_on()
    assert client.data == b"0123456789abcdefghij"
    client.room = 100
    assert moving.go_on()
    assert client.data == b"0123456789abcdefghijxend"


def test_last_piece_may_fill_the_client() -> None:
    """All is written, but the end is told when the client has taken it."""
    client = Client(room=1)
    moving = pump(client, Encoded(b"", pieces=(b"all",)))
    assert not moving.go_on()
    client.room = 1
    assert moving.go_on()
    assert client.data == b"all"


def test_nothing_but_an_end() -> None:
    """A recording that is cut after its head has nothing to pump."""
    assert pump(Client(room=1), Encoded(b"")).go_on()


def test_side_file_is_read_as_it_goes(tmp_path: Path) -> None:
    """It is opened when its turn comes, and read a quarter of a megabyte at a time."""
    data = bytes(range(256)) * 4096
    (tmp_path / "body").write_bytes(data)
    client = Client(room=1)
    moving = pump(client, Encoded(b"", file=FileBody(tmp_path / "body", len(data), ""), tail=b"!"))
    steps = 0
    while not moving.go_on():
        client.room = 1
        steps += 1
    assert client.data == data + b"!"
    assert steps == 5


def test_side_file_that_grew_is_not_sent_whole(tmp_path: Path) -> None:
    """No more is sent than was promised."""
    (tmp_path / "body").write_bytes(b"0123456789")
    client = Client(room=100)
    assert pump(client, Encoded(b"", file=FileBody(tmp_path / "body", 4, ""))).go_on()
    assert client.data == b"0123"


@pytest.mark.parametrize("content", [None, b"short"])
def test_side_file_that_is_not_what_it_was(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is gone or shorter breaks the answer off, and the log names it."""
    if content is not None:
        (tmp_path / "body").write_bytes(content)
    client = Client(room=100)
    assert not pump(client, Encoded(b"", file=FileBody(tmp_path / "body", 10, ""))).go_on()
    assert client.aborted
    assert str(tmp_path / "body") in caplog.text


def test_given_up_pump_closes_its_file(tmp_path: Path) -> None:
    """After close nothing goes out any more, and the file is closed (an open one would warn)."""
    (tmp_path / "body").write_bytes(bytes(10**6))
    client = Client(room=1)
    moving = pump(client, Encoded(b"", file=FileBody(tmp_path / "body", 10**6, "")))
    assert not moving.go_on()
    moving.close()
    sent = len(client.data)
    client.room = 1
    assert moving.go_on()
    assert len(client.data) == sent
