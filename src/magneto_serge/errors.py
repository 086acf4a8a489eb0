"""One exception tree for everything a user can meet.

::

    MagnetoError                     exit code 1
    ├── ConfigError                  exit code 2   a setting, flag or name that cannot be used
    │   ├── MatcherError                           a matcher of the user's own that has raised
    │   └── OneProcessError                        several workers were asked for what one can do
    ├── CassetteError                exit code 3   a cassette that cannot be read, written or found
    │   ├── CassetteNotFoundError
    │   ├── CassetteBusyError                      another process is recording it
    │   └── StaleCassetteError                     it is older than `max_age`
    ├── CertificateError             exit code 4   a CA or leaf that cannot be made, read or used
    ├── ProxyError                   exit code 5   the proxy cannot start, or was used after its end
    ├── ReplayMiss                   exit code 6   replay refused at least one request
    ├── UnplayedError                exit code 7   recordings that had to be played were not
    ├── DriftError                   exit code 1   the world is not as it was recorded
    ├── UnreachableError             exit code 8   verify did not reach the service
    ├── NetworkBlockedError                        a test tried what --block-network forbids
    └── ProtocolError                              bytes that are not the HTTP we accept
        ├── ClientProtocolError                    from the client: we answer with ``status``
        └── UpstreamProtocolError                  from the origin: we answer 502

Each says what happened, where, and what to do next: ``str(error)`` is meant to be shown to a
person as it is, without a traceback. The command line maps the tree to the exit codes above
(128+N for a signal and the child's own status come on top; see ``docs/cli.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from magneto_serge.units import count


class MagnetoError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class ConfigError(MagnetoError):
    """A setting, flag or name that cannot be used; names the setting and what is accepted."""

    exit_code = 2


class MatcherError(ConfigError):
    """A matcher of the user's has raised, or its key cannot be hashed; says which and where."""


class OneProcessError(ConfigError):
    """Several workers were asked for something that only one process can do; says what."""


class CassetteError(MagnetoError):
    """A cassette that cannot be read or written; names the file, the place and the remedy."""

    exit_code = 3


class CassetteNotFoundError(CassetteError):
    """The cassette asked for does not exist; names the nearest that does."""


class CassetteBusyError(CassetteError):
    """Another process or proxy is recording this cassette; names it."""


class StaleCassetteError(CassetteError):
    """A cassette older than ``max_age`` allows, where ``stale`` says that this is a failure."""


class CertificateError(MagnetoError):
    """A certificate authority or leaf that cannot be made, read or used."""

    exit_code = 4


class ProxyError(MagnetoError):
    """The proxy cannot start (address in use, ...) or was used after it stopped."""

    exit_code = 5


class Explained(Protocol):
    """Something that can say in some lines of text what happened, and what to do."""

    def explain(self) -> str:
        """Return the lines."""


class ReplayMiss(MagnetoError):  # noqa: N818  # what users of such tools call it
    """Replay refused at least one request; the message explains each of ``misses``."""

    exit_code = 6

    def __init__(self, message: str, misses: Sequence[Explained] = ()) -> None:
        super().__init__(message)
        self.misses = tuple(misses)

    @classmethod
    def of(cls, misses: Sequence[Explained]) -> ReplayMiss:
        """Return the error for these misses."""
        stories = "\n".join(miss.explain() for miss in misses)
        return cls(
            f"{count(len(misses), 'request')} had no recording to replay:\n{stories}", misses
        )


class UnplayedError(MagnetoError):
    """Recordings that had to be played were not; the message lists the first of them."""

    exit_code = 7


class NetworkBlockedError(MagnetoError):
    """A connection that ``--block-network`` refuses; names the line of the test that tried."""


class DriftError(MagnetoError):
    """Verifying found answers that are not as they were recorded; the message lists them.

    1 is what ``diff`` returns where there are differences.
    """

    exit_code = 1


class UnreachableError(MagnetoError):
    """Verifying did not reach the service, so that nothing can be said about drift."""

    exit_code = 8


class ProtocolError(MagnetoError):
    """Bytes that are not the HTTP that we accept (RFC 9110, RFC 9112)."""


class ClientProtocolError(ProtocolError):
    """The client sent something malformed or ambiguous; ``status`` is the answer it gets."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class UpstreamProtocolError(ProtocolError):
    """The origin sent something malformed or ambiguous; the client gets a 502."""
