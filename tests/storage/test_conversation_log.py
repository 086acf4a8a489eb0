"""The log of what is being said: appended to in frames, read back, cut anywhere."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody, WebSocketClose, WebSocketMessage
from magneto_serge.storage.conversation_columns import Columns
from magneto_serge.storage.conversation_log import LOG, ConversationLog, End, unfinished

from .talk import handshake, texts

HELLO = WebSocketMessage("client", "text", b"hello", 1.0)
BYE = WebSocketMessage("server", "text", b"bye", 2.0)


@pytest.fixture
def log(tmp_path: Path) -> ConversationLog:
    """A log in a folder that is not there yet."""
    return ConversationLog(tmp_path / "bodies")


def test_messages_are_read_from_where_they_are(log: ConversationLog) -> None:
    """Frames of several conversations stand among each other; each is read by its own offsets."""
    log.opened(1, handshake("/1"))
    offsets = array("Q", [log.said(1, [HELLO])])
    log.flush()
    log.opened(2, handshake("/2"))
    log.said(2, [BYE, BYE])
    offsets.append(log.said(1, [BYE]))
    log.flush()
    found = log.messages(offsets, 2)
    assert list(found) == [HELLO, BYE]
    assert (len(found), found[1], found[:1]) == (2, BYE, [HELLO])
    assert list(log.messages(array("Q"), 0)) == []
    log.close()
    log.close()


def test_messages_by_columns(log: ConversationLog, tmp_path: Path) -> None:
    """Messages that were added by columns are read as those that were added one by one."""
    log.opened(1, handshake("/1"))
    columns = Columns(b"\x81\x81", [("client", 1.0, 1), ("server", 2.0, 1)], [b"hello", b"bye"])
    offsets = array("Q", [log.whole(1, columns), log.said(1, [HELLO])])
    log.flush()
    assert list(log.messages(offsets, 3)) == [HELLO, BYE, HELLO]
    (found,) = unfinished(tmp_path / "bodies")
    assert found.websocket is not None
    assert len(found.websocket.messages) == 3
    assert list(found.websocket.messages) == [HELLO, BYE, HELLO]
    log.close()


def test_a_large_message_stays_with_the_log(log: ConversationLog, tmp_path: Path) -> None:
    """A side file in the same folder is found again when both have been moved."""
    large = WebSocketMessage("client", "binary", FileBody(tmp_path / "bodies" / "7", 5, "aa"))
    offset = log.said(1, [large])
    log.flush()
    log.close()
    moved = (tmp_path / "bodies").rename(tmp_path / "moved")
    from magneto_serge.storage.conversation_log import LoggedMessages

    (found,) = LoggedMessages(moved / LOG, array("Q", [offset]), 1)
    assert isinstance(found.data, FileBody)
    assert found.data.path == moved / "7"


def test_what_is_left_of_it(log: ConversationLog, tmp_path: Path) -> None:
    """Wherever a log is cut, the conversations are there up to the last whole frame."""
    log.opened(1, handshake("/1"))
    log.said(1, [HELLO])
    log.ended(1, End(WebSocketClose(1000, "", "client", 3.0), 3.0))
    log.opened(2, handshake("/2"))
    log.said(2, [BYE])
    log.flush()
    log.close()
    path = tmp_path / "bodies" / LOG
    whole = path.read_bytes()
    most = 0
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = [*unfinished(path.parent)]
        most = max(most, len(found))
        assert len(found) == most
        assert all(each.websocket is not None for each in found)
    first, second = unfinished(path.parent)
    assert first.websocket is not None
    assert first.websocket.close == WebSocketClose(1000, "", "client", 3.0)
    assert texts(first) == [("client", "hello")]
    assert texts(second) == [("server", "bye")]


def test_no_log(tmp_path: Path) -> None:
    """A recording without WebSockets has none."""
    assert [*unfinished(tmp_path)] == []
