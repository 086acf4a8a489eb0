"""`magneto import`: files of others become cassettes, and nothing is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.interop import source

from .recorded import FOLDER, exchange, invoke, load, record, urls

pytestmark = pytest.mark.usefixtures("here")


def cassette(*paths: str, headers: Any = None, body: str = "text") -> str:
    """Return a cassette of VCR.py."""
    return json.dumps(
        {
            "interactions": [
                {
                    "request": {
                        "method": "GET",
                        "uri": f"https://h.example{path}",
                        "headers": headers,
                    },
                    "response": {
                        "status": {"code": 200, "message": "OK"},
                        "headers": {},
                        "body": {"string": body},
                    },
                }
                for path in paths
            ],
            "version": 1,
        }
    )


def write(path: str, content: str) -> Path:
    """Write a file and the folders that it is in."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def names() -> list[str]:
    """Return the files below the cassette folder."""
    return sorted(str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*") if p.is_file())


def test_a_folder_keeps_names_and_sub_folders() -> None:
    """One cassette for each file."""
    write("old/a.yaml", cassette("/1", "/2"))
    write("old/sub/b.json", cassette("/3"))
    write("old/sub/notes.md", "# notes")
    write("old/.hidden/c.yaml", cassette("/4"))
    result = invoke("import", "old")
    assert result.exit_code == 0, result.output
    assert names() == ["a.json", "sub/b.json"]
    assert urls("a") == ["https://h.example/1", "https://h.example/2"]
    assert result.stderr == (
        "magneto: imported 2 files with 3 interactions to cassettes;"
        " 1 file of other kinds ignored\n"
    )
    assert "VCR.py      2             3" in result.stdout


def test_a_bad_file_stops_nothing() -> None:
    """It is named with the reason, and the exit status says that something is missing."""
    write("old/a.yaml", cassette("/1"))
    write("old/b.yaml", "a: b: c")
    write("old/c.json", '{"name": "no recording"}')
    write("old/d.js", "console.log(1)")
    result = invoke("import", "old")
    assert result.exit_code == 1
    assert names() == ["a.json"]
    assert "old/b.yaml" in result.stdout
    assert "not YAML" in result.stdout
    assert "no recording of a kind that is known" in result.stdout
    assert "old/d.js" not in result.stdout
    assert "2 files could not be imported; 1 file of other kinds ignored" in result.stderr


def test_nothing_is_overwritten() -> None:
    """Unless it is asked for; what is there stays as it was."""
    record("a", exchange("https://mine.example/"))
    write("a.yaml", cassette("/1"))
    result = invoke("import", "a.yaml")
    assert result.exit_code == 1
    assert "exists already" in result.stdout
    assert urls("a") == ["https://mine.example/"]
    assert invoke("import", "a.yaml", "--force").exit_code == 0
    assert urls("a") == ["https://h.example/1"]


def test_a_file_that_is_in_the_cassette_folder_already() -> None:
    """It has the name that its cassette would have, and is not overwritten."""
    path = write("cassettes/a.json", cassette("/1"))
    before = path.read_text()
    assert invoke("import", "cassettes").exit_code == 1
    assert path.read_text() == before
    assert invoke("import", "cassettes", "--force").exit_code == 0
    assert urls("a") == ["https://h.example/1"]


def test_secrets_are_masked() -> None:
    """As in a recording of our own."""
    write(
        "a.yaml",
        cassette(
            "/1?access_token=hush12345678", headers={"Authorization": ["Bearer hush12345678"]}
        ),
    )
    assert invoke("import", "a.yaml").exit_code == 0
    assert "hush12345678" not in (FOLDER / "a.json").read_text()


def test_secrets_are_kept_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is that of recordings."""
    monkeypatch.setenv("MAGNETO_REDACT", "false")
    write("a.yaml", cassette("/1", headers={"Authorization": ["Bearer hush12345678"]}))
    assert invoke("import", "a.yaml").exit_code == 0
    assert "hush12345678" in (FOLDER / "a.json").read_text()


def test_the_format_and_the_folder() -> None:
    """Can be chosen."""
    write("a.yaml", cassette("/1"))
    assert invoke("import", "a.yaml", "-d", "there", "--format", "msgpack.zst").exit_code == 0
    assert Path("there/a.msgpack.zst").exists()


def test_the_kind_can_be_forced() -> None:
    """For what does not look like what it is."""
    write(
        "odd", '{"interactions": [{"request": {"url": "http://h/"}, "response": {"status": 204}}]}'
    )
    assert invoke("import", "odd", "--from", "vcrpy").exit_code == 0
    assert urls("odd") == ["http://h/"]
    assert invoke("import", "odd", "--from", "nonsense").exit_code == 2


def test_warnings_are_counted_by_kind() -> None:
    """With the first place."""
    held = json.loads(cassette("/1", "/2"))
    for each in held["interactions"]:
        each["response"]["headers"] = {"Content-Encoding": ["gzip"]}
    write("a.json", json.dumps(held))
    result = invoke("import", "a.json")
    line = next(each for each in result.stdout.splitlines() if "encoded again" in each)
    assert line.split()[-4:] == ["2", "a.json,", "interaction", "1"]


def test_an_empty_recording_is_an_empty_cassette() -> None:
    """A test that asked for nothing goes on asking for nothing."""
    write("a.yaml", "interactions: []\nversion: 1\n")
    result = invoke("import", "a.yaml")
    assert result.exit_code == 0
    assert load("a") == []
    assert "file holds no interaction" in result.stdout


def test_equal_names_do_not_collide() -> None:
    """The second gets a number."""
    write("old/a.yaml", cassette("/1"))
    write("old/a.json", cassette("/2"))
    assert invoke("import", "old").exit_code == 0
    assert names() == ["a-2.json", "a.json"]


def test_what_is_not_there() -> None:
    """Is a mistake in the command."""
    result = invoke("import", "nowhere")
    assert result.exit_code == 2
    assert "there is no file or folder nowhere" in result.stderr


def test_half_a_file_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cassette, no journal."""
    monkeypatch.setattr(source, "LARGEST", 10)
    write("a.json", cassette("/1"))
    assert invoke("import", "a.json").exit_code == 1
    assert not FOLDER.exists() or names() == []
