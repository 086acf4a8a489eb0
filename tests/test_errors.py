"""One tree of exceptions: everything a user can meet is in it, with an exit code of its own."""

from __future__ import annotations

import re

import pytest

from magneto_serge import errors
from magneto_serge.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    CertificateError,
    ClientProtocolError,
    ConfigError,
    MagnetoError,
    ProtocolError,
    ProxyError,
    ReplayMiss,
    UnplayedError,
    UpstreamProtocolError,
)

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, Exception)
]


def test_one_root() -> None:
    """Whoever catches MagnetoError catches all of them."""
    assert all(issubclass(error, MagnetoError) for error in ALL)


def test_tree_is_the_one_that_is_drawn() -> None:
    """The docstring shows each exception once, below its base."""
    line = re.compile(r"^( *(?:[│ ]*[├└]── )?)(\w+Error|ReplayMiss)\b", re.MULTILINE)
    drawn = line.findall(errors.__doc__ or "")
    parents: list[tuple[int, str]] = []
    found: dict[str, str] = {}
    for prefix, name in drawn:
        while parents and parents[-1][0] >= len(prefix):
            parents.pop()
        found[name] = parents[-1][1] if parents else "Exception"
        parents.append((len(prefix), name))
    assert found == {error.__name__: error.__bases__[0].__name__ for error in ALL}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MagnetoError, 1),
        (ProtocolError, 1),
        (ConfigError, 2),
        (CassetteError, 3),
        (CassetteNotFoundError, 3),
        (CassetteBusyError, 3),
        (CertificateError, 4),
        (ProxyError, 5),
        (ReplayMiss, 6),
        (UnplayedError, 7),
    ],
)
def test_exit_codes_are_promises(error: type[MagnetoError], code: int) -> None:
    """Scripts rely on them; so does the drawing."""
    assert error.exit_code == code
    drawn = re.search(rf"── {error.__name__} +exit code (\d)", errors.__doc__ or "")
    assert drawn is None or int(drawn[1]) == code


def test_message_is_for_people() -> None:
    """``str(error)`` is what was said, and nothing else."""
    assert str(ConfigError("port: 1 to 65535")) == "port: 1 to 65535"


def test_client_s_mistake_has_a_status() -> None:
    """400 unless another one says it better."""
    assert ClientProtocolError("bad").status == 400
    error = ClientProtocolError("too long", 414)
    assert (error.status, str(error)) == (414, "too long")
    assert not isinstance(error, UpstreamProtocolError)
