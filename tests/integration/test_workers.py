"""Several processes on one port: to their clients, and to whoever started them, they are one."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.storage.store import CassetteStore

from .certificates import ThrowawayAuthority
from .exchange import PATIENCE
from .origin import Origin
from .test_cli import Background, Shell
from .websocket_servers import serve_websockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT as Linux has it")

MANY = 48  # connections: that all are one worker's has a probability of 2^-47


@pytest.fixture
def shell(tmp_path: Path, data_dir: Path, origin_authority: ThrowawayAuthority) -> Iterator[Shell]:
    """A shell in an empty folder; what is still running after the test is ended."""
    shell = Shell(tmp_path, data_dir, origin_authority.pem)
    shell.environ["MAGNETO_WORKERS"] = "2"
    yield shell
    for process in shell.running:
        process.kill()
        process.communicate()


def told(target: str, answer: str, **fields: str) -> Interaction:
    """Return what was recorded of one request."""
    headers = Headers.of(*((name.title(), value) for name, value in fields.items()))
    length = Headers.of(("Content-Length", str(len(answer))))
    request = Request("GET", "http", "a.test", 80, target, headers)
    return Interaction(request, Response(200, "OK", length, answer.encode()))


def save(shell: Shell, *interactions: Interaction) -> None:
    """Save the cassette ``tape``."""
    CassetteStore(shell.folder / "cassettes").save("tape", interactions)


def get(port: int, target: str, host: str = "http://a.test", **fields: str) -> tuple[int, str]:
    """Ask the proxy over a connection of its own; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", f"{host}{target}", headers=fields)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def control(port: int, method: str, path: str = "", body: object = None) -> tuple[int, dict]:  # type: ignore[type-arg]  # JSON
    """Ask the proxy itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, f"/__magneto/{path}", body=content)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def workers_of(process: int) -> list[int]:
    """Return the processes that ``process`` has begun."""
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def sockets_of(process: int) -> int:
    """Count the sockets that a process has open."""
    found = 0
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            found += os.readlink(descriptor).startswith("socket:")
        except OSError:
            pass  # closed meanwhile
    return found


def wait_until_gone(processes: list[int]) -> None:
    """Return when none of the processes runs any more."""
    until = time.monotonic() + PATIENCE
    while [each for each in processes if runs(each)]:
        assert time.monotonic() < until, "still running"
        os.sched_yield()


def runs(process: int) -> bool:
    """Tell whether there is such a process, and not only what its parent has yet to hear of it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(shell: Shell, *arguments: str) -> Background:
    """Start a proxy, and check that there are two workers."""
    proxy = shell.start(*arguments)
    assert len(workers_of(proxy.process.pid)) == 2, proxy.first_line
    return proxy


def test_both_workers_get_connections(shell: Shell) -> None:
    """Port 0 is one port for all, and the system spreads what comes over the processes."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape")
    workers = workers_of(proxy.process.pid)
    before = [sockets_of(each) for each in workers]
    with ExitStack() as stack:
        for _ in range(MANY):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
            stack.callback(connection.close)
            connection.request("GET", "http://a.test/a")
            assert connection.getresponse().read() == b"a"
        served = [sockets_of(each) - old for each, old in zip(workers, before, strict=True)]
    assert sum(served) == MANY
    assert all(served)
    assert sockets_of(proxy.process.pid) == 4  # two pairs for each worker: it listens no more
    status, said = proxy.send(signal.SIGTERM)
    assert status == 0
    assert f"{MANY} requests, 0 recorded, {MANY} replayed, 0 missed" in said


def test_a_sequence_is_played_once_for_all(shell: Shell) -> None:
    """With `repeats = refuse`, many clients at once get each recording once, and then a refusal."""
    count = 200
    save(shell, *(told("/a", str(number)) for number in range(count)))
    proxy = started(shell, "replay", "tape", "--repeats", "refuse", "--unplayed", "fail")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(proxy.port, "/a"), range(count + 3)))
    played = [int(body) for status, body in answers if status == 200]
    assert sorted(played) == list(range(count))
    assert Counter(status for status, _ in answers) == {200: count, 502: 3}
    status, said = proxy.send(signal.SIGINT)
    assert status == 6
    assert f"{count} replayed, 3 missed" in said
    assert said.count("refused GET http://a.test/a") == 3
    assert "not played" not in said


def test_the_order_is_that_of_the_recording(shell: Shell) -> None:
    """One request after the other, each on a connection of its own, get what one process gives."""
    save(shell, *(told("/a", str(number)) for number in range(3)))
    proxy = started(shell, "replay", "tape", "--repeats", "cycle")
    assert [get(proxy.port, "/a")[1] for _ in range(30)] == ["0", "1", "2"] * 10


def test_strict_wants_everything_of_all_workers(shell: Shell) -> None:
    """What no worker has played is missing in the end, once, with its exit status."""
    save(shell, *(told("/a", str(number)) for number in range(20)), told("/b", "b"))
    proxy = started(shell, "strict", "tape")
    assert [int(get(proxy.port, "/a")[1]) for _ in range(20)] == list(range(20))
    status, said = proxy.send(signal.SIGTERM)
    assert status == 7
    assert said.count("1 of 21 recordings of 'tape' were not played") == 1


def test_plays_are_reported_once(shell: Shell) -> None:
    """`--play-report` holds what all workers have played, added up."""
    save(shell, told("/a", "a"), told("/b", "b"))
    proxy = started(shell, "replay", "tape", "--play-report", "plays.json")
    for _ in range(20):
        get(proxy.port, "/a")
    assert proxy.send(signal.SIGTERM)[0] == 0
    report = json.loads((shell.folder / "plays.json").read_text())
    assert [20, 0] in report["cassettes"].values() or "20" in json.dumps(report)


def test_secrets_of_two_users_stay_apart(shell: Shell) -> None:
    """The placeholder that a user's key has met in one worker is his in the other."""
    names = ("{{REDACTED:api_key}}", "{{REDACTED:api_key:2}}")
    save(shell, *(told(f"/a?api_key={name}", str(at)) for at, name in enumerate(names)))
    proxy = started(shell, "replay", "tape")
    asked = ["ann", "bob"] * 15
    assert [get(proxy.port, f"/a?api_key={key}")[1] for key in asked] == ["0", "1"] * 15


def test_faults_go_on_where_another_worker_has_left_off(shell: Shell) -> None:
    """With a seed, the same requests go wrong, however many processes there are."""
    save(shell, told("/a", "a"))
    rule = ("--fault", "GET /a 503 30%", "--fault-seed", "7")
    found = []
    for count in ("1", "2"):
        proxy = shell.start("replay", "tape", *rule, "--workers", count)
        found.append([get(proxy.port, "/a")[0] for _ in range(40)])
        proxy.send(signal.SIGTERM)
    assert found[0] == found[1]
    assert set(found[0]) == {200, 503}


def test_around_a_command(shell: Shell) -> None:
    """A command gets the port of all, and its own status is ours."""
    save(shell, told("/a", "a"))
    curl = "curl --disable -sS http://a.test/a" + " --next http://a.test/a" * 9
    done = shell.run("replay", "tape", "--", "sh", "-c", f"{curl}; exit 3")
    assert done.returncode == 3
    assert done.stdout == "a" * 10
    assert done.stderr.count("magneto:") == 1
    assert "10 replayed" in done.stderr


def test_passing_through(shell: Shell, origin: Origin) -> None:
    """Workers forward, and say together how much."""
    proxy = started(shell, "passthrough")
    site = origin.url("/json").removesuffix("/json")
    assert [get(proxy.port, "/json", site)[0] for _ in range(20)] == [200] * 20
    status, said = proxy.send(signal.SIGTERM)
    assert status == 0
    assert "20 requests" in said


def test_one_ca_for_all(shell: Shell, tmp_path: Path) -> None:
    """Workers that meet their first TLS client at the same time make one authority."""
    shell.environ["MAGNETO_DATA_DIR"] = str(tmp_path / "data")
    request = Request("GET", "https", "a.test", 443, "/a")
    length = Headers.of(("Content-Length", "1"))
    save(shell, Interaction(request, Response(200, "OK", length, b"a")))
    proxy = started(shell, "replay", "tape")

    def fetch(_: int) -> str:
        import ssl

        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context)
        connection.set_tunnel("a.test", 443)
        try:
            connection.request("GET", "/a")
            assert connection.getresponse().read() == b"a"
            certificate = connection.sock.getpeercert(binary_form=True) or b""
        finally:
            connection.close()
        from cryptography import x509

        return x509.load_der_x509_certificate(certificate).issuer.rfc4514_string()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(fetch, range(24)))) == 1
    assert len(list((tmp_path / "data").glob("ca*.pem"))) == 2  # with the key, and without


def test_the_control_api_answers_for_all(shell: Shell) -> None:
    """Counts, misses and plays are those of the whole, whichever worker is asked."""
    save(shell, told("/a", "1"), told("/a", "2"), told("/b", "b"))
    proxy = started(shell, "replay", "tape")
    for _ in range(20):
        get(proxy.port, "/a")
    get(proxy.port, "/none")
    for _ in range(8):
        status, state = control(proxy.port, "GET")
        assert status == 200
        assert state["stats"]["requests"] == 21
        assert state["stats"]["missed"] == 1
        assert state["session"]["replayed"] == 20
        assert state["session"]["unplayed"] == [3]
        assert len(state["session"]["misses"]) == 1


def test_a_switched_mode_holds_in_all(shell: Shell, origin: Origin) -> None:
    """When the switch is answered, every worker has made it; so it is with starting over."""
    save(shell, *(told("/a", str(number)) for number in range(30)))
    proxy = started(shell, "replay", "tape")
    assert [get(proxy.port, "/a")[1] for _ in range(5)] == [str(number) for number in range(5)]
    assert control(proxy.port, "PATCH", "", {"rewind": True})[1]["replayed"] == 0
    assert [get(proxy.port, "/a")[1] for _ in range(30)] == [str(number) for number in range(30)]
    assert control(proxy.port, "PATCH", "", {"mode": "strict"})[1]["mode"] == "strict"
    assert {get(proxy.port, "/a")[0] for _ in range(10)} == {502}
    assert control(proxy.port, "PATCH", "", {"mode": "passthrough"})[0] == 200
    site = origin.url("/json").removesuffix("/json")
    assert {get(proxy.port, "/json", site)[0] for _ in range(10)} == {200}


def test_what_the_control_api_refuses(shell: Shell) -> None:
    """Modes that record, and sessions, need one process: 409, and nothing has changed."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape")
    for mode in ("record", "hybrid", "verify"):
        status, problem = control(proxy.port, "PATCH", "", {"mode": mode})
        assert status == 409
        assert "--workers 1" in problem["detail"]
    status, problem = control(proxy.port, "POST", "sessions", {"cassette": "tape"})
    assert status == 409
    assert "one worker" in problem["detail"]
    assert control(proxy.port, "GET")[1]["session"]["mode"] == "replay"
    assert get(proxy.port, "/a") == (200, "a")


def test_what_is_refused_at_the_start(shell: Shell) -> None:
    """Usage errors, told once, before any worker or recording comes to be."""
    save(shell, told("/a", "a"))
    before = (shell.folder / "cassettes" / "tape.json").read_bytes()
    for arguments, said in (
        (("record", "tape"), "the mode record records"),
        (("hybrid", "tape"), "the mode hybrid records"),
        (("verify", "tape"), "verifying is done by one process"),
        (("auto", "new"), "there is no cassette 'new' yet"),
        (("auto", "tape", "--max-age", "1h", "--stale", "re-record"), "records"),
        (("replay", "tape", "--host", "localhost"), "need an address"),
        (("replay", "tape", "--workers", "0"), "from 1 to 256"),
        (("replay", "none"), "there is no cassette 'none'"),
    ):
        if "--max-age" in arguments:
            tape = shell.folder / "cassettes" / "tape.json"
            document = json.loads(before)
            document["recorded_at"] = "2001-01-01T00:00:00Z"
            for each in document["interactions"]:
                each["recorded_at"] = "2001-01-01T00:00:00Z"
            tape.write_text(json.dumps(document))
            before = tape.read_bytes()
        done = shell.run(*arguments, "--", "true")
        assert done.returncode == (3 if arguments[1] == "none" else 2), (arguments, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count(said) == 1
    assert [each.name for each in (shell.folder / "cassettes").iterdir()] == ["tape.json"]
    assert (shell.folder / "cassettes" / "tape.json").read_bytes() == before


def test_a_port_in_use_is_in_use(shell: Shell) -> None:
    """Sharing is among the workers of one command: a second command does not slip in."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape")
    for count in ("1", "2"):
        done = shell.run("replay", "tape", "-p", str(proxy.port), "--workers", count)
        assert done.returncode == 5
        assert "is in use" in done.stderr


def test_a_worker_that_is_killed_ends_the_rest(shell: Shell) -> None:
    """It is told which and how, the port is free, and nothing hangs."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape")
    workers = workers_of(proxy.process.pid)
    os.kill(workers[1], signal.SIGKILL)
    _, said = proxy.process.communicate(timeout=PATIENCE)
    assert proxy.process.returncode == 5
    assert f"Worker 2 (process {workers[1]}) was killed by SIGKILL" in said.decode()
    assert "Traceback" not in said.decode()
    wait_until_gone(workers)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
    assert not (shell.folder / "port").exists()


def test_a_worker_that_is_killed_beside_a_command(shell: Shell) -> None:
    """The command is not killed: it goes on without a proxy, and its failure is our status."""
    save(shell, told("/a", "a"))
    kill = 'kill -KILL $(cat /proc/$PPID/task/$PPID/children | cut -d" " -f1)'
    gone = "until ! curl --disable -s http://a.test/a >/dev/null; do :; done"
    for last, status in (("true", 5), ("exit 4", 4)):
        done = shell.run("replay", "tape", "--", "sh", "-c", f"{kill}; {gone}; {last}")
        assert done.returncode == status, done.stderr
        assert "was killed by SIGKILL" in done.stderr
        assert "Traceback" not in done.stderr


def test_workers_end_when_their_parent_is_killed(shell: Shell) -> None:
    """Nobody is left to tell them; so they end by themselves, and the port is free."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape")
    workers = workers_of(proxy.process.pid)
    proxy.process.kill()
    proxy.process.wait(PATIENCE)
    wait_until_gone(workers)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)


def test_signals_to_everybody_are_the_parents(shell: Shell) -> None:
    """Ctrl-C, and a service manager, reach the workers too: they wait for what the parent says."""
    save(shell, told("/a", "a"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        proxy = started(shell, "replay", "tape")
        assert get(proxy.port, "/a") == (200, "a")
        for worker in workers_of(proxy.process.pid):
            os.kill(worker, number)
        assert get(proxy.port, "/a") == (200, "a")
        status, said = proxy.send(number)
        assert status == 0
        assert "2 replayed" in said


def test_an_answer_under_way_is_finished(shell: Shell) -> None:
    """Stopping lets each worker finish what it has begun."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape", "--latency", "fixed:300")
    connections = [http.client.HTTPConnection("127.0.0.1", proxy.port) for _ in range(12)]
    for connection in connections:
        connection.request("GET", "http://a.test/a")
    while control(proxy.port, "GET")[1]["stats"]["requests"] < len(connections):
        pass
    proxy.process.send_signal(signal.SIGTERM)
    assert [connection.getresponse().read() for connection in connections] == [b"a"] * 12
    for connection in connections:
        connection.close()
    assert "12 replayed" in proxy.process.communicate(timeout=PATIENCE)[1].decode()


def test_what_a_worker_logs_is_printed_by_the_parent(shell: Shell) -> None:
    """In the log's own format, with everything else that is said."""
    save(shell, told("/a", "a"))
    proxy = started(shell, "replay", "tape", "--log-format", "json", "--log-level", "info")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/9.9\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 4")
    _, said = proxy.send(signal.SIGTERM)
    lines = [json.loads(line) for line in said.splitlines()]
    assert any("Refused a request" in line["message"] for line in lines)
    assert lines[-1]["event"] == "finished"


def test_websockets_in_recorded_order(shell: Shell) -> None:
    """Equal handshakes get their conversations in recorded order, whichever worker each reaches."""
    numbers = itertools.count(1)

    async def tell(connection: ServerConnection) -> None:
        number = next(numbers)
        async for message in connection:
            await connection.send(f"{number}: {message!r}")

    server = serve_websockets(tell)
    recording = shell.start("record", "tape", "--workers", "1")

    def said(port: int) -> list[str | bytes]:
        url, proxy = f"ws://127.0.0.1:{server.port}/", f"http://127.0.0.1:{port}"
        heard = []
        with connect(url, proxy=proxy, open_timeout=PATIENCE) as connection:
            for message in ("a", "b"):
                connection.send(message)
                heard.append(connection.recv(PATIENCE))
        return heard

    conversations = [said(recording.port) for _ in range(9)]
    assert recording.send(signal.SIGTERM)[0] == 0
    server.stop()
    proxy = started(shell, "strict", "tape")
    assert [said(proxy.port) for _ in range(9)] == conversations
    with pytest.raises(InvalidStatus, match="502"):
        said(proxy.port)
    status, summary = proxy.send(signal.SIGTERM)
    assert status == 6
    assert "9 replayed, 1 missed" in summary
