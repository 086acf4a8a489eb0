"""`verify`: what is sent, what is said of it, and how it ends. Real services: tests/integration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli import run as run_module
from magneto_serge.cli import verify as verify_module
from magneto_serge.cli.main import cli
from magneto_serge.cli.verify import sending_of
from magneto_serge.config import Settings
from magneto_serge.errors import ConfigError
from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.misses import Unplayed
from magneto_serge.replay.modes import Mode
from magneto_serge.replay.verdicts import Verdicts
from magneto_serge.verification import Base

from .proxy import PretendedProxy
from .recorded import exchange, record

URL = "https://a.example/"
SAME = Verdict(Outcome.SAME, "GET", URL, 1)
CHANGED = Verdict(Outcome.CHANGED, "GET", URL, 2, (Difference("response.status", "200", "404"),))
NEW = Verdict(Outcome.NEW, "GET", URL)
UNREACHABLE = Verdict(Outcome.UNREACHABLE, "GET", URL, 3, reason="refused: nobody there")
SKIPPED = Verdict(Outcome.SKIPPED, "POST", URL, 4, reason="POST may change something")


def invoke(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, ["verify", *arguments])


class Found:
    """A verification whose findings are known."""

    def __init__(self, *verdicts: Verdict) -> None:
        self._verdicts = verdicts
        self.total = len(verdicts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self._verdicts)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finding(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    """Have sending find these."""
    monkeypatch.setattr(verify_module, "_verification", lambda *_: Found(*verdicts))


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([SAME], 0),
        ([SAME, SKIPPED], 0),
        ([SAME, CHANGED], 1),
        ([NEW], 1),
        ([SAME, UNREACHABLE], 8),
        ([UNREACHABLE], 8),
        ([CHANGED, UNREACHABLE], 1),
        ([SKIPPED], 2),
        ([], 2),
    ],
)
def test_the_status_tells_what_was_found(
    verdicts: list[Verdict], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drift comes first; nothing compared is no success."""
    finding(monkeypatch, *verdicts)
    assert invoke("github").exit_code == status


def test_findings_look_like_a_diff(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is the same is counted."""
    finding(monkeypatch, SAME, CHANGED, UNREACHABLE, SKIPPED)
    result = invoke("github")
    assert result.stdout.splitlines() == [
        "  #2 GET https://a.example/",
        "      response.status",
        "-     200",
        "+     404",
        "! #3 GET https://a.example/",
        "!     refused: nobody there",
        "! #4 POST https://a.example/",
        "!     POST may change something",
    ]
    assert result.stderr == "magneto: 1 same, 1 changed, 0 new, 1 unreachable, 1 skipped\n"


def test_reports_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the text, or instead of it."""
    finding(monkeypatch, SAME, CHANGED)
    assert invoke("github", "--junit", "drift.xml", "--json", "drift.json").exit_code == 1
    assert '<failure type="changed"' in Path("drift.xml").read_text()
    assert json.loads(Path("drift.json").read_text())["drifted"] == 1
    result = invoke("github", "--json", "-")
    assert json.loads(result.stdout)["findings"][1]["outcome"] == "changed"
    assert invoke("github", "--junit", "none/x.xml").exit_code == 2


def test_nothing_that_could_be_sent_is_an_error_that_says_so() -> None:
    """Of a real cassette: POST is not safe."""
    record("github", exchange(URL, method="POST"))
    result = invoke("github")
    assert result.exit_code == 2
    assert "! #1 POST https://a.example/" in result.stdout
    assert "nothing was compared: of the 1 interactions of 'github'" in result.stderr


def test_without_a_cassette_nothing_is_sent() -> None:
    """The nearest one is named as ever."""
    record("github", exchange(URL))
    result = invoke("gihub")
    assert (result.exit_code, "github" in result.stderr) == (3, True)


def options(**given: Any) -> dict[str, Any]:
    """Return what click would have given."""
    return {
        "base_url": None,
        "only": (),
        "all_methods": False,
        "headers": (),
        "query": (),
        "send_redacted": False,
        "concurrency": None,
        "timeout": 30.0,
        **given,
    }


def test_options_say_how_to_send() -> None:
    """One after the other where the order may matter."""
    assert sending_of(options()).concurrency == 4
    assert sending_of(options(all_methods=True)).concurrency == 1
    assert sending_of(options(all_methods=True, concurrency=9)).concurrency == 9
    made = sending_of(options(base_url="http://b.test", only=("host=a.*", "method=GET")))
    assert made.base == Base("http", "b.test", 80, "")
    assert made.only is not None


def test_values_come_from_the_environment() -> None:
    """So that no secret stands on the command line."""
    given = options(headers=("Authorization: Bearer $TOKEN", "X-A:$$1"), query=("key=${KEY}",))
    made = sending_of(given, {"TOKEN": "t", "KEY": "k"})
    assert made.headers == (("Authorization", "Bearer t"), ("X-A", "$1"))
    assert made.query == (("key", "k"),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"headers": ("Authorization",)}, "--header: .* expected 'NAME: VALUE'"),
        ({"headers": ("a b: c",)}, "--header: .* expected 'NAME: VALUE'"),
        ({"headers": ("A: $NONE",)}, "--header A: the environment has no variable NONE"),
        ({"headers": ("A: 5 $",)}, r"--header A: a \$ stands before no name"),
        ({"headers": ("A: $CRLF",)}, "--header A: a field value is one line"),
        ({"query": ("key",)}, "--query: .* expected 'NAME=VALUE'"),
        ({"only": ("hosts=x",)}, "did you mean host"),
        ({"base_url": "x"}, "--base-url"),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    """Before anything is sent; a value that may be a secret is not shown."""
    with pytest.raises(ConfigError, match=message):
        sending_of(options(**given), {"CRLF": "a\r\nb"})


@pytest.mark.parametrize(
    "arguments", [["--concurrency", "0"], ["--timeout", "0"], ["--timeout", "x"]]
)
def test_numbers_have_their_limits(arguments: list[str]) -> None:
    """Click says which."""
    assert invoke("github", *arguments).exit_code == 2


# --- through a proxy ----------------------------------------------------------------------------


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> PretendedProxy:
    """The proxy that the command will be given."""
    pretended = PretendedProxy()

    def new_proxy(settings: Settings) -> PretendedProxy:
        pretended.settings = settings
        return pretended

    monkeypatch.setattr(run_module, "new_proxy", new_proxy)
    monkeypatch.setattr(run_module, "take", pretended.take)
    return pretended


def verdicts(*found: Verdict) -> Verdicts:
    """Collect findings."""
    collected = Verdicts()
    for verdict in found:
        collected.add(verdict)
    return collected


@pytest.mark.parametrize(
    ("found", "status"), [([SAME], 0), ([NEW], 1), ([UNREACHABLE], 8), ([], 0)]
)
def test_around_a_command_its_answers_are_compared(
    found: list[Verdict], status: int, proxy: PretendedProxy
) -> None:
    """And reported when it has ended."""
    proxy.verdicts = verdicts(*found)
    result = invoke("github", "--junit", "drift.xml", "--", "true")
    assert result.exit_code == status
    assert proxy.used == ("github", Mode.VERIFY)
    assert Path("drift.xml").exists()
    assert f"magneto: {proxy.verdicts.summary()}\n" in result.stderr


@pytest.mark.parametrize(("found", "status"), [([SAME], 7), ([UNREACHABLE], 7), ([NEW], 1)])
def test_what_had_to_be_asked_for_and_was_not_has_its_own_status(
    found: list[Verdict], status: int, proxy: PretendedProxy
) -> None:
    """Behind drift, before silence."""
    proxy.verdicts = verdicts(*found)
    proxy.unplayed = [Unplayed("github", 1, 2, ("#2 GET https://a.example/",))]
    assert invoke("github", "--", "true").exit_code == status


def test_the_commands_status_comes_first(proxy: PretendedProxy) -> None:
    """Drift is reported all the same."""
    proxy.verdicts = verdicts(CHANGED)
    result = invoke("github", "--", "sh", "-c", "exit 9")
    assert result.exit_code == 9
    assert "+     404" in result.stdout


def test_options_for_sending_need_no_client(proxy: PretendedProxy) -> None:
    """One that would do nothing is an error."""
    result = invoke("github", "--all-methods", "--", "true")
    assert result.exit_code == 2
    assert "--all-methods is for sending without a client" in result.stderr
    assert proxy.calls == []
