"""What the five commands do with a proxy, in which order, and how they end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magneto_serge.cli import run as run_module
from magneto_serge.cli.main import cli
from magneto_serge.config import Settings
from magneto_serge.errors import CassetteError, CassetteNotFoundError, ProxyError
from magneto_serge.replay.misses import Unplayed
from magneto_serge.replay.modes import Mode

from .proxy import PretendedProxy


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PretendedProxy:
    """The proxy that the commands will be given, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    pretended = PretendedProxy()

    def new_proxy(settings: Settings) -> PretendedProxy:
        pretended.settings = settings
        return pretended

    monkeypatch.setattr(run_module, "new_proxy", new_proxy)
    monkeypatch.setattr(run_module, "take", pretended.take)
    return pretended


def invoke(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, arguments)


def interrupted(proxy: PretendedProxy, before: Callable[[], None] = lambda: None) -> None:
    """Have a signal arrive once the proxy has started."""

    def on_start() -> None:
        before()
        os.kill(os.getpid(), signal.SIGTERM)

    proxy.on_start = on_start


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.PASSTHROUGH])
def test_each_command_uses_its_cassette_in_its_mode(proxy: PretendedProxy, mode: Mode) -> None:
    """The command's name is the mode, whatever a file says."""
    Path("magneto.toml").write_text('mode = "passthrough"\n')
    assert invoke(mode, "github", "--", "true").exit_code == 0
    assert proxy.used == ("github", mode)
    assert proxy.settings.mode == mode.value
    assert proxy.calls == ["take", "listen", "use", "start", "stop"]


def test_passthrough_has_no_cassette(proxy: PretendedProxy) -> None:
    """Nothing is used, so nothing is kept."""
    assert invoke("passthrough", "--", "true").exit_code == 0
    assert proxy.calls == ["take", "listen", "start", "stop"]
    assert proxy.settings.mode == "passthrough"


def test_arguments_reach_the_proxy_over_file_and_defaults(proxy: PretendedProxy) -> None:
    """What was not typed comes from the file."""
    Path("magneto.toml").write_text("port = 9000\nidle_timeout = 3\n")
    invoke("record", "x", "-p", "0", "--", "true")
    assert (proxy.settings.port, proxy.settings.idle_timeout) == (0, 3.0)


def test_the_commands_status_is_ours(proxy: PretendedProxy) -> None:
    """A failing test run fails."""
    assert invoke("record", "x", "--", "sh", "-c", "exit 7").exit_code == 7


def test_a_miss_turns_success_into_6(proxy: PretendedProxy) -> None:
    """The command may not have noticed; the miss is explained at the end."""
    proxy.refuse("http://a.example/1")
    result = invoke("replay", "x", "--", "true")
    assert result.exit_code == 6
    assert "refused GET http://a.example/1\n  Nothing matches." in result.stderr


def test_what_was_not_played_turns_success_into_7(proxy: PretendedProxy) -> None:
    """It is listed at the end; a miss, which explains more, comes first."""
    proxy.unplayed.append(Unplayed("x", 1, 2, ("#2 GET http://a.example/",)))
    result = invoke("strict", "x", "--", "true")
    assert result.exit_code == 7
    assert "1 of 2 recordings of 'x' were not played:\n  #2 GET" in result.output
    proxy.on_start = lambda: proxy.refuse("http://a.example/")
    assert invoke("strict", "x", "--", "true").exit_code == 6


def test_a_miss_does_not_hide_the_commands_own_failure(proxy: PretendedProxy) -> None:
    """Its status is better than ours."""
    proxy.refuse("http://a.example/1")
    result = invoke("replay", "x", "--", "sh", "-c", "exit 7")
    assert result.exit_code == 7
    assert "refused GET" in result.stderr


def test_alone_a_miss_is_told_by_the_status_too(proxy: PretendedProxy) -> None:
    """A script that ran the proxy beside its tests learns of it."""
    interrupted(proxy, lambda: proxy.refuse("http://a.example/1"))
    result = invoke("replay", "x")
    assert result.exit_code == 6
    assert result.stderr.count("refused GET") == 1


def test_alone_it_runs_until_a_signal_and_ends_well(proxy: PretendedProxy) -> None:
    """Where to reach it is said first, what happened last."""
    interrupted(proxy)
    result = invoke("record", "x")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0] == "magneto: recording x on http://127.0.0.1:4711; Ctrl-C stops"
    assert lines[-1].startswith("magneto: 0 requests, 0 recorded")


@pytest.mark.parametrize(
    ("mode", "exists", "title"),
    [
        ("auto", False, "recording x"),
        ("auto", True, "replaying x"),
        ("hybrid", True, "replaying and extending x"),
        ("replay", True, "replaying x"),
    ],
)
def test_what_will_be_done_is_said(
    proxy: PretendedProxy, mode: str, exists: bool, title: str
) -> None:
    """Auto says what it decided."""
    if exists:
        Path("cassettes").mkdir()
        Path("cassettes/x.json").write_text("{}")
    interrupted(proxy)
    assert f"magneto: {title} on" in invoke(mode, "x").stderr


def test_a_command_that_bypassed_the_proxy_is_pointed_out(proxy: PretendedProxy) -> None:
    """Or one that had nothing to say; where requests came, there is nothing to point out."""
    assert "no request came to the proxy" in invoke("record", "x", "--", "true").stderr
    proxy.stats.requests = 1
    assert "no request came" not in invoke("record", "x", "--", "true").stderr


def test_what_was_saved_is_named(
    proxy: PretendedProxy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Only where something was; as short as it can be typed."""
    proxy.stats.recorded = 3
    assert "; saved cassettes/x.json\n" in invoke("record", "x", "--", "true").stderr
    elsewhere = str(tmp_path_factory.mktemp("tapes"))
    outcome = invoke("record", "x", "-d", elsewhere, "--", "true")
    assert f"; saved {elsewhere}/x.json\n" in outcome.stderr
    proxy.stats.recorded = 0
    assert "; saved " not in invoke("record", "x", "--", "true").stderr


def test_quiet_says_nothing_when_all_is_well(proxy: PretendedProxy) -> None:
    """Only the user's command is heard."""
    result = invoke("record", "x", "-q", "--", "true")
    assert (result.exit_code, result.output) == (0, "")


def test_in_json_every_line_is_an_object(proxy: PretendedProxy) -> None:
    """The summary has the counters as numbers."""
    interrupted(proxy)
    result = invoke("record", "x", "--log-format", "json")
    ready, finished = map(json.loads, result.stderr.splitlines())
    assert (ready["event"], ready["url"]) == ("ready", proxy.url)
    assert (finished["event"], finished["requests"], finished["saved"]) == ("finished", 0, None)


def test_an_error_in_json_is_an_object_as_well(proxy: PretendedProxy) -> None:
    """A log collector wants no exceptions to the rule."""
    proxy.fail["start"] = ProxyError("Port 1 is in use")
    result = invoke("record", "x", "--log-format", "json")
    assert result.exit_code == 5
    assert json.loads(result.stderr)["message"] == "Port 1 is in use"


def test_insecure_is_said_loudly_and_even_when_quiet(proxy: PretendedProxy) -> None:
    """Nobody leaves it in a script without having read this."""
    result = invoke("record", "x", "--insecure", "-q", "--", "true")
    assert "DANGER: --insecure: the certificates of origins are NOT verified" in result.stderr


def test_a_port_in_use_is_one_line_and_5(proxy: PretendedProxy) -> None:
    """The proxy's own words reach the user."""
    proxy.fail["start"] = ProxyError("Port 1 is in use. Choose another with -p")
    result = invoke("record", "x", "--", "true")
    assert result.exit_code == 5
    assert result.stderr == "magneto: Port 1 is in use. Choose another with -p\n"


def test_a_cassette_that_is_not_there_is_3_and_the_proxy_stops(proxy: PretendedProxy) -> None:
    """The command is not run."""
    proxy.fail["use"] = CassetteNotFoundError("there is no cassette 'x'")
    result = invoke("replay", "x", "--", "touch", "ran")
    assert result.exit_code == 3
    assert proxy.calls[-1] == "stop"
    assert not Path("ran").exists()


@pytest.mark.parametrize("error", [CassetteError("disk full"), OSError(28, "disk full")])
def test_a_cassette_that_cannot_be_saved_is_3(proxy: PretendedProxy, error: Exception) -> None:
    """Whatever went wrong, success would be a lie."""
    proxy.fail["stop"] = error
    result = invoke("record", "x", "--", "true")
    assert result.exit_code == 3
    assert "disk full" in result.stderr


def test_a_cassette_that_cannot_be_saved_does_not_hide_a_failure(proxy: PretendedProxy) -> None:
    """The status is the command's; the message is there."""
    proxy.fail["stop"] = CassetteError("disk full")
    result = invoke("record", "x", "--", "sh", "-c", "exit 7")
    assert result.exit_code == 7
    assert "disk full" in result.stderr


@pytest.mark.parametrize(("command", "status"), [("no-such-program", 127), ("./plain", 126)])
def test_a_command_that_cannot_run_touches_no_cassette(
    proxy: PretendedProxy, command: str, status: int
) -> None:
    """The proxy is not even started."""
    Path("plain").write_text("x")
    assert invoke("record", "x", "--", command).exit_code == status
    assert proxy.calls == []


def test_a_bad_name_is_refused_before_anything_starts(proxy: PretendedProxy) -> None:
    """Cassettes stay in their folder."""
    result = invoke("record", "../x", "--", "true")
    assert result.exit_code == 2
    assert proxy.calls == []


def test_a_setting_that_is_wrong_in_the_file_is_2(proxy: PretendedProxy) -> None:
    """And named."""
    Path("magneto.toml").write_text("prot = 1\n")
    result = invoke("record", "x", "--", "true")
    assert result.exit_code == 2
    assert "did you mean port?" in result.stderr


def test_the_command_finds_the_proxy_in_its_environment(proxy: PretendedProxy) -> None:
    """And everything else that was there."""
    script = 'test "$HTTP_PROXY" = http://127.0.0.1:4711 && test -n "$PATH"'
    assert invoke("record", "x", "--", "sh", "-c", script).exit_code == 0


def test_the_port_file_is_there_for_the_command_and_gone_afterwards(proxy: PretendedProxy) -> None:
    """A stale one is gone before the proxy starts."""
    Path("port").write_text("1\n")
    proxy.on_start = lambda: pytest.fail("stale") if Path("port").exists() else None
    script = 'test "$(cat port)" = 4711'
    assert invoke("record", "x", "--port-file", "port", "--", "sh", "-c", script).exit_code == 0
    assert not Path("port").exists()


@pytest.mark.parametrize(
    ("options", "title"),
    [(["--max-age", "1d"], "recording github anew"), ([], "recording github")],
)
def test_a_cassette_that_was_too_old_is_said_to_be_recorded(
    proxy: PretendedProxy, options: list[str], title: str
) -> None:
    """Whatever the command's name promises."""
    proxy.mode = Mode.RECORD
    interrupted(proxy)
    assert f"magneto: {title} on http" in invoke("auto", "github", *options).stderr
