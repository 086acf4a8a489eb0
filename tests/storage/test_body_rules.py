"""What is true of bodies where nobody says otherwise."""

from __future__ import annotations

import subprocess
import sys

from magneto_serge.storage.body_rules import DEFAULT_RULES
from magneto_serge.storage.store import CassetteStore


def test_defaults() -> None:
    """Text is shown as text, the limit is that of the settings, and nothing is left out."""
    assert DEFAULT_RULES == (False, 4 * 1024 * 1024, False)


def test_a_store_loads_no_writer() -> None:
    """What a replay does not need costs it nothing at its start."""
    code = f"import sys, {CassetteStore.__module__}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout.split()
    assert "magneto_serge.storage.json_write" not in loaded
    assert "magneto_serge.storage.recorder" not in loaded
