"""The programs that are measured: started on loopback, watched through /proc, stopped for sure.

Every program runs in the foreground as one process that this module started and alone ends, on a
port picked free, with its files in a folder of the benchmark's own. Where the machine has two
cores, the program under test has the first to itself and the load and its origin share the
second, so that no figure depends on where the scheduler put whom.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

READY_WITHIN = 30.0  # seconds from start to the first accepted connection
STOPPED_WITHIN = 120.0  # seconds; writing a cassette of 200,000 exchanges takes its time

_LEFT_OUT = {
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    # An installed package has its bytecode; a checkout has it from the second start on, unless
    # this keeps Python from writing it, and then starting means compiling.
    "pythondontwritebytecode",
}


class BenchmarkError(Exception):
    """The measurement cannot be made, or is not valid; the message says why."""


def find(program: str) -> str | None:
    """Return the path of a system program; Debian keeps servers where users' PATH has none."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def require(*programs: str) -> None:
    """Raise BenchmarkError naming every one of ``programs`` that is absent."""
    absent = [program for program in programs if find(program) is None]
    if absent:
        raise BenchmarkError(
            f"skipped: {', '.join(absent)} not found. "
            f"On Debian and Ubuntu: apt-get install {' '.join(absent)}"
        )


def cores() -> tuple[int, int] | None:
    """Return the core for the program under test and the one for the load; None with only one."""
    if not hasattr(os, "sched_getaffinity") or find("taskset") is None:
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


def pinned(command: Sequence[str], *, load: bool) -> list[str]:
    """Return ``command`` bound to its core: the second for the load, the first for the rest."""
    pair = cores()
    if pair is None:
        return list(command)
    return ["taskset", "-c", str(pair[load]), *command]


def free_port() -> int:
    """Return a loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """A running program; leaving the ``with`` ends it.

    ``port`` is the loopback port that it listens on, 0 where it picks one and writes it to
    ``port_file`` when it is ready; ``peak_rss`` (bytes, since the last
    ``reset_peak``) is known after the stop.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        folder: Path,
        *,
        load: bool = False,
        environ: Mapping[str, str] | None = None,
        port_file: Path | None = None,
    ) -> None:
        self.name = name
        self.port_file = port_file
        self.port = port
        self.peak_rss = 0
        self._log = folder / f"{name.replace(' ', '-')}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                pinned(command, load=load),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environ,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        try:
            self.wait(self._is_ready)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, condition: Callable[[], bool], *, interval: float = 0.005) -> None:
        """Return when ``condition()`` holds; raise BenchmarkError with the log if it never does."""
        deadline = time.monotonic() + READY_WITHIN
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                last = self.log().rpartition("\n")[2]
                raise BenchmarkError(f"{self.name} did not start: {last}\n{self.log()}")
            time.sleep(interval)

    def accepts(self) -> bool:
        """Say whether a connection is accepted at this moment."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def announced(self) -> bool:
        """Say whether the port file is there, and learn the port from it."""
        if self.port_file is None or not self.port_file.exists():
            return False
        self.port = int(self.port_file.read_text(encoding="ascii"))
        return True

    def _is_ready(self) -> bool:
        return self.accepts() if self.port_file is None else self.announced()

    def stop(self) -> None:
        """End the program with SIGTERM and learn its peak memory; idempotent."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        deadline = time.monotonic() + STOPPED_WITHIN
        while (code := self._process.poll()) is None:
            # Not ru_maxrss of the ended process: that counts what its parent was before exec.
            self.peak_rss = self.memory("VmHWM") or self.peak_rss
            if time.monotonic() > deadline:
                self._process.kill()
            time.sleep(0.005)
        if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise BenchmarkError(f"{self.name} ended with status {code}:\n{self.log()}")

    def log(self) -> str:
        """Return the last lines that the program wrote."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def cpu_seconds(self) -> float:
        """Return the processor time (s, user and system, all threads) that it has used.

        By the process's own clock, which clock_getcpuclockid(3) names: it is exact where /proc
        counts in steps of 10 ms.
        """
        return time.clock_gettime_ns((~self.pid << 3) | 2) / 1e9

    def memory(self, field: str = "VmRSS") -> int:
        """Return a memory figure of /proc/PID/status in bytes: VmRSS (now) or VmHWM (peak).

        0 where there is none: the process has just ended, or this is not Linux.
        """
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        lines = [line for line in status.splitlines() if line.startswith(f"{field}:")]
        return int(lines[0].split()[1]) * 1024 if lines else 0

    def reset_peak(self) -> None:
        """Make VmHWM count from now on (proc(5): clear_refs, 5)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


def nginx(
    name: str,
    server: str,
    folder: Path,
    *,
    upstream: int = 0,
    load: bool = False,
    tls: bool = False,
) -> Program:
    """Return nginx with one worker, answering or forwarding as the ``server`` block says.

    ``server`` is the inside of the server block; ``upstream`` the port of a group ``origin``.
    With ``tls`` it has a certificate of its own, made by openssl, and speaks TLS 1.3 too, as nginx
    does by default since 1.23.4 and as we do: by itself an older one would stay at 1.2, in which
    handshakes cost a third less and resumed ones a sixth.
    """
    port = free_port()
    prefix = folder / name.replace(" ", "-")
    prefix.mkdir()
    group = f"upstream origin {{ server 127.0.0.1:{upstream}; keepalive 64; {_LASTING} }}"
    if tls:
        server += " ssl_certificate cert.pem; ssl_certificate_key key.pem;"
        server += " ssl_protocols TLSv1.2 TLSv1.3;"
        _make_certificate(prefix)
    (prefix / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; worker_processes 1; pid nginx.pid;
        error_log stderr error;
        events {{ worker_connections 4096; }}
        http {{
          access_log off; default_type application/json;
          {_LASTING}
          client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          {group if upstream else ""}
          server {{ listen 127.0.0.1:{port}{" ssl" if tls else ""}; {server} }}
        }}
        """,
        encoding="utf-8",
    )
    command = [find("nginx") or "nginx", "-p", str(prefix), "-c", "nginx.conf", "-e", "stderr"]
    return Program(name, command, port, folder, load=load)


def _make_certificate(folder: Path) -> None:
    """Make a certificate for loopback with a P-256 key, the kind that our leaves have."""
    command = [
        *(find("openssl") or "openssl", "req", "-x509", "-newkey", "ec", "-nodes"),
        *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=127.0.0.1", "-days", "2"),
        *("-keyout", "key.pem", "-out", "cert.pem"),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


# The defaults close a connection after 1,000 requests, which would measure connecting.
_LASTING = "keepalive_requests 1000000000; keepalive_timeout 1h;"


def haproxy(name: str, upstream: int, folder: Path) -> Program:
    """Return HAProxy on one thread, forwarding to the ``upstream`` port over kept connections."""
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        f"""
global
    nbthread 1
    maxconn 2048
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend benchmark
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    http-reuse always
    server origin 127.0.0.1:{upstream}
""",
        encoding="utf-8",
    )
    command = [find("haproxy") or "haproxy", "-db", "-q", "-f", str(configuration)]
    return Program(name, command, port, folder)


def origin(folder: Path) -> Program:
    """Return our own origin for bodies of any size: ``benchmarks._origin``."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks._origin", str(port)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    return Program("origin", command, port, folder, load=True, environ=environ)


def magneto(name: str, arguments: Sequence[str], folder: Path, *, port: int = 0) -> Program:
    """Return our own command with ``arguments``, its cassettes and its CA inside ``folder``."""
    port_file = folder / f"{name}.port"
    command = [
        str(Path(sys.executable).with_name("magneto")),
        *arguments,
        *("--port", str(port), "--port-file", str(port_file)),
        *("--cassette-dir", str(folder / "cassettes"), "--quiet"),
    ]
    environ = magneto_environment(folder)
    return Program(name, command, port, folder, environ=environ, port_file=port_file)


def magneto_environment(folder: Path) -> dict[str, str]:
    """Return the environment for our command: no settings and no proxy of the user's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAGNETO_") and name.lower() not in _LEFT_OUT
    }
    return {**kept, "MAGNETO_DATA_DIR": str(folder / "data")}
