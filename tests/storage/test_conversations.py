"""WebSockets on their way to the disk: in every format, in any length, whatever happens."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Conversation, FileBody, Frame, Interaction, WebSocketMessage
from magneto_serge.storage.body_writer import BodySink
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.conversation_log import LOG
from magneto_serge.storage.conversations import Conversations, ConversationWriter, Limits
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.recover import recover
from magneto_serge.storage.store import CassetteStore
from magneto_serge.wire.websocket import FrameReader
from magneto_serge.wire.websocket_messages import mask_frames, message_frames

from .interactions import conversations, exchange
from .talk import CLOSED, bytes_of, end, frames, handshake, say, talk, texts
from .test_recorder import drained

every_format = pytest.mark.parametrize("format", FORMATS)
TALK = [("client", "hello"), ("server", '{"a": 1}'), ("client", "two\nlines\n"), ("server", "")]


def loaded(store: CassetteStore, name: str = "tape") -> list[Interaction]:
    """Return what a cassette holds."""
    return list(Cassette.open(store.path(name), verify=True))


@every_format
def test_what_was_said(format: str, tmp_path: Path) -> None:
    """A conversation comes back as it was, beside other interactions, and the log is gone."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    recorder.record(exchange("/1"))
    talk(recorder, *TALK)
    recorder.finish(replace=True)
    http, recorded = loaded(store)
    assert http == exchange("/1")
    assert recorded.websocket is not None
    assert texts(recorded) == TALK
    assert recorded.websocket.close == CLOSED
    assert [message.at_ms for message in recorded.websocket.messages] == [1.0] * 4
    assert recorded.total_ms == 3.5 + 9.0
    assert msgspec.structs.replace(recorded, websocket=Conversation(), total_ms=0) == handshake()
    assert {path.name for path in tmp_path.iterdir()} == {store.path("tape").name}


@every_format
def test_every_kind_of_message(format: str, tmp_path: Path) -> None:
    """Kinds, fragments and what was compressed are kept; text that is none too."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    writer = recorder.open_conversation(handshake())
    said = [
        WebSocketMessage("server", "text", b"abc", 1.5, (1, 0, 2)),
        WebSocketMessage("client", "binary", bytes(range(256)), 2.25),
        WebSocketMessage("client", "binary", b'{"json": "in binary"}', 2.5),
        WebSocketMessage("server", "ping", b"", 3.0),
        WebSocketMessage("client", "pong", b"\xff", 4.0),
        WebSocketMessage("server", "text", b"\xff", 5.0, (), True),
    ]
    for message in said:
        writer.said(message)
    end(writer)
    recorder.finish(replace=True)
    (recorded,) = loaded(store)
    assert recorded.websocket is not None
    assert list(recorded.websocket.messages) == said


@every_format
def test_a_long_conversation(format: str, tmp_path: Path) -> None:
    """Thousands of messages are written as they come, and read as they are asked for."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    writer = recorder.open_conversation(handshake())
    lines = [("server", f"tick {number} " + "x" * 50) for number in range(3000)]
    for _, line in lines:
        say(writer, "server", line)
    end(writer)
    recorder.finish(replace=True)
    (recorded,) = loaded(store)
    assert texts(recorded) == lines
    assert recorded.websocket is not None
    assert len(recorded.websocket.messages) == 3000
    assert recorded.websocket.messages[7] == list(recorded.websocket.messages)[7]
    store.save("copy", [recorded])
    (copied,) = loaded(store, "copy")
    assert texts(copied) == lines


@every_format
def test_a_large_message_is_a_side_file(format: str, tmp_path: Path) -> None:
    """A message above the limit is in a file of its own, whatever pieces it came in."""
    store = CassetteStore(tmp_path, format=format, memory_limit=1000)
    recorder = store.recorder("tape")
    writer = recorder.open_conversation(handshake())
    payload = bytes(range(250)) * 100
    data = b"\x82\x7e" + len(payload).to_bytes(2, "big") + payload
    writer.heard(
        "server", 1.0, frames(*(data[at : at + 777] for at in range(0, len(data), 777))), 1
    )
    end(writer)
    recorder.finish(replace=True)
    (recorded,) = loaded(store)
    assert recorded.websocket is not None
    (message,) = recorded.websocket.messages
    assert not isinstance(message.data, bytes)
    assert bytes_of(message) == payload
    store.save("copy", [recorded])
    (copied,) = loaded(store, "copy")
    assert copied.websocket is not None
    assert bytes_of(copied.websocket.messages[0]) == payload


@every_format
def test_the_order_is_that_of_the_openings(format: str, tmp_path: Path) -> None:
    """Of conversations to one URL the first that was opened comes first, though it ends last."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    first, second = (recorder.open_conversation(handshake(started=at)) for at in (1.0, 2.0))
    say(second, "server", "second")
    end(second)
    talk(recorder, ("server", "elsewhere"), path="/other")
    say(first, "server", "first")
    end(first)
    recorder.finish(replace=True)
    assert [texts(each)[0][1] for each in loaded(store)] == ["elsewhere", "first", "second"]


@every_format
def test_what_is_under_way_at_the_end(format: str, tmp_path: Path) -> None:
    """What was said until the recording ended is in the cassette, without an end."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    writer = recorder.open_conversation(handshake())
    say(writer, "client", "hello", 5.0)
    recorder.finish(replace=True)
    say(writer, "client", "too late", 6.0)
    (recorded,) = loaded(store)
    assert recorded.websocket is not None
    assert texts(recorded) == [("client", "hello")]
    assert recorded.websocket.close is None


@every_format
def test_after_a_crash(format: str, tmp_path: Path) -> None:
    """What was said before a crash is recovered, once, from conversations that had not ended."""
    store = CassetteStore(tmp_path, format=format)
    recorder = store.recorder("tape")
    talk(recorder, ("client", "ended"), path="/ended")
    writer = recorder.open_conversation(handshake(started=5.0))
    say(writer, "client", "under way")
    drained(recorder)
    recorder._stop = lambda: None  # type: ignore[method-assign]  # the crash
    journal = tmp_path / ".tape.journal"
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for path in tmp_path.iterdir():
        # What is rendered ahead has a name for a moment only.
        if path.name.startswith(".") and not path.name.endswith("-rendered"):
            target = crashed / path.name
            if path.is_dir():
                target.mkdir()
                for file in path.iterdir():
                    (target / file.name).write_bytes(file.read_bytes())
            else:
                target.write_bytes(path.read_bytes())
    left = CassetteStore(crashed, format=format)
    with (crashed / next((crashed).glob(".*.bodies")).name / "conversations").open("ab") as log:
        log.write(b"\x05\x00\x00\x00torn")
    assert recover(crashed / journal.name, left.path("found")).interactions == 2
    assert [texts(each) for each in loaded(left, "found")] == [
        [("client", "ended")],
        [("client", "under way")],
    ]
    del recorder._stop
    recorder.abort()


def test_a_journal_with_nothing_else_is_kept(tmp_path: Path) -> None:
    """A crash in the middle of the only conversation leaves something worth keeping."""
    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape")
    say(recorder.open_conversation(handshake()), "client", "hello")
    drained(recorder)
    recorder._stop()
    (tmp_path / ".tape.journal").write_bytes((tmp_path / ".tape.journal").read_bytes()[:120])
    recorder._close(remove=False)
    store.recorder("tape").abort()
    assert (tmp_path / ".tape.journal.crashed-1").exists()


def test_redaction_comes_first(tmp_path: Path) -> None:
    """What is said is redacted before it reaches the disk, the log included."""

    def redact(interaction: Interaction) -> Interaction:
        said = interaction.websocket
        if said is None:
            return interaction
        hidden = [msgspec.structs.replace(m, data=b"***") for m in said.messages]
        return msgspec.structs.replace(interaction, websocket=Conversation(hidden, said.close))

    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape", redact=redact)
    writer = recorder.open_conversation(handshake())
    say(writer, "client", "secret")
    drained(recorder)
    (log,) = tmp_path.glob(".*/conversations")
    assert b"secret" not in log.read_bytes()
    end(writer)
    recorder.finish(replace=True)
    assert texts(loaded(store)[0]) == [("client", "***")]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_users_say(keeps: bool, tmp_path: Path) -> None:
    """What decides what is recorded sees a conversation when it is over, once."""
    seen = []

    def prepare(interaction: Interaction) -> Interaction | None:
        if interaction.websocket is not None:
            seen.append(texts(interaction))
        return interaction if keeps else None

    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape")
    recorder.prepare = prepare
    talk(recorder, *TALK)
    recorder.finish(replace=True)
    assert seen == [TALK]
    assert recorder.left_out == (0 if keeps else 1)
    assert store.exists("tape") is keeps


def test_what_cannot_be_inflated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A direction that makes no sense any more is said to be recorded no further."""
    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape")
    begun = handshake()
    assert begun.response is not None
    begun.response.headers = type(begun.response.headers).of(
        ("Sec-WebSocket-Extensions", "permessage-deflate")
    )
    writer = recorder.open_conversation(begun)
    from magneto_serge.messages import Frame

    with caplog.at_level(logging.WARNING):
        writer.heard("server", 1.0, [Frame(0xC1, b"", b"\xff\xff")], 4)
        say(writer, "client", "still heard")
        end(writer)
        recorder.finish(replace=True)
    assert "nothing more that the server says is recorded" in caplog.text
    assert texts(loaded(store)[0]) == [("client", "still heard")]


@settings(max_examples=40)
@given(st.lists(conversations(), max_size=3))
def test_every_conversation_in_a_container(recorded: list[Interaction]) -> None:
    """Whatever was said is the same when it is read from a binary cassette."""
    with TemporaryDirectory() as folder:
        store = CassetteStore(Path(folder), format="msgpack")
        store.save("tape", recorded)
        assert loaded(store) == recorded


@every_format
def test_a_large_message_that_comes_whole(format: str, tmp_path: Path) -> None:
    """One that was put together elsewhere goes to a file as well, and counts as an answer."""
    store = CassetteStore(tmp_path, format=format, memory_limit=1000)
    recorder = store.recorder("tape")
    assert not recorder.answered
    writer = recorder.open_conversation(handshake())
    assert recorder.answered
    writer.said(WebSocketMessage("server", "binary", b"x" * 5000, 1.0))
    end(writer)
    recorder.finish(replace=True)
    (recorded,) = loaded(store)
    assert recorded.websocket is not None
    (message,) = recorded.websocket.messages
    assert isinstance(message.data, FileBody)
    assert bytes_of(message) == b"x" * 5000


def test_what_goes_wrong_with_one_is_not_the_others(tmp_path: Path) -> None:
    """At the end each is written for itself; the error is raised, and the rest can be recovered."""

    def redact(interaction: Interaction) -> Interaction:
        said = interaction.websocket
        if said is not None and any(each.data == b"trouble" for each in said.messages):
            raise ValueError("trouble")
        return interaction

    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape", redact=redact)
    for path, text in (("/1", "one"), ("/2", "trouble"), ("/3", "three")):
        say(recorder.open_conversation(handshake(path)), "client", text)
    with pytest.raises(CassetteError, match=r"Some of 3 interactions .*trouble"):
        recorder.finish(replace=True)
    recover(tmp_path / ".tape.journal", tmp_path / "found.json")
    found = {each.request.target: texts(each) for each in loaded(store, "found")}
    assert found["/1"] == [("client", "one")]
    assert found["/3"] == [("client", "three")]


DATA = ("text", "binary")
said_in_frames = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        st.sampled_from(["text", "binary", "ping", "pong"]),
        st.binary(max_size=80),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(said_in_frames, st.integers(1, 400), st.booleans())
def test_reads_make_no_difference(
    said: list[tuple[str, str, bytes, bool]], size: int, clean: bool
) -> None:
    """However what was said is cut into frames and reads, each message is recorded as it was."""
    streams = {"client": b"", "server": b""}
    for sender, kind, data, cut in said:
        sizes = (len(data) // 2, len(data) - len(data) // 2) if cut and kind in DATA else ()
        wire = message_frames(kind, data, sizes, None)
        streams[sender] += wire if sender == "server" else mask_frames(wire)
    with TemporaryDirectory() as folder:
        store = CassetteStore(Path(folder))
        recorder = store.recorder("tape", redact=lambda each: each, clean=lambda text: clean)
        writer = recorder.open_conversation(handshake())
        for sender, wire in streams.items():
            reader = FrameReader(masked=sender == "client")
            for at in range(0, len(wire), size):
                if heard := reader.feed(wire[at : at + size]):
                    writer.heard(sender, 1.0, heard, size)
        end(writer)
        recorder.finish(replace=True)
        (recorded,) = loaded(store)
        assert recorded.websocket is not None
        found = [(m.sender, m.kind, bytes_of(m)) for m in recorded.websocket.messages]
    for who in streams:
        assert [each[1:] for each in found if each[0] == who and each[1] in DATA] == [
            (kind, data) for sender, kind, data, _ in said if sender == who and kind in DATA
        ]
    assert sorted(found) == sorted((sender, kind, data) for sender, kind, data, _ in said)


def test_only_what_may_hold_a_secret_is_redacted(tmp_path: Path) -> None:
    """Messages that are clean together are written as they came; of the others none is."""
    asked: list[bytes] = []

    def clean(text: bytes) -> bool:
        asked.append(text)
        return b"secret" not in text

    def redact(interaction: Interaction) -> Interaction:
        said = interaction.websocket
        if said is None or not said.messages:
            return interaction
        messages = [msgspec.structs.replace(each, data=b"redacted") for each in said.messages]
        return msgspec.structs.replace(interaction, websocket=Conversation(messages, said.close))

    store = CassetteStore(tmp_path)
    recorder = store.recorder("tape", redact=redact, clean=clean)
    first, second = (recorder.open_conversation(handshake(path)) for path in ("/1", "/2"))
    say(first, "client", "one")
    say(first, "server", "two")
    say(second, "client", "a secret")
    recorder.finish(replace=True)
    found = [texts(each) for each in loaded(store)]
    assert found == [[("client", "one"), ("server", "two")], [("client", "redacted")]]
    assert b"\n".join(asked) == b"one\ntwo\na secret"


class Written:
    """A scribe that only takes note of what is concluded."""

    redact = None

    def __init__(self) -> None:
        self.concluded: list[Interaction] = []

    def conclude(self, interaction: Interaction) -> None:
        """Take note."""
        self.concluded.append(interaction)


def test_messages_wait_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While many come they are written together, but neither too many nor too late."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    conversations = Conversations(tmp_path, Written(), BodySink, Limits())  # type: ignore[arg-type]  # no more is asked of them
    writer = ConversationWriter(conversations, handshake(), lambda step, _: step[0](step[1]))
    conversations.flush()
    log = tmp_path / LOG

    def grown(text: str, size: int = 0) -> bool:
        before = log.stat().st_size
        writer.heard("client", 1.0, frames(message_frames("text", text.encode(), (), None)), size)
        conversations.flush_some()
        return log.stat().st_size > before

    assert not grown("a little")
    now += 0.2
    assert grown("a little, but too late")
    assert not grown("a little")
    assert grown("much", 2**21)
    conversations.finish()


def test_those_that_wait_for_an_older_one_are_small(tmp_path: Path) -> None:
    """A client that reconnects while its first connection is open costs no inflaters."""
    begun = handshake()
    assert begun.response is not None
    begun.response.headers = type(begun.response.headers).of(
        ("Sec-WebSocket-Extensions", "permessage-deflate")
    )
    recorder = CassetteStore(tmp_path).recorder("tape")
    first = recorder.open_conversation(begun)
    for _ in range(3):
        writer = recorder.open_conversation(begun)
        for sender in ("client", "server"):
            writer.heard(sender, 1.0, [Frame(0xC1, b"", b"\xcaH\xcd\xc9\xc9\x07\x00")], 9)
        writer.ended("client", 2.0)
        writer.heard("client", 3.0, [Frame(0x81, b"", b"too late")], 9)
    drained(recorder)
    assert recorder._conversations is not None
    (talks,) = recorder._conversations._talks.values()
    assert [bool(talk._sides) for talk in talks] == [True, False, False, False]
    first.ended("client", 4.0)
    recorder.finish(replace=True)
    found = loaded(CassetteStore(tmp_path))
    assert [texts(each) for each in found[1:]] == [[("client", "hello"), ("server", "hello")]] * 3
