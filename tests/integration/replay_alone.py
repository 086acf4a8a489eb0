"""Replays a cassette in a network namespace of its own, where there is nothing to reach.

Run by ``test_no_network.py`` under ``unshare``. Reads a task as JSON on the standard input, prints
what came back as JSON. The loopback interface of a new namespace is down: it is brought up first.
"""

from __future__ import annotations

import fcntl
import json
import socket
import ssl
import struct
import sys
import urllib.request
from typing import Any

from magneto_serge import MagnetoProxy

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)


def loopback_up() -> None:
    """Bring ``lo`` up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)
        if not flags & IFF_UP:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def can_reach(port: int) -> bool:
    """Whether the origin that is still running outside can be reached from here."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def replay(task: dict[str, Any]) -> dict[str, Any]:
    """Ask for every URL through a replaying proxy."""
    with MagnetoProxy(task["cassettes"], port=0, data_dir=task["data_dir"]) as proxy:
        proxy.replay(task["name"])
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"http": proxy.url, "https": proxy.url}),
            urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=str(proxy.ca_path))
            ),
        )
        bodies = []
        for url in task["urls"]:
            with opener.open(url, timeout=10) as response:
                bodies.append(response.read().decode())
        return {"bodies": bodies, "misses": len(proxy.misses)}


if __name__ == "__main__":
    task = json.load(sys.stdin)
    loopback_up()
    print(json.dumps({"outside": can_reach(task["port"]), **replay(task)}))
