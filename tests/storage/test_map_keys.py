"""A key that stands twice in a map of MessagePack is found, whoever has written it and however."""

from __future__ import annotations

import io
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Conversation, Interaction, WebSocketMessage
from magneto_serge.storage.container_read import Container
from magneto_serge.storage.container_write import ContainerWriter
from magneto_serge.storage.map_keys import doubled, first_doubled
from magneto_serge.storage.side_files import SideFiles

from .containers import FOLDER, PLACE, contained, everything, opened, some
from .interactions import exchange

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=70_000),
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20)
    ),
    max_leaves=30,
)
pack = msgspec.msgpack.encode


def pairs(*items: tuple[object, object]) -> bytes:
    """Return a map of these items, keys that stand twice included."""
    return struct.pack(">BH", 0xDE, len(items)) + b"".join(pack(x) for item in items for x in item)


@given(VALUES)
def test_what_has_no_key_twice(value: object) -> None:
    """Values of all kinds and sizes are gone through to their end."""
    assert first_doubled(pack(value)) is None
    assert doubled(pack(value), value, pack) is None


@given(VALUES, VALUES, st.text(max_size=40))
def test_a_key_that_stands_twice(one: object, other: object, key: str) -> None:
    """It is named, wherever the map is."""
    twice = pairs((key, one), ("-" + key, other), (key, other))
    assert first_doubled(twice) == key
    assert first_doubled(b"\x92" + pack(one) + twice) == key
    assert first_doubled(b"\x81" + pack("outer") + b"\x91" + twice) == key
    decoded = msgspec.msgpack.decode(twice)
    assert doubled(twice, decoded, pack) == key


@pytest.mark.parametrize(
    "value",
    [
        b"\xc7\x03\x05abc",
        b"\xc8\x00\x03\x05abc",
        b"\xc9\x00\x00\x00\x03\x05abc",
        b"\xd4\x05a",
        b"\xd5\x05ab",
        b"\xd6\x05abcd",
        b"\xd7\x05abcdefgh",
        b"\xd8\x05abcdefghijklmnop",
        b"\xca\x00\x00\x00\x00",
        b"\xd0\x01",
        b"\xda\x00\x01a",
        b"\xdb\x00\x00\x00\x01a",
        b"\xdd\x00\x00\x00\x01\x01",
        b"\xdf\x00\x00\x00\x01\xa1a\x01",
    ],
)
def test_forms_that_our_writer_has_no_use_for(value: bytes) -> None:
    """What other programs may write is passed over as well, in full."""
    assert first_doubled(b"\x92" + value + b"\x82\xa1x\x01\xa1x\x02") == "x"


def test_the_same_key_in_two_maps() -> None:
    """Each map has keys of its own."""
    assert first_doubled(pack([{"a": {"a": 1}}, {"a": 1}])) is None


def with_frame(payload: bytes) -> Container:
    """Return a container whose only interaction is written so."""
    out = io.BytesIO()
    files = SideFiles(FOLDER / "tape.bodies", FOLDER / "workshop")
    writer = ContainerWriter(out, coding="", name="tape", recorded_at=7.5, files=files)

    def encode_into(value: object, buffer: bytearray) -> None:
        buffer[:] = payload

    writer._frames._encode_into = encode_into  # type: ignore[method-assign]  # of this one
    writer.add(exchange("/"))
    writer.close()
    return opened(out.getvalue())


def test_a_container_with_a_key_twice() -> None:
    """Which of the two would be replayed is not for the decoder to choose."""
    request = {"method": "GET", "scheme": "http", "host": "h", "port": 80, "target": "/"}
    payload = pairs(("request", request), ("peer", "a"), ("peer", "b"))
    assert msgspec.msgpack.decode(payload, type=Interaction).peer == "b"
    with pytest.raises(
        CassetteError, match=r"tape\.msgpack: byte \d+: the key 'peer' stands twice"
    ):
        with_frame(payload).interaction_at(0)


def test_a_container_of_another_program() -> None:
    """Another order of fields and longer forms of numbers are as good as ours."""
    request = pairs(("target", "/"), ("port", 80), ("host", "h"), ("scheme", "s"), ("method", "M"))
    payload = b"\x82" + pack("started") + b"\x05" + pack("request") + request
    assert with_frame(payload).interaction_at(0).started == 5.0


def test_our_own_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What our writer has written is never gone through map by map."""
    monkeypatch.setattr("magneto_serge.storage.map_keys.first_doubled", None)
    assert everything(opened(contained(*some(3)))) == some(3)


def test_long_conversations_are_gone_through_when_they_are_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There may be much of them, so `magneto validate` looks and who replays them does not."""
    said = (WebSocketMessage("client", "text", bytes(40_000)),) * 3
    interaction = exchange("/")
    interaction.websocket = Conversation(said)
    data = memoryview(contained(interaction))
    looked = Container(PLACE, data, verify=True).interaction_at(0).websocket
    assert looked is not None
    assert tuple(looked.messages) == said
    monkeypatch.setattr("magneto_serge.storage.container_read.first_doubled", lambda _: "kind")
    unlooked = Container(PLACE, data).interaction_at(0).websocket
    assert unlooked is not None
    assert tuple(unlooked.messages) == said
    with pytest.raises(CassetteError, match="'kind' stands twice"):
        Container(PLACE, data, verify=True).interaction_at(0)
    broken = Container(PLACE, data, verify=True)
    with pytest.raises(CassetteError, match="'kind' stands twice"):
        broken.messages(8 + 10 + int.from_bytes(data[8:12], "big"))
