"""The command as a user runs it: a process of its own, real programs, signals, exit codes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .certificates import ThrowawayAuthority
from .exchange import PATIENCE
from .origin import Origin

MAGNETO = [sys.executable, "-m", "magneto_serge"]
CURL = ["curl", "--disable", "-sS"]
# Every name under which some client looks for the authorities to trust.
TRUST = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
TRUST += ["AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "DENO_CERT"]

pytestmark = pytest.mark.needs("curl")


class Shell:
    """A folder to work in, with the CA and the origins' CA in the environment."""

    def __init__(self, folder: Path, data_dir: Path, upstream_ca: Path) -> None:
        self.folder = folder
        self.environ = {
            **os.environ,
            "MAGNETO_DATA_DIR": str(data_dir),
            "MAGNETO_UPSTREAM_CA": str(upstream_ca),
            "MAGNETO_PORT": "0",
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``magneto`` to its end."""
        return subprocess.run(
            [*MAGNETO, *arguments],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # bodies need not be text
            timeout=6 * PATIENCE,
            check=False,
        )

    def start(self, *arguments: str) -> Background:
        """Run ``magneto`` without a command; returns when it accepts connections."""
        process = subprocess.Popen(
            [*MAGNETO, *arguments, "--port-file", "port"],
            env=self.environ,
            cwd=self.folder,
            stderr=subprocess.PIPE,
        )
        self.running.append(process)
        return Background(process, self.folder / "port")


class Background:
    """A proxy beside the test; reading its first line is waiting until it is ready."""

    def __init__(self, process: subprocess.Popen[bytes], port_file: Path) -> None:
        self.process = process
        assert process.stderr is not None
        self.first_line = process.stderr.readline().decode()
        self.port = int(port_file.read_text())

    def curl(self, url: str) -> bytes:
        """Fetch ``url`` through it."""
        command = [*CURL, "--proxy", f"http://127.0.0.1:{self.port}", url]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True).stdout

    def send(self, number: int) -> tuple[int, str]:
        """Send a signal; return the exit status and what was said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said.decode()


@pytest.fixture
def shell(tmp_path: Path, data_dir: Path, origin_authority: ThrowawayAuthority) -> Iterator[Shell]:
    """A shell in an empty folder; what is still running after the test is ended."""
    shell = Shell(tmp_path, data_dir, origin_authority.pem)
    yield shell
    for process in shell.running:
        process.kill()
        process.communicate()


def test_what_curl_recorded_is_replayed_with_the_origin_gone(
    shell: Shell, any_origin: Origin
) -> None:
    """The main job, over HTTP and over HTTPS: every byte, and an exit status of 0."""
    command = ["--", *CURL, "-i", any_origin.url("/gzip"), any_origin.url("/cookies")]
    recorded = shell.run("record", "tape", "--no-redact", *command)
    assert recorded.returncode == 0, recorded.stderr
    assert "2 recorded" in recorded.stderr
    any_origin.stop()
    replayed = shell.run("replay", "tape", *command)
    assert replayed.returncode == 0, replayed.stderr
    assert "2 replayed, 0 missed" in replayed.stderr
    assert replayed.stdout == recorded.stdout != ""


def test_auto_records_once_and_replays_afterwards(shell: Shell, origin: Origin) -> None:
    """The second run reaches nobody."""
    command = ["--", *CURL, origin.url("/json")]
    outcomes = [shell.run("auto", "tape", *command) for _ in range(2)]
    assert [outcome.stdout for outcome in outcomes] == ['{"ok": true}'] * 2
    assert origin.connections == 1


def test_hybrid_adds_what_is_new(shell: Shell, origin: Origin) -> None:
    """And replays the rest."""
    shell.run("record", "tape", "--", *CURL, origin.url("/json"))
    shell.run("hybrid", "tape", "--", *CURL, origin.url("/json"), origin.url("/empty"))
    assert [received.target for received in origin.received] == ["/json", "/empty"]
    assert len(shell.run("show", "tape").stdout.splitlines()) == 3


def test_passthrough_keeps_nothing(shell: Shell, origin: Origin) -> None:
    """Not even a folder."""
    outcome = shell.run("passthrough", "--", *CURL, origin.url("/json"))
    assert (outcome.returncode, outcome.stdout) == (0, '{"ok": true}')
    assert list(shell.folder.iterdir()) == []


def test_a_miss_is_explained_once_and_is_6(shell: Shell, origin: Origin) -> None:
    """curl is content with any answer; we are not."""
    shell.run("record", "tape", "--", *CURL, origin.url("/json"))
    outcome = shell.run("replay", "tape", "--", *CURL, "-o", "/dev/null", origin.url("/jsno"))
    assert outcome.returncode == 6
    assert outcome.stderr.count("No recording in cassette 'tape'") == 1
    assert "path segment 1: asked 'jsno', recorded 'json'" in outcome.stderr
    assert len(origin.received) == 1


def test_the_commands_failure_is_ours(shell: Shell) -> None:
    """And a recording without traffic makes no cassette."""
    assert shell.run("record", "tape", "--", "sh", "-c", "exit 7").returncode == 7
    assert shell.run("list", "--json").stdout == "[]\n"


def test_recording_nothing_keeps_the_older_cassette(shell: Shell, origin: Origin) -> None:
    """A command that did not get as far as its requests costs nothing."""
    shell.run("record", "tape", "--", *CURL, origin.url("/json"))
    before = (shell.folder / "cassettes/tape.json").read_bytes()
    shell.run("record", "tape", "--", "false")
    assert (shell.folder / "cassettes/tape.json").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_proxy_alone_ends_well_on_a_signal(shell: Shell, origin: Origin, number: int) -> None:
    """It saves, says so, takes its port file away, and exits with 0."""
    proxy = shell.start("record", "tape")
    assert proxy.first_line == (
        f"magneto: recording tape on http://127.0.0.1:{proxy.port}; Ctrl-C stops\n"
    )
    assert proxy.curl(origin.url("/json")) == b'{"ok": true}'
    status, said = proxy.send(number)
    assert status == 0
    assert said.startswith("magneto: 1 request, 1 recorded, 0 replayed, 0 missed; ")
    assert said.endswith("; saved cassettes/tape.json\n")
    assert [each.name for each in shell.folder.iterdir()] == ["cassettes"]
    assert shell.run("replay", "tape", "--", *CURL, origin.url("/json")).returncode == 0


def test_a_proxy_alone_tells_of_misses_by_its_status(shell: Shell, origin: Origin) -> None:
    """Each is explained when it happens."""
    shell.run("record", "tape", "--", *CURL, origin.url("/json"))
    proxy = shell.start("replay", "tape")
    assert b"No recording" in proxy.curl(origin.url("/never"))
    status, said = proxy.send(signal.SIGINT)
    assert status == 6
    assert said.count("No recording in cassette 'tape'") == 1


def test_stopping_lets_an_exchange_finish(shell: Shell, origin: Origin) -> None:
    """And what it brought is in the cassette."""
    gate = origin.gate()
    origin.on("/slow", gate, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    proxy = shell.start("record", "tape")
    client = subprocess.Popen(
        [*CURL, "--proxy", f"http://127.0.0.1:{proxy.port}", origin.url("/slow")],
        stdout=subprocess.PIPE,
    )
    origin.wait_for(lambda: origin.received)
    proxy.process.send_signal(signal.SIGTERM)
    _wait_until_refused(proxy.port)
    gate.open()
    assert client.communicate(timeout=PATIENCE)[0] == b"done"
    _, said = proxy.process.communicate(timeout=PATIENCE)
    assert (proxy.process.returncode, b"1 recorded" in said) == (0, True)


def _wait_until_refused(port: int) -> None:
    """Return when nobody accepts connections at a port any more."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        except OSError:
            return
    pytest.fail(f"port {port} still accepts connections")


def test_a_second_signal_exits_at_once(shell: Shell, origin: Origin) -> None:
    """However long the exchange in flight would still have taken."""
    proxy = shell.start("record", "tape", "--shutdown-timeout", "600")
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
        url = origin.url("/silence")
        client.sendall(f"GET {url} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
        origin.wait_for(lambda: origin.received)
        proxy.process.send_signal(signal.SIGINT)
        _wait_until_refused(proxy.port)
        status, _ = proxy.send(signal.SIGINT)
    assert status == 130


def test_a_signal_is_the_commands(shell: Shell, origin: Origin) -> None:
    """It ends the command, and what was recorded until then is saved."""
    script = f"curl -sS {origin.url('/json')} >/dev/null; kill -TERM $PPID; exec sleep 60"
    outcome = shell.run("record", "tape", "--", "sh", "-c", script)
    assert outcome.returncode == 128 + signal.SIGTERM
    assert "1 recorded" in outcome.stderr


def test_a_port_in_use_is_5_and_says_what_to_do(shell: Shell) -> None:
    """Naming the port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = shell.run("record", "tape", "-p", str(port), "--", "true")
    assert outcome.returncode == 5
    assert f"{port}" in outcome.stderr
    assert "-p 0" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (("replay", "nothing", "--", "true"), 3),
        (("show", "nothing"), 3),
        (("record", "../out", "--", "true"), 2),
        (("record", "tape", "--host", "0.0.0.0", "--", "true"), 2),
        (("record", "tape", "--ca-cert", "nothing.pem", "--", "true"), 4),
        (("record", "tape", "-d", "file", "--", "true"), 3),
        (("record", "tape", "--port-file", "no/where", "--", "true"), 2),
        (("record", "tape", "--", "no-such-program"), 127),
        (("record", "tape", "--", "./file"), 126),
    ],
)
def test_a_mistake_is_one_line_and_a_status(
    shell: Shell, line: tuple[str, ...], status: int
) -> None:
    """Never a traceback."""
    (shell.folder / "file").write_text("not a folder, not a program\n")
    outcome = shell.run(*line)
    assert outcome.returncode == status, outcome.stderr
    assert outcome.stderr.startswith("magneto: ")
    assert "Traceback" not in outcome.stderr
    assert [each.name for each in shell.folder.iterdir()] == ["file"]


def test_a_reverse_proxy_is_named_to_the_command(shell: Shell, origin: Origin) -> None:
    """It needs no proxy settings of its client, only a URL."""
    script = "curl --disable -sS $MAGNETO_URL/json"
    line = ("tape", "--reverse", origin.url("").rstrip("/"), "--", "sh", "-c", script)
    assert shell.run("record", *line).stdout == '{"ok": true}'
    origin.stop()
    assert shell.run("replay", *line).stdout == '{"ok": true}'


def test_a_reverse_proxy_can_speak_tls(shell: Shell, origin: Origin) -> None:
    """With our certificate, which the command trusts by its environment."""
    script = "curl --disable -sS https://localhost:${MAGNETO_URL##*:}/json; echo; echo $MAGNETO_URL"
    reverse = ("--reverse", origin.url("").rstrip("/"), "--reverse-tls")
    outcome = shell.run("record", "tape", *reverse, "--", "sh", "-c", script)
    assert outcome.stdout.startswith('{"ok": true}\nhttps://127.0.0.1:'), outcome.stderr


def test_an_ignored_host_is_reached_without_us(shell: Shell, origin: Origin) -> None:
    """NO_PROXY names it, and is empty otherwise so that localhost is recorded too."""
    line = ("--ignore-host", origin.host, "--", *CURL, origin.url("/json"))
    assert shell.run("replay", "tape", "--", "true").returncode == 3
    outcome = shell.run("record", "tape", *line)
    assert (outcome.returncode, outcome.stdout) == (0, '{"ok": true}')
    assert "0 requests, 0 recorded" in outcome.stderr
    shown = shell.run("record", "tape", "--", "sh", "-c", 'echo "[$NO_PROXY][$no_proxy]"')
    assert shown.stdout == "[][]\n"


def test_the_command_has_every_variable_that_clients_look_at(shell: Shell) -> None:
    """Proxy in both cases, and trust under each name."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    environ = json.loads(shell.run("passthrough", "--", sys.executable, "-c", code).stdout)
    proxies = {environ[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
    assert len(proxies) == 1
    assert proxies == {environ[name] for name in ("http_proxy", "https_proxy", "all_proxy")}
    for name in TRUST:
        assert Path(environ[name]).is_file(), name
    assert environ["NODE_USE_ENV_PROXY"] == "1"


def test_json_logs_are_json_to_the_last_line(shell: Shell, origin: Origin) -> None:
    """What the proxy logs, what the command says, and errors."""
    origin.stop()
    command = ("--", *CURL, "-o", "/dev/null", origin.url("/json"))
    outcome = shell.run("record", "tape", "--log-format", "json", "--log-level", "info", *command)
    records = [json.loads(line) for line in outcome.stderr.splitlines()]
    assert records[-1]["event"] == "finished"
    assert records[-1]["failed"] == 1


def test_a_reader_that_stops_reading_is_no_error(shell: Shell, origin: Origin) -> None:
    """`magneto show | head` has no traceback."""
    shell.run("record", "tape", "--", *CURL, origin.url("/binary"), "-o", "/dev/null")
    line = f"{sys.executable} -m magneto_serge show tape 1 --json | head -n 1"
    outcome = subprocess.run(
        ["sh", "-c", line],
        env=shell.environ,
        cwd=shell.folder,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (outcome.stdout, outcome.stderr) == (b"{\n", b"")


# --- on a terminal ------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal that ``magneto`` has as its controlling one."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*MAGNETO, *arguments],
            env={**shell.environ, "TERM": "xterm", "COLUMNS": "80"},
            cwd=shell.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        shell.running.append(self.process)
        self.seen = ""

    def read_until(self, condition: Callable[[str], object]) -> None:
        """Read what is shown until ``condition`` holds of it."""
        end = time.monotonic() + PATIENCE
        while not condition(self.seen):
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"seen so far: {self.seen!r}"
            assert self._read(), f"the end came first: {self.seen!r}"

    def _read(self) -> bytes:
        try:
            piece = os.read(self._ours, 4096)
        except OSError as error:  # Linux reports the end of a terminal so
            if error.errno != errno.EIO:
                raise
            piece = b""
        self.seen += piece.decode(errors="replace")
        return piece

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._ours, keys)

    def close(self) -> int:
        """Read to the end, which must come in time; return the exit status."""
        end = time.monotonic() + PATIENCE
        while select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]:
            if not self._read():
                break
        os.close(self._ours)
        return self.process.wait(PATIENCE)


def test_on_a_terminal_a_live_line_counts(shell: Shell, origin: Origin) -> None:
    """It changes in place; Ctrl-C replaces it by the summary."""
    terminal = Terminal(shell, "record", "tape", "--port-file", "port")
    terminal.read_until(lambda seen: "recording tape: 0 requests" in seen)
    port = (shell.folder / "port").read_text().strip()
    proxied = [*CURL, "--proxy", f"http://127.0.0.1:{port}", origin.url("/json")]
    subprocess.run(proxied, capture_output=True, timeout=PATIENCE, check=True)
    terminal.read_until(lambda seen: "\r\x1b[K" in seen and "1 request, 1 recorded" in seen)
    terminal.press(b"\x03")
    assert terminal.close() == 0
    assert terminal.seen.splitlines()[-1].endswith("; saved cassettes/tape.json")


def test_ctrl_c_reaches_the_command_once_and_we_wait_for_it(shell: Shell) -> None:
    """What it does about it is its own affair: here, it counts and ends with 5."""
    code = (
        "import signal, time; count = []\n"
        "signal.signal(signal.SIGINT, lambda *_: count.append(1))\n"
        "print('waiting', flush=True)\n"
        "while not count: signal.sigtimedwait([], 0.05)\n"
        "signal.sigtimedwait([], 0.2); print('count', len(count)); raise SystemExit(5)"
    )
    terminal = Terminal(shell, "record", "tape", "--", sys.executable, "-c", code)
    terminal.read_until(lambda seen: "waiting" in seen)
    terminal.press(b"\x03")
    assert terminal.close() == 5
    assert "count 1\r\n" in terminal.seen
