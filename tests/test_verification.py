"""What is sent to a real service, what is not, and why. The sending is in tests/integration."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.config import Settings
from magneto_serge.errors import ConfigError
from magneto_serge.messages import (
    Conversation,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
)
from magneto_serge.proxy.resend import Resend
from magneto_serge.replay.conditions import conditions
from magneto_serge.replay.drift import DriftRules, Outcome
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.verification import Base, Sending, Verification, redacted_places


def exchange(
    method: str = "GET",
    target: str = "/",
    *fields: tuple[str, str],
    host: str = "a.test",
    body: Any = b"",
) -> Interaction:
    """Return a recorded exchange."""
    request = Request(method, "http", host, 80, target, Headers.of(*fields), body)
    return Interaction(request, Response(200))


def verification(*interactions: Interaction, **sending: Any) -> Verification:
    """Return the verification of these."""
    return Verification(list(interactions), Settings(), Sending(**sending), DriftRules())


def sent(interaction: Interaction, **sending: Any) -> Request:
    """Return what is sent for an interaction."""
    (step,) = verification(interaction, **sending)._steps()
    assert step.request is not None, step.reason
    return step.request


def reason(interaction: Interaction, **sending: Any) -> str:
    """Return why an interaction is skipped."""
    (verdict,) = verification(interaction, **sending)
    assert (verdict.outcome, verdict.number) == (Outcome.SKIPPED, 1)
    return verdict.reason


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://b.test", Base("http", "b.test", 80, "")),
        ("https://B.test:8443/v2/", Base("https", "b.test", 8443, "/v2")),
        ("http://[::1]:8080", Base("http", "::1", 8080, "")),
        ("https://bücher.example", Base("https", "xn--bcher-kva.example", 443, "")),
    ],
)
def test_a_base_url_is_an_address_and_perhaps_a_path(url: str, base: Base) -> None:
    """As one types it."""
    assert Base.of(url) == base


@pytest.mark.parametrize(
    "url", ["b.test", "ftp://b.test", "http://", "http://b:x", "http://u@b/", "http://b/?q", "//b"]
)
def test_another_base_url_is_refused(url: str) -> None:
    """Saying what is accepted."""
    with pytest.raises(ConfigError, match=r"--base-url .* expected"):
        Base.of(url)


def test_only_what_changes_nothing_is_sent_unasked() -> None:
    """RFC 9110 §9.2.1."""
    for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        assert sent(exchange(method)).method == method
    assert "--all-methods" in reason(exchange("POST"))
    assert sent(exchange("DELETE"), all_methods=True).method == "DELETE"


def test_a_websocket_needs_a_client() -> None:
    """Nobody else has anything to say."""
    opened = exchange()
    opened.websocket = Conversation()
    assert "needs a client" in reason(opened)


def test_a_request_without_its_secret_is_skipped() -> None:
    """With what would supply it."""
    told = reason(
        exchange(
            "GET", "/?api_key=REDACTED-2&page=1", ("Authorization", "Bearer REDACTED-1"), ("A", "b")
        )
    )
    assert "header Authorization, query api_key" in told
    assert "--header 'Authorization: VALUE' --query 'api_key=VALUE'" in told
    told = reason(exchange("POST", "/REDACTED-1", body=b"x=ghp_REDACTED-1"), all_methods=True)
    assert "its path, body: send it as it is, --send-redacted" in told
    assert sent(exchange("GET", "/REDACTED-1"), send_redacted=True).target == "/REDACTED-1"


def test_a_side_file_is_not_searched_for_placeholders() -> None:
    """It may be larger than memory."""
    body = FileBody(Path("nowhere"), 1, "")
    assert redacted_places(exchange("PUT", body=body).request) == []


def test_a_supplied_field_stands_where_the_recorded_one_stood() -> None:
    """Under its name, once; or at the end where there was none."""
    asked = exchange(
        "GET", "/", ("AUTHORIZATION", "Bearer REDACTED"), ("X", "1"), ("authorization", "b")
    )
    headers = (("Authorization", "Bearer é"), ("Y", "2"))
    assert list(sent(asked, headers=headers).headers) == [
        ("AUTHORIZATION", "Bearer é"),
        ("X", "1"),
        ("Y", "2"),
    ]


def test_a_supplied_query_item_replaces_those_of_its_name() -> None:
    """And is added nowhere."""
    query = (("api key", "a&b"), ("none", "1"))
    asked = exchange("GET", "/?x=1&api+key=REDACTED-1&y&api%20key=REDACTED-1")
    assert sent(asked, query=query).target == "/?x=1&api+key=a%26b&y&api%20key=a%26b"
    assert sent(exchange("GET", "/x"), query=query).target == "/x"


def test_the_base_takes_the_place_of_the_service() -> None:
    """Its path goes before the recorded one."""
    base = Base("https", "b.test", 8443, "/v2")
    moved = sent(exchange("GET", "/users?x=1"), base=base)
    assert moved.url == "https://b.test:8443/v2/users?x=1"
    assert sent(exchange("OPTIONS", "*"), base=base).target == "*"


def test_a_credential_is_shown_to_one_service_only() -> None:
    """Where the requests lead to several, somebody must say for which it is."""
    several = (exchange(host="a.test"), exchange(host="b.test"))
    token = (("Authorization", "t"),)
    with pytest.raises(ConfigError, match=r"several services, a\.test, b\.test: .* --only host="):
        verification(*several, headers=token)
    with pytest.raises(ConfigError, match="--query"):
        verification(*several, query=(("key", "k"),))
    with pytest.raises(ConfigError, match="--base-url takes the place of one service"):
        verification(*several, base=Base.of("http://c.test"))
    assert verification(*several, headers=(("X-Env", "staging"),)).total == 2
    only = conditions(["host=b.test"])
    assert verification(*several, headers=token, only=only).total == 1


def test_numbers_are_those_of_the_cassette() -> None:
    """Whatever was left out before."""
    only = conditions(["path=/b"])
    chosen = verification(exchange(target="/a"), exchange("PUT", "/b"), only=only)
    assert [verdict.number for verdict in chosen] == [2]
    assert list(verification()) == []


def test_what_is_rewritten_for_the_server_is_sent_so() -> None:
    """The settings say it for every way to the server."""
    rules = rewriter((), ("a.test=c.test:81",), ("X-Env: test",))
    made = Verification([exchange()], Settings(), Sending(), DriftRules(), rewriter=rules)
    (step,) = made._steps()
    assert step.request is not None
    assert (step.request.host, step.request.port) == ("c.test", 81)
    assert step.request.headers["x-env"] == "test"


@pytest.mark.parametrize("prepared", [None, exchange()])
def test_an_answer_is_prepared_as_if_it_were_recorded(
    prepared: Interaction | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a hook would not record is not compared."""

    async def run(_: Resend, seconds: float) -> Interaction:
        assert seconds == 30.0
        return Interaction(exchange().request, Response(500))

    monkeypatch.setattr(Resend, "run", run)
    made = Verification(
        [exchange()], Settings(), Sending(), DriftRules(), prepare=lambda _: prepared
    )
    (verdict,) = made
    assert verdict.outcome is (Outcome.SKIPPED if prepared is None else Outcome.SAME)


def test_findings_are_in_the_order_of_the_cassette(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are under way, and whichever ends first; never more than asked for."""
    under_way: list[int] = []

    async def run(resend: Resend, seconds: float) -> Interaction:
        number = int(resend._request.target[1:])
        under_way.append(number)
        assert len(under_way) <= 3
        for _ in range(50 - number):  # the later, the quicker
            await asyncio.sleep(0)
        under_way.remove(number)
        return exchange("GET", f"/{number}")

    monkeypatch.setattr(Resend, "run", run)
    made = verification(*(exchange("GET", f"/{n}") for n in range(1, 40)), concurrency=3)
    assert [(each.number, each.outcome) for each in made] == [
        (n, Outcome.SAME) for n in range(1, 40)
    ]


def test_whoever_stops_looking_stops_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way is given up."""

    async def run(resend: Resend, seconds: float) -> Interaction:
        if resend._request.target == "/1":
            return exchange("GET", "/1")
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(Resend, "run", run)
    findings = iter(verification(*(exchange("GET", f"/{n}") for n in (1, 2, 3))))
    assert next(findings).number == 1
    findings.close()  # type: ignore[attr-defined]  # it is a generator
