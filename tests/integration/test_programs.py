"""The clients of the tests, asked without any proxy: what they see is what the origin says."""

from __future__ import annotations

import pytest

from .certificates import ThrowawayAuthority
from .origin import Origin
from .programs import FORWARD_PROGRAMS, REVERSE_PROGRAMS, calls_of, parameters
from .seen import Program, Way

PROGRAMS = FORWARD_PROGRAMS | REVERSE_PROGRAMS


@pytest.mark.parametrize("program", parameters(PROGRAMS))
def test_program_sees_what_the_origin_says(
    program: Program, any_origin: Origin, origin_authority: ThrowawayAuthority
) -> None:
    """Each client makes every call and reports status, field lines and body of each."""
    calls = calls_of(program)
    seen = program(calls, Way(any_origin.url(""), None, origin_authority.pem))
    assert list(seen) == list(calls)
    assert seen["json"].status == 200
    assert seen["json"].body == b'{"ok": true}'
    assert seen["404"].status == 404
    assert [value for name, value in seen["cookies"].headers if name.lower() == b"set-cookie"] == [
        b"a=1; Path=/",
        b"b=2; Expires=Wed, 21 Oct 2065 07:28:00 GMT",
        b"a=3",
    ]
    assert [r.method for r in any_origin.received] == [c.method for c in calls.values()]
