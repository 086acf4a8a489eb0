"""Python programs: literals, and nothing else, of what was recorded."""

from __future__ import annotations

import ast
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.targets import TARGETS
from magneto_serge.messages import Headers, Interaction, Request, Response

from .exchanges import requests


def program(target: str, *held: Request, remarks: Remarks | None = None) -> str:
    """Return the program that asks for these."""
    out = io.BytesIO()
    interactions = [Interaction(each, Response(200)) for each in held]
    TARGETS[target].write(interactions, out, Remarks() if remarks is None else remarks)
    return out.getvalue().decode()


@pytest.mark.parametrize("target", ["python-requests", "httpx"])
@given(held=st.lists(requests(), max_size=3))
def test_only_literals(target: str, held: list[Request]) -> None:
    """The calls are ours, each argument is a constant."""
    tree = ast.parse(program(target, *held))
    calls = {ast.unparse(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)}
    ours = {
        "python-requests": {"requests.Session", "session.headers.clear", "session.request"},
        "httpx": {"httpx.Client", "client.send", "httpx.Request"},
    }
    assert calls <= ours[target] | {"print"}


def test_repeats() -> None:
    """HTTPX sends them as they are; for Requests they are joined, with a remark."""
    fields = Headers.of(("A", "1"), ("a", "2"), ("Cookie", "x=1"), ("Cookie", "y=2"))
    request = Request("GET", "http", "h", 80, "/", fields)
    assert "('A', '1'),\n            ('a', '2')" in program("httpx", request)
    remarks = Remarks()
    written = program("python-requests", request, remarks=remarks)
    assert "'A': '1, 2'," in written
    assert "'Cookie': 'x=1; y=2'," in written
    assert remarks.counts == {Remark.FIELD_REPEATS: 2}


def test_what_clients_compute_is_left_to_them() -> None:
    """Host and framing."""
    fields = Headers.of(("Host", "h"), ("Content-Length", "1"), ("A", "1"))
    written = program("httpx", Request("POST", "http", "h", 80, "/", fields, b"\xff"))
    assert "Host" not in written
    assert "Content-Length" not in written
    assert "content=b'\\xff'" in written
