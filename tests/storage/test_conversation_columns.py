"""Messages by columns are the messages that the frames were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import WebSocketMessage
from magneto_serge.storage.conversation_columns import Columns
from magneto_serge.wire.websocket import FIN
from magneto_serge.wire.websocket_messages import OPCODES

runs = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        st.floats(0, 1e9),
        st.lists(st.tuples(st.sampled_from(["text", "binary", "ping", "pong"]), st.binary())),
    )
)


@given(runs)
def test_messages_by_columns(said: list[tuple[str, float, list[tuple[str, bytes]]]]) -> None:
    """Who said what when comes back, in its order."""
    messages = [(kind, data) for _, _, each in said for kind, data in each]
    columns = Columns(
        bytes(FIN | OPCODES[kind] for kind, _ in messages),
        [(sender, at_ms, len(each)) for sender, at_ms, each in said],
        [data for _, data in messages],
    )
    assert columns.messages() == [
        WebSocketMessage(sender, kind, data, at_ms)
        for sender, at_ms, each in said
        for kind, data in each
    ]
