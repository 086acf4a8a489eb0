"""What a cassette can be exported to."""

from __future__ import annotations

import io

import pytest

from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_writes(name: str) -> None:
    """An empty cassette too; only flows are nothing then."""
    out = io.BytesIO()
    TARGETS[name].write([], out, Remarks())
    assert bool(out.getvalue()) == (name != "mitmproxy")
