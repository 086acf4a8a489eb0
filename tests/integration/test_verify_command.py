"""`magneto verify` as a user runs it: real services that change, real exit codes, real reports."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from junitparser import JUnitXml

from magneto_serge.cli.main import cli

from . import routes
from .conftest import MakeOrigin, MakeProxy
from .exchange import Exchange
from .origin import Origin
from .test_verify import JSON, get, seats

pytestmark = pytest.mark.usefixtures("at_home")


def verify(*arguments: str) -> Result:
    """Run the command in this process, with the settings of this folder."""
    return CliRunner().invoke(cli, ["verify", "then", *arguments])


@pytest.fixture
def url(any_origin: Origin, make_proxy: MakeProxy) -> str:
    """A cassette of a service that has answered with 5 seats, and with what never changes."""
    url = any_origin.on("/seats", seats(5))
    proxy = make_proxy()
    proxy.start_recording("then")
    for each in (url, any_origin.url("/json"), any_origin.url("/gzip")):
        get(proxy, each)
    proxy.stop_recording()
    any_origin.received.clear()
    return url


def test_what_has_not_changed_is_0(url: str, any_origin: Origin) -> None:
    """Every request was sent once more, as it was; nothing was written."""
    result = verify()
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert result.stderr == "magneto: 3 same, 0 changed, 0 new\n"
    targets = [each.target for each in any_origin.received]
    assert sorted(targets) == ["/gzip", "/json", "/seats"]
    assert [each.name for each in Path("cassettes").iterdir()] == ["then.json"]


def test_what_has_changed_is_1(url: str, any_origin: Origin) -> None:
    """As a diff, as JSON and as JUnit XML."""
    any_origin.on("/seats", seats(6))
    result = verify("--junit", "drift.xml", "--json", "drift.json")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"  #1 GET {url}",
        "      response.body.plan.seats",
        "-     5",
        "+     6",
        "      response.body.at",
        "-     5",
        "+     6",
    ]
    (suite,) = JUnitXml.fromfile("drift.xml")
    assert (suite.tests, suite.failures) == (3, 1)
    outcomes = [each["outcome"] for each in json.loads(Path("drift.json").read_text())["findings"]]
    assert outcomes == ["changed", "same", "same"]


def test_what_is_ignored_has_not_changed(url: str, any_origin: Origin) -> None:
    """By path, or everything but the shape."""
    any_origin.on("/seats", seats(6))
    assert verify("--shape-only").exit_code == 0
    assert verify("--ignore-json-path", "$..seats", "--ignore-json-path", "$.at").exit_code == 0
    assert verify("--only", "path=/gzip").exit_code == 0
    assert verify("--verify-header", "content-length").exit_code == 1


def test_another_address_can_be_asked(
    url: str, any_origin: Origin, make_origin: MakeOrigin
) -> None:
    """With a path before; the recorded service is left alone."""
    other = make_origin()
    for path in ("/seats", "/json", "/gzip"):
        other.scripts["/v2" + path] = any_origin.scripts[path]
    result = verify("--base-url", other.url("/v2"), "--concurrency", "1")
    assert result.exit_code == 0, result.output
    assert [each.target for each in other.received] == ["/v2/seats", "/v2/json", "/v2/gzip"]
    assert all(each.values("host") == [other.authority.encode()] for each in other.received)
    assert any_origin.received == []


def test_a_service_that_is_not_there_is_8(url: str, any_origin: Origin) -> None:
    """Each request says why; nothing is a traceback."""
    any_origin.stop()
    result = verify()
    assert result.exit_code == 8
    assert result.stdout.count("refused: ") == 3
    assert result.stderr == "magneto: 0 same, 0 changed, 0 new, 3 unreachable\n"


def test_a_service_that_takes_too_long_is_not_waited_for(url: str, any_origin: Origin) -> None:
    """Not longer than it may."""
    gate = any_origin.gate()
    any_origin.on("/seats", gate, seats(5))
    result = verify("--timeout", "0.2", "--only", "path=/seats")
    gate.open()
    assert result.exit_code == 8
    assert "timeout: " in result.stdout


def test_secrets_are_supplied_or_the_request_is_skipped(
    origin: Origin, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment; the cassette has none."""

    def guarded(exchange: Exchange) -> None:
        allowed = exchange.request.values("authorization") == [b"Bearer s3cret-0123456789"]
        body = b'{"in": true}' if allowed else b'{"in": false}'
        exchange.send(routes.response(body, JSON))

    url = origin.on("/me", guarded)
    proxy = make_proxy()
    proxy.start_recording("then")
    with httpx.Client(proxy=proxy.url) as client:
        client.get(url, headers={"Authorization": "Bearer s3cret-0123456789"})
    proxy.stop_recording()
    assert "s3cret" not in Path("cassettes/then.json").read_text()
    skipped = verify()
    assert skipped.exit_code == 2
    assert "--header 'Authorization: VALUE'" in skipped.stdout
    assert verify("--send-redacted").exit_code == 1
    monkeypatch.setenv("TOKEN", "s3cret-0123456789")
    assert verify("--header", "Authorization: Bearer $TOKEN").exit_code == 0


def test_methods_that_change_something_are_sent_when_asked_for(
    origin: Origin, make_proxy: MakeProxy
) -> None:
    """With the body that was recorded."""
    proxy = make_proxy(memory_limit=1000)
    proxy.start_recording("then")
    with httpx.Client(proxy=proxy.url) as client:
        client.post(origin.url("/echo"), content=b"x" * 5000)
        client.post(origin.url("/echo"), content=iter([b"chunk", b"ed"]))
    proxy.stop_recording()
    origin.received.clear()
    assert verify().exit_code == 2
    assert origin.received == []
    result = verify("--all-methods", "--verify-header", "none")
    assert result.exit_code == 0, result.output
    assert [each.body for each in origin.received] == [b"x" * 5000, b"chunked"]


@pytest.mark.needs("curl")
def test_around_curl_its_answers_are_compared(
    origin: Origin, make_proxy: MakeProxy, capfd: pytest.CaptureFixture[str]
) -> None:
    """curl gets what is answered now; what it never asked before is new."""
    url = origin.on("/seats", seats(5))
    command = ["--", "curl", "--disable", "-sS"]
    runner = CliRunner()
    assert runner.invoke(cli, ["record", "then", "-p", "0", *command, url]).exit_code == 0
    assert verify("-p", "0", *command, url).exit_code == 0
    origin.on("/seats", seats(6))
    result = verify("-p", "0", *command, url, origin.url("/json"))
    assert result.exit_code == 1
    assert "+ GET " + origin.url("/json") in result.stdout
    assert "1 changed, 1 new" in result.stderr
    assert '"seats": 6' in capfd.readouterr().out
