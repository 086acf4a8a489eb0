"""The file that tells a script that the proxy is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from magneto_serge.cli import portfile
from magneto_serge.errors import ConfigError


def test_the_file_holds_the_port_while_the_proxy_runs(tmp_path: Path) -> None:
    """One number and a newline, gone afterwards, and nothing left beside it."""
    file = tmp_path / "port"
    with portfile.announcing(file, 8888):
        assert file.read_text() == "8888\n"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_gone_after_an_error_too(tmp_path: Path) -> None:
    """Nobody shall connect to a proxy that is not there."""
    file = tmp_path / "port"
    with pytest.raises(KeyError), portfile.announcing(file, 8888):
        raise KeyError
    assert not file.exists()


def test_without_a_file_nothing_happens() -> None:
    """The setting may be none."""
    portfile.remove(None)
    with portfile.announcing(None, 8888):
        pass


def test_a_file_left_over_is_removed_first(tmp_path: Path) -> None:
    """Waiting for it to exist is enough, even after a crash."""
    file = tmp_path / "port"
    file.write_text("1\n")
    portfile.remove(file)
    portfile.remove(file)
    assert not file.exists()


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    """The message names the file and the reason."""
    file = tmp_path / "nowhere" / "port"
    with (
        pytest.raises(ConfigError, match=f"port file {file}: No such file"),
        portfile.announcing(file, 1),
    ):
        pytest.fail("there is nothing to announce")


def test_a_folder_in_its_place_is_a_clear_error(tmp_path: Path) -> None:
    """A folder is not removed."""
    with pytest.raises(ConfigError, match="port file"):
        portfile.remove(tmp_path)
