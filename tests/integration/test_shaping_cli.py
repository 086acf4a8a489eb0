"""The flags that shape exchanges, as a user gives them, with curl as the client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .exchange import PATIENCE
from .origin import Origin
from .routes import response
from .shapes import edit, targets

pytestmark = [pytest.mark.needs("curl"), pytest.mark.usefixtures("at_home")]

CURL = ["curl", "--disable", "-sS"]


def magneto(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the current folder."""
    return subprocess.run(
        [sys.executable, "-m", "magneto_serge", *arguments],
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


def test_recording_some(origin: Origin, tmp_path: Path) -> None:
    """What is not recorded reaches the client, and is not counted as recorded."""
    origin.on("/film", response(b"film", b"Content-Type: video/mp4"))
    done = magneto(
        "record", "tape", "-p", "0", "--record-only", "no-media", "--record-except", "path=/no*",
        "--", *CURL, origin.url("/film"), origin.url("/json"), origin.url("/nothing"),
    )  # fmt: skip
    assert done.stdout.startswith('film{"ok": true}')
    assert "3 requests, 1 recorded" in done.stderr
    assert targets(tmp_path / "cassettes" / "tape.json") == ["/json"]


def test_a_script(origin: Origin, tmp_path: Path) -> None:
    """Its hooks decide what is recorded, and answer what is not; the summary counts truly."""
    (tmp_path / "hooks.py").write_text(
        "import magneto_serge\n"
        "@magneto_serge.before_record\n"
        "async def some(interaction):\n"
        "    return None if 'drop' in interaction.request.target else interaction\n"
        "def on_miss(request):\n"
        "    return magneto_serge.Response(200, body=b'made up')\n"
    )
    recorded = magneto(
        "record", "tape", "-p", "0", "--script", "hooks.py",
        "--", *CURL, origin.url("/json"), origin.url("/json?drop"),
    )  # fmt: skip
    assert "2 requests, 1 recorded" in recorded.stderr
    origin.stop()
    replayed = magneto(
        "replay", "tape", "-p", "0", "--script", "hooks.py",
        "--", *CURL, origin.url("/json"), origin.url("/json?drop"),
    )  # fmt: skip
    assert replayed.stdout == '{"ok": true}made up'
    assert replayed.returncode == 0


def test_a_host_mapped_and_fields_set(origin: Origin) -> None:
    """`--map-host` and `--set-header`, as with other proxies and curl."""
    done = magneto(
        "passthrough", "-p", "0", "--map-host", f"api.example.com=http://{origin.authority}",
        "--set-header", "X-Env: test", "--set-header", "to-client: X-Seen: yes",
        "--", *CURL, "-i", "http://api.example.com/echo",
    )  # fmt: skip
    head, _, body = done.stdout.partition("\n\n" if "\n\n" in done.stdout else "\r\n\r\n")
    assert "X-Seen: yes" in head
    assert ["X-Env", "test"] in json.loads(body)["headers"]


def test_rules_in_the_configuration_file(origin: Origin, tmp_path: Path) -> None:
    """`[[tool.magneto.rewrite]]` is a table for each rule."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.magneto]\nport = 0\n"
        '[[tool.magneto.rewrite]]\non = "to-client"\nwhen = "path=/json"\nstatus = 418\n'
        'body = { find = "true", replace = "false" }\n'
    )
    done = magneto("passthrough", "--", *CURL, "-w", " %{http_code}", origin.url("/json"))
    assert done.stdout == '{"ok": false} 418'


def test_templates(origin: Origin, tmp_path: Path) -> None:
    """A marked interaction is rendered where the flag says so."""
    magneto("record", "tape", "-p", "0", "--", *CURL, origin.url("/json"))
    edit(tmp_path / "cassettes" / "tape.json", 1, template=True, response__body="{{ uuid() }}")
    origin.stop()
    flags = ("--templates", "--template-seed", "7")
    first, second = (
        magneto("replay", "tape", "-p", "0", *flags, "--", *CURL, origin.url("/json"))
        for _ in range(2)
    )
    assert len(first.stdout) == 36
    assert first.stdout == second.stdout


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--record-only", "hots=a"], "record_only 'hots=a'"),
        (["--script", "missing.py"], "missing.py cannot be read: No such file"),
        (["--hook", "nobody"], "there are no hooks 'nobody'"),
        (["--rewrite", "to-server fly"], "'fly' is no criterion and no action"),
        (["--map-host", "a"], "map_hosts 'a': expected HOST=HOST[:PORT]"),
        (["--set-header", "A"], "set_headers 'A': expected"),
        (["--template-seed", "x"], "is not a whole number"),
        (["--record-combine", "some"], "one of all, any"),
    ],
)
def test_mistakes(flags: list[str], says: str) -> None:
    """Exit 2 at once, with the flag's value and what is accepted; nothing has been run."""
    done = magneto("record", "tape", "-p", "0", *flags, "--", "echo", "ran")
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
