"""Record and replay HTTP and HTTPS traffic, from any program, through a proxy.

::

    from magneto_serge import MagnetoProxy, Mode, use_cassette

Names are imported when first used, so that ``import magneto_serge`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from magneto_serge._version import __version__

if TYPE_CHECKING:
    from magneto_serge.app import MagnetoProxy as MagnetoProxy
    from magneto_serge.config import Settings as Settings
    from magneto_serge.config import load_settings as load_settings
    from magneto_serge.errors import CassetteBusyError as CassetteBusyError
    from magneto_serge.errors import CassetteError as CassetteError
    from magneto_serge.errors import CassetteNotFoundError as CassetteNotFoundError
    from magneto_serge.errors import CertificateError as CertificateError
    from magneto_serge.errors import ConfigError as ConfigError
    from magneto_serge.errors import DriftError as DriftError
    from magneto_serge.errors import MagnetoError as MagnetoError
    from magneto_serge.errors import MatcherError as MatcherError
    from magneto_serge.errors import ProxyError as ProxyError
    from magneto_serge.errors import ReplayMiss as ReplayMiss
    from magneto_serge.errors import StaleCassetteError as StaleCassetteError
    from magneto_serge.errors import UnplayedError as UnplayedError
    from magneto_serge.errors import UnreachableError as UnreachableError
    from magneto_serge.messages import Failure as Failure
    from magneto_serge.messages import FailureKind as FailureKind
    from magneto_serge.messages import Headers as Headers
    from magneto_serge.messages import Interaction as Interaction
    from magneto_serge.messages import Request as Request
    from magneto_serge.messages import Response as Response
    from magneto_serge.replay.decisions import Stats as Stats
    from magneto_serge.replay.drift import Verdict as Verdict
    from magneto_serge.replay.hooks import before_record as before_record
    from magneto_serge.replay.hooks import before_replay as before_replay
    from magneto_serge.replay.hooks import on_message as on_message
    from magneto_serge.replay.hooks import on_miss as on_miss
    from magneto_serge.replay.matchers import register_matcher as register_matcher
    from magneto_serge.replay.misses import Miss as Miss
    from magneto_serge.replay.misses import Unplayed as Unplayed
    from magneto_serge.replay.modes import Mode as Mode
    from magneto_serge.replay.secrets.registry import register_redactor as register_redactor
    from magneto_serge.replay.templates import register_template_helper as register_template_helper
    from magneto_serge.storage.cassette import Cassette as Cassette
    from magneto_serge.use import use_cassette as use_cassette

_HOMES = {
    "MagnetoProxy": "app",
    "use_cassette": "use",
    "Mode": "replay.modes",
    "Miss": "replay.misses",
    "Unplayed": "replay.misses",
    "register_matcher": "replay.matchers",
    "Stats": "replay.decisions",
    "Verdict": "replay.drift",
    "Cassette": "storage.cassette",
    "register_redactor": "replay.secrets.registry",
    "register_template_helper": "replay.templates",
    "Settings": "config",
    "load_settings": "config",
    **dict.fromkeys(("before_record", "before_replay", "on_message", "on_miss"), "replay.hooks"),
    **dict.fromkeys(
        ("Failure", "FailureKind", "Headers", "Interaction", "Request", "Response"), "messages"
    ),
    **dict.fromkeys(
        (
            "CassetteBusyError",
            "CassetteError",
            "CassetteNotFoundError",
            "CertificateError",
            "ConfigError",
            "DriftError",
            "MagnetoError",
            "MatcherError",
            "ProxyError",
            "ReplayMiss",
            "StaleCassetteError",
            "UnplayedError",
            "UnreachableError",
        ),
        "errors",
    ),
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604  # all are strings


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
