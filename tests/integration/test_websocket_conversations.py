"""Conversations in cassettes: negotiation, refusals, order, policies, hooks, secrets, crashes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as Refusal
from websockets.sync.client import ClientConnection, connect

from magneto_serge import Cassette, MagnetoProxy, Request
from magneto_serge.messages import Conversation, Interaction, WebSocketMessage
from magneto_serge.storage.recover import recover

from .conftest import MakeProxy
from .test_crash import wait_for
from .websocket_servers import Server, serve_websockets
from .websocket_wire import BINARY, CONTINUATION, TEXT, Stage, close, frame, read_frame
from .websocket_wire import ask as ask_for

Serve = Callable[..., Server]


async def count(connection: ServerConnection) -> None:
    """Answer each message with its number, and what it was."""
    number = 0
    async for message in connection:
        number += 1
        await connection.send(f"{number}: {message}")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of ``websockets``: ``serve(handler, **options)``."""
    servers: list[Server] = []

    def start(handler: Any = count, **options: Any) -> Server:
        servers.append(serve_websockets(handler, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def stage(make_proxy: MakeProxy) -> Iterator[Stage]:
    """A proxy with the default settings, and an origin played by the test."""
    stage = Stage(make_proxy())
    yield stage
    stage.origin.socket.close()


def opened(proxy: MagnetoProxy, server: Server, path: str = "/", **options: Any) -> Any:
    """Connect through the proxy."""
    return connect(f"ws://127.0.0.1:{server.port}{path}", proxy=proxy.url, **options)


def ask(connection: ClientConnection, *lines: str) -> list[str | bytes]:
    """Say each line when the one before was answered."""
    heard = []
    for line in lines:
        connection.send(line)
        heard.append(connection.recv())
    return heard


def recorded(path: Path | None) -> list[Conversation]:
    """Return the conversations of a cassette."""
    assert path is not None
    with Cassette.open(path, verify=True) as cassette:
        return [each.websocket for each in cassette if each.websocket is not None]


@pytest.mark.parametrize("server_keeps", [True, False])
@pytest.mark.parametrize("client_keeps", [True, False])
def test_compression(
    server_keeps: bool, client_keeps: bool, serve: Serve, make_proxy: MakeProxy
) -> None:
    """With and without context takeover: stored as it was meant, compressed again in replay."""
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=not server_keeps, client_no_context_takeover=not client_keeps
    )
    server, proxy = serve(compression=None, extensions=[factory]), make_proxy()
    lines = ["the same again and again " * 20] * 4 + ["short", ""]
    proxy.use("tape", "record")
    with opened(proxy, server) as connection:
        first = ask(connection, *lines)
    path = proxy.stop_recording()
    (only,) = recorded(path)
    assert [each.data.decode() for each in only.messages if each.sender == "client"] == lines
    assert all(each.compressed for each in only.messages)
    server.stop()
    proxy.use("tape", "replay")
    with opened(proxy, server) as connection:
        assert connection.protocol.extensions
        assert ask(connection, *lines) == first
    proxy.rewind()
    with opened(proxy, server, compression=None) as connection:
        assert ask(connection, *lines) == first
    assert proxy.misses == []


def test_subprotocols(serve: Serve, make_proxy: MakeProxy) -> None:
    """What the two have agreed on is agreed on again; cookies of the handshake too."""

    def add(connection: Any, handshake: Handshake, response: Refusal) -> None:
        response.headers["Set-Cookie"] = "taste=sweet"
        response.headers["X-Extra"] = "1"

    server = serve(subprotocols=["chat.v2", "chat.v1"], process_response=add)
    proxy = make_proxy()
    for mode in ("record", "replay"):
        proxy.use("tape", mode)
        offer: Any = ["chat.v1", "chat.v2", "other"]
        with opened(proxy, server, subprotocols=offer) as connection:
            assert connection.subprotocol == "chat.v2"
            assert connection.response.headers["X-Extra"] == "1"
            assert "taste=" in connection.response.headers["Set-Cookie"]
            assert ask(connection, "hi") == ["1: hi"]
        if mode == "record":
            proxy.stop_recording()
            server.stop()


def test_refusals(serve: Serve, make_proxy: MakeProxy) -> None:
    """A handshake that is refused, or led elsewhere, is an exchange like any other."""

    def refuse(connection: ServerConnection, handshake: Handshake) -> Refusal | None:
        statuses = {"/no": 401, "/old": 302}
        if handshake.path not in statuses:
            return None
        refusal = connection.respond(statuses[handshake.path], "not here\n")
        refusal.headers["Location"] = "/new"
        return refusal

    server, proxy = serve(process_request=refuse), make_proxy()
    for mode in ("record", "replay"):
        proxy.use("tape", mode)
        with pytest.raises(InvalidStatus) as caught:
            opened(proxy, server, "/no")
        assert caught.value.response.status_code == 401
        assert caught.value.response.body == b"not here\n"
        with opened(proxy, server, "/old") as connection:
            assert ask(connection, "hi") == ["1: hi"]
        if mode == "record":
            path = proxy.stop_recording()
            server.stop()
    assert path is not None
    with Cassette.open(path, verify=True) as cassette:
        found = [each.response and each.response.status for each in cassette]
        assert [each.websocket is not None for each in cassette] == [False, False, True]
    assert found == [401, 302, 101]
    assert proxy.misses == []


@pytest.mark.parametrize("at_once", [False, True])
def test_several_connections(at_once: bool, stage: Stage) -> None:
    """Those to one URL come back in the order in which they were opened, whenever each ended."""
    stage.proxy.use("tape", "record")
    pairs = []
    for number in range(4):
        pairs.append(stage.open("/same"))
        pairs[-1].to_client(frame(TEXT, b"%d" % number, masked=False))
    for number, pair in reversed([*enumerate(pairs)]):
        pair.to_server(frame(TEXT, b"ask"))
        pair.to_client(frame(TEXT, b"answer %d" % number, masked=False))
        pair.to_client(close(4000 + number, masked=False))
        pair.end()
    stage.save()
    assert [each.close and each.close.code for each in stage.conversations()] == [
        4000, 4001, 4002, 4003,
    ]  # fmt: skip
    stage.proxy.use("tape", "replay")
    again = []
    for number in range(4):
        with stage.replayed(path="/same") as pair:
            assert pair.hears() == (0x81, b"%d" % number)
            pair.client.send(frame(TEXT, b"ask"))
            assert pair.hears() == (0x81, b"answer %d" % number)
            assert pair.hears() == (0x88, (4000 + number).to_bytes(2, "big"))
    if at_once:
        stage.proxy.rewind()
        stack = [stage.replayed(path="/same") for _ in range(4)]
        again = [each.__enter__() for each in stack]
        for number, pair in reversed([*enumerate(again)]):
            pair.client.send(frame(TEXT, b"ask"))
            assert pair.hears() == (0x81, b"%d" % number)
            assert pair.hears() == (0x81, b"answer %d" % number)
        for each in stack:
            each.__exit__(None, None, None)
    assert stage.proxy.misses == []


def test_secrets_in_messages(stage: Stage) -> None:
    """A token that is said is not in the cassette, and replay goes on with it and with others."""
    token = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    login = json.dumps({"token": token, "op": "login"}).encode()
    with stage.recorded(offer=f"Authorization: Bearer {token}\r\n") as pair:
        pair.to_server(frame(TEXT, login))
        pair.to_client(frame(TEXT, b'{"welcome": true}', masked=False))
    assert stage.path is not None
    assert token not in stage.path.read_text()
    assert '"op"' in stage.path.read_text().replace("\\", "")
    for asked in (login, login.replace(b"a1B2", b"z9Y8")):
        with stage.replayed(offer=f"Authorization: Bearer {token}\r\n") as pair:
            pair.client.send(frame(TEXT, asked))
            assert pair.hears() == (0x81, b'{"welcome": true}')
        stage.proxy.rewind()
    assert stage.proxy.misses == []


@pytest.mark.parametrize("compressed", [False, True])
def test_secret_in_two_frames(compressed: bool, stage: Stage) -> None:
    """A secret is found however the message that holds it was cut, and never on the disk."""
    token = b"ghp_" + b"a1B2c3D4e5" * 3 + b"f6G7h8"
    said = json.dumps({"token": token.decode()}).encode()
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if compressed else ""
    squeeze = zlib.compressobj(wbits=-15)
    sent = said
    if compressed:
        sent = (squeeze.compress(said) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
    pieces = [sent[:20], sent[20:24], sent[24:]]
    frames = [
        frame(TEXT, pieces[0], fin=False, rsv=4 if compressed else 0),
        frame(CONTINUATION, pieces[1], fin=False),
        frame(CONTINUATION, pieces[2]),
    ]
    with stage.recorded(offer=offer, accept=offer) as pair:
        for each in frames:
            pair.to_server(each)
        pair.to_client(frame(TEXT, b"welcome", masked=False))
    assert stage.path is not None
    assert token not in stage.path.read_bytes()
    assert token[:12] not in stage.path.read_bytes()
    (only,) = stage.conversations()
    asked = only.messages[0]
    assert isinstance(asked.data, bytes)
    assert json.loads(asked.data).keys() == {"token"}
    assert compressed or sum(asked.fragments) == len(asked.data)
    with stage.replayed(offer=offer) as pair:
        for each in frames:
            pair.client.send(each)
        assert pair.hears()[1][:7] in (b"welcome", _deflated(b"welcome")[:7])
    assert stage.proxy.misses == []


def _deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_what_is_written_is_prepared(make_proxy: MakeProxy) -> None:
    """A rewrite rule reaches the handshake, a hook the messages too, and no secret comes of it."""
    token = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    stage = Stage(make_proxy(rewrite=["to-cassette request set X-Written: by a rule"]))

    @stage.proxy.before_record
    def note(interaction: Interaction) -> Interaction | None:
        talk = interaction.websocket
        assert talk is not None
        if any(each.data == b"leave me out" for each in talk.messages):
            return None
        said = [each for each in talk.messages if each.data != b"noise"]
        said.append(WebSocketMessage("server", "text", f'{{"token": "{token}"}}'.encode()))
        return msgspec.structs.replace(interaction, websocket=Conversation(said, talk.close))

    stage.proxy.use("tape", "record")
    for line in (b"noise", b"leave me out"):
        pair = stage.open()
        pair.to_server(frame(TEXT, b"hello"))
        pair.to_client(frame(TEXT, line, masked=False))
        pair.to_client(close(1000, masked=False))
        pair.to_server(close(1000))
        pair.end()
    stage.save()
    ((_, _, hello), (sender, _, added)) = stage.said()
    assert (hello, sender) == (b"hello", "server")
    assert json.loads(added)["token"] != token
    assert stage.path is not None
    assert token not in stage.path.read_text()
    with Cassette.open(stage.path, verify=True) as cassette:
        assert cassette[0].request.headers.get("x-written") == "by a rule"
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b"hello"))
        assert pair.hears() == (0x81, added)


def test_templates(make_proxy: MakeProxy) -> None:
    """What the server says is made from what the client has just said, if the user says so."""
    stage = Stage(make_proxy(templates=True, ignore_json_paths=("$.id",)))
    with stage.recorded() as pair:
        for number in (1, 2):
            pair.to_server(frame(TEXT, b'{"id": %d}' % number))
            pair.to_client(frame(TEXT, b'{"re": %d}' % number, masked=False))
    assert stage.path is not None
    document = json.loads(stage.path.read_text())
    (only,) = document["interactions"]
    only["template"] = True
    for message in only["messages"]:
        if message["from"] == "server":
            del message["json"]
            message["text"] = "{{ message.json.id + 1 }}"
    stage.path.write_text(json.dumps(document))
    with stage.replayed() as pair:
        for number in (41, 7):
            pair.client.send(frame(TEXT, b'{"id": %d}' % number))
            assert pair.hears() == (0x81, b"%d" % (number + 1))
    assert stage.proxy.misses == []


def test_hooks(make_proxy: MakeProxy, stage: Stage) -> None:
    """Hooks see each message of both sides, may change it, and drop it; record and replay."""
    seen: list[tuple[str, bytes]] = []

    @stage.proxy.on_message
    def shape(request: Request, message: WebSocketMessage) -> WebSocketMessage | None:
        assert isinstance(message.data, bytes)
        seen.append((message.sender, message.data))
        if message.data == b"drop me":
            return None
        return msgspec.structs.replace(message, data=message.data.replace(b"a", b"b"))

    with stage.recorded() as pair:
        pair.client.send(frame(TEXT, b"drop me") + frame(TEXT, b"aaa"))
        assert frame(TEXT, b"bbb", masked=False)[:2][0] == pair.server.stream.exactly(9)[0]
        pair.server.send(frame(TEXT, b"drop me", masked=False) + frame(TEXT, b"a!", masked=False))
        assert pair.hears() == (0x81, b"b!")
    assert seen == [
        ("client", b"drop me"), ("client", b"aaa"), ("server", b"drop me"), ("server", b"a!"),
    ]  # fmt: skip
    assert stage.said() == [("client", "text", b"bbb"), ("server", "text", b"b!")]
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b"drop me") + frame(TEXT, b"aaa"))
        assert pair.hears() == (0x81, b"b!")
    assert stage.proxy.misses == []


def test_hooks_and_large_messages(make_proxy: MakeProxy) -> None:
    """What a hook has seen is recorded whole, also where it does not fit into memory."""
    stage = Stage(make_proxy(memory_limit=1000))
    stage.proxy.on_message(lambda request, message: message)
    question, answer = b"?" * 5000, b"!" * 70_000
    with stage.recorded() as pair:
        pair.client.send(frame(TEXT, question[:2000], fin=False) + frame(0, question[2000:]))
        assert read_frame(pair.server.stream)[1] + read_frame(pair.server.stream)[1] == question
        pair.server.send(frame(BINARY, answer, masked=False))
        assert pair.hears() == (0x82, answer)
    assert stage.said() == [("client", "text", question), ("server", "binary", answer)]
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, question[:2000], fin=False) + frame(0, question[2000:]))
        assert pair.hears() == (0x82, answer)
    assert stage.proxy.misses == []


def test_what_is_ignored(make_proxy: MakeProxy) -> None:
    """Members that change are left out; the rest is compared as JSON, not as text."""
    stage = Stage(make_proxy(ignore_json_paths=("$.id", "$.at")))
    with stage.recorded() as pair:
        pair.to_server(frame(TEXT, b'{"id": 1, "at": 5, "op": "ping"}'))
        pair.to_client(frame(TEXT, b"pong", masked=False))
    with stage.replayed() as pair:
        pair.client.send(frame(TEXT, b'{"op":"ping","id":"other"}'))
        assert pair.hears() == (0x81, b"pong")
    assert stage.proxy.misses == []


POLICIES = [
    ("ordered", ["one", "two"], ["1", "2"], 0),
    ("ordered", ["two"], [], 1),
    ("any-order", ["two", "one"], ["2", "1"], 0),
    ("any-order", ["three"], [], 1),
    ("lenient", ["x", "y"], ["1", "2"], 0),
    ("timed", [], ["1", "2"], 0),
    ("timed", ["x"], ["1", "2"], 0),
]


@pytest.mark.parametrize(("policy", "said", "heard", "misses"), POLICIES)
def test_policies(
    policy: str, said: list[str], heard: list[str], misses: int, make_proxy: MakeProxy
) -> None:
    """What a client must say; where it does not, the connection is closed with 1008: a miss."""
    stage = Stage(make_proxy(websocket_policy=policy))
    with stage.recorded() as pair:
        for number, line in enumerate((b"one", b"two"), 1):
            pair.to_server(frame(TEXT, line))
            pair.to_client(frame(TEXT, b"%d" % number, masked=False))
    with stage.replayed() as pair:
        for line in said:
            pair.client.send(frame(TEXT, line.encode()))
        assert [pair.hears() for _ in heard] == [(0x81, each.encode()) for each in heard]
        if misses:
            head, payload = pair.hears()
            assert (head, payload[:2]) == (0x88, (1008).to_bytes(2, "big"))
            pair.client.send(close(1008))
            assert pair.is_over()
    assert len(stage.proxy.misses) == misses
    for miss in stage.proxy.misses:
        expected = "'one'"
        assert f"Message 1 of the client is not as recorded: expected {expected}" in miss.reason
        assert f"got '{said[0]}'" in miss.reason
        assert miss.url.startswith("ws://127.0.0.1:")


def test_reconnects_and_http(serve: Serve, make_proxy: MakeProxy) -> None:
    """A client that comes back goes on with the next conversation; HTTP is in the same cassette."""

    def page(connection: ServerConnection, handshake: Handshake) -> Refusal | None:
        return connection.respond(200, "page\n") if handshake.path == "/page" else None

    async def leave(connection: ServerConnection) -> None:
        connection.transport.abort() if await connection.recv() == "break" else None

    server, proxy = serve(leave, process_request=page), make_proxy()
    for mode in ("record", "replay"):
        proxy.use("tape", mode)
        for line, code in (("break", 1006), ("go", 1000), ("break", 1006)):
            with opened(proxy, server) as connection:
                connection.send(line)
                with pytest.raises(ConnectionClosed) as ended:
                    connection.recv()
                close_frame = ended.value.rcvd
                assert (close_frame.code if close_frame else 1006) == code
        with pytest.raises(InvalidStatus) as answered:
            opened(proxy, server, "/page")
        assert answered.value.response.body == b"page\n"
        if mode == "record":
            path = proxy.stop_recording()
            server.stop()
    assert [each.close and each.close.code for each in recorded(path)] == [1006, 1000, 1006]
    assert proxy.misses == []


RECORDER = """
import sys
from magneto_serge import MagnetoProxy
proxy = MagnetoProxy(sys.argv[1], port=0, data_dir=sys.argv[2], format=sys.argv[3]).start()
proxy.start_recording("tape")
print(proxy.port, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("form", ["json", "msgpack", "json.zst"])
def test_kill_in_the_middle(form: str, serve: Serve, tmp_path: Path, data_dir: Path) -> None:
    """What was said in ten conversations until a moment before `kill -9` is recovered.

    Those to one URL, and those that are compressed, and one that had ended; a message that was
    still under way is not. What is recovered replays.
    """
    folder = tmp_path / "cassettes"
    command = [sys.executable, "-c", RECORDER, str(folder), str(data_dir), form]
    server = serve()
    paths = ["/same"] * 4 + [f"/{number}" for number in range(4, 10)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with ExitStack() as stack:
            connections = []
            for number, path in enumerate(paths):
                options = {"compression": None if number % 2 else "deflate", "close_timeout": 1}
                origin = f"ws://127.0.0.1:{server.port}{path}"
                opened = connect(origin, proxy=url, **options)  # type: ignore[arg-type]
                connections.append(stack.enter_context(opened))
            with connect(f"ws://127.0.0.1:{server.port}/ended", proxy=url) as ended:
                ask(ended, "first")
            for turn in range(3):
                for number, connection in enumerate(connections):
                    line = f"line {turn} of {number}"
                    assert ask(connection, line) == [f"{turn + 1}: {line}"]
            said = [f"3: line 2 of {number}".encode() for number in range(10)]
            wait_for(lambda: all(_on_disk(folder, each) for each in said))
            connections[0].socket.sendall(frame(TEXT, b"under way", fin=False))
            process.send_signal(signal.SIGKILL)
            process.wait()
    (journal,) = [each for each in _files(folder) if each.name.endswith(".journal")]
    target = folder / f"recovered.{form}"
    recover(journal, target)
    with Cassette.open(target, verify=True) as cassette:
        found = {(each.request.target, _texts(each)[1]): each for each in cassette}
    assert len(found) == 11
    for number, path in enumerate(paths):
        kept = found[path, f"1: line 0 of {number}"]
        lines = [f"line {turn} of {number}" for turn in range(3)]
        expected = [
            each for turn, line in enumerate(lines, 1) for each in (line, f"{turn}: {line}")
        ]
        assert _texts(kept) == expected
        assert kept.websocket is not None
        assert kept.websocket.close is None
    ended_talk = found["/ended", "1: first"].websocket
    assert ended_talk is not None
    assert ended_talk.close is not None
    assert ended_talk.close.code == 1000


def _texts(interaction: Interaction) -> list[str]:
    talk = interaction.websocket
    assert talk is not None
    return [each.data.decode() for each in talk.messages if isinstance(each.data, bytes)]


def _on_disk(folder: Path, data: bytes) -> bool:
    return any(data in each.read_bytes() for each in _files(folder))


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()] if folder.exists() else []


def test_fields_of_the_handshake_are_rewritten(make_proxy: MakeProxy) -> None:
    """On every way as for HTTP, live and in replay; a 101 stays one."""
    rules = ["to-client set X-Client: c", "to-client status 503", "to-cassette set X-Tape: t"]
    stage = Stage(make_proxy(rewrite=[*rules, "to-server set X-Server: s"]))
    stage.proxy.use("tape", "record")
    for mode in ("record", "replay"):
        client = ask_for(stage.proxy, stage.origin.url)
        if mode == "record":
            server = stage.origin.accept()
        head = client.head()
        assert head.status == 101
        assert head.values("x-client") == [b"c"]
        assert head.values("x-tape") == ([] if mode == "record" else [b"t"])
        client.close()
        if mode == "record":
            server.close()
            stage.save()
            stage.proxy.use("tape", "replay")
    assert stage.path is not None
    with Cassette.open(stage.path, verify=True) as cassette:
        response = cassette[0].response
        assert response is not None
        assert "x-client" not in response.headers
        assert "x-server" not in cassette[0].request.headers


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"record_only": ["path=/"]}, True),
        ({"record_only": ["api-only"]}, True),
        ({"record_only": ["success-only"]}, True),
        ({"record_only": ["status=200"]}, False),
        ({"record_except": ["status=101"]}, False),
        ({"record_except": ["path=/"]}, False),
    ],
)
def test_filters(settings: dict[str, list[str]], kept: bool, make_proxy: MakeProxy) -> None:
    """What is not to be recorded is relayed, and not in the cassette; its handshake tells."""
    stage = Stage(make_proxy(**settings))
    stage.proxy.use("tape", "record")
    pair = stage.open()
    pair.to_server(frame(TEXT, b"hello"))
    pair.to_client(frame(TEXT, b"hi", masked=False))
    pair.end()
    stage.save()
    assert (stage.path is not None) is kept
    assert stage.proxy.stats.recorded == int(kept)
