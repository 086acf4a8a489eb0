"""What urllib keeps of the environment."""

from __future__ import annotations

import urllib.request

import pytest

from magneto_serge.capture import openers


def test_what_urlopen_made_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An opener that was made in a session does not outlive it."""
    monkeypatch.setattr(urllib.request, "_opener", None)
    openers.remember()
    urllib.request.install_opener(urllib.request.build_opener())
    openers.restore()
    assert urllib.request._opener is None


def test_user_s_opener_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """An opener that was installed before is there again."""
    theirs = urllib.request.build_opener()
    monkeypatch.setattr(urllib.request, "_opener", theirs)
    openers.remember()
    urllib.request.install_opener(urllib.request.build_opener())
    openers.restore()
    assert urllib.request._opener is theirs
