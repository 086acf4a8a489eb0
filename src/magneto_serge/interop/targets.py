"""What a cassette can be exported to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import BinaryIO, NamedTuple, cast

from magneto_serge.messages import Interaction

from .remarks import Remarks

Write = Callable[[Sequence[Interaction], BinaryIO, Remarks], None]


class Target(NamedTuple):
    """What ``--to`` calls it, the module and function that write it; ``script``: it is run."""

    name: str
    module: str
    function: str = "write"
    script: bool = False

    @property
    def write(self) -> Write:
        """The function, imported when it is needed."""
        return cast("Write", getattr(import_module(f".{self.module}", __package__), self.function))


TARGETS = {
    each.name: each
    for each in (
        Target("har", "to_har"),
        Target("vcrpy", "to_vcrpy"),
        Target("curl", "to_curl", script=True),
        Target("python-requests", "to_python", "write_requests"),
        Target("httpx", "to_python", "write_httpx"),
        Target("hoverfly", "to_hoverfly"),
        Target("wiremock", "to_wiremock"),
        Target("mitmproxy", "to_mitmproxy"),
    )
}
