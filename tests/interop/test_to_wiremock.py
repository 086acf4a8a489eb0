"""Stub mappings for WireMock, in the documented shape of its JSON."""

from __future__ import annotations

import io
import json
from typing import Any

from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.to_wiremock import write
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Request, Response


def exported(*held: Interaction, remarks: Remarks | None = None) -> list[Any]:
    """Return the mappings for these."""
    out = io.BytesIO()
    write(held, out, Remarks() if remarks is None else remarks)
    found = json.loads(out.getvalue())
    assert found["meta"] == {"total": len(found["mappings"])}
    mappings: list[Any] = found["mappings"]
    return mappings


def ask(
    target: str = "/p", body: bytes = b"", *fields: tuple[str, str], host: str = "h"
) -> Interaction:
    """Return an exchange in which this was sent."""
    request = Request("POST", "http", host, 80, target, Headers.of(*fields), body)
    return Interaction(request, Response(200, "OK", body=b"text"))


def test_a_mapping() -> None:
    """Framing is left to WireMock; repeats are lists."""
    fields = Headers.of(("A", "1"), ("B", "2"), ("A", "3"), ("Content-Length", "1"))
    request = Request("GET", "http", "h", 80, "/p?q=1")
    held = Interaction(request, Response(404, "Gone", fields, b"\xff"), total_ms=7.4)
    assert exported(held) == [
        {
            "request": {"method": "GET", "url": "/p?q=1"},
            "response": {
                "status": 404,
                "statusMessage": "Gone",
                "headers": {"A": ["1", "3"], "B": "2"},
                "base64Body": "/w==",
                "fixedDelayMilliseconds": 7,
            },
        }
    ]


def test_bodies_are_matched() -> None:
    """JSON by value, text and bytes exactly; nothing, where something may come."""
    json_type = ("Content-Type", "application/json")
    patterns = [
        mapping["request"].get("bodyPatterns")
        for mapping in exported(
            ask("/p", b'{"a": 1}', json_type), ask("/p", b"{torn", json_type), ask("/p", b"text"),
            ask("/p", b"\xff"), ask("/p"), ask("/q"),
        )
    ]  # fmt: skip
    assert patterns == [
        [{"equalToJson": '{"a": 1}'}], [{"equalTo": "{torn"}], [{"equalTo": "text"}],
        [{"binaryEqualTo": "/w=="}], [{"absent": True}], None,
    ]  # fmt: skip


def test_equal_requests_take_turns() -> None:
    """In a scenario, which begins with Started; the last stays."""
    first, second = exported(ask(), ask())
    assert first["scenarioName"] == second["scenarioName"]
    assert (first["requiredScenarioState"], first["newScenarioState"]) == ("Started", "2")
    assert second["requiredScenarioState"] == "2"
    assert "newScenarioState" not in second


def test_hosts_are_matched_where_there_are_several() -> None:
    """Otherwise WireMock is asked as itself."""
    assert "host" not in exported(ask())[0]["request"]
    hosts = [each["request"]["host"] for each in exported(ask(), ask(host="i"))]
    assert hosts == [{"equalTo": "h"}, {"equalTo": "i"}]


def test_what_it_cannot_hold_is_remarked() -> None:
    """Failures, headers, ports."""
    remarks = Remarks()
    other = ask("/q")
    other.request.port = 81
    failed = Interaction(other.request, failure=Failure(FailureKind.DNS))
    exported(ask("/p", b"", ("A", "1")), other, failed, remarks=remarks)
    assert set(remarks.counts) == {Remark.FIELDS, Remark.ORIGINS, Remark.FAILURE}
