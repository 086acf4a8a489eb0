"""What was played is known after the runs, so that what nothing plays can go."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.storage.play_report import read

from .conftest import MakeProxy
from .origin import Origin
from .tapes import fetch

pytestmark = pytest.mark.usefixtures("at_home")


def test_plays_of_all_sessions_add_up(
    origin: Origin, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """What is recorded counts as played, in hybrid mode behind what was there."""
    report = tmp_path / "plays.json"
    with make_proxy().session("tape", "record") as session:
        for number in range(3):
            fetch(origin.url(f"/echo?{number}"), session.url)
    proxy = make_proxy(play_report=report)
    with proxy.session("tape", "replay") as session:
        fetch(origin.url("/echo?1"), session.url)
    ((path, counts),) = read([report]).items()
    assert (path.name, counts) == ("tape.json", [0, 1, 0])
    with proxy.session("tape", "hybrid") as session:
        fetch(origin.url("/echo?1"), session.url)
        fetch(origin.url("/echo?new"), session.url)
    session.finish()
    assert read([report]) == {path: [0, 2, 0, 1]}
    with proxy.session("other", "record") as session:
        fetch(origin.url("/echo?0"), session.url)
    assert read([report])[path.with_name("other.json")] == [1]
